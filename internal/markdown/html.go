package markdown

import (
	"bytes"
	"html"
	"regexp"
	"slices"
	"strings"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark/ast"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"
	xhtml "golang.org/x/net/html"

	"robot.wtf/internal/mathml"
)

// The tags that pages can contain. This package writes every tag itself from
// the tokenizer's result; no input is passed through.
var (
	inlineTags = wordSet(`a abbr b bdi bdo br cite code data del dfn em i img ins kbd mark q rp rt ruby s samp small span strike
		strong sub sup time tt u var wbr`)
	blockTags = wordSet(`blockquote caption col colgroup dd details div dl dt figcaption figure h1 h2 h3 h4 h5 h6 hr li ol p pre
		summary table tbody td tfoot th thead tr ul`)
	voidTags = wordSet(`br col hr img wbr`)
	// droppedTags are removed; their content stays.
	droppedTags = wordSet(`article aside center font footer header main nav picture section source`)
)

func wordSet(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}

// An htmlTag is a raw HTML tag with a link target.
type htmlTag struct{ name, address string }

// htmlTags lists the links, images, videos and sounds in raw HTML.
func (d *document) htmlTags(n ast.Node) []htmlTag {
	var list []htmlTag
	z := xhtml.NewTokenizer(bytes.NewReader(d.rawHTMLOf(n)))
	for {
		switch z.Next() {
		case xhtml.ErrorToken:
			return list
		case xhtml.StartTagToken, xhtml.SelfClosingTagToken:
			t := z.Token()
			if key := addressOf[t.Data]; key != "" {
				list = append(list, htmlTag{t.Data, attribute(t, key)})
			}
		}
	}
}

