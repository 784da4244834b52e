package mediawiki

import "strings"

// rawTags are elements whose content isn't wikitext, of MediaWiki and of well-known
// extensions.
var rawTags = words(`nowiki pre syntaxhighlight source math chem ce score timeline graph mapframe maplink templatedata
	imagemap inputbox hiero gallery categorytree dynamicpagelist dpl templatestyles charinsert`)

// nestedTags are elements whose content is wikitext, and that are converted as a whole.
var nestedTags = words(`ref references blockquote poem`)

func words(list string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(list) {
		m[w] = true
	}
	return m
}

// An opener is an offset where something begins that may end later.
type opener struct {
	at, braces int // braces: 0 for [[
}

// scan finds the ends of templates, links, comments and elements, in one pass.
func (c *converter) scan() {
	c.ends = map[int]int{}
	var open []opener
	templates := 0 // in open
	f := finder{text: c.lower, next: map[string]int{}}
	for at := 0; at < len(c.text); {
		rest := c.text[at:]
		switch {
		case rest[0] == '<':
			at = c.scanTag(at, &f)
		case strings.HasPrefix(rest, "{{"):
			n := run(rest, '{')
			open = append(open, opener{at, n})
			templates++
			at += n
		case strings.HasPrefix(rest, "[["):
			open = append(open, opener{at, 0})
			at += 2
		case strings.HasPrefix(rest, "}}") && templates > 0:
			for open[len(open)-1].braces == 0 { // links don't reach beyond a template
				open = open[:len(open)-1]
			}
			o := &open[len(open)-1]
			n := 2
			if o.braces >= 3 && strings.HasPrefix(rest, "}}}") {
				n = 3 // an argument of a template
			}
			at += n
			o.braces -= n
			c.ends[o.at+o.braces] = at
			if o.braces < 2 {
				open = open[:len(open)-1]
				templates--
			}
		case strings.HasPrefix(rest, "]]") && len(open) > 0 && open[len(open)-1].braces == 0:
			at += 2
			c.ends[open[len(open)-1].at] = at
			open = open[:len(open)-1]
		default:
			at++
		}
	}
}

func run(text string, of byte) int {
	n := 0
	for n < len(text) && text[n] == of {
		n++
	}
	return n
}

// A finder finds texts from offsets that only grow. It remembers where each is next, so
// that all searches for one text together take linear time.
type finder struct {
	text string
	next map[string]int // len(text) if there is none
}

// find returns the first offset of a text, not before from; -1 if there is none.
func (f *finder) find(from int, what string) int {
	at, known := f.next[what]
	if !known || at < from {
		at = len(f.text)
		if n := strings.Index(f.text[from:], what); n >= 0 {
			at = from + n
		}
		f.next[what] = at
	}
	if at == len(f.text) {
		return -1
	}
	return at
}

// scanTag records the end of a comment or element, and returns where to go on.
func (c *converter) scanTag(at int, f *finder) int {
	if strings.HasPrefix(c.text[at:], "<!--") {
		end := f.find(at+4, "-->")
		if end < 0 {
			return at + 1
		}
		c.ends[at] = end + 3
		return end + 3
	}
	tag, ok := c.tagAt(at)
	if !ok || tag.closes || !rawTags[tag.name] && !nestedTags[tag.name] {
		return at + 1
	}
	if tag.empty {
		c.ends[at] = tag.end
		return tag.end
	}
	end := f.find(tag.end, "</"+tag.name)
	if end < 0 {
		return at + 1
	}
	closing, ok := c.tagAt(end)
	if !ok || closing.name != tag.name {
		return at + 1
	}
	c.ends[at] = closing.end
	if rawTags[tag.name] {
		return closing.end
	}
	return tag.end
}

// A tag is an HTML tag, or one of an extension.
type tag struct {
	name          string // in lowercase
	attrs         string // in the original case
	end           int    // after it
	closes, empty bool
}

// maxTag bounds a tag with its attributes, in bytes.
const maxTag = 2000

// tagAt reads the tag at an offset.
func (c *converter) tagAt(at int) (t tag, ok bool) {
	rest := c.lower[at:min(len(c.lower), at+maxTag)]
	name := 1
	if strings.HasPrefix(rest, "</") {
		t.closes, name = true, 2
	}
	end := name
	for end < len(rest) && ('a' <= rest[end] && rest[end] <= 'z' || '0' <= rest[end] && rest[end] <= '9') {
		end++
	}
	if end == name || end == len(rest) || strings.IndexByte(" \t\n/>", rest[end]) < 0 {
		return t, false
	}
	t.name = rest[name:end]
	closing := strings.IndexAny(rest[end:], "<>")
	if closing < 0 || rest[end+closing] == '<' {
		return t, false
	}
	t.end = at + end + closing + 1
	t.attrs, t.empty = strings.CutSuffix(c.text[at+end:t.end-1], "/")
	return t, true
}

// attribute returns an attribute of the tag, "" if it has none.
func (t tag) attribute(name string) string { return attributeOf(t.attrs, name) }

// attributeOf returns an attribute in a list of them, "" if there is none.
func attributeOf(list, name string) string {
	for list != "" {
		before, after, ok := strings.Cut(list, "=")
		if !ok {
			return ""
		}
		fields := strings.Fields(before)
		after = strings.TrimLeft(after, " \t\n")
		var value string
		if after != "" && (after[0] == '"' || after[0] == '\'') {
			value, list, _ = strings.Cut(after[1:], after[:1])
		} else {
			end := strings.IndexAny(after, " \t\n")
			if end < 0 {
				end = len(after)
			}
			value, list = after[:end], after[end:]
		}
		if len(fields) > 0 && strings.EqualFold(fields[len(fields)-1], name) {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// split cuts a part of the text at separators that aren't in a template, link or
// element.
func (c *converter) split(from, to int, separator string) [][2]int {
	var parts [][2]int
	start := from
	for at := from; at < to; {
		if end := c.ends[at]; end > at && end <= to {
			at = end
			continue
		}
		if strings.HasPrefix(c.text[at:to], separator) {
			parts = append(parts, [2]int{start, at})
			at += len(separator)
			start = at
			continue
		}
		at++
	}
	return append(parts, [2]int{start, to})
}
