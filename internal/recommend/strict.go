package recommend

import (
	"errors"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Node is a value of a YAML file of ours that is read as strictly as a plan file:
// one document, no anchors, no unknown or repeated keys, every scalar of its kind.
// Each error is an *Error with the place.
type Node struct {
	r    planReader
	n    *yaml.Node
	path string // "caps[2].most"
}

// ReadYAML parses a file that holds one of what: "policy". The name is used in
// messages.
func ReadYAML(file, what string, data []byte) (Node, error) {
	r := planReader{reader{file}, what}
	if len(data) > MaxPlanSize {
		return Node{}, r.errorf(0, "", "is larger than %d MiB, the most that a %s file may have", MaxPlanSize>>20, what)
	}
	text, err := plainText(file, data)
	if err != nil {
		return Node{}, err
	}
	n, err := r.tree(text)
	return Node{r: r, n: n}, err
}

// At is the place of the value.
func (n Node) At() Position { return n.r.at(n.n.Line, n.path) }

// Errorf is an error about the value. The problem is the rest of a sentence that
// begins with its key.
func (n Node) Errorf(format string, args ...any) error {
	return n.r.errorf(n.n.Line, n.path, format, args...)
}

// Keys are the values of a mapping by key.
type Keys struct {
	of     Node
	values map[string]*yaml.Node
}

// Keys reads a mapping with known keys. What it is, "a cap", stands in messages.
func (n Node) Keys(what string, known ...string) (Keys, error) {
	m, err := n.r.mapping(n.n, what, known)
	if err != nil {
		return Keys{}, n.below(err)
	}
	return Keys{n, m.values}, nil
}

// below puts the path of the value before that of an error in it.
func (n Node) below(err error) error {
	var e *Error
	if errors.As(err, &e) && n.path != "" {
		e.Field = strings.TrimSuffix(n.path+"."+e.Field, ".")
	}
	return err
}

// Get returns the value of a key, if it is there.
func (k Keys) Get(key string) (Node, bool) {
	n := k.values[key]
	return Node{k.of.r, n, strings.TrimPrefix(k.of.path+"."+key, ".")}, n != nil
}

// Need returns the value of a key that must be there, such as the example.
func (k Keys) Need(key, example string) (Node, error) {
	n, ok := k.Get(key)
	if !ok {
		return n, k.of.r.errorf(k.of.n.Line, n.path, "is missing: write for example %s", example)
	}
	return n, nil
}

// List returns the items of a list that is not empty.
func (n Node) List() ([]Node, error) {
	if n.n.Kind != yaml.SequenceNode || len(n.n.Content) == 0 {
		return nil, n.Errorf("must be a list of at least one entry")
	}
	list := make([]Node, len(n.n.Content))
	for i, c := range n.n.Content {
		list[i] = Node{n.r, c, n.path + "[" + strconv.Itoa(i) + "]"}
	}
	return list, nil
}

// Text returns a text as it is written.
func (n Node) Text() (string, error) { return n.r.text(n.path, n.n) }

// Bool returns true or false.
func (n Node) Bool() (bool, error) { return n.r.boolean(n.path, n.n) }

// Whole returns a whole number from least to most.
func (n Node) Whole(least, most int64) (int64, error) {
	text, err := n.r.scalar(n.path, n.n, "!!int", "must be a whole number, without quotes")
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil || v < least || v > most {
		return 0, n.Errorf("%s is not a whole number from %s to %s", show(text), group(least), group(most))
	}
	return v, nil
}

// Digits returns a scalar as it is written, also where YAML takes it for a number.
func (n Node) Digits() (string, error) {
	if n.n.Kind == yaml.ScalarNode && n.n.ShortTag() == "!!int" {
		return n.n.Value, nil
	}
	return n.Text()
}

// Line is a text without control characters, of at most so many characters.
func (n Node) Line(most int) (string, error) {
	text, err := n.Text()
	if err != nil {
		return "", err
	}
	if text, err = freeText(text, most); err != nil {
		return "", n.Errorf("%v", err)
	}
	return text, nil
}
