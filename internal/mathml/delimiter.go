package mathml

import "strings"

// delimiter reads a delimiter after \left, \big and the like; "" for none.
func (p *parser) delimiter(after string) string {
	t := p.next()
	if t.kind == end {
		p.fail("%s needs a delimiter, such as ( or \\{.", after)
	}
	if d, ok := p.delimiterOf(t); ok {
		return d
	}
	p.fail("%s is no delimiter. %s needs one, such as ( or \\{.", t.text, after)
	return ""
}

func (p *parser) delimiterOf(t token) (string, bool) {
	if d, ok := delimiters[t.text]; ok {
		return d, true
	}
	if t.kind != command {
		return "", false
	}
	s, ok := symbols[t.text[1:]]
	return s.text, ok && (s.class == opening || s.class == closing || strings.ContainsAny(s.text, "↑↓↕⇑⇓⇕‖"))
}

// delimiterIn returns the delimiter that an argument consists of.
func (p *parser) delimiterIn(list []token) string {
	if len(list) == 0 {
		return ""
	}
	d, ok := p.delimiterOf(list[0])
	if !ok || len(list) > 1 {
		p.fail("%s is no delimiter.", word(list))
	}
	return d
}

// fence returns a delimiter as high as its content.
func fence(d, form string) *node {
	return operator(d, ord).with(`fence="true" form="` + form + `" stretchy="true"`)
}

// fenced puts a node between delimiters; "" for none.
func fenced(left string, n *node, right string) *node {
	list := []*node{n}
	if left != "" {
		list = append([]*node{fence(left, "prefix")}, list...)
	}
	if right != "" {
		list = append(list, fence(right, "postfix"))
	}
	return element("mrow", list...).of(inner)
}

// leftRight parses \left( … \middle| … \right).
func (p *parser) leftRight(string) *node {
	if p.depth++; p.depth > maxDepth {
		p.fail("The formula is nested too deep.")
	}
	left := p.delimiter(`\left`)
	var list []*node
	for {
		list = append(list, p.row(never))
		t := p.next()
		switch {
		case t.is(`\middle`):
			if d := p.delimiter(`\middle`); d != "" {
				list = append(list, fence(d, "infix").with(`lspace="0.1667em" rspace="0.1667em"`))
			}
		case t.is(`\right`):
			p.depth--
			right := p.delimiter(`\right`)
			return fenced(left, element("mrow", list...), right)
		case t.kind == end || t.is("}") || t.is(`\end`):
			p.fail(`There's a \left without \right.`)
		default:
			p.fail(`%s can't be between \left and \right. Put both into one cell or line.`, t.text)
		}
	}
}

// bigDelimiter is \big( and the like; nil if name is none.
func (p *parser) bigDelimiter(name string) *node {
	size, c := sizes[name], ord
	if size == "" && name != "" {
		size = sizes[name[:len(name)-1]]
		switch name[len(name)-1] {
		case 'l':
			c = opening
		case 'r':
			c = closing
		case 'm':
			c = rel
		default:
			return nil
		}
	}
	if size == "" {
		return nil
	}
	d := p.delimiter(`\` + name)
	if d == "" {
		return row(nil)
	}
	n := operator(d, c).with(`stretchy="true" minsize="` + size + `" maxsize="` + size + `"`)
	if c == rel {
		return n.with(`lspace="0.2778em" rspace="0.2778em"`)
	}
	return n.with(`lspace="0em" rspace="0em"`)
}
