package markdown

import (
	"html"
	"strings"
	"time"

	"github.com/alecthomas/chroma/v2"
	"github.com/alecthomas/chroma/v2/lexers"
)

const (
	maxColoured     = 200 << 10 // bytes of one block
	maxColouredPage = 2 * maxColoured
	maxColouring    = time.Second // of a page
)

// code writes a block of code, coloured if its language is known. What is too
// long to be coloured is shown all the same.
func (w *writer) code(language string, code []byte) {
	w.put(`<pre class="chroma" tabindex="0"><code>`)
	if !w.coloured(language, string(code)) {
		w.text(string(code))
	}
	w.put("</code></pre>\n")
}

// coloured writes code as coloured spans, or nothing and false.
func (w *writer) coloured(language, code string) (ok bool) {
	if language == "" || len(code) > maxColoured || w.colouredBytes+len(code) > maxColouredPage || w.colouring > maxColouring {
		return false
	}
	lexer := lexers.Get(language)
	if lexer == nil || lexer.Config().Name == "plaintext" {
		return false
	}
	began, size := time.Now(), w.out.Len()
	defer func() {
		w.colouredBytes += len(code)
		w.colouring += time.Since(began)
		if recover() != nil { // lexers panic on their own mistakes
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
		if w.colouring+time.Since(began) > maxColouring || w.full() {
			return false
		}
		w.token(t)
	}
	return true
}

func (w *writer) token(t chroma.Token) {
	class := tokenClass(t.Type)
	if class == "" || strings.TrimSpace(t.Value) == "" {
		w.text(t.Value)
		return
	}
	w.put(`<span class="`, class, `">`, html.EscapeString(t.Value), "</span>")
}

// tokenClass is chroma's short name for a token, or for the kind it belongs to.
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
