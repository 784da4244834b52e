package gitremote

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/outbound"
	"robot.wtf/internal/wiki"
)

// goodServer answers with one branch and a pack, after some keepalives.
func goodServer(keepalives int, pack string) hostileServer {
	return hostileServer{
		capabilities: packets("# service=git-upload-pack", flush, "version 2", "agent=git/9", "ls-refs", "fetch=shallow", "object-format=sha1", flush),
		refs:         packets(someID+" refs/heads/only", flush),
		pack:         packets("packfile") + strings.Repeat(band(1, ""), keepalives) + pack + flush,
	}
}

// Answers that git wouldn't send are refused, even if the rest of them is valid.
func TestAnswersAreGits(t *testing.T) {
	for name, change := range map[string]func(http.Header){
		"a page":     func(h http.Header) { h.Set("Content-Type", "text/html") },
		"compressed": func(h http.Header) { h.Set("Content-Encoding", "br") },
		"as it is":   func(http.Header) {},
	} {
		client := newClient(t, func(w http.ResponseWriter, r *http.Request) {
			answer := httptest.NewRecorder()
			goodServer(0, band(1, "PACK")).ServeHTTP(answer, r)
			w.Header().Set("Content-Type", answer.Header().Get("Content-Type"))
			change(w.Header())
			_, _ = w.Write(answer.Body.Bytes())
		}, outbound.Options{})
		err := client.Bundle(t.Context(), address(t, "https://example.com/a.git"), 1<<20, io.Discard, nil)
		if (err == nil) != (name == "as it is") || err != nil && !strings.Contains(err.Error(), "There's no git repository") {
			t.Errorf("%s: %v", name, err)
		}
	}
	client := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && r.URL.Path != "/elsewhere" {
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
			return
		}
		goodServer(0, band(1, "PACK")).ServeHTTP(w, r)
	}, outbound.Options{})
	err := client.Bundle(t.Context(), address(t, "https://example.com/a.git"), 1<<20, io.Discard, nil)
	if err == nil || !strings.Contains(err.Error(), "There's no git repository") {
		t.Errorf("redirected to another page: %v", err)
	}
}

// Commands name only what the server knows, and ask for one commit or for all.
func TestCommands(t *testing.T) {
	if got := (capabilities{}).command("x"); strings.Contains(got, "agent=") || strings.Contains(got, "object-format=") {
		t.Errorf("for a server without capabilities: %q", got)
	}
	if got := (capabilities{"agent": "git", "object-format": "sha1"}).command("x"); !strings.Contains(got, "agent="+agent) || !strings.Contains(got, "object-format=sha1") {
		t.Errorf("for a server with both: %q", got)
	}
	var asked string
	client := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked = string(body)
		r.Body = io.NopCloser(strings.NewReader(asked))
		goodServer(0, band(1, "PACK")).ServeHTTP(w, r)
	}, outbound.Options{})
	a := address(t, "https://example.com/a.git")
	if shallow, err := client.Newest(t.Context(), a, 1<<20, io.Discard, nil); err != nil || !shallow || !strings.Contains(asked, "deepen 1") {
		t.Errorf("newest: %v, %v, %q", shallow, err, asked)
	}
	if err := client.Bundle(t.Context(), a, 1<<20, io.Discard, nil); err != nil || strings.Contains(asked, "deepen") || !strings.Contains(asked, "include-tag") {
		t.Errorf("whole history: %v, %q", err, asked)
	}
}

// A server may count objects for a while before the pack starts. Progress is reported.
func TestPackAfterKeepalives(t *testing.T) {
	pack := band(1, "PACK") + strings.Repeat(band(1, strings.Repeat("x", 50_000)), 20)
	o := serve(t, goodServer(500, pack).ServeHTTP, outbound.Options{})
	o.Timeout, o.MaxBody = maxTime, maxTransfer
	seconds := 0
	client := &Client{outbound.New(o), func() time.Time { seconds++; return time.Unix(int64(seconds), 0) }}
	var reported []int64
	err := client.Bundle(t.Context(), address(t, "https://example.com/a.git"), 2<<20, io.Discard, func(n int64) { reported = append(reported, n) })
	if err != nil || len(reported) != 3 || reported[0] < 256<<10 {
		t.Errorf("%v, progress %v", err, reported)
	}
}

// Errors that no server in these tests causes have their sentences, too.
func TestExplain(t *testing.T) {
	f := &fetch{address: address(t, "https://example.com/a.git")}
	own := errors.New("disk full")
	if err := f.explain(fmt.Errorf("copy: %w", &writeError{own})); err != own {
		t.Errorf("the caller's error became %v", err)
	}
	for err, want := range map[error]string{
		outbound.ErrRefused:  "isn't on the public internet",
		outbound.ErrTooLarge: "larger than this wiki's limit",
		errTime:              "too slow",
	} {
		var problem *wiki.Problem
		if got := f.explain(err); !errors.As(got, &problem) || !strings.Contains(problem.Message, want) {
			t.Errorf("%v: %v", err, got)
		}
	}
	if _, _, err := newPacketReader(strings.NewReader("0008"), -1).next(); err != io.ErrUnexpectedEOF {
		t.Errorf("a packet without its data: %v", err)
	}
}
