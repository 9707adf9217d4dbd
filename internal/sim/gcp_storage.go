package sim

import (
	"bytes"
	"crypto/md5" //nolint:gosec // Cloud Storage publishes it of every object
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"
)

// Cloud Storage, JSON API v1, as much of it as keeps a mark in a bucket: an object in
// one multipart upload, and its metadata and content. Sources: the discovery document
// of storage v1, "Request preconditions" (ifGenerationMatch=0 creates and nothing else),
// "HTTP status and error codes for JSON", "IAM permissions for JSON methods": to write
// over an object takes storage.objects.delete, too. A caller that may not list is told
// 403 and not 404 of an object that is not there (googleapis/google-cloud-go#1638).
// What fails while content is asked for is answered in plain text.
const (
	cloudStorage = "storage"
	opObjectGet  = "objects.get"
	opObjectNew  = "objects.insert"
	bucketIn     = "example-corp-bursar" // of the first billing account's projects
	objectMost   = 64 << 10

	mayGet    = "storage.objects.get"
	mayCreate = "storage.objects.create"
	mayDelete = "storage.objects.delete"
	mayList   = "storage.objects.list"
)

func init() {
	vendorErrors["conditionNotMet"] = http.StatusPreconditionFailed
	gcpPermissions[cloudStorage+"."+opObjectGet] = mayGet
	gcpPermissions[cloudStorage+"."+opObjectNew] = mayCreate
	codes := gcpCodes(true)
	codes["Throttling"] = "rateLimitExceeded"
	register(&service{
		name: cloudStorage, provider: onGCP, protocol: &protocol{result: storageResult, failure: gcpFailure},
		codes: codes, statuses: map[string]int{"rateLimitExceeded": http.StatusTooManyRequests},
		operations: map[string]*operation{
			opObjectGet: {rate: gcpReads, plain: asksContent, run: getObject},
			opObjectNew: {changes: true, rate: gcpWrites, run: putObject},
		},
	})
	gcpRoutes = append(gcpRoutes,
		gcpRoute{method: "GET", path: "/storage/v1/b/{bucket}/o/{object}", service: cloudStorage, operation: opObjectGet, query: []string{"alt", "generation"}},
		gcpRoute{method: "POST", path: "/upload/storage/v1/b/{bucket}/o", service: cloudStorage, operation: opObjectNew, upload: true,
			query: []string{"uploadType", "name", "ifGenerationMatch"},
			body:  map[string]jsonKind{"name": jsonText, "bucket": jsonText, "contentType": jsonText, "crc32c": jsonText, "md5Hash": jsonText}},
	)
}

func asksContent(c *call) bool { return c.in["alt"] == "media" }

// multipartBody reads a body of two parts: what an object is, as JSON, and its content.
func multipartBody(r *http.Request, body []byte, in params) (about []byte, err *apiError) {
	kind, options, parseErr := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if parseErr != nil || kind != "multipart/related" || in["uploadType"] != "multipart" {
		return nil, fail("MalformedInput", "the simulator takes uploads of type multipart only")
	}
	parts := multipart.NewReader(bytes.NewReader(body), options["boundary"])
	for _, name := range []string{"about", "content"} {
		p, partErr := parts.NextRawPart()
		if partErr != nil {
			return nil, fail("MalformedInput", "Multipart body has no part for the %s", name)
		}
		raw, readErr := io.ReadAll(p)
		if readErr != nil {
			return nil, fail("MalformedInput", "Multipart body broke off")
		}
		if name == "about" {
			about = raw
			continue
		}
		in["content"], in["content.type"] = string(raw), p.Header.Get("Content-Type")
	}
	if _, more := parts.NextRawPart(); more != io.EOF {
		return nil, fail("MalformedInput", "Multipart body has more than two parts")
	}
	return about, nil
}

// bucket checks that the caller sees the bucket of a call.
func (c *call) bucket() *apiError {
	switch name := c.in["bucket"]; {
	case name != bucketIn:
		return fail("NotFound", "The specified bucket does not exist.")
	case gcpBillingOf(c.who.account) != gcpProjects[0].billing:
		return c.refuseObject(gcpPermissions[c.service.name+"."+c.op.name])
	}
	return nil
}

