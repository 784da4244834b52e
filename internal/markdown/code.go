package markdown

import (
	"html"
	"strings"
	"time"

	"github.com/alecthomas/chroma/v2"
	"github.com/alecthomas/chroma/v2/lexers"
)

const (
	maxHighlighted  = 200 << 10 // bytes of one block
	maxColoredPage  = 2 * maxHighlighted
	maxHighlighting = time.Second // total time per page
)

// writeCode writes a code block, highlighted if its language is known and it
// isn't too long.
func (w *writer) writeCode(language string, code []byte) {
	w.write(`<pre class="chroma" tabindex="0"><code>`)
	if !w.writeHighlighted(language, string(code)) {
		w.writeText(string(code))
	}
	w.write("</code></pre>\n")
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
	began, size := time.Now(), w.out.Len()
	defer func() {
		w.coloredBytes += len(code)
		w.coloring += time.Since(began)
		if recover() != nil { // lexers panic on their own bugs
			ok = false
		}
		if !ok {
			w.out.Truncate(size)
		}
	}()
	next, err := chroma.Coalesce(lexer).Tokenise(nil, code)
	if err != nil {
		return false
	}
	for t := next(); t != chroma.EOF; t = next() {
		if w.coloring+time.Since(began) > maxHighlighting || w.isFull() {
			return false
		}
		w.writeToken(t)
	}
	return true
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
