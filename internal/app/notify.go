package app

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"bursar/internal/engine"
	"bursar/internal/notify"
	"bursar/internal/purchase"
	"bursar/internal/store"
)

// Notify says who is told of what. Without channels nobody is.
type Notify struct {
	Links                scalar             `yaml:"links"` // where the pages are
	BeforePurchaseHours  []scalar           `yaml:"before_purchase_hours"`
	BeforeExpiryDays     []scalar           `yaml:"before_expiry_days"`
	BeforeReturnEndHours scalar             `yaml:"before_return_end_hours"`
	BeforeMonthEndDays   scalar             `yaml:"before_month_end_days"`
	People               map[string]scalar  `yaml:"people"` // mail addresses by name
	Channels             map[string]Channel `yaml:"channels"`
}

// Channel is one way of telling people.
type Channel struct {
	Type     scalar   `yaml:"type"`
	Kinds    []scalar `yaml:"kinds"`  // default is all
	URL      scalar   `yaml:"url"`    // where that of a webhook is
	Secret   scalar   `yaml:"secret"` // where that of a signed webhook is
	Server   scalar   `yaml:"server"`
	TLS      scalar   `yaml:"tls"`
	CA       scalar   `yaml:"ca"`
	User     scalar   `yaml:"user"`
	Password scalar   `yaml:"password"`
	From     scalar   `yaml:"from"`
	To       []scalar `yaml:"to"` // people and addresses; default is all people
}

// scalar is a value with the line that it is on.
type scalar struct {
	text string
	line int
}

// UnmarshalYAML takes the text only: what is wrong with it is told with its key.
func (s *scalar) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode {
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: cannot unmarshal %s into a text", n.Line, n.ShortTag())}}
	}
	*s = scalar{n.Value, n.Line}
	return nil
}

// notifier is how messages are written, routed and delivered.
type notifier struct {
	links    string
	leads    engine.Leads
	people   map[string]string // mail addresses by key of the person
	names    map[string]string // as they are spelled, by key of the person
	channels []channel         // by name
}

// channel is a channel with who gets what by it.
type channel struct {
	notify.Channel
	kinds []store.MessageKind
	to    []string // people and addresses, of mail; else one that is ""
}

var (
	channelName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)
	channelKeys = map[notify.Type][]string{
		notify.TypeMail: {"server", "tls", "ca", "user", "password", "from", "to"}, notify.TypeSlack: {"url"}, notify.TypeTeams: {"url"},
		notify.TypeDiscord: {"url"}, notify.TypeWebhook: {"url", "secret"},
	}
)

