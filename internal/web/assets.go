package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
)

//go:embed assets
var files embed.FS

// file is an asset as it is served.
type file struct {
	kind          string // MIME type
	plain, packed []byte
}

// assets are served under a name that holds their digest, so that a browser may keep
// them for ever. They are packed when the first of them is asked for: most commands serve
// no page.
var assets = sync.OnceValues(func() (map[string]file, map[string]string) {
	served, names := map[string]file{}, map[string]string{}
	list, err := fs.ReadDir(files, "assets")
	if err != nil {
		panic(err)
	}
	for _, e := range list {
		data, err := files.ReadFile("assets/" + e.Name())
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(data)
		ext := path.Ext(e.Name())
		name := strings.TrimSuffix(e.Name(), ext) + "-" + hex.EncodeToString(sum[:4]) + ext
		kind := mime.TypeByExtension(ext)
		if ext == ".js" {
			kind = "text/javascript; charset=utf-8"
		}
		served[name], names[e.Name()] = file{kind: kind, plain: data, packed: pack(data, gzip.BestCompression)}, "/assets/"+name
	}
	return served, names
})

// assetURL is where an asset is served.
func assetURL(name string) string {
	_, names := assets()
	url, ok := names[name]
	if !ok {
		panic("there is no asset " + name)
	}
	return url
}

func asset(w http.ResponseWriter, r *http.Request) {
	served, _ := assets()
	f, ok := served[r.PathValue("name")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Vary", "Accept-Encoding")
	body := f.plain
	if packs(r) {
		h.Set("Content-Encoding", "gzip")
		body = f.packed
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body) //nolint:errcheck // the browser has gone
}

// packs reports whether the browser takes gzip.
func packs(r *http.Request) bool {
	for _, c := range strings.Split(r.Header.Get("Accept-Encoding"), ",") {
		name, q, _ := strings.Cut(strings.TrimSpace(c), ";")
		if name == "gzip" && strings.TrimSpace(q) != "q=0" {
			return true
		}
	}
	return false
}

func pack(data []byte, level int) []byte {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, level)
	if err != nil {
		panic(err) // the level is a constant
	}
	z.Write(data) //nolint:errcheck // memory
	z.Close()     //nolint:errcheck // memory
	return b.Bytes()
}

// send sends a page, packed where the browser takes that. No page holds a secret
// beside something that a stranger chooses.
func send(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	h := w.Header()
	h.Add("Vary", "Accept-Encoding")
	if packs(r) {
		h.Set("Content-Encoding", "gzip")
		body = pack(body, gzip.DefaultCompression)
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body) //nolint:errcheck // the browser has gone
}
