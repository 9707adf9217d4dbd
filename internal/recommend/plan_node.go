package recommend

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// mapping is a YAML mapping with known keys, each once.
type mapping struct {
	line   int
	keys   []*yaml.Node
	values map[string]*yaml.Node
}

// mapping reads n and refuses unknown and repeated keys. What n is, "a line",
// stands in messages.
func (p planReader) mapping(n *yaml.Node, what string, known []string) (mapping, error) {
	if n.Kind != yaml.MappingNode || n.ShortTag() != "!!map" {
		return mapping{}, p.errorf(n.Line, "", "%s must be keys with values, but here is %s", what, p.brief(n))
	}
	m := mapping{line: n.Line, values: make(map[string]*yaml.Node, len(n.Content)/2)}
	first := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode {
			return mapping{}, p.errorf(key.Line, "", "a key of %s must be a word, but here is %s", what, p.brief(key))
		}
		name := key.Value
		if !slices.Contains(known, name) {
			label := looseText(name, 40)
			if word, ok := nearest(name, known); ok {
				return mapping{}, p.errorf(key.Line, label, "is not a key of %s: did you mean %s?", what, word)
			}
			return mapping{}, p.errorf(key.Line, label, "is not a key of %s: the keys are %s", what, strings.Join(known, ", "))
		}
		if line, ok := first[name]; ok {
			return mapping{}, p.errorf(key.Line, name, "stands here a second time, after line %d", line)
		}
		first[name] = key.Line
		m.keys = append(m.keys, key)
		m.values[name] = n.Content[i+1]
	}
	return m, nil
}

// need returns the value of a key that must be there.
func (p planReader) need(m mapping, key string) (*yaml.Node, error) {
	n := m.values[key]
	if n == nil {
		return nil, p.errorf(m.line, key, "is missing: write for example %s", examples[key])
	}
	return n, nil
}

// required parses the text of a key that must be there.
func required[T any](p planReader, m mapping, key string, parse func(string) (T, error)) (T, error) {
	if _, err := p.need(m, key); err != nil {
		var zero T
		return zero, err
	}
	return optional(p, m, key, parse)
}

// optional parses the text of a key; without the key it returns the zero value.
func optional[T any](p planReader, m mapping, key string, parse func(string) (T, error)) (T, error) {
	var zero T
	n := m.values[key]
	if n == nil {
		return zero, nil
	}
	text, err := p.text(key, n)
	if err != nil {
		return zero, err
	}
	v, err := parse(text)
	if err != nil {
		return zero, p.errorf(n.Line, key, "%v", err)
	}
	return v, nil
}

// text returns the value of a scalar that YAML takes for text. A date counts: it
// is text to everybody but YAML 1.1.
func (p planReader) text(key string, n *yaml.Node) (string, error) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!timestamp" {
		return n.Value, nil
	}
	return p.scalar(key, n, "!!str", "must be text: put "+p.brief(n)+" in quotes")
}

// boolean knows one spelling of each.
func (p planReader) boolean(key string, n *yaml.Node) (bool, error) {
	text, err := p.scalar(key, n, "!!bool", notBoolean)
	if err == nil && text != "true" && text != "false" {
		err = p.errorf(n.Line, key, "%s is not true or false", show(text))
	}
	return text == "true", err
}

const notBoolean = "must be true or false, without quotes"

func (p planReader) scalar(key string, n *yaml.Node, tag, problem string) (string, error) {
	switch {
	case n.Kind != yaml.ScalarNode:
		return "", p.errorf(n.Line, key, "must be a single value, but here is %s", p.brief(n))
	case n.ShortTag() == "!!null":
		return "", p.errorf(n.Line, key, "is empty: write a value or remove the key")
	case n.ShortTag() != tag:
		return "", p.errorf(n.Line, key, "%s", problem)
	}
	return n.Value, nil
}

// brief says what a node is, in words.
func (p planReader) brief(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a group of keys"
	case yaml.SequenceNode:
		return "a list"
	}
	if n.ShortTag() == "!!null" {
		return "nothing"
	}
	return show(n.Value)
}
