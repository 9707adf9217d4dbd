package app

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"bursar/internal/auth"
	"bursar/internal/notify"
)

// Auth is how people sign in to the server.
//
//	auth:
//	  base_url: https://bursar.example.org  # the address that browsers use
//	  session: 12h                          # optional: how long a sign-in lasts
//	  idle: 1h                              # optional: it ends so long after it was last used
//	  proxies: [10.0.0.0/8]                 # optional: whose X-Forwarded-For is believed
//	  oidc:
//	    issuer: https://login.example.org
//	    client_id: bursar
//	    client_secret: file:/run/oidc.secret  # or env:NAME; without it, a public client
//	    scopes: [groups]                    # optional: besides openid, email and profile
//	    domains: [example.org]              # optional: whose mail addresses sign in
//	    trust_mail: false                   # optional: take addresses that the issuer does not call verified
//	    groups_claim: groups                # optional: the claim that lists groups
//	    groups:                             # optional: the first that a person is in decides, at every sign-in
//	      - {group: finops, roles: [planner, approver], accounts: ["123456789012"]}
type Auth struct {
	BaseURL string   `yaml:"base_url"`
	Session string   `yaml:"session"`
	Idle    string   `yaml:"idle"`
	Proxies []string `yaml:"proxies"`
	OIDC    *OIDC    `yaml:"oidc"`
}

// OIDC is the identity provider.
type OIDC struct {
	Issuer       string   `yaml:"issuer"`
	ClientID     string   `yaml:"client_id"`
	ClientSecret string   `yaml:"client_secret"` // where it is
	Scopes       []string `yaml:"scopes"`
	Domains      []string `yaml:"domains"`
	TrustMail    bool     `yaml:"trust_mail"`
	GroupsClaim  string   `yaml:"groups_claim"`
	Groups       []Group  `yaml:"groups"`
}

// Group is what its members may do.
type Group struct {
	Group    string   `yaml:"group"`
	Roles    []string `yaml:"roles"`
	Accounts []string `yaml:"accounts"` // without the key: all
}

// authKeys are the keys of the section, by its types.
var authKeys = map[string]string{
	"Auth":  "base_url, session, idle, proxies, oidc",
	"OIDC":  "issuer, client_id, client_secret, scopes, domains, trust_mail, groups_claim, groups",
	"Group": "group, roles, accounts",
}

// options reads the section. The secret is read
// when a server needs it, and by no other command.
func (c Auth) options(secret bool) (o auth.Options, err error) {
	o.BaseURL = c.BaseURL
	for _, d := range []struct {
		key, text string
		into      *time.Duration
	}{{"session", c.Session, &o.Lifetime}, {"idle", c.Idle, &o.Idle}} {
		if d.text == "" {
			continue
		}
		if *d.into, err = time.ParseDuration(d.text); err != nil || *d.into < time.Minute || *d.into > 30*24*time.Hour {
			return o, fmt.Errorf("auth: %s: %q is not a duration from 1m to 720h", d.key, d.text)
		}
	}
	for i, text := range c.Proxies {
		p, err := netip.ParsePrefix(text)
		if at, single := netip.ParseAddr(text); err != nil && single == nil {
			p, err = at.Prefix(at.BitLen())
		}
		if err != nil {
			return o, fmt.Errorf("auth: proxies[%d]: %q is not a network such as 10.0.0.0/8", i, text)
		}
		o.Proxies = append(o.Proxies, p)
	}
	if c.OIDC != nil {
		if o.OIDC, err = c.OIDC.options(secret); err != nil {
			return o, err
		}
	}
	_, err = auth.New(o)
	return o, err
}

func (c OIDC) options(secret bool) (*auth.OIDC, error) {
	o := &auth.OIDC{
		Issuer: c.Issuer, ClientID: c.ClientID, Scopes: c.Scopes, Domains: c.Domains, TrustMail: c.TrustMail, GroupsClaim: c.GroupsClaim,
	}
	if o.GroupsClaim == "" {
		o.GroupsClaim = "groups"
	}
	local := strings.HasPrefix(c.Issuer, "http://127.0.0.1:") || strings.HasPrefix(c.Issuer, "http://localhost:")
	switch {
	case !strings.HasPrefix(c.Issuer, "https://") && !local:
		return nil, fmt.Errorf("auth: oidc: issuer: %q is not the https address of an identity provider", c.Issuer)
	case c.ClientID == "":
		return nil, fmt.Errorf("auth: oidc: client_id: name the client that the identity provider knows Bursar by")
	}
	for i, g := range c.Groups {
		where := fmt.Sprintf("auth: oidc: groups[%d]", i)
		if strings.TrimSpace(g.Group) == "" {
			return nil, fmt.Errorf("%s: group: name the group", where)
		}
		roles, err := auth.ParseRoles(g.Roles)
		if err != nil {
			return nil, fmt.Errorf("%s: roles: %w", where, err)
		}
		o.Groups = append(o.Groups, auth.Grant{Group: g.Group, Roles: roles, Accounts: g.Accounts})
	}
	if c.ClientSecret == "" { // of a public client
		return o, nil
	}
	where := notify.Secret(c.ClientSecret)
	if why := where.Problem(); why != "" {
		return nil, fmt.Errorf("auth: oidc: client_secret: %s; what is secret is not written here", why)
	}
	if !secret {
		return o, nil
	}
	var err error
	if o.ClientSecret, err = where.Reveal(); err != nil {
		return nil, fmt.Errorf("auth: oidc: client_secret: %w", err)
	}
	return o, nil
}
