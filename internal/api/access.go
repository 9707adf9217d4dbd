package api

import "time"

// Person is somebody who may sign in.
type Person struct {
	Name     string   `json:"name"` // by which decisions are recorded
	Mail     string   `json:"mail,omitempty"`
	Roles    []string `json:"roles"`
	Accounts []string `json:"accounts"` // null is all
	// By is who gives the roles: person, or the claims of the identity provider.
	By        string    `json:"given_by"`
	Identity  bool      `json:"identity"` // has signed in by OIDC
	Disabled  bool      `json:"disabled,omitempty"`
	CreatedAt time.Time `json:"created_at"`
}

// PersonRequest asks in a person's name for another one to be added or changed.
type PersonRequest struct {
	Name     string
	Mail     string
	Roles    []string
	Accounts []string // nil is all
	By       string
}

// Token is a key for programs. It is never shown whole again.
type Token struct {
	ID        string     `json:"id"`
	Mask      string     `json:"mask"`            // its beginning
	Value     string     `json:"value,omitempty"` // all of it, once, when it is made
	Name      string     `json:"name"`
	Owner     string     `json:"owner"`
	Roles     []string   `json:"roles"`
	Accounts  []string   `json:"accounts"` // null is all of the owner's
	Agent     bool       `json:"agent"`
	State     string     `json:"state"` // good, expired, revoked or disabled
	CreatedAt time.Time  `json:"created_at"`
	CreatedBy string     `json:"created_by"`
	ExpiresAt time.Time  `json:"expires_at"`
	SeenAt    *time.Time `json:"seen_at,omitempty"`
	RevokedAt *time.Time `json:"revoked_at,omitempty"`
	RevokedBy string     `json:"revoked_by,omitempty"`
}

// TokenRequest asks in a person's name for a token.
type TokenRequest struct {
	Name     string
	Owner    string   // "" is the person who asks
	Roles    []string // none takes those of the owner
	Accounts []string // nil is all of the owner's
	Agent    bool
	Valid    time.Duration
	By       string
}

// SignInLink signs a person in once.
type SignInLink struct {
	Person    string    `json:"person"`
	URL       string    `json:"url"`
	ExpiresAt time.Time `json:"expires_at"`
}

// AuditEntry is one line of the audit log.
type AuditEntry struct {
	Seq     int64          `json:"seq"`
	At      time.Time      `json:"at"`
	Actor   string         `json:"actor"`
	Session string         `json:"session"`
	Act     string         `json:"act"`
	Kind    string         `json:"kind"` // act, denied or failed
	Subject string         `json:"subject"`
	Details map[string]any `json:"details"`
	Hash    string         `json:"hash"`
}

// AuditHead is the end of the audit log, or of an export of it.
type AuditHead struct {
	Install   string     `json:"install"`
	Entries   int64      `json:"entries"`
	Hash      string     `json:"hash"`
	At        *time.Time `json:"at,omitempty"` // of the newest entry, or of the export
	PublicKey string     `json:"public_key,omitempty"`
}
