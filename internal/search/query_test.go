package search

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// expression formats a parsed query as a Boolean expression.
func (p parsedQuery) expression() string {
	if len(p.groups) == 0 {
		return ""
	}
	all := make([]string, len(p.groups))
	for i, g := range p.groups {
		all[i] = "(" + anyOf(g) + ")"
	}
	e := strings.Join(all, " AND ")
	if len(p.not) > 0 {
		e = "(" + e + ") NOT (" + anyOf(p.not) + ")"
	}
	return e
}

// anyOf formats alternatives.
func anyOf(terms []term) string {
	var list []string
	for _, t := range terms {
		var words []string
		for _, tok := range t.tokens {
			words = append(words, tok.stem())
		}
		if !t.prefix {
			list = append(list, `"`+strings.Join(words, " ")+`"`)
			continue
		}
		last := t.tokens[len(t.tokens)-1]
		before := strings.TrimSuffix(strings.Join(words, " "), last.stem())
		list = append(list, `"`+before+last.word+`"*`)
		for _, s := range prefixStems(last.word) {
			list = append(list, `"`+before+s+`"`)
		}
	}
	return strings.Join(list, " OR ")
}

func TestParseQuery(t *testing.T) {
	for _, c := range []struct{ query, expression string }{
		{"frost", `("frost")`},
		{"Frosts  gardens", `("frost") AND ("garden")`},
		{`"the running mast"`, `("the run mast")`},
		{`"open to the end`, `("open to the end")`},
		{"off*", `("off"*)`},
		{"f*", `("f")`},
		{"runni*", `("runni"* OR "run")`},
		{"universi*", `("universi"* OR "univers")`},
		{"a -b -\"c d\" -ef*", `(("a")) NOT ("b" OR "c d" OR "ef"*)`},
		{"a OR b c", `("a" OR "b") AND ("c")`},
		{"a | b | c", `("a" OR "b" OR "c")`},
		{"a AND b", `("a") AND ("b")`},
		{"OR", `("or")`},
		{"OR a", `("or") AND ("a")`},
		{"a OR", `("a") AND ("or")`},
		{"a OR OR b", `("a" OR "or") AND ("b")`},
		{"AND", `("and")`},
		{"or and not near", `("or") AND ("and") AND ("not") AND ("near")`},
		{"a NOT b", `("a") AND ("not") AND ("b")`},
		{"NEAR(a b, 2)", `("near a") AND ("b") AND ("2")`},
		{"name:frost", `("name") AND ("frost")`},
		{"10:30 http://robot.wtf/x a::b", `("10 30") AND ("http robot wtf x") AND ("a b")`},
		{"{name body} : x", `("name") AND ("bodi") AND ("x")`},
		{"^frost + (mast)", `("frost") AND ("mast")`},
		{`a"b c"d`, `("a") AND ("b c") AND ("d")`},
		{`""`, ""},
		{`" " - * | ()`, ""},
		{"- frost", `("frost")`},
		{"--force", `("forc")`},
		{"-frost", ""},
		{"well-known", `("well known")`},
		{"机器人", `("机 器 人")`},
		{"机器*", `("机 器")`},
		{"tag:x", ""},
		{"a tag:x OR b", `("a" OR "b")`},
		{"'; DROP TABLE words; --", `("drop") AND ("tabl") AND ("word")`},
	} {
		if d := cmp.Diff(c.expression, parseQuery(c.query, nil).expression()); d != "" {
			t.Errorf("%q (-want +got):\n%s", c.query, d)
		}
	}
	p := parseQuery(strings.Repeat("word ", 40), nil)
	if n := len(p.groups); n != 32 || len(p.ignored) != 1 {
		t.Errorf("%d terms, ignored %q", n, p.ignored)
	}
	p = parseQuery(strings.Repeat("长", 500), nil)
	if n := len(p.groups[0][0].tokens); n != 400 || len(p.ignored) != 1 {
		t.Errorf("%d characters, ignored %q", n, p.ignored)
	}
	p = parseQuery("a tag:x OR author:y -tag:z OR tag:w", nil)
	if len(p.filters) != 4 || len(p.ignored) != 2 {
		t.Errorf("%+v, ignored %q", p.filters, p.ignored)
	}
}