// notifier reads the configuration. An error names the line and the key.
func (c Notify) notifier() (*notifier, error) {
	n := &notifier{leads: engine.DefaultLeads, people: map[string]string{}, names: map[string]string{}}
	wrong := func(s scalar, key, format string, args ...any) error {
		return fmt.Errorf("line %d: notify: %s: %q %s", s.line, key, s.text, fmt.Sprintf(format, args...))
	}
	if s := c.Links; s.line > 0 {
		u, err := url.Parse(s.text)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return nil, wrong(s, "links", "is not where pages are: use an address such as https://bursar.example.com")
		}
		n.links = strings.TrimSuffix(s.text, "/")
	}
	whole := func(s scalar, key string, most int) (int, error) {
		v, err := strconv.Atoi(s.text)
		if err != nil || v < 1 || v > most {
			return 0, wrong(s, key, "is not a number from 1 to %d", most)
		}
		return v, nil
	}
	if c.BeforePurchaseHours != nil {
		n.leads.Purchase = nil
		for _, s := range c.BeforePurchaseHours {
			v, err := whole(s, "before_purchase_hours", 720)
			if err != nil {
				return nil, err
			}
			n.leads.Purchase = append(n.leads.Purchase, time.Duration(v)*time.Hour)
		}
	}
	if c.BeforeExpiryDays != nil {
		n.leads.Expiry = nil
		for _, s := range c.BeforeExpiryDays {
			v, err := whole(s, "before_expiry_days", 366)
			if err != nil {
				return nil, err
			}
			n.leads.Expiry = append(n.leads.Expiry, v)
		}
	}
	if s := c.BeforeReturnEndHours; s.line > 0 {
		v, err := whole(s, "before_return_end_hours", 168)
		if err != nil {
			return nil, err
		}
		n.leads.Return = time.Duration(v) * time.Hour
	}
	if s := c.BeforeMonthEndDays; s.line > 0 {
		v, err := whole(s, "before_month_end_days", 28)
		if err != nil {
			return nil, err
		}
		n.leads.MonthEnd = time.Duration(v) * 24 * time.Hour
	}
	for _, name := range slices.Sorted(maps.Keys(c.People)) {
		s, key := c.People[name], purchase.PersonKey(name)
		if err := plain("the name of the person", name); err != nil || key == "" {
			return nil, wrong(s, "people", "has no name that can be shown")
		}
		if n.people[key] != "" {
			return nil, wrong(s, "people: "+name, "is a second address: case and surrounding space of a name do not matter")
		}
		if !mailbox(s.text) {
			return nil, wrong(s, "people: "+name, "is not a mail address: use one such as ada@example.com")
		}
		n.people[key], n.names[key] = s.text, strings.TrimSpace(name)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Channels)) {
		if !channelName.MatchString(name) {
			return nil, fmt.Errorf("line %d: notify: channels: %q is no name of a channel: use lower-case letters, digits and dashes, 40 at most",
				c.Channels[name].Type.line, name)
		}
		ch, err := c.Channels[name].channel(name, n, wrong)
		if err != nil {
			return nil, err
		}
		n.channels = append(n.channels, ch)
	}
	return n, nil
}

// mailbox reports whether a text is one mail address without a name.
func mailbox(text string) bool {
	a, err := mail.ParseAddress(text)
	return err == nil && a.Address == text
}

func (c Channel) channel(name string, n *notifier, wrong func(scalar, string, string, ...any) error) (channel, error) {
	where := "channels: " + name + ": "
	kind := notify.Type(c.Type.text)
	ch := channel{Channel: notify.Channel{Name: name, Type: kind}, kinds: store.MessageKinds, to: []string{""}}
	keys, known := channelKeys[kind]
	if !known {
		all := make([]string, len(notify.Types))
		for i, t := range notify.Types {
			all[i] = string(t)
		}
		if c.Type.line == 0 {
			return ch, fmt.Errorf("notify: %stype: is missing: use %s", where, strings.Join(all, ", "))
		}
		return ch, wrong(c.Type, where+"type", "is not a type: use %s", strings.Join(all, ", "))
	}
	for _, given := range []struct {
		key string
		scalar
	}{{"url", c.URL}, {"secret", c.Secret}, {"server", c.Server}, {"tls", c.TLS}, {"ca", c.CA}, {"user", c.User}, {"password", c.Password}, {"from", c.From}} {
		if given.line > 0 && !slices.Contains(keys, given.key) {
			return ch, fmt.Errorf("line %d: notify: %s%s: does not belong to type %s, which has %s", given.line, where, given.key, kind, strings.Join(keys, ", "))
		}
	}
	if len(c.To) > 0 && kind != notify.TypeMail {
		return ch, fmt.Errorf("line %d: notify: %sto: does not belong to type %s", c.To[0].line, where, kind)
	}
	if c.Kinds != nil {
		ch.kinds = nil
		for _, s := range c.Kinds {
			k := store.MessageKind(s.text)
			if !slices.Contains(store.MessageKinds, k) {
				return ch, wrong(s, where+"kinds", "is not a kind of message: use %s", kindsText())
			}
			ch.kinds = append(ch.kinds, k)
		}
	}
	// A secret itself is never shown, also where it does not belong.
	secret := func(s scalar, key string) (notify.Secret, error) {
		if why := notify.Secret(s.text).Problem(); s.line > 0 && why != "" {
			return "", fmt.Errorf("line %d: notify: %s%s: %s; what is secret is not written here", s.line, where, key, why)
		}
		return notify.Secret(s.text), nil
	}
	var err error
	if kind != notify.TypeMail {
		if c.URL.line == 0 {
			return ch, fmt.Errorf("line %d: notify: %surl: is missing: use env:NAME or file:PATH, where the address of the webhook is", c.Type.line, where)
		}
		if ch.URL, err = secret(c.URL, "url"); err != nil {
			return ch, err
		}
		ch.Key, err = secret(c.Secret, "secret")
		return ch, err
	}
	if ch.Mail.Password, err = secret(c.Password, "password"); err != nil {
		return ch, err
	}
	return ch, c.mail(&ch, n, where, wrong)
}

