package mediawiki

import (
	"html"
	"strings"
)

// standing converts a line that is one template or element and nothing else, which
// can have several lines. It reports false for other lines.
func (w *blockWriter) standing(from, to int) bool {
	c := w.c
	start := from + len(c.text[from:to]) - len(strings.TrimLeft(c.text[from:to], " \t"))
	if c.ends[start] != to {
		return false
	}
	text := c.text[start:to]
	if strings.HasPrefix(text, "{{") {
		return w.template(text)
	}
	if strings.HasPrefix(text, "<!--") {
		if note := comment(text[4 : len(text)-3]); note != "" && len(w.paragraph) == 0 {
			w.add(note)
			return true
		}
		return false
	}
	t, ok := c.tagAt(start)
	if !ok {
		return false
	}
	inside := [2]int{t.end, t.end}
	if !t.empty {
		inside[1] = t.end + strings.LastIndex(c.text[t.end:to], "</")
	}
	block := ""
	if !c.nest(func() { block = c.element(t, inside) }) || block == "" {
		return false
	}
	w.add(block)
	return true
}

// template writes a template on lines of its own. It reports false for one that a
// line of text can have.
func (w *blockWriter) template(text string) bool {
	name := strings.ToLower(strings.TrimSpace(strings.Trim(text, "{}")))
	for _, s := range settings {
		if strings.HasPrefix(name, s) {
			return false
		}
	}
	if !strings.Contains(text, "\n") {
		return false
	}
	name, _, _ = strings.Cut(name, "|")
	if noteLists[strings.TrimSpace(name)] {
		w.endParagraph()
		return true
	}
	w.add(fence(text, "wikitext"))
	return true
}

// element converts an element to a block; "" if it can be part of a line.
func (c *converter) element(t tag, inside [2]int) string {
	text := c.text[inside[0]:inside[1]]
	switch t.name {
	case "pre":
		return fence(html.UnescapeString(strings.NewReplacer("<nowiki>", "", "</nowiki>", "").Replace(text)), "")
	case "syntaxhighlight", "source":
		return fence(text, languageOf(t))
	case "math":
		if formula := strings.TrimSpace(text); formula != "" && !strings.Contains(formula, "$") {
			return "$$\n" + strings.Join(strings.Fields(formula), " ") + "\n$$"
		}
	case "blockquote":
		return quote(c.blocks(inside[0], inside[1]))
	case "poem":
		return c.poem(inside)
	case "gallery":
		return c.gallery(inside)
	case "nowiki", "ref", "references", "chem", "ce":
		return ""
	}
	if strings.TrimSpace(text) == "" {
		return ""
	}
	return fence("<"+t.name+t.attrs+">"+text+"</"+t.name+">", "wikitext")
}

// languageOf returns the language of an element with code, as Markdown names it.
func languageOf(t tag) string {
	language := strings.ToLower(t.attribute("lang"))
	if strings.Trim(language, "abcdefghijklmnopqrstuvwxyz0123456789+#.-") != "" || len(language) > 30 {
		return ""
	}
	return language
}

// poem converts lines that stay lines.
func (c *converter) poem(inside [2]int) string {
	var b strings.Builder
	for at := inside[0]; at < inside[1]; {
		end := c.lineEnd(at, inside[1])
		line := c.inline(at, end)
		switch {
		case line == "":
			b.WriteString("\n\n")
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "\n"):
			b.WriteString("<br>\n" + line)
		default:
			b.WriteString(line)
		}
		at = end + 1
	}
	return strings.TrimSpace(b.String())
}

// gallery converts a list of pictures with captions.
func (c *converter) gallery(inside [2]int) string {
	var lines []string
	for at := inside[0]; at < inside[1]; {
		end := c.lineEnd(at, inside[1])
		file, caption := end, end
		if n := strings.IndexByte(c.text[at:end], '|'); n >= 0 {
			file, caption = at+n, at+n+1
		}
		title := c.o.Site.ParseTitle(c.text[at:file])
		if title.Text != "" {
			line := "- " + embed(title.Text, "", "200")
			if text := strings.ReplaceAll(c.inline(caption, end), "\n", " "); text != "" {
				line += " " + text
			}
			lines = append(lines, line)
		}
		at = end + 1
	}
	return strings.Join(lines, "\n")
}
