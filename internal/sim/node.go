package sim

// node is a named value or a named group of nodes, in order: what a service
// answers, before a protocol gives it a wire form.
type node struct {
	name string
	text string
	kids []node
}

func leaf(name, text string) node { return node{name: name, text: text} }

func group(name string, kids ...node) node { return node{name: name, kids: kids} }

// maybe is leaf, or nothing when text is empty.
func (n node) maybe(name, text string) node {
	if text != "" {
		n.kids = append(n.kids, leaf(name, text))
	}
	return n
}

func boolText(b bool) string {
	if b {
		return "true"
	}
	return "false"
}
