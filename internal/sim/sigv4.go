package sim

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// signature is the Authorization header of a request, AWS Signature Version 4
// (IAM user guide, "Create a signed AWS API request").
type signature struct {
	accessKey string
	day       string // 20261123
	region    string
	service   string
	headers   []string // signed, lower case, sorted
	value     string   // hex
	time      time.Time
}

const (
	signatureMethod = "AWS4-HMAC-SHA256"
	amzTime         = "20060102T150405Z"
)

// parseSignature reads the headers of a request without judging them.
func parseSignature(r *http.Request) (signature, *apiError) {
	var s signature
	auth := r.Header.Get("Authorization")
	if auth == "" {
		return s, fail("MissingAuthenticationToken", "Request is missing Authentication Token")
	}
	rest, ok := strings.CutPrefix(auth, signatureMethod+" ")
	if !ok {
		return s, fail("IncompleteSignature", "Authorization header must start with %s", signatureMethod)
	}
	fields := map[string]string{}
	for _, f := range strings.Split(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(f), "=")
		fields[name] = value
	}
	for _, name := range []string{"Credential", "Signature", "SignedHeaders"} {
		if fields[name] == "" {
			return s, fail("IncompleteSignature", "Authorization header requires '%s' parameter", name)
		}
	}
	scope := strings.Split(fields["Credential"], "/")
	if len(scope) != 5 || scope[4] != "aws4_request" || slices.Contains(scope, "") {
		return s, fail("IncompleteSignature", "Credential must have exactly 5 slash-delimited elements: keyid/date/region/service/aws4_request")
	}
	s.accessKey, s.day, s.region, s.service = scope[0], scope[1], scope[2], scope[3]
	s.headers, s.value = strings.Split(fields["SignedHeaders"], ";"), fields["Signature"]
	at, err := time.Parse(amzTime, r.Header.Get("X-Amz-Date"))
	if err != nil {
		return s, fail("IncompleteSignature", "Date must be in ISO-8601 'basic format' in the header X-Amz-Date. Got '%s'", r.Header.Get("X-Amz-Date"))
	}
	s.time = at
	if at.Format("20060102") != s.day {
		return s, fail("SignatureDoesNotMatch", "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s' != '%s'", s.day, at.Format("20060102"))
	}
	return s, nil
}

// verify recomputes the signature. All x-amz-* headers must be signed, and host
// with them.
func (s signature) verify(r *http.Request, body []byte, secret string) *apiError {
	must := []string{"host"}
	for name := range r.Header {
		if lower := strings.ToLower(name); strings.HasPrefix(lower, "x-amz-") {
			must = append(must, lower)
		}
	}
	for _, name := range must {
		if !slices.Contains(s.headers, name) {
			return fail("SignatureDoesNotMatch", "'%s' must be a 'SignedHeader' in the AWS Authorization.", name)
		}
	}
	if !slices.IsSorted(s.headers) {
		return fail("SignatureDoesNotMatch", "SignedHeaders must be sorted.")
	}
	sum := sha256.Sum256(body)
	bodyHash := hex.EncodeToString(sum[:])
	if claimed := r.Header.Get("X-Amz-Content-Sha256"); claimed != "" && claimed != bodyHash {
		return fail("SignatureDoesNotMatch", "The provided 'x-amz-content-sha256' header does not match what was computed.")
	}
	var b strings.Builder
	for _, line := range []string{r.Method, canonicalPath(r.URL), canonicalQuery(r.URL)} {
		b.WriteString(line + "\n")
	}
	for _, name := range s.headers {
		b.WriteString(name + ":" + canonicalHeader(r, name) + "\n")
	}
	b.WriteString("\n" + strings.Join(s.headers, ";") + "\n" + bodyHash)
	canonical := sha256.Sum256([]byte(b.String()))

	scope := s.day + "/" + s.region + "/" + s.service + "/aws4_request"
	toSign := signatureMethod + "\n" + s.time.Format(amzTime) + "\n" + scope + "\n" + hex.EncodeToString(canonical[:])
	key := []byte("AWS4" + secret)
	for _, part := range []string{s.day, s.region, s.service, "aws4_request", toSign} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	if !hmac.Equal([]byte(hex.EncodeToString(key)), []byte(s.value)) {
		return fail("SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
	}
	return nil
}

// canonicalPath encodes each segment of the escaped path once more, as every
// service but S3 does.
func canonicalPath(u *url.URL) string {
	path := u.EscapedPath()
	if path == "" {
		return "/"
	}
	segments := strings.Split(path, "/")
	for i, s := range segments {
		segments[i] = uriEncode(s)
	}
	return strings.Join(segments, "/")
}

func canonicalQuery(u *url.URL) string {
	var pairs []string
	for name, values := range u.Query() {
		for _, v := range values {
			pairs = append(pairs, uriEncode(name)+"="+uriEncode(v))
		}
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

// canonicalHeader trims values and squeezes runs of spaces. net/http moves two
// headers out of the map.
func canonicalHeader(r *http.Request, name string) string {
	switch name {
	case "host":
		return r.Host
	case "content-length":
		return strconv.FormatInt(r.ContentLength, 10)
	}
	values := slices.Clone(r.Header.Values(name))
	for i, v := range values {
		values[i] = strings.Join(strings.FieldsFunc(v, func(c rune) bool { return c == ' ' }), " ")
	}
	return strings.Join(values, ",")
}

func uriEncode(s string) string {
	const hexDigits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("-_.~", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hexDigits[c>>4])
		b.WriteByte(hexDigits[c&15])
	}
	return b.String()
}
