package markdown

import (
	"bytes"
	"html"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/chroma/v2"
	"github.com/alecthomas/chroma/v2/lexers"
)

const (
	maxHighlighted  = 200 << 10 // bytes of one block
	maxDelegated    = 16 << 10  // of a language within another, whose lexer reads all at once
	maxColoredPage  = 2 * maxHighlighted
	maxHighlighting = time.Second // processor time per page
)

// writeCode writes a code block, highlighted if its language is known and it
// isn't too long.
func (w *writer) writeCode(language string, code []byte) {
	w.write(`<pre class="chroma" tabindex="0">`)
	w.writeCodeElement(language, code)
	w.write("</pre>\n")
}

// writeNumberedCode is writeCode with the numbers of the lines beside it.
func (w *writer) writeNumberedCode(language string, code []byte, first int) {
	w.write(`<pre class="chroma nu" tabindex="0"><span class="ln" aria-hidden="true">`)
	lines := bytes.Count(bytes.TrimSuffix(code, []byte("\n")), []byte("\n")) + 1
	for n := first; n < first+lines && !w.isFull(); n++ {
		w.write(strconv.Itoa(n), "\n")
	}
	w.write("</span>")
	w.writeCodeElement(language, code)
	w.write("</pre>\n")
}

var (
	// numberedForm matches the words after a fence that ask for the numbers of lines, as
	// Hugo, Docusaurus, VitePress, MkDocs and Pandoc have them.
	numberedForm = regexp.MustCompile(`(?i)(?:^|[\s:{,.])(?:linenos|linenums|line-numbers|showlinenumbers|numberlines|line_numbers)(?:=["']?([0-9]{1,6})|\b)`)
	startForm    = regexp.MustCompile(`(?i)(?:startfrom|linenostart|line-numbers)=["']?([0-9]{1,6})`)
)

// numbering returns the number of a block's first line if its info string asks for
// numbers, or 0.
func numbering(info string) int {
	m := numberedForm.FindStringSubmatch(info)
	if m == nil {
		return 0
	}
	if start := startForm.FindStringSubmatch(info); start != nil {
		m = start
	}
	first, _ := strconv.Atoi(m[1])
	return max(first, 1)
}

func (w *writer) writeCodeElement(language string, code []byte) {
	w.write("<code>")
	if !w.writeHighlighted(language, string(code)) {
		w.writeText(string(code))
	}
	w.write("</code>")
}

// writeHighlighted writes highlighted code, or writes nothing and returns
// false.
func (w *writer) writeHighlighted(language, code string) (ok bool) {
	if language == "" || len(code) > maxHighlighted || w.coloredBytes+len(code) > maxColoredPage || w.coloring > maxHighlighting {
		return false
	}
	lexer := lexers.Get(language)
	if lexer == nil || lexer.Config().Name == "plaintext" {
		return false
	}
	if _, simple := lexer.(*chroma.RegexLexer); !simple && len(code) > maxDelegated {
		return false
	}
	began, size := w.clock.used(), w.out.Len()
	defer func() {
		w.coloredBytes += len(code)
		w.coloring += w.clock.used() - began
		if recover() != nil { // lexers panic on their own bugs
			ok = false
		}
		if !ok {
			w.out.Truncate(size)
		}
	}()
	timed := &timedLexer{Lexer: lexer, clock: w.clock, until: began + maxHighlighting - w.coloring}
	next, err := chroma.Coalesce(timed).Tokenise(nil, code)
	if err != nil {
		return false
	}
	for t := next(); t != chroma.EOF; t = next() {
		if timed.stopped || w.isFull() {
			return false
		}
		w.writeToken(t)
	}
	return !timed.stopped
}

// A timedLexer ends when its time is used up. It looks at the clock at each token,
// before chroma joins thousands of them: lexers backtrack (each rule for up to
// 0.25 s), so that a single character can take long.
type timedLexer struct {
	chroma.Lexer
	clock   *clock
	until   time.Duration
	stopped bool
}

func (l *timedLexer) Tokenise(options *chroma.TokeniseOptions, text string) (chroma.Iterator, error) {
	next, err := l.Lexer.Tokenise(options, text)
	return func() chroma.Token {
		if l.stopped = l.stopped || l.clock.used() > l.until; l.stopped {
			return chroma.EOF
		}
		return next()
	}, err
}

func (w *writer) writeToken(t chroma.Token) {
	class := tokenClass(t.Type)
	if class == "" || strings.TrimSpace(t.Value) == "" {
		w.writeText(t.Value)
		return
	}
	w.write(`<span class="`, class, `">`, html.EscapeString(t.Value), "</span>")
}

// tokenClass is chroma's short name for a token type or its category.
func tokenClass(t chroma.TokenType) string {
	for {
		if class, ok := chroma.StandardTypes[t]; ok {
			return class
		}
		if t == 0 {
			return ""
		}
		t = t.Parent()
	}
}
