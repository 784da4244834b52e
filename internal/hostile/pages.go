package hostile

import (
	"fmt"
	"strings"
)

// Pages are pages that make parsers slow or their output large, as functions of
// their size in bytes. Many are from the tests of cmark and GitHub.
var Pages = map[string]func(n int) string{
	"nested emphasis":              surround("*a **a ", "b", " a** a*"),
	"emphasis closers":             repeat("a_ "),
	"emphasis openers":             repeat("_a "),
	"mixed emphasis":               repeat("*a_ "),
	"strong and emphasis":          repeat("a**b c* "),
	"stars":                        repeat("*"),
	"stars and letters":            repeat("*a"),
	"underscores and letters":      repeat("a_b"),
	"tildes":                       repeat("~~a "),
	"marks":                        repeat("==a "),
	"marks closed":                 surround("==a ", "b", " a=="),
	"all delimiters":               repeat("*_~~==a "),
	"link closers":                 repeat("a]"),
	"link openers":                 repeat("[a"),
	"link openers and emphasis":    repeat("[ a_"),
	"unclosed destinations":        repeat("[a](b"),
	"unclosed angled destinations": repeat("[a](<b"),
	"empty destinations":           repeat("[a]("),
	"unclosed titles":              repeat(`[a](b "c `),
	"links":                        repeat("[a](b) "),
	"one long destination, often": func(n int) string {
		return "[a]: javascript:" + strings.Repeat("é", min(n/4, 30_000)) + "\n\n" + strings.Repeat("[a]\n\n", n/10)
	},
	"one path, often": func(n int) string {
		return "[a]: /" + strings.Repeat("x/../", min(n/8, 780)) + "\n\n" + strings.Repeat("[a]\n\n", n/10)
	},
	"one long path, often": func(n int) string {
		return "[a]: /" + strings.Repeat("x/../", min(n/8, 12_000)) + "\n\n" + strings.Repeat("![a]\n\n", n/10)
	},
	"images":                       repeat("![a](b.png) "),
	"nested images":                surround("![", "a", "](b)"),
	"nested brackets":              surround("[", "a", "]"),
	"opening brackets":             repeat("["),
	"brackets and bangs":           repeat("!["),
	"references":                   repeat("[a][b] "),
	"reference openers":            repeat("[a]["),
	"definitions":                  Number("[a%d]: /b\n"),
	"definitions and uses":         Number("[a%d]: /b\n\n[a%[1]d]\n\n"),
	"unfinished definitions":       repeat("[a]: <b\n"),
	"definitions with long titles": repeat("[a]: b 'c\n"),
	"long labels":                  repeat("[" + strings.Repeat("a", 997) + "]"),
	"notes":                        Number("[^%d]: a\n\n[^%[1]d]\n\n"),
	"notes at one place":           func(n int) string { return strings.Repeat("[^1] ", n/5) + "\n\n[^1]: a\n" },
	"notes in notes":               Number("[^%d]: [^%[1]d]\n"),
	"note openers":                 repeat("[^"),
	"wikilinks":                    Number("[[Page %d]] "),
	"wikilink openers":             repeat("[["),
	"one wikilink often":           repeat("[[a|b]]\n\n"),
	"embeds":                       Number("![[Page %d]]\n\n"),
	"quotes on a line":             repeat(">"),
	"quotes with blanks":           repeat("> "),
	"quotes, deep, many lines":     func(n int) string { return strings.Repeat(strings.Repeat(">", 99)+"a\n", n/101) },
	"quotes, shrinking":            func(n int) string { return shrinkingRuns(n, "> ") },
	"lists, deep":                  func(n int) string { return growingLines(n, "  ", "- a\n") },
	"lists on a line":              repeat("- "),
	"numbers on a line":            repeat("1. "),
	"list items":                   repeat("- a\n"),
	"list items apart":             repeat("- a\n\n"),
	"lists and quotes":             repeat("- > "),
	"tasks":                        repeat("- [x] a\n"),
	"folds":                        repeat(">! "),
	"boxes":                        repeat("::: info\n"),
	"boxes, each deeper": func(n int) string {
		var b strings.Builder
		for i := 3; b.Len() < n; i++ {
			b.WriteString(strings.Repeat(":", i) + "\n")
		}
		return b.String()
	},
	"alerts": repeat("> [!NOTE]\n> a\n\n"),
	"callouts, deep": func(n int) string {
		return strings.Repeat(strings.Repeat("> ", 98)+"[!tip]- a\n"+strings.Repeat("> ", 98)+"b\n\n", n/410)
	},
	"callouts, nested":         nestedCallouts,
	"callouts, unfinished":     repeat("> [!tip\n"),
	"callouts, long kinds":     repeat("> [!" + strings.Repeat("a", 500) + "] b\n"),
	"admonitions":              repeat("!!! note \"a\"\n    b\n"),
	"admonitions without text": repeat("!!! note\n"),
	"admonitions and blanks":   repeat("!!! note\n\n\n\n"),
	"admonitions, deep":        func(n int) string { return growingLines(n, "    ", "??? note\n") },
	"tabs of MkDocs":           repeat("=== \"a\"\n\n    b\n\n"),
	"tabs of MkDocs, deep":     func(n int) string { return growingLines(n, "    ", "=== \"a\"\n") },
	"bars of equals signs":     repeat("=== \"a\n"),
	"titles of boxes":          repeat(":::tip a b c\n"),
	"hidden text":              repeat("%%a%% b\n"),
	"hidden text, unclosed":    repeat("a\n%%\n\n"),
	"hidden blocks":            repeat("%%\na\n%%\n"),
	"hidden lines":             repeat("a %%b\n%%c\n"),
	"percent signs, lines":     repeat("%%%\n"),
	"percent signs":            repeat("%"),
	"block ids":                Number("a ^id%d\n\n"),
	"block ids, equal":         repeat("a ^id\n\n"),
	"block ids alone":          repeat("- a\n\n^id\n\n"),
	"carets":                   repeat("a ^b\n"),
	"paths of headings":        Number("# a\n## b%d\n[[#a#b%[1]d]]\n"),
	"long path of headings":    func(n int) string { return "[[a" + strings.Repeat("#b", min(n/2, 240)) + "]]\n\n" },
	"ids of headings":          Number("# a {#b%d}\n"),
	"braces":                   repeat("# {#{#{#\n"),
	"contents":                 repeat("[TOC]\n\n# a\n\n"),
	"contents of headings":     func(n int) string { return strings.Repeat("[[_TOC_]]\n\n", n/40) + strings.Repeat("# a\n", n/8) },
	"formulas over lines":      repeat("a $$\nb\n$$ c\n"),
	"formulas after text":      repeat("a $$\nb\n$$\n"),
	"shortcodes":               repeat(`[a]({{< ref "b" >}}) `),
	"shortcodes without end":   repeat(`[a]({{< ref "b `),
	"formulas over lines, open": func(n int) string {
		return strings.Repeat("a $$\nb\n", n/7)
	},
	"formulas, long first line": repeat("$$ a\nb\n"),
	"other tasks":               repeat("- [/] a\n"),
	"bars in links in tables":   func(n int) string { return "|a|\n|-|\n" + strings.Repeat("|[[a|b]]|\n", min(n/10, 9000)) },
	"small tables with links":   repeat("|a|\n|-|\n|[[a|b]]|\n\n"),
	"sizes of images":           repeat("![a|200](b.png)\n\n"),
	"widgets":                   repeat("{{InfoBox\n|a=b\nc\n}}\n"),
	"widgets, open":             repeat("{{InfoBox\n|a=b\n"),
	"options of a widget":       func(n int) string { return "{{InfoBox\n" + Number("|a%d=b\n")(n) + "}}\n" },
	"names of emoji":            repeat(":smile: a\n"),
	"colons":                    repeat(":a:b \n"),
	"abbreviations":             Number("*[a%d]: b\n\na%[1]d\n\n"),
	"abbreviations at one place": func(n int) string {
		return "*[a]: " + strings.Repeat("b", 300) + "\n\n" + strings.Repeat("a a a\n", n/6)
	},
	"abbreviations with a word in common": func(n int) string {
		return Number("*[a b%d]: c\n")(n/2) + "\n" + strings.Repeat("a b\n", n/8)
	},
	"players":                  repeat("<iframe src=https://www.youtube.com/embed/abcdef></iframe>\n\n"),
	"TOML, deep":               func(n int) string { return "+++\na = " + strings.Repeat("[", n) + "\n+++\n" },
	"TOML, keys":               func(n int) string { return "+++\n" + Number("k%d = 1\n")(min(n, 16<<10)) + "+++\n" },
	"TOML, tables":             func(n int) string { return "+++\n[" + strings.Repeat("a.", min(n, 16<<10)/2) + "b]\n+++\n" },
	"TOML, open":               func(n int) string { return "+++\n" + strings.Repeat("a = 1\n", n/6) },
	"definition lists":         repeat("a\n: b\n"),
	"definition, deep":         func(n int) string { return growingLines(n, "  ", "a\n: b\n") },
	"wide table":               func(n int) string { return Table(n/6, 3) },
	"large table":              func(n int) string { return Table(100, n/200) },
	"padded table":             func(n int) string { return Table(128, 2) + strings.Repeat("a\n", n/2) },
	"many tables":              repeat("|a|b|\n|-|-|\n|c|\n\n"),
	"pipes":                    repeat("|"),
	"rules of tables":          repeat("a\n-|-\n"),
	"escaped pipes in code":    func(n int) string { return "|a|\n|-|\n" + strings.Repeat("|`\\|`|\n", n/7) },
	"headings":                 repeat("# a\n"),
	"headings, empty":          repeat("#\n"),
	"setext headings":          repeat("a\n=\n"),
	"headings of numbers":      Number("# a-%d\n"),
	"backticks":                func(n int) string { return runs(n, "`", "e") },
	"backticks apart":          repeat("` `` "),
	"backslashes":              repeat(`\\`),
	"ampersands":               repeat("&"),
	"references of characters": repeat("&amp;&#42;&#x41;&nosuch;"),
	"tags of HTML":             repeat("<a>"),
	"unclosed tags":            repeat("<a "),
	"attributes":               func(n int) string { return "<a " + strings.Repeat("b='c' ", n/6) + ">" },
	"ends of tags":             repeat("</b>"),
	"blocks of HTML":           repeat("<div>\n\n"),
	"blocks in blocks":         repeat("<div>"),
	"comments":                 repeat("<!-- a -->"),
	"unclosed comments":        repeat("a <!-- "),
	"instructions":             repeat("a <?"),
	"declarations":             repeat("a <!A "),
	"CDATA":                    repeat("a <![CDATA["),
	"entities in HTML":         repeat("<b>&amp;</b>"),
	"auto links":               repeat("https://a.b/ "),
	"mail":                     repeat("a.b@c.d "),
	"at signs":                 repeat("a@"),
	"dots and ats":             repeat("a.a@a.a."),
	"no hosts":                 repeat("http://_"),
	"www and bars":             repeat("_www.a_"),
	"www and commas":           repeat("(www.,"),
	"schemes":                  repeat("x://"),
	"angled addresses":         repeat("<https://a.b>"),
	"formulas":                 repeat("$a$ "),
	"formula openers":          repeat("$$\n\na\n"),
	"dollars":                  repeat("$"),
	"embedding openers":        repeat("{{Ab\n\n"),
	"tags":                     Number("#tag%d "),
	"hashes":                   repeat("a #"),
	"fences":                   repeat("```\n"),
	"fences, growing":          func(n int) string { return runs(n, "```", "\n") },
	"code, colored":            func(n int) string { return "```go\n" + strings.Repeat("x := \"a\" + 1 // b\n", n/18) + "```\n" },
	"code, much of it":         repeat("```js\nlet a = /b/g;\n```\n"),
	"code, unclosed text":      func(n int) string { return "```python\n" + strings.Repeat("'''\"\\", n/5) + "\n```\n" },
	"code, brackets":           func(n int) string { return "```markdown\n" + strings.Repeat("[a](*b_", n/7) + "\n```\n" },
	"one line":                 repeat("a"),
	"blanks":                   repeat(" "),
	"tabs":                     repeat("\t"),
	"line ends":                repeat("\n"),
	"carriage returns":         repeat("\r"),
	"zero bytes":               repeat("\x00"),
	"no UTF-8":                 repeat("\xff"),
	"accents":                  repeat("a\u0301"),
	"words":                    repeat("Some plain words in a line of text.\n"),
	"angles":                   repeat("<"),
	"quotes to escape":         repeat(`"'`),
	"front matter, flow":       func(n int) string { return "---\na: " + strings.Repeat("[", n) + "\n---\n" },
	"front matter, list":       func(n int) string { return "---\n" + strings.Repeat("- ", n/2) + "\n---\n" },
	"front matter, bomb":       func(n int) string { return "---\n" + deepNesting(n) + "---\n" },
	"front matter, keys":       func(n int) string { return "---\n" + Number("k%d: v\n")(min(n, 16<<10)) + "---\n" },
	"front matter, quotes":     func(n int) string { return "---\na: " + strings.Repeat("'\"", n/2) + "\n---\n" },
	"front matter, deep":       func(n int) string { return "---\n" + growingLines(n, " ", "a:\n") + "---\n" },
	"front matter, open":       func(n int) string { return "---\n" + strings.Repeat("a: b\n", n/5) },
	"front matter, markers":    func(n int) string { return "---\n" + strings.Repeat("? ", n/2) + "\n---\n" },
	"front matter, tags":       func(n int) string { return "---\n" + strings.Repeat("!!a ", n/4) + "b\n---\n" },
	"front matter, block":      func(n int) string { return "---\na: |\n" + strings.Repeat("  b\n", n/4) + "---\n" },
}

