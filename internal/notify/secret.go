package notify

import (
	"fmt"
	"net/url"
	"os"
	"strings"
)

// Secret names where a secret is: "env:NAME" or "file:PATH". It is read when it is
// needed, and never kept. "" is no secret.
type Secret string

// Problem says what is wrong with the name of a secret; "" means nothing.
func (s Secret) Problem() string {
	kind, at, _ := strings.Cut(string(s), ":")
	if (kind == "env" || kind == "file") && at != "" {
		return ""
	}
	// Never say what it is: it may be the secret itself.
	return "is not where a secret is: use env:NAME or file:PATH"
}

// Reveal reads the secret. The error does not hold any of it.
func (s Secret) Reveal() (string, error) {
	kind, at, _ := strings.Cut(string(s), ":")
	switch kind {
	case "env":
		if v := strings.TrimSpace(os.Getenv(at)); v != "" {
			return v, nil
		}
		return "", fmt.Errorf("the environment has no %s", at)
	case "file":
		raw, err := os.ReadFile(at)
		if err != nil {
			return "", fmt.Errorf("the secret cannot be read: %w", err)
		}
		if v := strings.TrimSpace(string(raw)); v != "" {
			return v, nil
		}
		return "", fmt.Errorf("the file %s is empty", at)
	}
	return "", fmt.Errorf("it %s", s.Problem())
}

// maskedURL keeps the scheme and the host of an address: the path of a webhook is as
// good as its password.
func maskedURL(u *url.URL) string { return u.Scheme + "://" + u.Host + "/..." }
