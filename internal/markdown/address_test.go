package markdown

import (
	"fmt"
	"html"
	"strings"
	"testing"
	"unicode"

	xhtml "golang.org/x/net/html"
)

// addressForms are the ways to write a link to an external address. wanted reports
// whether an address can be written like that.
var addressForms = []struct {
	name   string
	write  func(address string) string
	wanted func(address string) bool
}{
	{"link", func(a string) string { return "[a](<" + backslashes(a) + ">)" }, anyAddress},
	{"image", func(a string) string { return "![a](<" + backslashes(a) + ">)" }, anyAddress},
	{"reference", func(a string) string { return "[a][r]\n\n[r]: <" + backslashes(a) + ">" }, anyAddress},
	{"autolink", func(a string) string { return "<" + a + ">" }, without("<>")},
	{"HTML", func(a string) string { return `<a href="` + html.EscapeString(a) + `">a</a>` }, anyAddress},
	{"single quotes", func(a string) string { return `<a href='` + html.EscapeString(a) + `'>a</a>` }, anyAddress},
	{"front matter", func(a string) string { return "---\nlink: '" + strings.ReplaceAll(a, "'", "''") + "'\n---\n" }, frontMatterAddress},
	{"wikilink", func(a string) string { return "[[" + a + "|a]]" }, func(a string) bool {
		return without("[]|")(a) && !strings.HasPrefix(a, "mailto:") && !strings.HasSuffix(a, "#")
	}},
}

func anyAddress(string) bool { return true }

func without(chars string) func(string) bool {
	return func(a string) bool { return !strings.ContainsAny(a, chars) }
}

// frontMatterAddress reports addresses that front matter shows as links.
func frontMatterAddress(a string) bool {
	return strings.HasPrefix(a, "http") && without("<>\"")(a) && trimAddress([]byte(a)) == len(a)
}

func backslashes(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < unicode.MaxASCII && unicode.IsGraphic(r) && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// firstLink returns the target of the first link of some HTML.
func firstLink(page string) string {
	z := xhtml.NewTokenizer(strings.NewReader(page))
	for {
		switch z.Next() {
		case xhtml.ErrorToken:
			return ""
		case xhtml.StartTagToken:
			if t := z.Token(); t.Data == "a" && !strings.HasPrefix(attribute(t, "class"), "anchor") {
				return attribute(t, "href")
			}
		}
	}
}

// percentEncoded is an address as RFC 3986 writes it: everything that it doesn't
// allow is encoded, and nothing is encoded twice.
func percentEncoded(address string) string {
	const allowed = "!#$&'()*+,-./:;=?@[]_~"
	var b strings.Builder
	for i, c := range []byte(address) {
		hex := func(at int) bool {
			return at < len(address) && strings.ContainsRune("0123456789abcdefABCDEF", rune(address[at]))
		}
		if c < 0x80 && (unicode.IsLetter(rune(c)) || unicode.IsDigit(rune(c)) || strings.IndexByte(allowed, c) >= 0) || c == '%' && hex(i+1) && hex(i+2) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// FuzzAddresses: every address of the web or of mail that goes in comes out, however
// it is written.
func FuzzAddresses(f *testing.F) {
	for _, rest := range []string{
		"example.com/it's", "example.com/?q='a'&b=%27", "o'brien@example.com", "example.com/a(b)[c]{d}|e^f`g", "user:p@ss@[::1]:80/#it's",
		"例え.jp/それ’s", "example.com/\"x\"<y>", "example.com/100%&amp;copy=1", "example.com/#a#b?c", "//", "*_~!$,;=+",
	} {
		f.Add(rest, uint8(0))
		f.Add(rest, uint8(1))
	}
	f.Fuzz(func(t *testing.T, rest string, scheme uint8) {
		rest = strings.Map(func(r rune) rune {
			if r == '\\' || r == unicode.ReplacementChar || !unicode.IsGraphic(r) || unicode.IsSpace(r) {
				return -1 // can't be in an address
			}
			return r
		}, strings.ToValidUTF8(rest, ""))
		if rest == "" || len(rest) > 500 {
			return
		}
		address := []string{"https://", "http://", "mailto:"}[scheme%3] + rest
		for _, form := range addressForms {
			if !form.wanted(address) {
				continue
			}
			source := form.write(address)
			page, err := shared.Render(t.Context(), "ada", "Page", []byte(source), &world{all: true})
			if err != nil {
				t.Fatal(err)
			}
			shown := string(page.HTML)
			for _, p := range page.Props {
				for _, v := range p.Values {
					shown += string(v)
				}
			}
			if got := firstLink(shown); got != percentEncoded(address) {
				t.Errorf("%s %q leads to %q, want %q:\n%s", form.name, source, got, percentEncoded(address), shown)
			}
			checkSafe(t, string(page.HTML))
		}
	})
}
