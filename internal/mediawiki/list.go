package mediawiki

import "strings"

// A listItem is a line of a list: the marks before it, and its text.
type listItem struct{ marks, text string }

// list converts the lines of a list.
func (w *blockWriter) list(at, to int) int {
	var items []listItem
	for at < to && strings.IndexByte("*#:;", w.c.text[at]) >= 0 {
		end := w.c.lineEnd(at, to)
		text := at
		for text < end && strings.IndexByte("*#:;", w.c.text[text]) >= 0 {
			text++
		}
		if strings.HasPrefix(w.c.text[text:end], "{|") && len(items) > 0 {
			break
		}
		marks := w.c.text[at:min(text, at+maxListLevel)]
		if term, definition, ok := w.c.definition(marks, text, end); ok {
			items = append(items, listItem{marks, w.c.inline(text, term)})
			marks, text = marks[:len(marks)-1]+":", definition
		}
		items = append(items, listItem{marks, strings.TrimSpace(w.c.inline(text, end))})
		at = min(end+1, to)
	}
	w.add(listBlocks(items, 0, false))
	return at
}

// definition finds the colon between a term and its definition on one line.
func (c *converter) definition(marks string, from, to int) (term, definition int, ok bool) {
	if !strings.HasSuffix(marks, ";") {
		return 0, 0, false
	}
	for at := from; at < to; at++ {
		if end := c.ends[at]; end > at {
			at = end - 1
			continue
		}
		if c.text[at] == ':' && !strings.HasPrefix(c.text[at:], "://") {
			return at, at + 1, true
		}
	}
	return 0, 0, false
}

// isDefinition reports marks of one kind of list: terms and definitions.
func isDefinition(mark byte) bool { return mark == ':' || mark == ';' }

// listBlocks writes items that have the same marks up to a level. inItem says that
// they are in an item of a list, where a colon only continues the item.
func listBlocks(items []listItem, level int, inItem bool) string {
	var b strings.Builder
	for len(items) > 0 {
		mark := items[0].marks[level]
		n := 1
		for n < len(items) && (items[n].marks[level] == mark || isDefinition(mark) && isDefinition(items[n].marks[level])) {
			n++
		}
		var block string
		if isDefinition(mark) {
			block = definitionBlocks(items[:n], level, inItem)
		} else {
			block = itemBlocks(items[:n], level)
		}
		if b.Len() > 0 {
			b.WriteString("\n")
			if isDefinition(mark) {
				b.WriteString("\n")
			}
		}
		b.WriteString(block)
		items = items[n:]
		if len(items) > 0 && isDefinition(mark) {
			b.WriteString("\n")
		}
	}
	return b.String()
}

// itemBlocks writes the items of a list with bullets or numbers.
func itemBlocks(items []listItem, level int) string {
	first, rest := "- ", "  "
	if items[0].marks[level] == '#' {
		first, rest = "1. ", "   "
	}
	var lines []string
	for len(items) > 0 {
		text := ""
		if len(items[0].marks) == level+1 {
			text = items[0].text
			items = items[1:]
		}
		n := deeper(items, level)
		if n > 0 {
			below := listBlocks(items[:n], level+1, true)
			switch {
			case text == "":
				text = below
			case isDefinition(items[0].marks[level+1]):
				text += "\n\n" + below
			default:
				text += "\n" + below
			}
			items = items[n:]
		}
		lines = append(lines, indent(text, first, rest))
	}
	return strings.Join(lines, "\n")
}

// deeper returns how many of the first items are below a level.
func deeper(items []listItem, level int) int {
	n := 0
	for n < len(items) && len(items[n].marks) > level+1 {
		n++
	}
	return n
}

// definitionBlocks writes terms and their definitions. Without terms, they are only
// indented, which a quote shows, or continue the item that they are in.
func definitionBlocks(items []listItem, level int, inItem bool) string {
	terms := false
	for _, i := range items {
		terms = terms || i.marks[level] == ';'
	}
	var blocks []string
	var last []string // parts of the block that a term began
	flush := func() {
		if last != nil {
			blocks = append(blocks, strings.Join(last, "\n"))
			last = nil
		}
	}
	for len(items) > 0 {
		mark := items[0].marks[level]
		text := ""
		n := 1
		if len(items[0].marks) == level+1 {
			text = items[0].text
		} else {
			n = deeper(items, level)
			text = listBlocks(items[:n], level+1, false)
		}
		items = items[n:]
		switch {
		case text == "":
		case terms && mark == ';' && n == 1:
			flush()
			last = []string{strings.ReplaceAll(text, "\n", " ")}
		case terms && last != nil:
			last = append(last, indent(text, ": ", "  "))
		case inItem:
			blocks = append(blocks, text)
		default:
			blocks = append(blocks, quote(text))
		}
	}
	flush()
	if terms || inItem {
		return strings.Join(blocks, "\n\n")
	}
	return strings.Join(blocks, "\n>\n")
}
