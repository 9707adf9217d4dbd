package sim

import (
	"bytes"
	"encoding/xml"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Blobs of Azure Storage, as much of them as keeps a mark in a container: Put Blob of a
// block blob and Get Blob, with conditions. Sources: "Blob service REST API" (Put Blob,
// Get Blob, "Specifying conditional headers", "Blob service error codes", "Common REST
// API error codes", "Authorize with Microsoft Entra ID"): a bearer token for
// https://storage.azure.com/ takes x-ms-version 2017-11-09 or later, every request a
// date, and a creation that finds a blob is 409 BlobAlreadyExists.
//
// A storage account has a host of its own, and here the first part of the path, as in
// Microsoft's emulator. A token is "sim-storage-" and what follows "sim-" in one for
// Azure Resource Manager, which storage does not take.
const (
	blobService   = "microsoft.storage"
	opGetBlob     = "Blobs.get"
	opPutBlob     = "Blobs.put"
	blobVersion   = "2017-11-09" // the oldest that takes tokens
	blobRead      = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"
	blobWrite     = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write"
	blobMost      = 64 << 10
	storageHost   = ".blob.core.windows.net"
	storageIn     = "examplecorp" // the storage account, which both subscriptions use
	containerIn   = "bursar"
	versionHeader = "X-Ms-Version"
)

var (
	blobTokenForm   = regexp.MustCompile(`^Bearer sim-storage-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:-([0-9]{1,12}))?$`)
	blobVersionForm = regexp.MustCompile(`^20[0-9]{2}-[0-9]{2}-[0-9]{2}$`)
	// blobMembers are the headers that are read; the rest of x-ms-* is refused.
	blobMembers = []string{"x-ms-version", "x-ms-date", "x-ms-client-request-id", "x-ms-blob-type"}
)

var blobREST = &protocol{result: blobResult, failure: blobFailure}

func init() {
	maps.Copy(vendorErrors, map[string]int{
		"AuthorizationPermissionMismatch": 403, "BlobAlreadyExists": 409, "BlobNotFound": 404, "ConditionNotMet": 412, "ContainerNotFound": 404,
		"InvalidAuthenticationInfo": 401, "InvalidHeaderValue": 400, "InvalidUri": 400, "MissingRequiredHeader": 400, "NoAuthenticationInformation": 401,
		"RequestBodyTooLarge": 413, "ServerBusy": 503, "UnsupportedHeader": 400, "UnsupportedHttpVerb": 405, "UnsupportedQueryParameter": 400,
	})
	register(&service{
		name: blobService, provider: onAzure, global: true, protocol: blobREST,
		codes: map[string]string{
			"AuthenticationFailed":       "NoAuthenticationInformation",
			"ExpiredAuthenticationToken": "InvalidAuthenticationInfo",
			"InternalFailure":            "InternalError",
			"InvalidAuthenticationToken": "InvalidAuthenticationInfo",
			"ServiceUnavailable":         "ServerBusy",
			"Throttling":                 "ServerBusy",
		},
		operations: map[string]*operation{
			opGetBlob: {route: at("GET /{account}/{container}/{blob}"), action: blobRead, data: true, rate: armReads, run: getBlob},
			opPutBlob: {changes: true, route: at("PUT /{account}/{container}/{blob}"), action: blobWrite, data: true, rate: armWrites, run: putBlob},
		},
	})
}

// isBlob reports whether a request is meant for a storage account of Azure.
func isBlob(r *http.Request) bool {
	return r.Header.Get(versionHeader) != "" || strings.HasPrefix(r.Header.Get("Authorization"), "Bearer sim-storage-")
}

// admitBlob turns a request into a call, and fills in what the log may know of it.
func (s *Sim) admitBlob(w *world, now time.Time, r *http.Request, body []byte, log *Request) (c *call, until time.Time, err *apiError) {
	log.Provider, log.Service = onAzure, blobService
	service := services[blobService]
	op := service.operations[map[string]string{http.MethodGet: opGetBlob, http.MethodPut: opPutBlob}[r.Method]]
	if op == nil {
		return nil, until, fail("UnsupportedHttpVerb", "The resource doesn't support specified Http Verb.")
	}
	log.Operation = op.name
	if until, err = s.azureCaller(now, r, log, blobTokenForm); err != nil {
		return nil, until, err
	}
	in, err := blobIn(r, body)
	if err != nil {
		return nil, until, err
	}
	c = s.call(w, now, caller{account: log.Account, accessKey: log.AccessKey}, service, op, "", in, log.ID)
	c.userAgent = r.UserAgent()
	return c, until, nil
}

// blobIn reads the members of a request: its headers, its path and its body.
func blobIn(r *http.Request, body []byte) (params, *apiError) {
	in := params{}
	for name, values := range r.Header {
		name = strings.ToLower(name)
		conditional := strings.HasPrefix(name, "if-")
		if !conditional && !strings.HasPrefix(name, "x-ms-") {
			continue
		}
		if !slices.Contains(blobMembers, name) && (!conditional || name != "if-none-match" && name != "if-match" || r.Method != http.MethodPut) ||
			name == "x-ms-blob-type" && r.Method != http.MethodPut {
			return nil, fail("UnsupportedHeader", "One of the HTTP headers specified in the request is not supported: %s", name)
		}
		in[name] = values[0]
	}
	for name := range r.URL.Query() {
		return nil, fail("UnsupportedQueryParameter", "One of the query parameters specified in the request URI is not supported: %s", name)
	}
	switch v := in["x-ms-version"]; {
	case v == "":
		return nil, fail("MissingRequiredHeader", "An HTTP header that's mandatory for this request is not specified: x-ms-version")
	case !blobVersionForm.MatchString(v) || v < blobVersion:
		return nil, fail("InvalidHeaderValue", "The value for one of the HTTP headers is not in the correct format: x-ms-version")
	case in["x-ms-date"] == "" && r.Header.Get("Date") == "":
		return nil, fail("MissingRequiredHeader", "An HTTP header that's mandatory for this request is not specified: x-ms-date")
	}
	parts := strings.SplitN(strings.TrimPrefix(r.URL.Path, "/"), "/", 3)
	if len(parts) != 3 || parts[2] == "" || len(parts[2]) > 1024 {
		return nil, fail("InvalidUri", "The requested URI does not represent any resource on the server.")
	}
	in["account"], in["container"], in["blob"] = parts[0], parts[1], parts[2]
	if r.Method != http.MethodPut {
		return in, nil
	}
	switch {
	case in["x-ms-blob-type"] == "":
		return nil, fail("MissingRequiredHeader", "An HTTP header that's mandatory for this request is not specified: x-ms-blob-type")
	case in["x-ms-blob-type"] != "BlockBlob":
		return nil, fail("InvalidHeaderValue", "The simulator has no blobs of type %s.", in["x-ms-blob-type"])
	case in["if-none-match"] != "" && in["if-match"] != "":
		return nil, fail("InvalidHeaderValue", "The simulator takes one condition.")
	case len(body) > blobMost:
		return nil, fail("RequestBodyTooLarge", "The simulator keeps %d bytes.", blobMost)
	}
	in["body"], in["type"] = string(body), r.Header.Get("Content-Type")
	return in, nil
}

// blob finds the one that a call is about; nil if there is none.
func (c *call) blob() (store string, found *object, err *apiError) {
	if c.in["account"] != storageIn || c.in["container"] != containerIn {
		return "", nil, fail("ContainerNotFound", "The specified container does not exist.")
	}
	store = storageIn + "/" + containerIn
	return store, c.world.objects[objectKey{onAzure, store, c.in["blob"]}], nil
}

// showBlob puts into the answer what its headers say of a blob.
func (c *call) showBlob(o *object) {
	c.header = map[string]string{
		versionHeader: c.in["x-ms-version"], "Etag": o.etag(c.world.seed), "Last-Modified": o.At.Format(http.TimeFormat),
	}
	if id := c.in["x-ms-client-request-id"]; id != "" {
		c.header["X-Ms-Client-Request-Id"] = id
	}
}

func getBlob(c *call) (node, *apiError) {
	_, o, err := c.blob()
	switch {
	case err != nil:
		return node{}, err
	case o == nil:
		return node{}, fail("BlobNotFound", "The specified blob does not exist.")
	}
	c.showBlob(o)
	c.header["X-Ms-Blob-Type"], c.header["Accept-Ranges"] = "BlockBlob", "bytes"
	return node{text: o.Text, name: o.Type}, nil
}

func putBlob(c *call) (node, *apiError) {
	store, old, err := c.blob()
	if err != nil {
		return node{}, err
	}
	none, match := c.in["if-none-match"], c.in["if-match"]
	switch {
	case none == "*" && old != nil:
		return node{}, fail("BlobAlreadyExists", "The specified blob already exists.")
	case none != "" && none != "*" && old != nil && none == old.etag(c.world.seed),
		match != "" && (old == nil || match != "*" && match != old.etag(c.world.seed)):
		return node{}, fail("ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met.")
	}
	o := c.put(store, c.in["blob"], c.in["body"], c.in["type"])
	c.showBlob(o)
	c.status, c.header["X-Ms-Request-Server-Encrypted"] = http.StatusCreated, "true"
	return node{}, nil
}

// blobResult is the content of a blob, or nothing.
func blobResult(_ *service, _ *operation, requestID string, out node) reply {
	return reply{status: http.StatusOK, contentType: out.name, body: []byte(out.text), header: map[string]string{"X-Ms-Request-Id": requestID}}
}

func blobFailure(_ *service, requestID string, err *apiError) reply {
	var b bytes.Buffer
	b.WriteString("\ufeff" + `<?xml version="1.0" encoding="utf-8"?><Error><Code>` + err.code + `</Code><Message>`)
	_ = xml.EscapeText(&b, []byte(err.message+"\nRequestId:"+requestID)) // a buffer takes everything
	b.WriteString(`</Message></Error>`)
	r := reply{status: err.status(), code: err.code, contentType: "application/xml", body: b.Bytes(),
		header: map[string]string{"X-Ms-Request-Id": requestID, "X-Ms-Error-Code": err.code}}
	if r.status == http.StatusUnauthorized {
		r.header["Www-Authenticate"] = "Bearer authorization_uri=https://login.microsoftonline.com/" + simTenant + "/oauth2/authorize resource_id=https://storage.azure.com"
	}
	return r
}

// marksAt says where an account may keep marks, as a configuration names it.
func marksAt(provider string) string {
	switch provider {
	case onAzure:
		return "https://" + storageIn + storageHost + "/" + containerIn
	case onGCP:
		return "gs://" + bucketIn
	}
	return ""
}