func repeat(s string) func(int) string {
	return func(n int) string { return strings.Repeat(s, n/len(s)) }
}

func surround(before, middle, after string) func(int) string {
	return func(n int) string {
		k := n / (len(before) + len(after))
		return strings.Repeat(before, k) + middle + strings.Repeat(after, k)
	}
}

// Number returns a text that repeats a format with the numbers from 0 on.
func Number(form string) func(int) string {
	return func(n int) string {
		var b strings.Builder
		for i := 0; b.Len() < n; i++ {
			fmt.Fprintf(&b, form, i)
		}
		return b.String()
	}
}

func growingLines(n int, indent, line string) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		for l := range strings.Lines(line) {
			b.WriteString(strings.Repeat(indent, i) + l)
		}
	}
	return b.String()
}

// nestedCallouts returns callouts that contain one another, 90 deep, and then others.
func nestedCallouts(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		b.WriteString(strings.Repeat("> ", 1+i%90) + "[!note]+ a\n")
		if i%90 == 89 {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

func shrinkingRuns(n int, mark string) string {
	var b strings.Builder
	for i := 99; b.Len() < n; i = (i + 98) % 99 {
		b.WriteString(strings.Repeat(mark, i) + "a\n\n")
	}
	return b.String()
}

func runs(n int, mark, between string) string {
	var b strings.Builder
	for i := 1; b.Len() < n; i++ {
		b.WriteString(between + strings.Repeat(mark, i))
	}
	return b.String()
}

// Table returns a table of columns and rows.
func Table(columns, rows int) string {
	row := strings.Repeat("|a", columns) + "|\n"
	return row + strings.Repeat("|-", columns) + "|\n" + strings.Repeat(row, rows)
}

func deepNesting(n int) string {
	var b strings.Builder
	b.WriteString("a0: &a0 [x, x]\n")
	for i := 1; b.Len() < n; i++ {
		fmt.Fprintf(&b, "a%d: &a%[1]d [*a%d, *a%[2]d]\n", i, i-1)
	}
	return b.String()
}

// Places returns a text that differs from others of its kind, with another line,
// in n places.
func Places(line string, n int) string { return strings.Repeat(line+"\na\nb\nc\nd\n", n) }