// Queries that try to break a parser.
var hostileQueries = []string{
	"a | | b", "a OR | b", "a | OR b", "a OR OR b", "| | |", "a | |", "OR", "a AND | b",
	"", " ", "\x00", "\xff\xfe", `"`, `""`, `"""`, `""""`, "'", "''", "*", "**", "^", "-", "--", "---", "+", "(", ")", "()",
	"(((", ")))", ":", "::", "a:", ":a", "tag:", "tag::", `tag:"`, `tag:""`, `tag:"x`, "path:", "path:/", "path:*", "path:**",
	"path:../..", `path:"a b*"`, "author:", "author:*", "author:@", "-tag:", "--tag:x", "-author:x", "-path:*", "OR", "OR OR",
	"OR OR OR", "a OR", "OR a", "AND AND", "NOT", "NOT a", "a NOT", "NEAR", "NEAR(", "NEAR(a b)", "NEAR/2", "a NEAR b", "name : a",
	"{name} : a", "- {name} : a", "name:a*", "words MATCH 'a'", "a\"b", `a"*`, `"a"*`, `"*"`, `"a*"`, `-"`, `-""`, `-"a`, `-*`, "a*b",
	"a**", "*a", "a -a", "-a", "-a -b", "|", "||", "a|b", "a || b", "| a", "a |", "%", "_", "\\", "$1", "?", "?1", "@a", "#tag", "##",
	"1", "-1", "1.5e10", "NULL", "rowid", "rank", "rank MATCH 'bm25(10)'", "; DROP TABLE pages", "\u200b", "\u202ea", "\ufeff", "\U000e0041",
	"́", "a\u0301", "ÅÅÅ", "ﷺ", "İ", "ı", "ß*", "ŉ*", "👨‍👩‍👧", "機*", "-機器", "機 OR 器", "ー", "ｶﾞ", "가*", "\u1100\u1161", "हिन्दी*", "ก็*",
	"\U0010ffff", "\ufffd", "\ue000", "½", "①", "ª", "x²*", "…", "“", "“”", "«a", "a\tb\nc\r\nd", "a\x1fb", "<script>alert(1)</script>", "{{7*7}}",
}

func TestHostileQueries(t *testing.T) {
	u := newWorld(t)
	u.put("Home", "a b x frost 機器 가 हिन्दी ½ #tag 👨‍👩‍👧\n", "Other/Page", "---\ntags: [x]\n---\na b c\n")
	for _, q := range hostileQueries {
		u.search(q)
		for _, other := range []string{"a", "-b", "OR", "tag:x", `"`} {
			u.search(q + " " + other)
			u.search(other + " " + q)
			u.search(other + q)
		}
	}
	for _, q := range []string{strings.Repeat("a ", 1000), strings.Repeat(`"`, 1000), strings.Repeat("(", 1000), strings.Repeat("機", 1000),
		strings.Repeat("-a ", 1000), strings.Repeat("a OR ", 1000), strings.Repeat("tag:x ", 1000), strings.Repeat("universi* ", 20), strings.Repeat("x", 1<<20)} {
		u.search(q)
	}
	if u.log.Len() > 0 {
		t.Errorf("a query was mistaken for index damage: %s", u.log)
	}
}

// Attack: a text that ends in an unclosed quote, or exceeds the limits, disables
// the filter fields.
func TestFilterFieldsAlwaysApply(t *testing.T) {
	u := newWorld(t)
	u.useModel(&fakeModel{})
	u.put("Garden/Frost", "---\ntags: [cold]\n---\nfrost in may\n", "Log/Frost", "frost in june\n")
	u.waitEmbedded()
	for _, text := range []string{"frost", `"frost`, `frost "in`, "frost " + strings.Repeat("in ", 300), "frost OR", "frost path:Log OR", "frost -", ""} {
		for _, mode := range []Mode{Keyword, Semantic, Hybrid} {
			for _, q := range []Query{{Path: "Garden"}, {Path: "Gard*"}, {Tag: "cold"}, {Tag: "#Cold", Path: "Garden/"}} {
				q.Text, q.Mode = text, mode
				r, err := u.s.Search(t.Context(), u.w, q)
				got := strings.TrimPrefix(foundPages(r), string(r.Loosened)+": ")
				if contradicts := text == "frost path:Log OR"; err != nil || got != "Garden/Frost" && !(contradicts && got == "") {
					t.Errorf("%s %.20q with tag %q and path %q finds %s, err %v", mode, text, q.Tag, q.Path, got, err)
				}
			}
			q := Query{Text: text, Mode: mode, Author: "nobody"}
			if r, err := u.s.Search(t.Context(), u.w, q); err != nil || r.Total != 0 {
				t.Errorf("%s %.20q with author nobody finds %s, err %v", mode, text, foundPages(r), err)
			}
		}
	}
}

func FuzzQuery(f *testing.F) {
	u := newWorld(f)
	u.put("Home", "a b x frost 機器 가\n", "Other/Page", "---\ntags: [x]\n---\na b c\n")
	for _, q := range hostileQueries {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, q string) {
		r, err := u.s.Search(t.Context(), u.w, Query{Text: q})
		if err != nil {
			t.Fatalf("%q: %v", q, err)
		}
		for _, h := range r.Hits {
			for _, s := range h.Snippet {
				if s.Text == "" || !utf8.ValidString(s.Text) {
					t.Fatalf("%q: snippet %+v", q, h.Snippet)
				}
			}
		}
		if u.log.Len() > 0 {
			t.Fatalf("%q: %s", q, u.log)
		}
	})
}
