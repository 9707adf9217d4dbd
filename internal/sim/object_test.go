package sim

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// What the two clouds say of an object that is created, read and written over, and what
// they refuse, by status and code.
func TestObjects(t *testing.T) {
	s := newSim(t, Options{Unthrottled: true})
	url := serve(t, s)
	ask := func(method, path, body string, headers ...string) (status int, code, text string, h http.Header) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close() //nolint:errcheck // read only
		raw, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, resp.Header.Get("X-Ms-Error-Code"), string(raw), resp.Header
	}

	subscription := subscriptions[0].ID
	azure := func(method, path, body string, headers ...string) (int, string, string, http.Header) {
		t.Helper()
		all := []string{"Authorization", "Bearer sim-storage-" + subscription, "x-ms-version", "2021-12-02", "x-ms-date", "Mon, 23 Nov 2026 00:00:00 GMT"}
		if method == http.MethodPut {
			all = append(all, "x-ms-blob-type", "BlockBlob", "Content-Type", "text/plain")
		}
		return ask(method, path, body, append(all, headers...)...)
	}
	const blob = "/examplecorp/bursar/a/b"
	status, _, _, h := azure("PUT", blob, "one", "If-None-Match", "*")
	tag := h.Get("Etag")
	if status != 201 || tag == "" || h.Get("X-Ms-Version") != "2021-12-02" {
		t.Errorf("created: %d %v", status, h)
	}
	if status, _, text, h := azure("GET", blob, ""); status != 200 || text != "one" || h.Get("Etag") != tag || h.Get("Content-Type") != "text/plain" {
		t.Errorf("read: %d %q %v", status, text, h)
	}
	for _, tc := range []struct {
		method, path string
		headers      []string
		status       int
		code         string
	}{
		{"PUT", blob, []string{"If-None-Match", "*"}, 409, "BlobAlreadyExists"},
		{"PUT", blob, []string{"If-Match", `"0x8"`}, 412, "ConditionNotMet"},
		{"PUT", blob, []string{"If-Match", tag}, 201, ""},
		{"PUT", blob, []string{"If-Match", tag}, 412, "ConditionNotMet"}, // it is another one now
		{"PUT", blob, nil, 201, ""},
		{"PUT", blob, []string{"x-ms-blob-type", "PageBlob"}, 400, "InvalidHeaderValue"},
		{"PUT", blob, []string{"x-ms-blob-type", ""}, 400, "MissingRequiredHeader"},
		{"PUT", blob, []string{"x-ms-meta-a", "b"}, 400, "UnsupportedHeader"},
		{"PUT", blob + "?comp=block", nil, 400, "UnsupportedQueryParameter"},
		{"DELETE", blob, nil, 405, "UnsupportedHttpVerb"},
		{"GET", "/examplecorp/bursar/a", nil, 404, "BlobNotFound"},
		{"GET", "/examplecorp/other/a", nil, 404, "ContainerNotFound"},
		{"GET", "/examplecorp", nil, 400, "InvalidUri"},
		{"GET", blob, []string{"x-ms-version", ""}, 400, "MissingRequiredHeader"},
		{"GET", blob, []string{"x-ms-version", "2015-02-21"}, 400, "InvalidHeaderValue"},
		{"GET", blob, []string{"x-ms-date", ""}, 400, "MissingRequiredHeader"},
		{"GET", blob, []string{"If-None-Match", tag}, 400, "UnsupportedHeader"},
		{"GET", blob, []string{"Authorization", ""}, 401, "NoAuthenticationInformation"},
		{"GET", blob, []string{"Authorization", "Bearer sim-" + subscription}, 401, "InvalidAuthenticationInfo"}, // a token for management
		{"GET", blob, []string{"Authorization", "Bearer sim-storage-" + subscription + "-1"}, 401, "InvalidAuthenticationInfo"},
	} {
		if status, code, text, _ := azure(tc.method, tc.path, "two", tc.headers...); tc.method != "GET" && (status != tc.status || code != tc.code) || tc.code != "" && !strings.Contains(text, "<Code>"+tc.code+"</Code>") {
			t.Errorf("%s %s %v: %d %s %s", tc.method, tc.path, tc.headers, status, code, text)
		}
	}

	google := func(method, path, body string, headers ...string) (int, string) {
		t.Helper()
		status, _, text, _ := ask(method, path, body, append([]string{"Authorization", "Bearer sim-" + gcpProjects[0].id}, headers...)...)
		return status, text
	}
	put := func(query, about, content string) (int, string) {
		return google("POST", "/upload/storage/v1/b/"+bucketIn+"/o?uploadType=multipart"+query,
			"--x\r\nContent-Type: application/json\r\n\r\n"+about+"\r\n--x\r\nContent-Type: text/plain\r\n\r\n"+content+"\r\n--x--\r\n",
			"Content-Type", "multipart/related; boundary=x")
	}
	const object = "/storage/v1/b/" + bucketIn + "/o/a%2Fb"
	if status, text := put("&ifGenerationMatch=0", `{"name":"a/b"}`, "one"); status != 200 || !strings.Contains(text, `"generation":"`) || !strings.Contains(text, `"name":"a/b"`) {
		t.Errorf("created: %d %s", status, text)
	}
	if status, text := google("GET", object+"?alt=media", ""); status != 200 || text != "one" {
		t.Errorf("content: %d %s", status, text)
	}
	if status, text := google("GET", object, ""); status != 200 || !strings.Contains(text, `"size":"3"`) {
		t.Errorf("read: %d %s", status, text)
	}
	for _, tc := range []struct {
		query, about string
		status       int
		reason       string
	}{
		{"&ifGenerationMatch=0", `{"name":"a/b"}`, 412, "conditionNotMet"},
		{"&ifGenerationMatch=1", `{"name":"a/b"}`, 412, "conditionNotMet"},
		{"&ifGenerationMatch=x", `{"name":"a/b"}`, 400, "invalid"},
		{"", `{}`, 400, "required"},
		{"&name=c", `{"name":"a/b"}`, 400, "invalid"},
		{"", `{"name":"a/b","acl":"x"}`, 400, "invalid"},
		{"&predefinedAcl=private", `{"name":"a/b"}`, 400, "invalid"},
		{"", `{"name":"a/b"}`, 200, ""},
	} {
		if status, text := put(tc.query, tc.about, "two"); status != tc.status || !strings.Contains(text, `"`+tc.reason) {
			t.Errorf("%s %s: %d %s", tc.query, tc.about, status, text)
		}
	}
	if status, text := google("GET", "/storage/v1/b/"+bucketIn+"/o/a", ""); status != 404 || !strings.Contains(text, "No such object: "+bucketIn+"/a") || !strings.Contains(text, `"notFound"`) {
		t.Errorf("no object: %d %s", status, text)
	}
	if status, text := google("GET", "/storage/v1/b/"+bucketIn+"/o/a?alt=media", ""); status != 404 || text != "No such object: "+bucketIn+"/a" {
		t.Errorf("no content: %d %s", status, text)
	}
	if status, text := google("GET", "/storage/v1/b/other/o/a", ""); status != 404 || !strings.Contains(text, "bucket does not exist") {
		t.Errorf("no bucket: %d %s", status, text)
	}
	if status, text := google("GET", object, "", "Authorization", "Bearer sim-other-corp"); status != 403 || !strings.Contains(text, `"forbidden"`) {
		t.Errorf("a stranger: %d %s", status, text)
	}
}

// What is kept outlives the process.
func TestObjectsAreKept(t *testing.T) {
	path := t.TempDir() + "/state"
	for _, want := range []int{200, 412} {
		s := newSim(t, Options{Unthrottled: true, Path: path})
		r, err := http.NewRequestWithContext(t.Context(), "POST", serve(t, s)+"/upload/storage/v1/b/"+bucketIn+"/o?uploadType=multipart&ifGenerationMatch=0",
			strings.NewReader("--x\r\n\r\n{\"name\":\"a\"}\r\n--x\r\n\r\none\r\n--x--\r\n"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer sim-"+gcpProjects[0].id)
		r.Header.Set("Content-Type", "multipart/related; boundary=x")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("status %d, want %d", resp.StatusCode, want)
		}
	}
}
