package sim

import "slices"

// node is a named value or a named group of nodes, in order: what a service
// answers, before a protocol gives it a wire form.
type node struct {
	name string
	text string
	kind kind
	kids []node
}

// kind matters to protocols that have types.
type kind int

const (
	isText    kind = iota
	isLiteral      // a number or a boolean
	isGroup
	isList // its kids are its records
)

func leaf(name, text string) node { return node{name: name, text: text} }

func number(name, text string) node { return node{name: name, text: text, kind: isLiteral} }

func group(name string, kids ...node) node { return node{name: name, kind: isGroup, kids: kids} }

func list(name string, kids ...node) node { return node{name: name, kind: isList, kids: kids} }

// maybe is leaf, or nothing when text is empty.
func (n node) maybe(name, text string) node {
	if text != "" {
		n.kids = append(n.kids, leaf(name, text))
	}
	return n
}

// inState is the node with another word for every state in it.
func (n node) inState(word string) node {
	if n.kind == isText && slices.Contains([]string{"State", "state", "status", "provisioningState"}, n.name) {
		n.text = word
	}
	n.kids = slices.Clone(n.kids)
	for i, k := range n.kids {
		n.kids[i] = k.inState(word)
	}
	return n
}

func boolText(b bool) string {
	if b {
		return "true"
	}
	return "false"
}
