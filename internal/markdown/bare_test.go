package markdown

import (
	"strings"
	"testing"

	xhtml "golang.org/x/net/html"
)

// linksOf lists the links of some HTML as Markdown.
func linksOf(page string) string {
	var list []string
	z := xhtml.NewTokenizer(strings.NewReader(page))
	for open := ""; ; {
		switch z.Next() {
		case xhtml.ErrorToken:
			return strings.Join(list, " ")
		case xhtml.StartTagToken:
			if t := z.Token(); t.Data == "a" {
				open = attribute(t, "href")
			}
		case xhtml.TextToken:
			if open != "" {
				list = append(list, "["+z.Token().Data+"]("+open+")")
			}
		case xhtml.EndTagToken:
			open = ""
		}
	}
}

// TestBareAddresses: the results are those of cmark-gfm 0.29.0.gfm.6 with its
// autolink extension.
func TestBareAddresses(t *testing.T) {
	for _, c := range []struct{ source, want string }{
		// Beside other scripts, and in quotes.
		{"你好http://example.com/x", "[http://example.com/x](http://example.com/x)"},
		{"见https://example.com。", "[https://example.com。](https://example.com%E3%80%82)"},
		{"http://example.com你好", "[http://example.com你好](http://example.com%E4%BD%A0%E5%A5%BD)"},
		{"（http://例え.jp/x", "[http://例え.jp/x](http://%E4%BE%8B%E3%81%88.jp/x)"},
		{"http://例え.jp/x。次", "[http://例え.jp/x。次](http://%E4%BE%8B%E3%81%88.jp/x%E3%80%82%E6%AC%A1)"},
		{`"http://example.com"`, "[http://example.com](http://example.com)"},
		{`'https://example.com/a'.`, "[https://example.com/a](https://example.com/a)"},
		{"“http://example.com/x”b", "[http://example.com/x”b](http://example.com/x%E2%80%9Db)"},
		{`see http://a.b, "http://c.d/e"`, "[http://a.b](http://a.b) [http://c.d/e](http://c.d/e)"},
		{"a:http://x.y", "[http://x.y](http://x.y)"},
		{"x[1]http://x.y", "[http://x.y](http://x.y)"},
		// Where an address begins and ends.
		{"http://localhost:8080/x", "[http://localhost:8080/x](http://localhost:8080/x)"},
		{"http://a", "[http://a](http://a)"},
		{"HTTP://example.com", "[HTTP://example.com](http://example.com)"},
		{"ftp://a.b", "[ftp://a.b](ftp://a.b)"},
		{"**http://a.b/c**", "[http://a.b/c](http://a.b/c)"},
		{"_http://a.b_", "[http://a.b](http://a.b)"},
		{"it's http://a.b/it's", "[http://a.b/it's](http://a.b/it's)"},
		{"http://a.b/_x_*y*", "[http://a.b/_x_*y](http://a.b/_x_*y)"},
		{"http://a.b/?q=(x)).", "[http://a.b/?q=(x)](http://a.b/?q=(x))"},
		{"http://a.b/?q=<b>", "[http://a.b/?q=](http://a.b/?q=)"},
		{"http://a.b/&copy;", "[http://a.b/](http://a.b/)"},
		{"http://user@host.com/", "[http://user@host.com/](http://user@host.com/)"},
		{"xhttp://a.b http:// http://. http://a_b.c_d.e", ""},
		{"[see http://a.b", ""},
		{"[http://a.b](/-/index)", "[http://a.b](/-/index)"},
		{"`http://a.b` `x@example.com`", ""},
		// Addresses without a scheme.
		{"(www.example.com)", "[www.example.com](http://www.example.com)"},
		{"www.example.com/x", "[www.example.com/x](http://www.example.com/x)"},
		{"a\nwww.example.com", "[www.example.com](http://www.example.com)"},
		{`"www.example.com" ，www.example.com WWW.EXAMPLE.com`, ""},
		// Email.
		{`"foo@example.com"`, "[foo@example.com](mailto:foo@example.com)"},
		{"你foo@example.com好", "[foo@example.com](mailto:foo@example.com)"},
		{"foo_bar@example.com, a.b-c+d@e-f.gh.", "[foo_bar@example.com](mailto:foo_bar@example.com) [a.b-c+d@e-f.gh](mailto:a.b-c+d@e-f.gh)"},
		{"mailto:foo@bar.baz xmpp:foo@bar.baz", "[mailto:foo@bar.baz](mailto:foo@bar.baz) [xmpp:foo@bar.baz](xmpp:foo@bar.baz)"},
		{"foo@bar @bar.baz foo@bar.b4 a@b@c.de", "[b@c.de](mailto:b@c.de)"},
		{"**x@y.zz** [x@y.zz](/-/index)", "[x@y.zz](mailto:x@y.zz) [x@y.zz](/-/index)"},
	} {
		if got := linksOf(render(t, c.source)); got != c.want {
			t.Errorf("%q has the links %s, want %s", c.source, got, c.want)
		}
	}
}