func (c *call) refuseObject(permission string) *apiError {
	return fail("AccessDenied", "%s does not have %s access to the Google Cloud Storage object. Permission '%s' denied on resource (or it may not exist).",
		"bursar@"+c.who.account+".iam.gserviceaccount.com", permission, permission)
}

func getObject(c *call) (node, *apiError) {
	if err := c.bucket(); err != nil {
		return node{}, err
	}
	name := c.in["object"]
	o := c.world.objects[objectKey{onGCP, bucketIn, name}]
	if g := c.in["generation"]; o != nil && g != "" && g != strconv.FormatInt(o.Generation, 10) {
		o = nil // no version of before is kept
	}
	switch {
	case o == nil && !c.opts.mayGoogle(c.who.account, mayList):
		return node{}, c.refuseObject(mayList)
	case o == nil:
		return node{}, fail("NotFound", "No such object: %s/%s", bucketIn, name)
	case asksContent(c):
		c.header = map[string]string{"X-Goog-Generation": strconv.FormatInt(o.Generation, 10), "Etag": o.etag(c.world.seed)}
		return node{name: o.Type, text: o.Text}, nil
	}
	return c.objectNode(o), nil
}

func putObject(c *call) (node, *apiError) {
	if err := c.bucket(); err != nil {
		return node{}, err
	}
	name := c.in["name"]
	if given := c.in["object.name"]; name == "" {
		name = given
	} else if given != "" && given != name {
		return node{}, fail("InvalidParameterValue", "the object has two names")
	}
	switch {
	case name == "":
		return node{}, fail("MissingParameter", "Required")
	case len(name) > 1024 || strings.ContainsAny(name, "\r\n"):
		return node{}, fail("InvalidParameterValue", "Invalid object name")
	case len(c.in["content"]) > objectMost:
		return node{}, fail("InvalidParameterValue", "the simulator keeps %d bytes", objectMost)
	}
	old := c.world.objects[objectKey{onGCP, bucketIn, name}]
	if want, given := c.in["ifGenerationMatch"]; given {
		g, err := strconv.ParseInt(want, 10, 64)
		switch {
		case err != nil || g < 0:
			return node{}, fail("InvalidParameterValue", "Invalid value for ifGenerationMatch: %s", want)
		case g == 0 && old != nil || g != 0 && (old == nil || old.Generation != g):
			return node{}, fail("conditionNotMet", "At least one of the pre-conditions you specified did not hold.")
		}
	}
	if old != nil && !c.opts.mayGoogle(c.who.account, mayDelete) {
		return node{}, c.refuseObject(mayDelete)
	}
	kind := c.in["object.contentType"]
	if kind == "" {
		kind = c.in["content.type"]
	}
	return c.objectNode(c.put(bucketIn, name, c.in["content"], kind)), nil
}

// objectNode is what an object is.
func (c *call) objectNode(o *object) node {
	g, at := strconv.FormatInt(o.Generation, 10), o.At.Format("2006-01-02T15:04:05.000Z")
	sum := md5.Sum([]byte(o.Text)) //nolint:gosec // as above
	return group("", leaf("kind", "storage#object"), leaf("id", o.Store+"/"+o.Name+"/"+g), leaf("name", o.Name), leaf("bucket", o.Store),
		leaf("generation", g), leaf("metageneration", "1"), leaf("contentType", o.Type), leaf("storageClass", "STANDARD"),
		leaf("size", strconv.Itoa(len(o.Text))), leaf("md5Hash", base64.StdEncoding.EncodeToString(sum[:])), leaf("etag", o.etag(c.world.seed)),
		leaf("timeCreated", at), leaf("updated", at))
}

// storageResult is what an object is, or its content.
func storageResult(s *service, op *operation, requestID string, out node) reply {
	if out.kind != isText {
		return gcpREST.result(s, op, requestID, out)
	}
	return reply{status: http.StatusOK, contentType: out.name, body: []byte(out.text), header: map[string]string{}}
}

// storageProblem is a member of an error document of Cloud Storage.
func storageProblem(err *apiError) map[string]string {
	p := map[string]string{"message": err.message, "domain": "global", "reason": err.code}
	if err.code == "conditionNotMet" {
		p["locationType"], p["location"] = "header", "If-Match"
	}
	return p
}