func attribute(t xhtml.Token, key string) string {
	for _, a := range t.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func (d *document) rawHTMLOf(n ast.Node) []byte {
	inline, ok := n.(*ast.RawHTML)
	if !ok {
		return d.raw(n)
	}
	var b bytes.Buffer
	for i := range inline.Segments.Len() {
		s := inline.Segments.At(i)
		b.Write(s.Value(d.source))
	}
	return b.Bytes()
}

// An htmlAddress is the target of a raw HTML link or image, at an offset of
// the source.
type htmlAddress struct {
	at    int
	text  []byte
	image bool
}

// attributeForm matches an attribute (HTML, section 13.1.2.3): its name, and
// its value in double quotes, in single quotes or unquoted.
var attributeForm = regexp.MustCompile(`([^\s"'<>/=]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'=<>` + "`" + `]+)))?`)

// htmlAddresses finds in the source what htmlTags lists, except addresses
// written with references or backslashes or across lines.
func (d *document) htmlAddresses(n ast.Node) []htmlAddress {
	var list []htmlAddress
	z := xhtml.NewTokenizer(bytes.NewReader(d.rawHTMLOf(n)))
	for begin := 0; ; {
		kind := z.Next()
		raw := string(z.Raw())
		switch kind {
		case xhtml.ErrorToken:
			return list
		case xhtml.StartTagToken, xhtml.SelfClosingTagToken:
			t := z.Token()
			key := addressOf[t.Data]
			if key == "" {
				break
			}
			from, to := attributeValue(raw, key)
			value := raw[from:to]
			if value == "" || value != attribute(t, key) || strings.ContainsAny(value, `\&`) {
				break
			}
			if at, ok := sourceOffset(n, begin+from, len(value)); ok {
				list = append(list, htmlAddress{at, []byte(value), t.Data != "a"})
			}
		}
		begin += len(raw)
	}
}

// addressOf is the attribute with a tag's link target.
var addressOf = map[string]string{"a": "href", "img": "src", "video": "src", "audio": "src", "source": "src"}

// attributeValue returns the position of an attribute's value within the
// tag. The first attribute of a name counts.
func attributeValue(tag, key string) (from, to int) {
	for _, m := range attributeForm.FindAllStringSubmatchIndex(tag, -1)[1:] { // skip the tag's name
		if !strings.EqualFold(tag[m[2]:m[3]], key) {
			continue
		}
		for _, i := range []int{4, 6, 8} {
			if m[i] >= 0 {
				return m[i], m[i+1]
			}
		}
		break
	}
	return 0, 0
}

// sourceOffset returns the source offset of a part of a node's raw HTML, if
// it is within one line.
func sourceOffset(n ast.Node, from, length int) (at int, ok bool) {
	for _, s := range htmlSegments(n) {
		if from < s.Len() {
			at = s.Start + from - s.Padding
			return at, at >= s.Start && at+length <= s.Stop
		}
		from -= s.Len()
	}
	return 0, false
}

// htmlSegments returns the parts of the source that rawHTMLOf joins.
func htmlSegments(n ast.Node) []text.Segment {
	if inline, ok := n.(*ast.RawHTML); ok {
		return inline.Segments.Sliced(0, inline.Segments.Len())
	}
	list := slices.Clone(n.Lines().Sliced(0, n.Lines().Len()))
	if block, ok := n.(*ast.HTMLBlock); ok && block.HasClosure() {
		list = append(list, block.ClosureLine)
	}
	return list
}

// writeHTML writes raw HTML: harmless tags as tags, the rest as text. open
// holds the open tags of the container, outermost first. flow allows blocks
// here.
func (w *writer) writeHTML(raw []byte, open *[]string, flow bool) {
	z := xhtml.NewTokenizer(bytes.NewReader(raw))
	at, lastEnd := 0, lastMediaEnd(raw)
	for {
		kind := z.Next()
		text := string(z.Raw())
		at += len(text)
		switch kind {
		case xhtml.ErrorToken:
			w.writeText(text)
			return
		case xhtml.TextToken:
			if !w.inFallback(at-len(text), lastEnd) {
				w.writeText(html.UnescapeString(text))
			}
		case xhtml.CommentToken, xhtml.DoctypeToken:
		default:
			t := z.Token()
			if t.Data != "script" && t.Data != "style" {
				z.NextIsNotRawText() // <xmp>, shown as text, doesn't hide tags
			}
			switch {
			case w.writePlayerTag(t, kind, open):
			case w.inFallback(at, lastEnd):
			case droppedTags[t.Data]:
			case kind == xhtml.EndTagToken && !flow && blockTags[t.Data]: // it was opened outside
			case !inlineTags[t.Data] && !(flow && blockTags[t.Data]) || w.rawOpen >= maxDepth:
				w.writeText(text)
			case kind == xhtml.EndTagToken:
				w.endTag(t.Data, open)
			case w.makeRoomForTag(t.Data, open):
				w.startTag(t, open)
			}
		}
	}
}

// endTag closes a tag and everything open inside it. An end tag without a
// start tag is ignored.
func (w *writer) endTag(name string, open *[]string) {
	for i := len(*open) - 1; i >= 0; i-- {
		if written, asked, _ := strings.Cut((*open)[i], " "); written == name || asked == name {
			w.closeTags(open, i)
			return
		}
	}
}

// closeTags closes open tags down to a depth.
func (w *writer) closeTags(open *[]string, down int) {
	for i := len(*open) - 1; i >= down; i-- {
		name, _, _ := strings.Cut((*open)[i], " ")
		if name == "a" {
			w.inLink--
		}
		w.write("</" + name + ">")
		if name == "table" {
			w.write("</div>")
		}
	}
	w.rawOpen -= len(*open) - down
	*open = (*open)[:down]
}

// If a tag isn't allowed where it is, a browser closes or moves elements,
// and our end tags would then close the wrong ones. So we close what the
// browser would close, or drop the tag.
var (
	parents = map[string]map[string]bool{
		"li": wordSet("ul ol"), "dt": wordSet("dl"), "dd": wordSet("dl"),
		"caption": wordSet("table"), "colgroup": wordSet("table"), "col": wordSet("table colgroup"),
		"thead": wordSet("table"), "tbody": wordSet("table"), "tfoot": wordSet("table"),
		"tr": wordSet("table thead tbody tfoot"), "td": wordSet("table thead tbody tfoot tr"), "th": wordSet("table thead tbody tfoot tr"),
	}
	tableParts = wordSet("table thead tbody tfoot tr colgroup") // can contain only table parts
	tableCells = wordSet("td th caption")
	headings   = wordSet("h1 h2 h3 h4 h5 h6")
)

// makeRoomForTag closes tags until a tag is allowed, and reports whether it
// is.
func (w *writer) makeRoomForTag(name string, open *[]string) bool {
	if within, ok := parents[name]; ok {
		for i := len(*open) - 1; i >= 0; i-- {
			switch at := (*open)[i]; {
			case within[at]:
				w.closeTags(open, i+1)
				return true
			case at == "table", tableCells[at] && !within["table"]: // a list outside a cell
				return false
			}
		}
		return false
	}
	last := len(*open) - 1
	if last >= 0 && tableParts[(*open)[last]] {
		return false
	}
	for i := last; i >= 0 && blockTags[name] && !tableCells[(*open)[i]]; i-- {
		if (*open)[i] == "p" {
			w.closeTags(open, i)
			break
		}
	}
	if last = len(*open) - 1; last >= 0 && headings[name] && headings[(*open)[last]] {
		w.closeTags(open, last)
	}
	return true
}

// makeRoomForNode closes the raw tags that can't contain a node: tables,
// outside their cells, and elements that a browser closes before a block.
func (w *writer) makeRoomForNode(n ast.Node, open *[]string) {
	switch n.(type) {
	case *ast.RawHTML, *ast.HTMLBlock, *ast.Text:
		return
	case *extast.FootnoteList:
		w.closeTags(open, 0)
	}
	for i := len(*open) - 1; i >= 0 && tableParts[(*open)[len(*open)-1]]; i-- {
		if (*open)[i] == "table" {
			w.closeTags(open, i)
		}
	}
	if n.Kind() == ast.KindHeading {
		w.makeRoomForTag("h1", open)
	} else if n.Type() == ast.TypeBlock {
		w.makeRoomForTag("div", open)
	}
}

func (w *writer) startTag(t xhtml.Token, open *[]string) {
	name := t.Data
	var attrs strings.Builder
	switch name {
	case "img":
		width := attribute(t, "width")
		if width == "" {
			width = widthInStyle(attribute(t, "style"))
		}
		w.writeImage(addressTarget(w.doc.name, attribute(t, "src"), true), attribute(t, "alt"), attribute(t, "title"), width, attribute(t, "height"))
		return
	case "a":
		if attrs.WriteString(w.rawLink(t)); attrs.Len() == 0 {
			name = "span a" // closed by </a>
		} else {
			w.inLink++
		}
	case "table":
		w.write(w.openRegion("Table"))
	case "pre":
		attrs.WriteString(` tabindex="0"`)
	}
	written, _, _ := strings.Cut(name, " ")
	for _, a := range t.Attr {
		key := a.Key
		if key == "name" { // of an <a>, in older HTML
			key = "id"
		}
		if value, ok := w.attribute(t.Data, a.Key, a.Val); ok && !strings.Contains(attrs.String(), " "+key+"=") {
			attrs.WriteString(" " + key + `="` + html.EscapeString(value) + `"`)
		}
	}
	w.write("<" + written + attrs.String() + ">")
	if !voidTags[name] {
		*open = append(*open, name)
		w.rawOpen++
	}
}

// rawLink returns the attributes of an <a> with a valid target, or "".
func (w *writer) rawLink(t xhtml.Token) string {
	if w.inLink > 0 {
		return ""
	}
	to := w.lookUp(addressTarget(w.doc.name, attribute(t, "href"), false))
	if !w.isLink(to) {
		return ""
	}
	return to.attributes(attribute(t, "title"))
}

var smallNumber = regexp.MustCompile(`^[0-9]{1,4}$`)

// attribute returns an attribute's value as we write it, or false.
func (w *writer) attribute(tag, key, value string) (string, bool) {
	lower := strings.ToLower(strings.TrimSpace(value))
	switch key {
	case "title":
		return value, true
	case "lang":
		return lower, langForm.MatchString(lower)
	case "dir":
		return lower, slices.Contains([]string{"ltr", "rtl", "auto"}, lower)
	case "align":
		return lower, slices.Contains([]string{"left", "right", "center"}, lower)
	case "open":
		return "", tag == "details"
	case "datetime":
		return value, tag == "time" || tag == "ins" || tag == "del"
	case "start", "value", "colspan", "rowspan", "span":
		return lower, numbered[key][tag] && smallNumber.MatchString(lower)
	case "id", "name":
		if key == "name" && tag != "a" {
			return "", false
		}
		id := slug(value)
		return idPrefix + id, value != "" && w.ids.reserve(id)
	}
	return "", false
}

var (
	langForm = regexp.MustCompile(`^[a-z]{2,3}(?:-[a-z0-9]{1,8}){0,3}$`)
	numbered = map[string]map[string]bool{
		"start": wordSet("ol"), "value": wordSet("li"), "colspan": wordSet("td th"), "rowspan": wordSet("td th"), "span": wordSet("col colgroup"),
	}
)

// newSanitizer returns the second, independent filter, which holds even if
// the renderer has a bug.
func newSanitizer(icons string) *bluemonday.Policy {
	match := func(form string) *regexp.Regexp { return regexp.MustCompile(`^(?:` + form + `)$`) }
	p := bluemonday.NewPolicy()
	for _, tags := range []map[string]bool{inlineTags, blockTags} {
		for name := range tags {
			p.AllowNoAttrs().OnElements(name)
		}
	}
	p.AllowNoAttrs().OnElements("section", "svg", "use", "label", "input")
	p.AllowAttrs("title", "aria-label").Globally()
	p.AllowAttrs("lang").Matching(langForm).Globally()
	p.AllowAttrs("dir").Matching(match(`ltr|rtl|auto`)).Globally()
	p.AllowAttrs("align").Matching(match(`left|right|center`)).Globally()
	p.AllowAttrs("id").Matching(match(idPrefix + `[^\s"'<>&]+`)).Globally()
	p.AllowAttrs("class").Matching(match(`(?:` + rendererClasses + `)(?: (?:` + rendererClasses + `))*`)).Globally()
	p.AllowAttrs("role").Matching(match(`note|region`)).OnElements("div")
	p.AllowAttrs("role").Matching(match(`img`)).OnElements("span")
	p.AllowAttrs("tabindex").Matching(match(`0`)).OnElements("div", "pre")
	p.AllowAttrs("aria-hidden").Matching(match(`true`)).OnElements("svg", "span")
	p.AllowAttrs("scope").Matching(match(`col`)).OnElements("th")
	p.AllowAttrs("start", "value", "colspan", "rowspan", "span").Matching(smallNumber).OnElements("ol", "li", "td", "th", "col", "colgroup")
	p.AllowAttrs("open").OnElements("details")
	p.AllowAttrs("datetime").OnElements("time", "ins", "del")
	p.AllowAttrs("type").Matching(match(`checkbox`)).OnElements("input")
	p.AllowAttrs("checked", "disabled").OnElements("input")
	p.AllowNoAttrs().OnElements(mathml.Elements...)
	p.AllowAttrs(mathml.Attributes...).Matching(match(mathml.Values)).OnElements(mathml.Elements...)
	p.AllowAttrs("value").Matching(match(`[0-9]{1,9}`)).OnElements("input")
	p.AllowAttrs("aria-labelledby").Matching(match(idPrefix + `task:[0-9]{1,9}`)).OnElements("input")
	// These patterns replace bluemonday's own URL check, which uses
	// url.Parse and fails for at://did:plc:…. They see values without character
	// references; bluemonday writes them in double quotes, escaped.
	p.AllowAttrs("href").Matching(match(`(?:` + strings.Join(schemes, "|") + `):[^\s"<>\\]+|#[^\s"<>\\]*|\?[^\s"<>\\]*|/(?:[^\s/\\"<>][^\s\\"<>]*)?`)).OnElements("a")
	p.AllowAttrs("href").Matching(match(regexp.QuoteMeta(icons) + `#[a-z]+`)).OnElements("use")
	p.AllowAttrs("rel").Matching(match(`(?:nofollow ugc )?noopener`)).OnElements("a")
	p.AllowAttrs("src").Matching(match(`/[^\s/\\"<>][^\s\\"<>]*`)).OnElements("img")
	p.AllowAttrs("alt").OnElements("img")
	p.AllowAttrs("loading").Matching(match(`lazy`)).OnElements("img")
	p.AllowAttrs("width", "height").Matching(match(`[0-9]{1,4}|[0-9]{1,3}%`)).OnElements("img")
	p.RequireParseableURLs(false)
	return p
}

// rendererClasses are the classes that the renderer writes. chroma's have
// one to three letters and digits.
const rendererClasses = `red|out|tag|task|tasks|scroll|notes|anchor|chroma|notice|warning|good|quiet|outline|state|link|framed|infobox|icon|embed|math|diagram|[a-z][a-z0-9]{0,2}`

// htmlText returns the text of raw HTML.
func (d *document) htmlText(n ast.Node) string {
	var words []string
	z := xhtml.NewTokenizer(bytes.NewReader(d.rawHTMLOf(n)))
	for {
		switch z.Next() {
		case xhtml.ErrorToken:
			return strings.Join(words, " ")
		case xhtml.TextToken:
			words = append(words, strings.Fields(html.UnescapeString(string(z.Raw())))...)
		}
	}
}
