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
)

// The tags that people may write. All that leaves this package is written here
// anew, from what a tokenizer understood of theirs: nothing is passed through.
var (
	inlineTags = set(`a abbr b bdi bdo br cite code data del dfn em i img ins kbd mark q rp rt ruby s samp small span strike
		strong sub sup time tt u var wbr`)
	blockTags = set(`blockquote caption col colgroup dd details div dl dt figcaption figure h1 h2 h3 h4 h5 h6 hr li ol p pre
		summary table tbody td tfoot th thead tr ul`)
	voidTags = set(`br col hr img wbr`)
	// unseenTags are left out, but not what stands between them.
	unseenTags = set(`article aside center font footer header main nav picture section source`)
)

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}

// An htmlTag is a tag of raw HTML that leads somewhere.
type htmlTag struct{ name, address string }

// tags lists the links and images of raw HTML.
func (d *document) tags(n ast.Node) []htmlTag {
	var list []htmlTag
	z := xhtml.NewTokenizer(bytes.NewReader(d.rawHTML(n)))
	for {
		switch z.Next() {
		case xhtml.ErrorToken:
			return list
		case xhtml.StartTagToken, xhtml.SelfClosingTagToken:
			switch t := z.Token(); t.Data {
			case "a":
				list = append(list, htmlTag{"a", attribute(t, "href")})
			case "img":
				list = append(list, htmlTag{"img", attribute(t, "src")})
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

func (d *document) rawHTML(n ast.Node) []byte {
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

// An htmlAddress is where a link or image of raw HTML leads, as it stands at an
// offset of the source.
type htmlAddress struct {
	at    int
	text  []byte
	image bool
}

// attributeForm matches an attribute (HTML, section 13.1.2.3): its name, and its
// value in double quotes, in single ones, or in none.
var attributeForm = regexp.MustCompile(`([^\s"'<>/=]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'=<>` + "`" + `]+)))?`)

// htmlAddresses finds what tags lists in the source: but for addresses that are
// written with references or backslashes, or over more than one line.
func (d *document) htmlAddresses(n ast.Node) []htmlAddress {
	var list []htmlAddress
	z := xhtml.NewTokenizer(bytes.NewReader(d.rawHTML(n)))
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
			if at, ok := placeOf(n, begin+from, len(value)); ok {
				list = append(list, htmlAddress{at, []byte(value), t.Data == "img"})
			}
		}
		begin += len(raw)
	}
}

// addressOf is the attribute of a tag that leads somewhere.
var addressOf = map[string]string{"a": "href", "img": "src"}

// attributeValue is where the value of a tag's attribute stands in the tag: its
// first, which is the one that counts.
func attributeValue(tag, key string) (from, to int) {
	for _, m := range attributeForm.FindAllStringSubmatchIndex(tag, -1)[1:] { // the first is the tag's name
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

// placeOf is where a part of a node's raw HTML stands in the source, if in one
// line.
func placeOf(n ast.Node, from, length int) (at int, ok bool) {
	for _, s := range pieces(n) {
		if from < s.Len() {
			at = s.Start + from - s.Padding
			return at, at >= s.Start && at+length <= s.Stop
		}
		from -= s.Len()
	}
	return 0, false
}

// pieces are the parts of the source that rawHTML puts together.
func pieces(n ast.Node) []text.Segment {
	if inline, ok := n.(*ast.RawHTML); ok {
		return inline.Segments.Sliced(0, inline.Segments.Len())
	}
	list := slices.Clone(n.Lines().Sliced(0, n.Lines().Len()))
	if block, ok := n.(*ast.HTMLBlock); ok && block.HasClosure() {
		list = append(list, block.ClosureLine)
	}
	return list
}

// html writes raw HTML: harmless tags as tags, the rest as text. open are the
// tags that are open in the container, from the outside in; flow says that
// blocks may stand here.
func (w *writer) html(raw []byte, open *[]string, flow bool) {
	z := xhtml.NewTokenizer(bytes.NewReader(raw))
	for {
		kind := z.Next()
		text := string(z.Raw())
		switch kind {
		case xhtml.ErrorToken:
			w.text(text)
			return
		case xhtml.TextToken:
			w.text(html.UnescapeString(text))
		case xhtml.CommentToken, xhtml.DoctypeToken:
		default:
			t := z.Token()
			if t.Data != "script" && t.Data != "style" {
				z.NextIsNotRawText() // <xmp>, shown as text, hides no tags
			}
			switch {
			case unseenTags[t.Data]:
			case kind == xhtml.EndTagToken && !flow && blockTags[t.Data]: // its beginning is outside
			case !inlineTags[t.Data] && !(flow && blockTags[t.Data]) || w.rawOpen >= maxDepth:
				w.text(text)
			case kind == xhtml.EndTagToken:
				w.endTag(t.Data, open)
			case w.fits(t.Data, open):
				w.startTag(t, open)
			}
		}
	}
}

// endTag ends a tag and what is open in it; an end without a start is nothing.
func (w *writer) endTag(name string, open *[]string) {
	for i := len(*open) - 1; i >= 0; i-- {
		if written, asked, _ := strings.Cut((*open)[i], " "); written == name || asked == name {
			w.closeTags(open, i)
			return
		}
	}
}

// closeTags ends open tags down to a depth.
func (w *writer) closeTags(open *[]string, down int) {
	for i := len(*open) - 1; i >= down; i-- {
		name, _, _ := strings.Cut((*open)[i], " ")
		if name == "a" {
			w.inLink--
		}
		w.put("</" + name + ">")
		if name == "table" {
			w.put("</div>")
		}
	}
	w.rawOpen -= len(*open) - down
	*open = (*open)[:down]
}

// Where a browser meets a tag that cannot stand where it is, it ends elements by
// itself or moves them, and our end tags would then end others. So such a tag
// ends here what it would end there, or is left out.
var (
	parents = map[string]map[string]bool{
		"li": set("ul ol"), "dt": set("dl"), "dd": set("dl"),
		"caption": set("table"), "colgroup": set("table"), "col": set("table colgroup"),
		"thead": set("table"), "tbody": set("table"), "tfoot": set("table"),
		"tr": set("table thead tbody tfoot"), "td": set("table thead tbody tfoot tr"), "th": set("table thead tbody tfoot tr"),
	}
	tableParts = set("table thead tbody tfoot tr colgroup") // hold parts of tables only
	tableCells = set("td th caption")
	headings   = set("h1 h2 h3 h4 h5 h6")
)

// fits makes a place for a tag, and reports whether there is one.
func (w *writer) fits(name string, open *[]string) bool {
	if within, ok := parents[name]; ok {
		for i := len(*open) - 1; i >= 0; i-- {
			switch at := (*open)[i]; {
			case within[at]:
				w.closeTags(open, i+1)
				return true
			case at == "table", tableCells[at] && !within["table"]: // a list outside of the cell
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

// makeRoom ends the raw tags that a node cannot stand in: tables, outside of
// their cells, and what a browser would end before a block.
func (w *writer) makeRoom(n ast.Node, open *[]string) {
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
		w.fits("h1", open)
	} else if n.Type() == ast.TypeBlock {
		w.fits("div", open)
	}
}

func (w *writer) startTag(t xhtml.Token, open *[]string) {
	name := t.Data
	var attrs strings.Builder
	switch name {
	case "img":
		w.image(address(w.doc.name, attribute(t, "src"), true), attribute(t, "alt"), attribute(t, "title"), attribute(t, "width"), attribute(t, "height"))
		return
	case "a":
		if attrs.WriteString(w.rawLink(t)); attrs.Len() == 0 {
			name = "span a" // ended by </a>
		} else {
			w.inLink++
		}
	case "table":
		w.put(w.region("Table"))
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
	w.put("<" + written + attrs.String() + ">")
	if !voidTags[name] {
		*open = append(*open, name)
		w.rawOpen++
	}
}

// rawLink is the attributes of an <a> that leads somewhere, or "".
func (w *writer) rawLink(t xhtml.Token) string {
	if w.inLink > 0 {
		return ""
	}
	to := w.lookUp(address(w.doc.name, attribute(t, "href"), false))
	if to.url == "" {
		return ""
	}
	return to.attributes(attribute(t, "title"))
}

var smallNumber = regexp.MustCompile(`^[0-9]{1,4}$`)

// attribute is an attribute's value as we write it, or false.
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
		id := idPrefix + slug(value)
		if w.ids[id] || value == "" {
			return "", false
		}
		w.ids[id] = true
		return id, true
	}
	return "", false
}

var (
	langForm = regexp.MustCompile(`^[a-z]{2,3}(?:-[a-z0-9]{1,8}){0,3}$`)
	numbered = map[string]map[string]bool{
		"start": set("ol"), "value": set("li"), "colspan": set("td th"), "rowspan": set("td th"), "span": set("col colgroup"),
	}
)

// secondWall is what may leave this package, whatever the renderer does wrong.
func secondWall(icons string) *bluemonday.Policy {
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
	p.AllowAttrs("class").Matching(match(`(?:` + ownClasses + `)(?: (?:` + ownClasses + `))*`)).Globally()
	p.AllowAttrs("role").Matching(match(`note|region`)).OnElements("div")
	p.AllowAttrs("tabindex").Matching(match(`0`)).OnElements("div", "pre")
	p.AllowAttrs("aria-hidden").Matching(match(`true`)).OnElements("svg")
	p.AllowAttrs("scope").Matching(match(`col`)).OnElements("th")
	p.AllowAttrs("start", "value", "colspan", "rowspan", "span").Matching(smallNumber).OnElements("ol", "li", "td", "th", "col", "colgroup")
	p.AllowAttrs("open").OnElements("details")
	p.AllowAttrs("datetime").OnElements("time", "ins", "del")
	p.AllowAttrs("type").Matching(match(`checkbox`)).OnElements("input")
	p.AllowAttrs("checked", "disabled").OnElements("input")
	// Addresses are held by these forms: bluemonday's own check would parse
	// them, and url.Parse fails on at://did:plc:….
	p.AllowAttrs("href").Matching(match(`(?:` + strings.Join(schemes, "|") + `):[^\s"'<>\\]+|#[^\s"'<>\\]*|\?[^\s"'<>\\]*|/(?:[^\s/\\"'<>][^\s\\"'<>]*)?`)).OnElements("a")
	p.AllowAttrs("href").Matching(match(regexp.QuoteMeta(icons) + `#[a-z]+`)).OnElements("use")
	p.AllowAttrs("rel").Matching(match(`(?:nofollow ugc )?noopener`)).OnElements("a")
	p.AllowAttrs("src").Matching(match(`/[^\s/\\"'<>][^\s\\"'<>]*`)).OnElements("img")
	p.AllowAttrs("alt").OnElements("img")
	p.AllowAttrs("loading").Matching(match(`lazy`)).OnElements("img")
	p.AllowAttrs("width", "height").Matching(smallNumber).OnElements("img")
	p.RequireParseableURLs(false)
	return p
}

// ownClasses are the classes that the renderer writes; chroma's have one to
// three letters and digits.
const ownClasses = `red|out|tag|tasks|scroll|notes|anchor|chroma|notice|warning|good|icon|embed|math|[a-z][a-z0-9]{0,2}`

// htmlWords is the text of raw HTML.
func (d *document) htmlWords(n ast.Node) string {
	var words []string
	z := xhtml.NewTokenizer(bytes.NewReader(d.rawHTML(n)))
	for {
		switch z.Next() {
		case xhtml.ErrorToken:
			return strings.Join(words, " ")
		case xhtml.TextToken:
			words = append(words, strings.Fields(html.UnescapeString(string(z.Raw())))...)
		}
	}
}
