package recommend

import (
	"bytes"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// look is what a file looks like.
type look int

const (
	looksUnknown look = iota
	looksYAML
	looksJSON
	looksCSV
)

// plainText returns the text without its byte order mark. Later stages rely on
// valid UTF-8 without NUL.
func plainText(file string, data []byte) (string, error) {
	r := reader{file}
	if bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff}) {
		return "", r.errorf(0, "", "is UTF-16 text: save it as UTF-8")
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if i := bytes.IndexByte(data, 0); i >= 0 {
		return "", r.errorf(lineAt(data, i), "", "holds a NUL byte: this is not a text file")
	}
	if i := invalidUTF8(data); i >= 0 {
		return "", r.errorf(lineAt(data, i), "", "is not valid UTF-8: save the file as UTF-8")
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return "", r.errorf(0, "", "is empty")
	}
	return string(data), nil
}

func lineAt[T []byte | string](text T, offset int) int {
	return bytes.Count([]byte(text[:min(offset, len(text))]), []byte("\n")) + 1
}

// invalidUTF8 returns the offset of the first byte that is not UTF-8, or -1.
func invalidUTF8(data []byte) int {
	if utf8.Valid(data) {
		return -1
	}
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}

// yamlStart matches a first line that only YAML has: a key, a list entry, a
// document mark or a directive.
var yamlStart = regexp.MustCompile(`^(["']?[A-Za-z_][A-Za-z0-9_ -]*["']?[ \t]*:([ \t]|$)|- |---|%)`)

// recognize tells the format by content; the extension decides only what the
// content leaves open.
func recognize(file, text string) look {
	if text = strings.TrimSpace(text); text[0] == '{' || text[0] == '[' {
		return looksJSON
	}
	first := firstLine(text)
	start := first[:min(len(first), 256)]
	switch {
	case first == "": // comments alone
		return looksYAML
	case yamlStart.MatchString(start):
		return looksYAML
	case strings.HasPrefix(strings.ToLower(first), "sep="):
		return looksCSV
	}
	if _, known := delimiter(first); known >= 2 {
		return looksCSV
	}
	switch {
	case hasExt(file, ".csv", ".tsv"):
		return looksCSV
	case hasExt(file, ".yaml", ".yml"):
		return looksYAML
	case hasExt(file, ".json"):
		return looksJSON
	}
	return looksUnknown
}

// firstLine returns the first line that is neither blank nor a comment.
func firstLine(text string) string {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			return line
		}
	}
	return ""
}

func hasExt(file string, exts ...string) bool {
	return slices.Contains(exts, strings.ToLower(filepath.Ext(file)))
}
