package recommend

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Bounds of a JSON file. A Cost Explorer detail has some 35 values, nested 7
// deep.
const (
	maxJSONValues = 250_000
	maxJSONDepth  = 50
)

// value is a JSON value with the line and the path it stands at.
type value struct {
	kind    jsonKind
	text    string            // of a string, a number, true or false, as written
	members map[string]*value // of an object
	names   []string          // of members, in the file's order
	items   []*value          // of an array
	line    int
	path    string
}

type jsonKind int

const (
	jsonNull jsonKind = iota
	jsonBool
	jsonNumber
	jsonString
	jsonObject
	jsonArray
)

// String names the kind for messages.
func (k jsonKind) String() string {
	return [...]string{"null", "true or false", "a number", "text", "an object", "a list"}[k]
}

// member returns a member of an object, or nil.
func (v *value) member(name string) *value {
	if v == nil {
		return nil
	}
	return v.members[name]
}

// jsonParser builds the tree of values.
type jsonParser struct {
	reader
	text   string
	dec    *json.Decoder
	offset int // up to which lines are counted
	line   int
	values int
}

// parseJSON reads one JSON value, and nothing after it.
func parseJSON(file, text string) (*value, error) {
	p := &jsonParser{reader: reader{file}, text: text, line: 1, dec: json.NewDecoder(strings.NewReader(text))}
	p.dec.UseNumber()
	root, err := p.value("", 0)
	if err != nil {
		return nil, p.wording(err)
	}
	at := int(p.dec.InputOffset())
	if rest := strings.TrimLeft(text[at:], " \t\r\n"); rest != "" {
		return nil, p.errorf(lineAt(text, len(text)-len(rest)), "", "stands after the end of the JSON: a file holds one answer")
	}
	// Tokens are more lenient than the grammar, which has the last word.
	if err := grammar(text); err != nil {
		return nil, p.wording(err)
	}
	return root, nil
}

func (p *jsonParser) token() (json.Token, error) {
	t, err := p.dec.Token()
	if err != nil {
		return nil, err
	}
	end := int(p.dec.InputOffset())
	p.line += strings.Count(p.text[p.offset:end], "\n")
	p.offset = end
	return t, nil
}

func (p *jsonParser) value(path string, depth int) (*value, error) {
	t, err := p.token()
	if err != nil {
		return nil, err
	}
	if p.values++; p.values > maxJSONValues {
		return nil, p.errorf(p.line, "", "holds more than %s values, the most that are read", group(maxJSONValues))
	}
	if depth > maxJSONDepth {
		return nil, p.errorf(p.line, "", "is nested more than %d deep", maxJSONDepth)
	}
	v := &value{line: p.line, path: path}
	switch t := t.(type) {
	case json.Delim:
		if t == '[' {
			return v, p.array(v, depth)
		}
		return v, p.object(v, depth)
	case string:
		v.kind, v.text = jsonString, t
	case json.Number:
		v.kind, v.text = jsonNumber, t.String()
	case bool:
		v.kind, v.text = jsonBool, strconv.FormatBool(t)
	}
	return v, nil
}

func (p *jsonParser) array(v *value, depth int) error {
	v.kind = jsonArray
	for p.dec.More() {
		item, err := p.value(fmt.Sprintf("%s[%d]", v.path, len(v.items)), depth+1)
		if err != nil {
			return err
		}
		v.items = append(v.items, item)
	}
	_, err := p.token()
	return err
}

func (p *jsonParser) object(v *value, depth int) error {
	v.kind, v.members = jsonObject, map[string]*value{}
	for p.dec.More() {
		t, err := p.token()
		if err != nil {
			return err
		}
		name, _ := t.(string)
		path := strings.TrimPrefix(v.path+"."+looseText(name, 60), ".")
		if v.members[name] != nil {
			return p.errorf(p.line, path, "stands here a second time")
		}
		if v.members[name], err = p.value(path, depth+1); err != nil {
			return err
		}
		v.names = append(v.names, name)
	}
	_, err := p.token()
	return err
}

// wording turns the decoder's errors into sentences of ours.
func (p *jsonParser) wording(err error) error {
	if _, ok := AsError(err); ok {
		return err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return p.errorf(lineAt(p.text, len(p.text)), "", "ends in the middle of the JSON: the file is cut off")
	}
	line := p.line
	var syntax *json.SyntaxError
	if errors.As(grammar(p.text), &syntax) && syntax.Offset > 0 {
		line = lineAt(p.text, int(syntax.Offset)-1)
	}
	return p.errorf(line, "", "is not valid JSON")
}

// grammar checks the whole text. The offset of its error is one past the
// offending byte; that of an error between tokens may be either.
func grammar(text string) error { return json.Unmarshal([]byte(text), new(json.RawMessage)) }
