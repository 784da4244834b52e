package web

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// Attack: large forms to one wiki from many connections, so that every processor parses
// forms. A wiki's large forms are parsed one at a time, after they have arrived; small
// ones and those of other wikis don't wait.
func TestLargeFormsTakeTurns(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	people := map[string]*browser{"ada": w.as("ada"), "bob": w.as("bob")}
	answers := func(person, slug string, body io.Reader, within time.Duration) bool {
		ctx, cancel := context.WithTimeout(t.Context(), within)
		defer cancel()
		r := people[person].request(http.MethodPost, on(slug, "/Home/preview"), url.Values{}).WithContext(ctx)
		r.Body = io.NopCloser(body)
		return people[person].do(r).status == http.StatusBadRequest
	}
	unreadable := "content=%zz&commit=" + strings.Repeat("a", 32<<10)
	release, err := w.Pages.AcquireLarge(t.Context(), w.Access("ada", "ada"), len(unreadable))
	if err != nil {
		t.Fatal(err)
	}
	if answers("ada", "ada", strings.NewReader(unreadable), 100*time.Millisecond) {
		t.Error("a large form is parsed outside of its wiki's turn")
	}
	if !answers("ada", "ada", strings.NewReader("content=%zz"), time.Minute) {
		t.Error("a small form waits")
	}
	if !answers("bob", "bob", strings.NewReader(unreadable), time.Minute) {
		t.Error("another wiki's form waits")
	}
	release()
	if !answers("ada", "ada", strings.NewReader(unreadable), time.Minute) {
		t.Error("a large form isn't answered after its turn began")
	}
	slow := &checkingReader{Reader: strings.NewReader(unreadable), check: func() {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if release, err := w.Pages.AcquireLarge(ctx, w.Access("ada", "ada"), len(unreadable)); err != nil {
			t.Error("a form that is still arriving holds its wiki's turn")
		} else {
			release()
		}
	}}
	if !answers("ada", "ada", slow, time.Minute) {
		t.Error("a slow form isn't answered")
	}
}

// A checkingReader calls check before each read.
type checkingReader struct {
	io.Reader
	check func()
}

func (r *checkingReader) Read(p []byte) (int, error) {
	r.check()
	return r.Reader.Read(p)
}