func (c Channel) mail(ch *channel, n *notifier, where string, wrong func(scalar, string, string, ...any) error) error {
	m := &ch.Mail
	m.Server, m.TLS, m.CA, m.User, m.From = c.Server.text, notify.TLS(c.TLS.text), c.CA.text, c.User.text, c.From.text
	host, port, err := net.SplitHostPort(m.Server)
	if number, bad := strconv.Atoi(port); err != nil || bad != nil || host == "" || number < 1 || number > 65535 {
		if c.Server.line == 0 {
			return fmt.Errorf("line %d: notify: %sserver: is missing: use a host with its port, such as smtp.example.com:587", c.Type.line, where)
		}
		return wrong(c.Server, where+"server", "is not a host with its port, such as smtp.example.com:587")
	}
	if c.TLS.line == 0 {
		m.TLS = notify.STARTTLS
	}
	switch {
	case !slices.Contains([]notify.TLS{notify.STARTTLS, notify.ImplicitTLS, notify.NoTLS}, m.TLS):
		return wrong(c.TLS, where+"tls", "is not a way: use starttls, which is the default, tls or none")
	case (m.User == "") != (m.Password == ""):
		return fmt.Errorf("line %d: notify: %suser and password: come together, or not at all", c.Type.line, where)
	case m.User != "" && m.TLS == notify.NoTLS:
		return wrong(c.TLS, where+"tls", "would show the password to the network: use starttls or tls")
	}
	if _, err := mail.ParseAddress(m.From); err != nil {
		if c.From.line == 0 {
			return fmt.Errorf("line %d: notify: %sfrom: is missing: use the address that mail comes from", c.Type.line, where)
		}
		return wrong(c.From, where+"from", "is not a mail address: use one such as bursar@example.com")
	}
	ch.to = nil
	for _, s := range c.To {
		to := strings.TrimSpace(s.text)
		key := purchase.PersonKey(to)
		switch {
		case n.people[key] != "":
			to = n.names[key]
		case !mailbox(to):
			return wrong(s, where+"to", "is neither one of people nor a mail address")
		}
		if slices.Contains(ch.to, to) {
			return wrong(s, where+"to", "is named twice")
		}
		ch.to = append(ch.to, to)
	}
	if len(c.To) == 0 {
		for _, key := range slices.Sorted(maps.Keys(n.names)) {
			ch.to = append(ch.to, n.names[key])
		}
	}
	if len(ch.to) == 0 {
		return fmt.Errorf("line %d: notify: %sto: is missing, and people names nobody", c.Type.line, where)
	}
	return nil
}

func kindsText() string {
	all := make([]string, len(store.MessageKinds))
	for i, k := range store.MessageKinds {
		all[i] = string(k)
	}
	return strings.Join(all, ", ")
}

// address is where mail for a recipient goes: people by their address of today.
func (n *notifier) address(recipient string) (string, error) {
	if a := n.people[purchase.PersonKey(recipient)]; a != "" {
		return a, nil
	}
	if mailbox(recipient) || recipient == "" {
		return recipient, nil
	}
	return "", errors.New("the configuration has no address of " + recipient + " any more")
}

// find returns a channel by its name; nil for none.
func (n *notifier) find(name string) *channel {
	i := slices.IndexFunc(n.channels, func(c channel) bool { return c.Name == name })
	if i < 0 {
		return nil
	}
	return &n.channels[i]
}
