package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"bursar/internal/api"
)

// The headers of a webhook of type webhook.
const (
	headerID        = "Bursar-Message-Id"
	headerSignature = "Bursar-Signature"
)

// address reads where a webhook is. It is reached by TLS, unless it is on this machine.
func (c Channel) address() (*url.URL, error) {
	raw, err := c.URL.Reveal()
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "":
		return nil, fmt.Errorf("%s does not hold the address of a webhook", c.URL)
	case u.Scheme == "https":
		return u, nil
	case u.Scheme == "http" && local(u.Hostname()):
		return u, nil
	}
	return nil, fmt.Errorf("%s does not hold an https address", c.URL)
}

func local(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// post sends a message to a webhook.
func (c Channel) post(ctx context.Context, m api.Message) error {
	u, err := c.address()
	if err != nil {
		return &Failure{Says: err.Error()}
	}
	body, err := c.body(m)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return &Failure{Says: "the address of the webhook makes no request"}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "bursar")
	if c.Type == TypeWebhook {
		req.Header.Set(headerID, m.ID)
		if c.Key != "" {
			key, err := c.Key.Reveal()
			if err != nil {
				return &Failure{Says: err.Error()}
			}
			req.Header.Set(headerSignature, signature([]byte(key), time.Now(), body))
		}
	}
	client := &http.Client{
		Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true, ForceAttemptHTTP2: true},
		// Another host is not who the address was given to, and what is redirected is not
		// posted any more.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // nothing of it is needed
	return answered(resp)
}

// body is what a webhook of the type understands.
func (c Channel) body(m api.Message) ([]byte, error) {
	var v any = m
	switch c.Type {
	case TypeSlack:
		v = slackBody(say(m))
	case TypeTeams:
		v = teamsBody(say(m))
	case TypeDiscord:
		v = discordBody(say(m))
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

// signature proves that who knows the key has sent the body at that time: the HMAC of
// the seconds since the epoch, a point and the body, with SHA-256.
func signature(key []byte, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// reasonForm is how chats name what is wrong: a word that says nothing else.
var reasonForm = regexp.MustCompile(`^[a-z_]{3,40}$`)

// answered says what an answer means.
func answered(resp *http.Response) error {
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return nil
	}
	f := &Failure{Says: "the answer is " + strconv.Itoa(resp.StatusCode), Gone: resp.StatusCode == http.StatusGone}
	if text := strings.ToLower(http.StatusText(resp.StatusCode)); text != "" {
		f.Says += " " + text
	}
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		f.Says += ": redirects are not followed, name the new address"
	}
	reason, err := io.ReadAll(io.LimitReader(resp.Body, 64))
	if text := strings.TrimSpace(string(reason)); err == nil && reasonForm.MatchString(text) {
		f.Says += ": " + text
	}
	if n, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && n > 0 {
		f.After = time.Duration(min(n, 86400)) * time.Second
	}
	return f
}

// object is a JSON object.
type object map[string]any

// slackBody is a message of Slack's incoming webhooks. "<" and ">" make links and
// mentions there, so that a name cannot call a whole channel.
func slackBody(w words) object {
	escape := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace
	text := "*" + escape(w.title) + "*\n"
	for _, l := range w.lines {
		text += escape(l) + "\n"
	}
	for _, i := range w.items {
		text += "\u2022 " + escape(i) + "\n"
	}
	if w.link != "" {
		text += "<" + w.link + "|Open in Bursar>\n"
	}
	if w.next != "" {
		text += "`" + escape(w.next) + "`\n"
	}
	return object{"text": strings.TrimSpace(text), "unfurl_links": false, "unfurl_media": false}
}

// discordMost is how many characters a message of Discord may have.
const discordMost = 2000

// discordBody is a message of a webhook of Discord, which calls nobody.
func discordBody(w words) object {
	escape := strings.NewReplacer(`\`, `\\`, "*", `\*`, "_", `\_`, "~", `\~`, "`", "\\`", "|", `\|`, "[", `\[`, "<", `\<`, "#", `\#`).Replace
	text := "**" + escape(w.title) + "**\n"
	for _, l := range w.lines {
		text += escape(l) + "\n"
	}
	for _, i := range w.items {
		text += "- " + escape(i) + "\n"
	}
	end := ""
	if w.link != "" {
		end += "<" + w.link + ">\n"
	}
	if w.next != "" {
		end += "`" + w.next + "`\n"
	}
	if utf8.RuneCountInString(text)+utf8.RuneCountInString(end) > discordMost {
		all := []rune(text)
		text = string(all[:discordMost-utf8.RuneCountInString(end)-2]) + "\u2026\n"
	}
	return object{"content": strings.TrimSpace(text + end), "allowed_mentions": object{"parse": []string{}}}
}

// teamsBody is an Adaptive Card as the workflow "when a Teams webhook request is
// received" posts it. Its blocks are of plain text runs: those are not read as Markdown.
func teamsBody(w words) object {
	block := func(text, weight string) object {
		run := object{"type": "TextRun", "text": text}
		if weight != "" {
			run["weight"] = weight
		}
		return object{"type": "RichTextBlock", "inlines": []object{run}}
	}
	blocks := []object{block(w.title, "Bolder")}
	for _, l := range w.lines {
		blocks = append(blocks, block(l, ""))
	}
	for _, i := range w.items {
		blocks = append(blocks, block("\u2022 "+i, ""))
	}
	if w.next != "" {
		blocks = append(blocks, block("More: "+w.next, ""))
	}
	card := object{"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4", "body": blocks}
	if w.link != "" {
		card["actions"] = []object{{"type": "Action.OpenUrl", "title": "Open in Bursar", "url": w.link}}
	}
	return object{"type": "message", "attachments": []object{{
		"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": nil, "content": card,
	}}}
}
