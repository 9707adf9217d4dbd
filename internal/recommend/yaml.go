package recommend

import (
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// tree parses YAML into nodes and refuses what a plan has no use for: further
// documents, anchors and aliases.
func (p planReader) tree(text string) (*yaml.Node, error) {
	dec := yaml.NewDecoder(strings.NewReader(text))
	var doc, more yaml.Node
	err := dec.Decode(&doc)
	switch {
	case errors.Is(err, io.EOF), err == nil && len(doc.Content) == 0:
		return nil, p.errorf(0, "", "holds no %s: it has comments alone", p.what)
	case err != nil:
		return nil, p.yamlError(text, err)
	}
	if err := p.noAnchors(&doc); err != nil {
		return nil, err
	}
	switch err := dec.Decode(&more); {
	case err == nil:
		return nil, p.errorf(more.Line, "", "begins a second document: one file holds one %s", p.what)
	case !errors.Is(err, io.EOF):
		return nil, p.yamlError(text, err)
	}
	return doc.Content[0], nil
}

func (p planReader) noAnchors(n *yaml.Node) error {
	if n.Kind == yaml.AliasNode {
		return p.errorf(n.Line, "", "uses the alias *%s: write the value out", n.Value)
	}
	if n.Anchor != "" {
		return p.errorf(n.Line, "", "uses the anchor &%s: a %s file has none", n.Anchor, p.what)
	}
	for _, c := range n.Content {
		if err := p.noAnchors(c); err != nil {
			return err
		}
	}
	return nil
}

var (
	yamlLine  = regexp.MustCompile(`line ([0-9]+): `)
	yamlAlias = regexp.MustCompile(`unknown anchor '(.*)' referenced`)
)

// yamlProblems turns the parser's words into a sentence. Early entries win.
var yamlProblems = []struct{ has, means string }{
	{"cannot start any token", "begins with a character that YAML reserves: put the value in quotes"},
	{"mapping values are not allowed", "has a colon where YAML expects none: check the indentation, or put the value in quotes"},
	{"could not find expected ':'", "is not a key with a colon: check the line and its indentation"},
	{"did not find expected key", "begins a block in which a line has another indentation"},
	{"did not find expected '-' indicator", "begins a list in which a line has another indentation"},
	{"did not find expected ',' or", "has a bracket or brace that is not closed"},
	{"unexpected end of stream", "has a quote that is not closed"},
	{"exceeded max depth", "is nested too deeply"},
}

// parserProblems are complaints of the parser proper, which counts lines from 0;
// the scanner counts from 1.
var parserProblems = regexp.MustCompile(`did not find expected (<|node content|key|'-' indicator|',' or)|found undefined tag handle|found duplicate %`)

// yamlError words a syntax error. The library's line is that of the surrounding
// block where it knows no better.
func (p planReader) yamlError(text string, err error) error {
	if m := yamlAlias.FindStringSubmatch(err.Error()); m != nil {
		return p.errorf(lineAt(text, strings.Index(text, "*"+m[1])), "", "uses the alias *%s: write the value out", m[1])
	}
	if strings.Contains(err.Error(), "control characters are not allowed") {
		at := strings.IndexFunc(text, func(c rune) bool { return unshowable(c) && c != '\r' })
		return p.errorf(lineAt(text, max(at, 0)), "", "holds a control character")
	}
	line := 0
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		line, _ = strconv.Atoi(m[1])
	}
	if parserProblems.MatchString(err.Error()) {
		line++
	}
	// A tab breaks YAML wherever it indents, and the complaint is about whatever
	// comes next.
	n := 0
	for l := range strings.Lines(text) {
		n++
		if indent := l[:len(l)-len(strings.TrimLeft(l, " \t"))]; strings.Contains(indent, "\t") && strings.TrimSpace(l) != "" {
			return p.errorf(n, "", "is indented with a tab: YAML allows spaces alone")
		}
	}
	line = min(line, n)
	for _, y := range yamlProblems {
		if strings.Contains(err.Error(), y.has) {
			return p.errorf(line, "", "%s", y.means)
		}
	}
	return p.errorf(line, "", "is not valid YAML")
}
