package markdown

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	xhtml "golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Attack: a page makes a reader's browser run script, send a form, load
// something from elsewhere, or confuse a heading with one of the service's
// own elements.
//
// testdata/xss.txt holds the payloads for the browser test, one page as a
// JSON string per line. `go test -run TestScripts -update` rewrites it.
const payloadFile = "testdata/xss.txt"

func TestScripts(t *testing.T) {
	list := payloads()
	if len(list) < 500 {
		t.Fatalf("%d payloads, want 500", len(list))
	}
	var lines bytes.Buffer
	enc := json.NewEncoder(&lines)
	enc.SetEscapeHTML(false)
	for _, p := range list {
		if err := enc.Encode(p); err != nil {
			t.Fatal(err)
		}
	}
	if *update {
		if err := os.WriteFile(payloadFile, lines.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if kept, err := os.ReadFile(payloadFile); err != nil || !bytes.Equal(kept, lines.Bytes()) {
		t.Errorf("%s is out of date (%v): run this test with -update", payloadFile, err)
	}
	for _, p := range list {
		checkPage(t, p)
	}
	checkPage(t, strings.Join(list, "\n\n")) // an unclosed payload runs into the next
}

// linkInside matches a link into the wiki.
var linkInside = regexp.MustCompile(`<a [^>]*href="/`)

// checkPage renders a page with all link targets existing, with none, and outside of its
// wiki, where no link leads into it.
func checkPage(t testing.TB, source string) {
	t.Helper()
	for _, w := range []Resolver{&world{all: true}, &world{}, detachedWorld{&world{all: true}}} {
		page, err := shared.Render(t.Context(), "ada", "Design/VPS", []byte(source), w)
		if err != nil {
			t.Errorf("%v in %q", err, source)
			continue
		}
		found := unsafeParts(string(page.HTML))
		if _, detached := w.(detachedWorld); detached && linkInside.MatchString(string(page.HTML)) {
			found = append(found, "a link into the wiki")
		}
		for _, p := range page.Props {
			for _, v := range p.Values {
				found = append(found, unsafeParts(string(v))...)
			}
		}
		for _, h := range page.Headings {
			if !strings.HasPrefix(h.ID, idPrefix) {
				found = append(found, "heading id "+h.ID)
			}
		}
		if len(found) > 0 {
			t.Errorf("%q\nhas %q in\n%s", source, found, page.HTML)
		}
	}
}

func checkSafe(t testing.TB, page string) {
	t.Helper()
	if found := unsafeParts(page); len(found) > 0 {
		t.Errorf("%q in\n%s", found, page)
	}
}

// What a page may contain, deliberately written down a second time.
var (
	safeTags = strings.Fields(`a abbr b bdi bdo blockquote br caption cite code col colgroup data dd del details dfn div dl dt em
		figcaption figure h1 h2 h3 h4 h5 h6 hr i img input ins kbd label li mark ol p pre q rp rt ruby s samp section small span
		strike strong sub summary sup svg table tbody td tfoot th thead time tr tt u ul use var wbr`)
	safeAttributes = strings.Fields(`title lang dir align id class role tabindex scope start value colspan rowspan span open
		datetime type checked disabled href rel src alt loading width height aria-label aria-hidden aria-labelledby`)
	mathTags = strings.Fields(`math mrow mi mn mo mtext mspace mfrac msqrt mroot msub msup msubsup munder mover munderover
		mtable mtr mtd mstyle mpadded mphantom`)
	mathAttributes = strings.Fields(`class display mathvariant stretchy fence separator form lspace rspace minsize maxsize
		movablelimits largeop accent accentunder width height depth linethickness displaystyle scriptlevel mathcolor`)
	safeSchemes = strings.Fields(`http https mailto tel sms at geo xmpp irc ircs matrix gemini ftp sftp ssh git magnet doi urn`)
	safeClass   = regexp.MustCompile(`^(?:red|out|tag|task|tasks|scroll|notes|anchor|chroma|notice|warning|good|quiet|outline|state|link|framed|infobox|icon|embed|math|diagram|[a-z][a-z0-9]{0,2})$`)
	safeID      = regexp.MustCompile(`^user-content-[^\s"'<>&]+$`)
	ownAddress  = regexp.MustCompile(`^/(?:[^/\\\s][^\\\s]*)?$`)
)

// unsafeParts lists forbidden content of a page, as a browser parses it.
func unsafeParts(page string) []string {
	var found []string
	whole := `<!DOCTYPE html><body><main id="outer"><div>` + page + `<i id="end"></i></div></main><p id="after">`
	doc, err := xhtml.Parse(strings.NewReader(whole))
	if err != nil {
		return []string{err.Error()}
	}
	outer, end, after := byID(doc, "outer"), byID(doc, "end"), byID(doc, "after")
	if outer == nil || end == nil || after == nil || after.Parent != outer.Parent || end.Parent != outer.FirstChild || outer.FirstChild != outer.LastChild {
		return []string{"it reaches out of its place"}
	}
	end.Parent.RemoveChild(end)
	ids := map[string]bool{}
	var walk func(n *xhtml.Node)
	walk = func(n *xhtml.Node) {
		switch n.Type {
		case xhtml.ElementNode:
			found = append(found, unsafeElement(n)...)
			if id := attributeOf(n, "id"); id != "" && ids[id] {
				found = append(found, "id twice: "+id)
			} else {
				ids[id] = true
			}
		case xhtml.TextNode:
		default:
			found = append(found, fmt.Sprintf("node of type %d: %s", n.Type, n.Data))
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
	}
	for c := outer.FirstChild.FirstChild; c != nil; c = c.NextSibling {
		walk(c)
	}
	// Parsing the output again must not change its meaning.
	once := reparse(page)
	if twice := reparse(once); twice != once {
		found = append(found, "reads differently a second time")
	}
	return found
}

func reparse(page string) string {
	nodes, err := xhtml.ParseFragment(strings.NewReader(page), &xhtml.Node{Type: xhtml.ElementNode, Data: "div", DataAtom: atom.Div})
	if err != nil {
		return err.Error()
	}
	var out strings.Builder
	for _, n := range nodes {
		if err := xhtml.Render(&out, n); err != nil {
			return err.Error()
		}
	}
	return out.String()
}

func byID(n *xhtml.Node, id string) *xhtml.Node {
	if n.Type == xhtml.ElementNode && attributeOf(n, "id") == id {
		return n
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if found := byID(c, id); found != nil {
			return found
		}
	}
	return nil
}

func unsafeElement(n *xhtml.Node) (found []string) {
	bad := func(format string, args ...any) {
		found = append(found, "<"+n.Data+">: "+fmt.Sprintf(format, args...))
	}
	if n.Namespace == "math" {
		if !slices.Contains(mathTags, n.Data) {
			bad("not allowed")
		}
		for _, a := range n.Attr {
			if a.Namespace != "" || !slices.Contains(mathAttributes, a.Key) || strings.ContainsAny(a.Val, "<>\"'&:(/") {
				bad("attribute %s=%q", a.Key, a.Val)
			}
		}
		return found
	}
	if !slices.Contains(safeTags, n.Data) {
		bad("not allowed")
	}
	if foreign := n.Data == "svg" || n.Data == "use"; foreign != (n.Namespace == "svg") || n.Data == "svg" && (n.FirstChild == nil || n.FirstChild.Data != "use" || n.FirstChild != n.LastChild) {
		bad("namespace %q", n.Namespace)
	}
	if n.Data == "input" && (attributeOf(n, "type") != "checkbox" || !hasAttribute(n, "disabled")) {
		bad("a field")
	}
	for _, a := range n.Attr {
		switch {
		case a.Namespace != "", strings.HasPrefix(a.Key, "on"), !slices.Contains(safeAttributes, a.Key):
			bad("attribute %s", a.Key)
		case a.Key == "id" && !safeID.MatchString(a.Val):
			bad("id %q", a.Val)
		case a.Key == "class" && slices.ContainsFunc(strings.Split(a.Val, " "), func(c string) bool { return !safeClass.MatchString(c) }):
			bad("class %q", a.Val)
		case a.Key == "src" && (n.Data != "img" || !ownAddress.MatchString(a.Val)):
			bad("src %q", a.Val)
		case a.Key == "href" && n.Data == "use":
			if !regexp.MustCompile(`^/icons\.svg#[a-z]+$`).MatchString(a.Val) {
				bad("href %q", a.Val)
			}
		case a.Key == "href" && (n.Data != "a" || !safeAddress(a.Val)):
			bad("href %q", a.Val)
		}
	}
	return found
}

// safeAddress parses an address like a browser: trims white space and
// control characters, and removes tabs and newlines inside.
func safeAddress(a string) bool {
	a = strings.TrimFunc(a, func(r rune) bool { return r <= ' ' })
	a = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(a)
	if strings.HasPrefix(a, "#") || strings.HasPrefix(a, "?") || ownAddress.MatchString(a) {
		return true
	}
	scheme, _, ok := strings.Cut(a, ":")
	return ok && slices.Contains(safeSchemes, strings.ToLower(scheme))
}

// The check itself must be able to detect something.
func TestUnsafePartsDetects(t *testing.T) {
	for _, page := range []string{
		`<script>alert(1)</script>`, `<img src=x onerror=alert(1)>`, `<img src="/a" onerror=alert(1)>`, `<img src="//evil.example/a">`, `<img src="/\evil.example">`,
		`<a href="javascript:alert(1)">`, `<a href=" java` + "\t" + `script:alert(1)">`, `<a href="&#106;avascript:alert(1)">`, `<a href="//evil.example">`, `<a href="data:x">`,
		`<p id="csrf">`, `<p style="x">`, `<p class="menu">`, `<input>`, `<input type="text">`, `<form>`, `<svg><script></script></svg>`, `<svg><use href="data:x#a"></use></svg>`,
		`<math><annotation-xml></annotation-xml></math>`, `<math><mi href="/x"></mi></math>`, `<math><mo style="x"></mo></math>`, `<math><mtext><img src=x onerror=y></mtext></math>`, `<!-- x -->`, `</div>`, `</div></main>`, `<p id="user-content-a"></p><p id="user-content-a"></p>`, `<a name="x">`, `<iframe></iframe>`, `<template></template>`,
		`<table><tr><td></div></div></main>x`, `<a href="/x" target="_blank">`, `<b xlink:href="x">`, `<textarea>`, `<style>`, `<title>`,
	} {
		if len(unsafeParts(page)) == 0 {
			t.Errorf("%s is not found", page)
		}
	}
	if found := unsafeParts(`<p>a <b title="&lt;script&gt;">b</b> <a href="/x">c</a> &lt;script&gt;</p>`); len(found) > 0 {
		t.Errorf("%q in a harmless page", found)
	}
}

// payloads returns the pages: each vector in each relevant place.
func payloads() []string {
	var list []string
	seen := map[string]bool{}
	add := func(p string) {
		if !seen[p] {
			seen[p] = true
			list = append(list, p)
		}
	}
	for _, p := range tagVectors() {
		add(p)
	}
	for _, p := range mutations {
		add(p)
		add("Text " + p + " text")
	}
	for i, u := range addresses() {
		for j, place := range slices.Concat(addressPlaces, dialectAddressPlaces) {
			if i < 12 || (i+j)%3 == 0 {
				add(strings.ReplaceAll(place, "URL", u))
			}
		}
	}
	for i, b := range breakouts {
		for j, place := range slices.Concat(textPlaces, dialectTextPlaces) {
			if i < 3 || (i+j)%3 == 0 {
				add(strings.ReplaceAll(place, "TEXT", b))
			}
		}
	}
	for _, b := range breakouts {
		for _, place := range formulaPlaces {
			add(strings.ReplaceAll(place, "TEXT", b))
		}
	}
	for _, id := range clobbers {
		add("# " + id)
		add(fmt.Sprintf(`<p id="%s">x</p>`+"\n\n"+`<a name="%s" id=%s>x</a> <img name=%s id="%s">`+"\n\n# %s\n\n[^%s]\n\n[^%s]: x", id, id, id, id, id, id, id, id))
		add(fmt.Sprintf("<form id=%s><input name=%s></form><div id='user-content-%s'></div>\n\n---\n%s: 1\n---\n", id, id, id, id))
		add(fmt.Sprintf("---\n%s: %s\n\"%s\": [%s]\ntags: %s\ntitle: %s\n---\n#%s [[%s#%s|%s]]", id, id, id+"2", id, id, id, id, id, id, id))
	}
	return list
}

// formulaPlaces are places in formulas.
var formulaPlaces = []string{
	"$TEXT$", `$\text{TEXT}$`, `$\textcolor{TEXT}{x}$`, "$$\n\\operatorname{TEXT}_{TEXT}\n$$", "```math\n\\begin{TEXT} TEXT \\end{TEXT}\n```",
	`$\newcommand{\x}[1]{\text{#1}}\x{TEXT} \hspace{TEXT} \begin{array}{TEXT} x \end{array}$`,
}

// tagVectors are tags and attributes that run, load or send something.
func tagVectors() (list []string) {
	tags := strings.Fields(`script style iframe frame frameset object embed applet link meta base form button input select option
		textarea keygen isindex svg math video audio source track marquee bgsound layer ilayer body html head title noscript noembed
		noframes plaintext xmp listing template slot portal dialog menu canvas map area param foreignobject animate set use image
		x-custom nobr details p a img table div`)
	for i, tag := range tags {
		handler := handlers[i%len(handlers)]
		list = append(list,
			fmt.Sprintf("<%s %s=alert(1)>", tag, handler),
			fmt.Sprintf("Text <%s src=javascript:alert(1) href=javascript:alert(1) %s=\"alert(1)\">alert(1)</%s>", tag, handler, tag),
			fmt.Sprintf("<%s\n%s\n=\n'alert(1)' style=\"background:url(javascript:alert(1))\" xlink:href='javascript:alert(1)' srcdoc='<script>alert(1)</script>' formaction=javascript:alert(1) action=javascript:alert(1) data=javascript:alert(1) srcset=https://evil.example/x>", strings.ToUpper(tag), handler))
	}
	for _, h := range handlers {
		list = append(list,
			fmt.Sprintf(`<b %s="alert(1)" tabindex=0 autofocus>x</b>`, h),
			fmt.Sprintf("<div\n\n%s=alert(1)>\n\n</div>", h),
			fmt.Sprintf(`<img src="/a.png"/%s="alert(1)"><p/%s=alert(1)><a href="/"%s=alert(1)>x</a>`, h, strings.ToUpper(h), h))
	}
	return list
}

var handlers = strings.Fields(`onerror onload onclick onmouseover onfocus onblur onanimationstart ontransitionend ontoggle onbegin
	onpointerenter onwheel onscroll oncopy onpaste onbeforeinput onbeforetoggle onauxclick oncontentvisibilityautostatechange
	onhashchange onmessage onpageshow onpopstate onstart onfinish oninput onsubmit onreset onselect ondrag onerror&#61; on`)

// mutations change their meaning when parsed, serialized and parsed again.
var mutations = []string{
	`<noscript><p title="</noscript><img src=x onerror=alert(1)>">`,
	`<style><a title="</style><img src=x onerror=alert(1)>">`,
	`<title><a title="</title><img src=x onerror=alert(1)>">`,
	`<textarea><a title="</textarea><img src=x onerror=alert(1)>">`,
	`<xmp><a title="</xmp><img src=x onerror=alert(1)>">`,
	`<iframe><a title="</iframe><img src=x onerror=alert(1)>">`,
	`<noembed><a title="</noembed><img src=x onerror=alert(1)>">`,
	`<noframes><a title="</noframes><img src=x onerror=alert(1)>">`,
	`<template><a title="</template><img src=x onerror=alert(1)>">`,
	`<plaintext><img src=x onerror=alert(1)>`,
	`<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">`,
	`<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>`,
	`<math><mtext><table><mglyph><style><math><table id="</table>"><img src onerror=alert(1)">`,
	`<svg></p><style><a id="</style><img src=1 onerror=alert(1)>">`,
	`<svg><title><p><style><a title="</style></svg><img src=x onerror=alert(1)>">`,
	`<svg><desc><img src=x onerror=alert(1)></desc></svg>`,
	`<svg><foreignObject><iframe src=javascript:alert(1)></foreignObject></svg>`,
	`<svg><animate xlink:href=#x attributeName=href values=javascript:alert(1) /><a id=x><text x=20 y=20>x</text></a>`,
	`<svg><use href="data:image/svg+xml,<svg id='x' xmlns='http://www.w3.org/2000/svg'><image href='1' onerror='alert(1)'/></svg>#x"/></svg>`,
	`<svg><script href=data:,alert(1) /></svg>`, `<svg><script>alert&#40;1)</script>`, `<svg/onload=alert(1)//`,
	`<math href="javascript:alert(1)">x</math>`, `<math><maction actiontype="statusline#https://x" xlink:href="javascript:alert(1)">x</maction></math>`,
	`<math><annotation-xml encoding="text/html"><style><img src=x onerror=alert(1)></style></annotation-xml></math>`,
	`<select><option><style></option></select><b></style><script>alert(1)</script>`,
	`<select><template><script>alert(1)</script></template></select>`, `<option><style></option></select><img src=x onerror=alert(1)>`,
	`<table><caption><svg><title><table><img src=x onerror=alert(1)></table></title></svg></caption></table>`,
	`<table><a href=javascript:alert(1)>x</a><tr><td>y</table>`, `<table><td><form><table><td></form><img src=x onerror=alert(1)>`,
	`<table><tr><td></div></div></main><script>alert(1)</script>`, `<table><b><tr><td></b></table><i></table></div></main><p id=x>`,
	`</div></div></main></body></html><script>alert(1)</script>`, `</p></article></section></details></table></div></main>`,
	`<details><summary></details></div></div><img src=x onerror=alert(1)>`, `<p><table></p></div><b></table></div></main>x`,
	`<a href="/"><table><a href="javascript:alert(1)"><tr><td>x`, `<a href=/a><b><a href=/b><i></b></a></i><p></a></p>`,
	`<li></li></ul></ul></ol></div></main><li>`, `<dd></dl></div></div></main><dt>`, `<h1><h2></h1></div></main></h2>`, `<tr><td></table></div></div></main>`,
	`<pre>` + "\n" + `</pre></pre></code></div></main>`, `<ruby><rt><rp></ruby></div></main>`, `<col><colgroup><caption></caption></div></main>`,
	`<!--><img src=x onerror=alert(1)>-->`, `<!--><script>alert(1)</script>`, `<!-- --!><img src=x onerror=alert(1)> -->`, `<!---!> <script>alert(1)</script> -->`,
	`<!-- ` + "`" + ` --><img src=x onerror=alert(1)>`, `<![CDATA[<script>alert(1)</script>]]>`, `<![CDATA[]]><img src=x onerror=alert(1)>`, `<?xml ?><script>alert(1)</script>`, `<?><img src=x onerror=alert(1)>?>`,
	`<!DOCTYPE x [<!ENTITY y "<script>alert(1)</script>">]>&y;`, `<!ELEMENT <script>alert(1)</script>>`, `<! foo="><script>alert(1)</script>">`, `</ foo="><script>alert(1)</script>">`,
	`<scr<script>ipt>alert(1)</scr</script>ipt>`, `<<script>script>alert(1)<</script>/script>`, `<script/x>alert(1)</script/x>`, "<script\x0c>alert(1)</script>", "<scr\x00ipt>alert(1)</scr\x00ipt>", `<SCRIPT SRC=//evil.example/x.js></SCRIPT>`,
	`&lt;script&gt;alert(1)&lt;/script&gt;`, `&amp;lt;img src=x onerror=alert(1)&amp;gt;`, `&#60;img src=x onerror=alert(1)&#62;`, `&#x3c;script&#x3e;alert(1)`, `\<script>alert(1)</script>`, `<img src=x onerror=alert(1)`, `<img src="x" onerror="alert(1)"` + "\n\n" + `>`,
	`<b title='"><img src=x onerror=alert(1)>'>x</b>`, `<b title="&quot;><img src=x onerror=alert(1)>">x</b>`, `<b title="&#34; onmouseover=&#34;alert(1)">x</b>`, "<b title=`x` onmouseover=alert(1)>x</b>", `<b title=x"onmouseover="alert(1)>x</b>`,
	`<img alt="` + "`" + `><script>alert(1)</script>` + "`" + `" src=/a.png>`, `<img src="/a.png" alt="<script>alert(1)</script>" title='"><script>alert(1)</script>'>`, `<img src='/a.png' srcset='x 1x' sizes=x usemap=#m longdesc=javascript:alert(1) dynsrc=javascript:alert(1) lowsrc=javascript:alert(1)>`,
	`<a href="/" id="x" name="y" target="z" ping="https://evil.example" download rel=opener>x</a>`, `<div class="bar menu tools" role="dialog" aria-label="Sign in" data-copy="x" hidden popover contenteditable>x</div>`,
	"<div>\n<script>\n\nalert(1)\n\n</script>\n</div>", "<script>\n\n# alert(1)\n\n</script>", "<style>\n\n*{background:url(//evil.example)}\n\n</style>", "<pre><script>alert(1)</script></pre>", "<details><script>alert(1)</script><summary onclick=alert(1)>x</summary></details>",
	"`<script>`alert(1)`</script>`", "*<img src=x onerror=*alert(1)*>*", "[<img src=x onerror=alert(1)>](/x)", "![<img src=x onerror=alert(1)>](/x.png)", "[[<img src=x onerror=alert(1)>]]", "==<img src=x onerror=alert(1)>==", "$<img src=x onerror=alert(1)>$",
}

// addresses run script, in all spellings known to have fooled a filter.
func addresses() []string {
	return []string{
		"javascript:alert(1)", "JaVaScRiPt:alert(1)", "&#106;avascript:alert(1)", "javascript&colon;alert(1)", "java&Tab;script:alert(1)", "java&NewLine;script:alert(1)",
		"data:text/html,<script>alert(1)</script>", "data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==", "vbscript:alert(1)", "javascript&#x3A;alert(1)", "//evil.example/x", `/\evil.example/x`,
		"java\tscript:alert(1)", "\x01javascript:alert(1)", "\u00a0javascript:alert(1)", "&#1;javascript:alert(1)", "&#0000106&#0000097vascript:alert(1)", "javascript\\:alert(1)", `java\script:alert(1)`, "javascript%3Aalert(1)", "%6aavascript:alert(1)",
		"javascript://example.com/%0Aalert(1)", "javascript:/*--></title></style></textarea></script><svg/onload='alert(1)'>", "javascript:&#x61;lert(1)", "java\u00adscript:alert(1)", "ｊavascript:alert(1)", "javascript：alert(1)", "view-source:javascript:alert(1)", "feed:javascript:alert(1)", "jar:javascript:alert(1)!/", "blob:https://x/y", "filesystem:https://x/y", "about:blank", "file:///etc/passwd", "data:image/svg+xml,<svg onload=alert(1)>", "mhtml:https://x!y", "livescript:alert(1)", "mocha:alert(1)", "ms-its:x", "intent:x#Intent;end", "chrome://settings", "resource://x", "ws://x", "x:alert(1)",
		"https://example.com/\"onmouseover=\"alert(1)", "https://example.com/'onmouseover='alert(1)", "https://example.com/?a=<script>alert(1)</script>", "https://a\"b<c>d", "https://user:pass@evil.example", "http:javascript:alert(1)", "https:alert(1)", "mailto:x\"onclick=alert(1)", "/x\"onmouseover=\"alert(1)", "#\"onmouseover=\"alert(1)", "?\"onmouseover=\"alert(1)", "../../../..//evil.example", "/-/../../evil", "///evil.example", `\\evil.example`, `http:\\evil.example`, "https:evil.example", "/%5cevil.example", "/%2fevil.example", "/%09/evil.example", "./javascript:alert(1)", "x/../javascript:alert(1)", "../javascript:alert(1)", "javascript:alert(1).md", "Design/javascript:alert(1)",
	}
}

var addressPlaces = []string{
	"[x](URL)", "[x](<URL>)", `[x](URL "title")`, "![x](URL)", "![x](<URL>)", `![x](URL "figure")`, "<URL>", "[x][r]\n\n[r]: URL", "[x][r]\n\n[r]: <URL> 'title'", "URL", "[[URL]]", "[[URL|x]]", "![[URL]]", "[[#URL]]",
	`<a href="URL">x</a>`, "<a href=URL>x</a>", "<a href='URL'>x</a>", `<img src="URL">`, "<img src=URL>", "---\nlink: URL\n\"URL\": x\nlist: [\"URL\"]\n---\n", "---\nlink: \"[[URL|x]]\"\ntitle: URL\n---\n", "[![x](URL)](URL)", "| [x](URL) |\n|---|\n| ![x](URL) |", "::: URL\n# [x](URL)\n:::",
}

// breakouts escape from the context they are written into.
var breakouts = []string{
	`"><img src=x onerror=alert(1)>`, `" onmouseover="alert(1)" x="`, `</code></pre></p></div><script>alert(1)</script>`,
	`'><script>alert(1)</script>`, `' onfocus='alert(1)' autofocus='`, `--><script>alert(1)</script><!--`, `]]><script>alert(1)</script>`, `&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;`, `\"><script>alert(1)</script>`, "`><script>alert(1)</script>", `</title></style></textarea></script><svg/onload=alert(1)>`, "%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
}

var textPlaces = []string{
	"# TEXT", "TEXT\n===", "TEXT", "[TEXT](/x)", `[x](/x "TEXT")`, "[x](/x 'TEXT')", "[x](/x (TEXT))", "[x](<TEXT>)", "![TEXT](/x.png)", `![x](/x.png "TEXT")`, "![TEXT](missing)", "[x][TEXT]\n\n[TEXT]: /x", "[x]: /x \"TEXT\"\n\n[x]",
	"[[TEXT]]", "[[Home|TEXT]]", "[[Home#TEXT]]", "[[#TEXT]]", "![[TEXT]]", "![[x.png|TEXT]]", "![[Home#TEXT|x]]", "```TEXT\nx\n```", "```go TEXT\nTEXT\n```", "~~~\nTEXT\n~~~", "    TEXT", "`TEXT`", "```mermaid\ngraph TD; A[TEXT]\n```", "```math\nTEXT\n```", "$TEXT$", "$$TEXT$$", "$$\nTEXT\n$$",
	"[^TEXT]\n\n[^TEXT]: x", "[^x]\n\n[^x]: TEXT", "---\ntitle: 'TEXT'\n---\n", "---\nTEXT: x\n---\n", "---\nx: |\n  TEXT\n---\n", "---\ntags: |\n  TEXT\n---\n", "---\nTEXT\n---\n", "#TEXT #a/TEXT", "| TEXT |\n|---|\n| TEXT |", "- [ ] TEXT", "- TEXT", "> [!NOTE]\n> TEXT", "> [!NOTE]TEXT", "> TEXT", ":::TEXT\nx\n:::", "::: TEXT\nTEXT\n:::", "::: info\n# TEXT\n:::", ">! TEXT", ">| # TEXT\n>| x", "TEXT\n: TEXT", "==TEXT==", "~~TEXT~~", "**TEXT**", "{{InfoBox\n|TEXT=TEXT\n}}", "{{TEXT\n}}", "<b title=\"TEXT\">x</b>", "<b id=\"TEXT\" class='TEXT' lang=TEXT dir=TEXT>x</b>", "<time datetime=\"TEXT\">x</time>", "<!-- TEXT -->", "<https://x/TEXT>", "https://x.example/TEXT", "TEXT@x.example", "<details><summary>TEXT</summary>TEXT</details>",
}

// dialectTextPlaces and dialectAddressPlaces are those of the syntax that other
// tools add.
var dialectTextPlaces = []string{
	"> [!tip] TEXT\n> x", "> [!tip]- TEXT\n> TEXT", "> [!TEXT]- x", "> [!x|TEXT]+ TEXT", "!!! note \"TEXT\"\n    TEXT", "??? TEXT \"TEXT\"\n    x", "=== \"TEXT\"\n\n    TEXT", ":::tip TEXT\nx\n:::", "::: pages where: TEXT, show: TEXT, TEXT\nfolder: TEXT\ntag: TEXT\n:::", "::: pages TEXT: TEXT", ":::tip[TEXT]{TEXT}\nx\n:::", "::: details TEXT\nTEXT\n:::",
	"%%TEXT%%", "a %%TEXT\nTEXT%% TEXT", "%%\nTEXT\n\nTEXT\n%% TEXT", "x ^TEXT", "x ^id\n\nTEXT ^id\n\n# h ^id\n\n- i ^id\n\n> q\n\n^id", "[[Home#^TEXT]] ![[Home#^TEXT]]", "[[Home#TEXT#TEXT]] [[#TEXT#TEXT]]", "![TEXT|200](/x.png)", "![x|TEXT](/x.png)", "![[x.png|TEXT|200x100]]",
	"| a |\n|---|\n| [[Home|TEXT]] |", "| a |\n|---|\n| [[Home\\|TEXT]] |", "# h {#TEXT}", "# h {#x .TEXT TEXT=\"TEXT\"}", "h {#TEXT}\n===", "text $$TEXT\nTEXT$$ text", "$$ TEXT\nTEXT\n$$", "[TOC]\n\n# TEXT\n\n[[_TOC_]]\n\n## TEXT", "- [/] TEXT\n- [?] TEXT", "[[/x.png|alt=TEXT|width=TEXT]]",
	"{{InfoBox\n|caption=TEXT\n|TEXT=TEXT\n|width=TEXT\nTEXT\n}}", "{{Figure\n|caption=TEXT\n|style=TEXT\n![TEXT](/x.png)\n}}", "{{ImageFrame\n|src=TEXT\n|alt=TEXT\n}}", "{{Video\n|src=TEXT\nTEXT\n}}", "{{DataTable\n|caption=TEXT\n|headers=TEXT\n| TEXT |\n|---|\n| TEXT |\n}}", "{{PageIndex\n|src=TEXT\n|title=TEXT\n}}",
	"+++\ntitle = \"TEXT\"\nTEXT = \"TEXT\"\ntags = ['TEXT']\n+++\n", "+++\nTEXT\n+++\nx", "---\na: [[TEXT]]\nb: [[Home|TEXT]]\n---\n", ":TEXT: :smile: :TEXT", "*[abc]: TEXT\n\nabc TEXT abc", "*[TEXT]: TEXT\n\nTEXT", "<video src=\"TEXT\" title=\"TEXT\">TEXT</video>", "<iframe src=\"https://www.youtube.com/embed/TEXT\" title=\"TEXT\">TEXT</iframe>", "<img src=/x.png width=\"TEXT\" height='TEXT' style=\"width:TEXT\">",
}

var dialectAddressPlaces = []string{
	"![x|200](URL)", "![[URL|x|200]]", "[[/URL|alt=x]]", "{{Figure\n|src=URL\n|caption=[x](URL)\n}}", "{{ImageFrame\n|src=URL\n}}", "{{Video\nURL\n|src=URL\n}}", "{{InfoBox\n|x=[x](URL)\n![x](URL)\n}}", "> [!tip] [x](URL)", "=== \"[x](URL)\"\n\n    [x](URL)", "---\na: [[URL]]\n---\n", "+++\na = \"URL\"\nb = [\"[[URL|x]]\"]\n+++\n",
	"<iframe src=\"URL\"></iframe>", "<video src=\"URL\" poster=\"URL\"><source src=\"URL\"></video>", "<iframe src=\"https://player.vimeo.com/video/1?URL\"></iframe>", "[URL]{URL} %%[x](URL)%%", "# [x](URL) {#URL} ^URL",
}

// clobbers are names that scripts and pages look up.
var clobbers = strings.Fields(`constructor __proto__ prototype csrf csrf_token body head forms images cookie location document
	window self top parent name length toString attributes children innerHTML submit action main marks outer after user-content- undefined`)

// Attack: tags in any order make a browser close elements that the renderer
// considers open, so that its end tags close those around the page.
func TestTagsInAnyOrder(t *testing.T) {
	rounds := 500
	if os.Getenv("ROBOT_LONG") != "" {
		rounds = 60_000
	}
	pieces := []string{"x", "a *b* c", "[l](/x)", "[[Home]]", "`c`", "![i](/x.png)", "#t", "==m==", "$f$", "[^1]", "\n\n- i\n", "\n\n1. o\n", "\n- [ ] t\n",
		"\n> q\n", "\n# h ", "\n\n| t |\n|---|\n| c |\n| ", "\n\n    code\n", "\n::: info\n", "\n:::\n", "\n>! s ", "\n>| f ", "\n\nt\n: d ", "\n\n[^1]: n ",
		"**", "_", "~~", "[", "](/x)", "![[Home]]", "\n\n![[Home]]\n\n", "\n  ", "\n    ", "\n\n---\n", "\n```\n"}
	tags := slices.Concat(slices.Collect(maps.Keys(inlineTags)), slices.Collect(maps.Keys(blockTags)), slices.Collect(maps.Keys(blockTags)), []string{"script", "form", "svg", "table", "table", "td", "tr", "li", "ul", "a", "p"})
	slices.Sort(tags)
	random := rand.New(rand.NewPCG(1, 2))
	for range rounds {
		var b strings.Builder
		for range 2 + random.IntN(24) {
			switch random.IntN(7) {
			case 0, 1, 2:
				b.WriteString("<" + tags[random.IntN(len(tags))] + " href=/x src=/x.png id=x>")
			case 3, 4:
				b.WriteString("</" + tags[random.IntN(len(tags))] + ">")
			case 5:
				b.WriteString([]string{"\n\n", "\n", " "}[random.IntN(3)])
			default:
				b.WriteString(pieces[random.IntN(len(pieces))])
			}
		}
		if checkPage(t, b.String()); t.Failed() {
			return
		}
	}
}

// Plain texts are escaped by their users; here they must equal the input.
func TestPlainStaysPlain(t *testing.T) {
	page, err := shared.Render(t.Context(), "ada", "X", []byte("---\ntitle: <b>x</b>\n\"<i>\": \"<u>y</u>\"\ntags: [\"<s>\"]\n---\n# <b>a</b> \\<c> &lt;d>\n"), &world{})
	if err != nil {
		t.Fatal(err)
	}
	if page.Title != "<b>x</b>" || page.Props[0].Key != "<i>" || page.Tags[0] != "<s>" || page.Headings[0].Text != "a <c> <d>" {
		t.Errorf("%q %v %q %v", page.Title, page.Props, page.Tags, page.Headings)
	}
	if got := string(page.Props[0].Values[0]); html.UnescapeString(got) != "<u>y</u>" || strings.Contains(got, "<") {
		t.Errorf("value %q", got)
	}
}
