package mediawiki

import (
	"html"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// inline converts a part of the text within a block. A block at its end, such as a
// picture's caption, is followed by a line end.
func (c *converter) inline(from, to int) string {
	w := &inlineWriter{c: c, to: to}
	for w.at = from; w.at < to; {
		w.step()
	}
	w.flush()
	text := strings.Trim(joinEmphasis(w.pieces), " \t")
	if w.apart {
		text += "\n"
	}
	return text
}

// A piece is converted text, or apostrophes for bold and italic.
type piece struct {
	text   string
	quotes int // 2 for italic, 3 for bold, 5 for both; 0 for text
}

// An inlineWriter converts a part of a text.
type inlineWriter struct {
	c      *converter
	at, to int
	out    strings.Builder // since the last quotes
	pieces []piece
	last   rune // the last one written, 0 at the start of a line
	apart  bool // a block was written, and nothing since
	closed int  // offset before which no further ] is on the line
}

func (w *inlineWriter) flush() {
	if w.out.Len() > 0 {
		w.pieces = append(w.pieces, piece{text: w.out.String()})
		w.out.Reset()
	}
}

// write writes Markdown.
func (w *inlineWriter) write(text string) {
	if text == "" || w.apart && strings.TrimSpace(text) == "" {
		return
	}
	w.endBlock()
	w.out.WriteString(text)
	w.last, _ = utf8.DecodeLastRuneInString(text)
	if w.last == '\n' {
		w.last = 0
	}
}

// writeBlock writes a block in its own lines.
func (w *inlineWriter) writeBlock(text string) {
	if text == "" {
		return
	}
	w.apart = w.apart || w.out.Len()+len(w.pieces) > 0
	w.write(text)
	w.apart, w.last = true, 0
}

// endBlock separates a block from the text after it.
func (w *inlineWriter) endBlock() {
	if w.apart {
		w.out.WriteString("\n\n")
		w.apart, w.last = false, 0
	}
}

// step converts the next character or markup.
func (w *inlineWriter) step() {
	c, rest := w.c, w.c.text[w.at:w.to]
	end := c.ends[w.at]
	if end > w.to {
		end = 0
	}
	switch b := rest[0]; {
	case b == '\'' && strings.HasPrefix(rest, "''"):
		w.quotes(run(rest, '\''))
	case b == '{' && end > 0:
		w.template(end)
	case b == '[' && end > 0 && w.link(end):
	case b == '[' && w.address():
	case b == '<':
		w.tag(end)
	case b == '_' && w.behaviorSwitch():
	case (b == 'h' || b == 'f') && w.bareAddress():
	case b == '\n':
		w.at++
		w.write("\n")
	default:
		r, size := utf8.DecodeRuneInString(rest)
		w.at += size
		w.char(r, w.at)
	}
}

// quotes takes apostrophes: five are bold and italic; of four or more than five, the
// first ones are text.
func (w *inlineWriter) quotes(n int) {
	w.at += n
	marks := min(n, 5)
	if n == 4 {
		marks = 3
	}
	w.endBlock()
	w.write(strings.Repeat("'", n-marks))
	w.flush()
	w.pieces = append(w.pieces, piece{quotes: marks})
	if w.last == 0 {
		w.last = '*'
	}
}

// char writes a character of a text, escaped if Markdown would read it as markup. The
// text goes on at next.
func (w *inlineWriter) char(r rune, next int) {
	if (r == ' ' || r == '\t') && (w.last == 0 || w.last == ' ') {
		return
	}
	if r == '\t' {
		r = ' '
	}
	w.endBlock()
	after := rune(0)
	if next < w.to {
		after, _ = utf8.DecodeRuneInString(w.c.text[next:])
	}
	if w.escapes(r, after, next) {
		w.out.WriteByte('\\')
	}
	w.out.WriteRune(r)
	w.last = r
}

// escapes reports whether a character of a text needs a backslash.
func (w *inlineWriter) escapes(r, after rune, next int) bool {
	start := w.last == 0
	switch r {
	case '\\', '*', '`', '[', ']', '~':
		return true
	case '_':
		return !isWord(w.last) || !isWord(after)
	case '<':
		return unicode.IsLetter(after) || strings.ContainsRune("/!?", after)
	case '#':
		return start || strings.ContainsRune(" ([{,;\"'", w.last) && (isWord(after) || after == '_')
	case '$':
		return after != 0 && !unicode.IsSpace(after)
	case '=', '%':
		return after == r || start && r == '='
	case '{':
		return strings.ContainsRune("{#:", after)
	case '^':
		return w.last == ' '
	case '!':
		return after == '[' || start && after == '!'
	case ':':
		return start || emojiForm.MatchString(w.c.text[next:min(w.to, next+40)])
	case '>', '|':
		return start
	case '-', '+', '?':
		return start && (after == ' ' || after == 0 || after == '\n' || after == r)
	case '.', ')':
		return (after == ' ' || after == 0) && w.endsNumber()
	}
	return false
}

// emojiForm matches the rest of an emoji's name, which isn't a number.
var emojiForm = regexp.MustCompile(`^[0-9]*[a-z+_-][a-z0-9+_-]*:`)

// endsNumber reports whether the line so far is a number and nothing else.
func (w *inlineWriter) endsNumber() bool {
	if w.out.Len() > 10 || len(w.pieces) > 0 {
		return false
	}
	line := w.out.String()
	return line != "" && strings.Trim(line, "0123456789") == ""
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }

// settings are magic words that change how MediaWiki shows a page, in lowercase.
var settings = []string{"defaultsort:", "defaultsortkey:", "defaultcategorysort:", "displaytitle:"}

// noteLists are templates that show the notes, which Markdown does by itself.
var noteLists = words(`reflist references refs notelist`)

// template writes a template as code. Settings that nobody sees become comments.
func (w *inlineWriter) template(end int) {
	code := w.c.text[w.at:end]
	inside := strings.TrimSpace(strings.ToLower(strings.Trim(code, "{}")))
	name, _, _ := strings.Cut(inside, "|")
	w.at = end
	for _, s := range settings {
		if strings.HasPrefix(inside, s) {
			w.write(comment(code))
			return
		}
	}
	switch {
	case inside == "!":
		w.write("|")
	case noteLists[strings.TrimSpace(name)]:
	default:
		w.write(codeSpan(code))
	}
}

// comment returns a comment with a text.
func comment(text string) string {
	text = strings.Join(strings.Fields(strings.NewReplacer("--", "- -", ">", "&gt;").Replace(text)), " ")
	if text == "" {
		return ""
	}
	return "<!-- " + text + " -->"
}

// behaviorSwitches are those of MediaWiki and well-known extensions. Only the table
// of contents is a thing to see.
var behaviorSwitches = words(`NOTOC FORCETOC TOC NOEDITSECTION NEWSECTIONLINK NONEWSECTIONLINK NOGALLERY HIDDENCAT INDEX NOINDEX
	STATICREDIRECT NOTITLECONVERT NOTC NOCONTENTCONVERT NOCC DISAMBIG EXPECTUNUSEDCATEGORY EXPECTUNUSEDTEMPLATE`)

var switchForm = regexp.MustCompile(`^__([A-Za-z]{2,24})__`)

// behaviorSwitch takes a word such as __NOTOC__.
func (w *inlineWriter) behaviorSwitch() bool {
	m := switchForm.FindStringSubmatch(w.c.text[w.at:min(w.to, w.at+30)])
	if m == nil || !behaviorSwitches[strings.ToUpper(m[1])] {
		return false
	}
	w.at += len(m[0])
	if strings.EqualFold(m[1], "TOC") {
		w.writeBlock("[TOC]")
	}
	return true
}

// inlineTags are those that Markdown can have, without attributes.
var inlineTags = words(`b i u s del ins sub sup small big tt kbd var samp mark em strong q cite abbr strike dfn br bdi ruby rt rp code`)

// blockTags are those that Markdown can have in lines of their own.
var blockTags = words(`table caption thead tbody tfoot tr td th ul ol li dl dt dd hr h1 h2 h3 h4 h5 h6 p blockquote details summary`)

// droppedTags say how something looks, or for which page it is.
var droppedTags = words(`div span center font noinclude includeonly onlyinclude section nobr wbr time data translate tvar languages
	nowiki templatestyles poem ref references gallery`)

// tag converts the tag, comment or element that is next.
func (w *inlineWriter) tag(end int) {
	c := w.c
	if strings.HasPrefix(c.text[w.at:], "<!--") && end > 0 {
		text := comment(c.text[w.at+4 : end-3])
		w.at = end
		w.write(text)
		return
	}
	t, ok := c.tagAt(w.at)
	if !ok || t.end > w.to {
		w.at++
		w.char('<', w.at)
		return
	}
	switch {
	case end > 0 && w.element(t, end):
		w.at = end
	case t.name == "code" && !t.closes && w.simpleCode(t):
	case inlineTags[t.name]:
		w.write("<" + map[bool]string{true: "/"}[t.closes] + t.name + ">")
		w.at = t.end
	case blockTags[t.name]:
		w.blockTag(t)
		w.at = t.end
	case droppedTags[t.name]:
		w.at = t.end
	default:
		w.write(`\<`)
		w.at++
	}
}

// blockTag writes a tag in a line of its own, after which Markdown goes on.
func (w *inlineWriter) blockTag(t tag) {
	out := "<" + map[bool]string{true: "/"}[t.closes] + t.name
	for _, name := range []string{"colspan", "rowspan"} {
		if n := t.attribute(name); n != "" && len(n) < 4 && strings.Trim(n, "0123456789") == "" {
			out += " " + name + `="` + n + `"`
		}
	}
	w.writeBlock(out + ">")
}

// simpleCode converts an element code without markup in it.
func (w *inlineWriter) simpleCode(t tag) bool {
	rest := w.c.text[t.end:w.to]
	at := strings.IndexByte(rest, '<')
	if n, ok := strings.CutPrefix(rest, "<nowiki>"); ok {
		at = strings.IndexByte(n, '<')
		if at < 0 || !strings.HasPrefix(n[at:], "</nowiki></code>") {
			return false
		}
		w.write(codeSpan(html.UnescapeString(n[:at])))
		w.at = t.end + len("<nowiki>") + at + len("</nowiki></code>")
		return true
	}
	if at < 0 || !strings.HasPrefix(w.c.lower[t.end+at:], "</code>") || strings.Contains(rest[:at], "''") || strings.Contains(rest[:at], "[") {
		return false
	}
	w.write(codeSpan(html.UnescapeString(rest[:at])))
	w.at = t.end + at + len("</code>")
	return true
}

// element converts an element with its content, which ends at end. It reports false
// for one to convert tag by tag.
func (w *inlineWriter) element(t tag, end int) bool {
	c := w.c
	inside := [2]int{t.end, t.end}
	if !t.empty {
		inside[1] = t.end + strings.LastIndex(c.text[t.end:end], "</")
	}
	text := c.text[inside[0]:inside[1]]
	switch t.name {
	case "nowiki":
		text = html.UnescapeString(text)
		for _, r := range text {
			w.literal(r)
		}
	case "ref":
		w.note(t, inside)
	case "references":
		c.nest(func() { c.inline(inside[0], inside[1]) }) // for the notes that it defines
	case "math", "chem", "ce":
		if text = strings.TrimSpace(text); text == "" || strings.ContainsAny(text, "$\n") {
			w.write(codeSpan(c.text[w.at:end]))
		} else {
			w.write("$" + text + "$")
		}
	case "templatestyles":
		w.write(comment(c.text[w.at:end]))
	case "pre", "syntaxhighlight", "source":
		w.write(codeSpan(html.UnescapeString(text)))
	case "blockquote", "poem", "gallery":
		block := ""
		if !c.nest(func() { block = c.element(t, inside) }) {
			return false
		}
		w.writeBlock(block)
	default:
		w.write(codeSpan(c.text[w.at:end]))
	}
	return true
}

// literal writes a character that isn't markup.
func (w *inlineWriter) literal(r rune) {
	w.endBlock()
	switch {
	case r == '\n':
		w.write("\n")
	case r < utf8.RuneSelf && unicode.IsPunct(r) || strings.ContainsRune("<>|~$=^+`", r):
		w.out.WriteByte('\\')
		w.out.WriteRune(r)
		w.last = r
	case r == ' ' && (w.last == 0 || w.last == ' '):
	default:
		w.out.WriteRune(r)
		w.last = r
	}
}

// note writes a footnote, and keeps its text.
func (w *inlineWriter) note(t tag, inside [2]int) {
	c := w.c
	name := t.attribute("name")
	n := c.noteNumbers[name]
	if name == "" || n == 0 {
		c.notes = append(c.notes, "")
		n = len(c.notes)
		if name != "" {
			c.noteNumbers[name] = n
		}
	}
	if c.notes[n-1] == "" && inside[0] < inside[1] {
		text := ""
		if !c.nest(func() { text = c.inline(inside[0], inside[1]) }) {
			text = codeSpan(c.text[inside[0]:inside[1]])
		}
		c.notes[n-1] = strings.Join(strings.Fields(text), " ")
	}
	w.write("[^" + itoa(n) + "]")
}
