package mathml

import (
	"html"
	"strings"
)

// A node is an element of the result.
type node struct {
	tag    string // "" for a row
	attrs  string // as written, with a space before each
	text   string
	kids   []*node
	class  class
	limits limits
	roman  bool // an upright letter, joined with its neighbors
	named  bool // an operator such as sin, which browsers don't set apart
}

// A class is a kind of atom (The TeXbook, chapter 17), which decides on spaces.
type class byte

const (
	ord class = iota
	op
	bin
	rel
	opening
	closing
	punct
	inner
	gap // a space: no atom
)

// limits says where the scripts of an operator are.
type limits byte

const (
	beside  limits = iota
	movable        // below and above in a formula set apart
	stacked        // below and above
)

func element(tag string, kids ...*node) *node { return &node{tag: tag, kids: kids} }

func leaf(tag, text string) *node { return &node{tag: tag, text: text} }

// with sets attributes, given as they are written.
func (n *node) with(attrs string) *node {
	n.attrs += " " + attrs
	return n
}

func (n *node) of(c class) *node {
	n.class = c
	return n
}

// operator returns an operator of a class.
func operator(text string, c class) *node { return leaf("mo", text).of(c) }

// spaceOf returns a space of a width.
func spaceOf(width string) *node { return leaf("mspace", "").with(`width="` + width + `"`).of(gap) }

// write writes the node. A row of several nodes is an mrow.
func (n *node) write(b *strings.Builder) {
	tag := n.tag
	if tag == "" {
		if len(n.kids) == 1 && n.attrs == "" {
			n.kids[0].write(b)
			return
		}
		tag = "mrow"
	}
	b.WriteString("<" + tag + n.attrs + ">")
	b.WriteString(html.EscapeString(n.text))
	for _, k := range n.kids {
		k.write(b)
	}
	b.WriteString("</" + tag + ">")
}

// row makes a row of nodes: it joins upright letters, finds the signs among binary
// operators, and sets operators such as sin apart.
func row(list []*node) *node {
	list = joinRoman(list)
	kids := make([]*node, 0, len(list))
	before := opening
	following := classesAfter(list)
	for i, n := range list {
		after := following[i]
		if n.class == bin && (before == bin || before == op || before == rel || before == opening || before == punct) {
			n.sign(` form="prefix"`)
		} else if n.class == bin && (after == rel || after == closing || after == punct) {
			n.sign("")
		}
		if n.named && (before == ord || before == closing || before == inner) {
			kids = append(kids, spaceOf("0.1667em"))
		}
		kids = append(kids, n)
		if n.named && i+1 < len(list) && list[i+1].class != gap && (after == ord || after == inner) {
			kids = append(kids, spaceOf("0.1667em"))
		}
		if n.class != gap {
			before = n.class
		}
	}
	r := &node{kids: kids}
	if len(kids) == 1 {
		r.class, r.limits, r.named = kids[0].class, kids[0].limits, kids[0].named
	}
	return r
}

// sign makes a binary operator an ordinary symbol, such as a sign.
func (n *node) sign(attrs string) {
	n.class = ord
	if n.tag == "mo" {
		n.attrs += attrs + ` lspace="0em" rspace="0em"`
	}
}

// classesAfter returns the class of the next atom after each node; the end of a row is
// like a closing one.
func classesAfter(list []*node) []class {
	after := make([]class, len(list))
	next := closing
	for i := len(list) - 1; i >= 0; i-- {
		after[i] = next
		if list[i].class != gap {
			next = list[i].class
		}
	}
	return after
}

// joinRoman joins neighboring upright letters into one identifier.
func joinRoman(list []*node) []*node {
	out := make([]*node, 0, len(list))
	for i := 0; i < len(list); {
		last := i + 1
		for list[i].roman && last < len(list) && list[last].roman {
			last++
		}
		if last == i+1 {
			out = append(out, list[i])
		} else {
			var word strings.Builder
			for _, n := range list[i:last] {
				word.WriteString(n.text)
			}
			out = append(out, leaf("mi", word.String()))
		}
		i = last
	}
	return out
}
