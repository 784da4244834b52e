package web

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"robot.wtf/internal/await"
	"robot.wtf/internal/session"
	"robot.wtf/internal/testworld"
	"robot.wtf/internal/wiki"
)

// Each line works in its client, for slugs of every shape and any origin of the
// service.
func TestConnectLines(t *testing.T) {
	for slug, origin := range map[string]string{
		"ada": "https://ada.robot.wtf", "3-d-printing": "https://3-d-printing.robot.wtf",
		"zoe": "http://zoe.robot.localhost:8080", "a1b": "http://a1b.wiki.test",
	} {
		l, want := makeConnectLines(slug, origin), origin+"/mcp"
		if l.URL != want || l.Local != strings.Contains(origin, "localhost") {
			t.Errorf("%+v", l)
		}
		if want := map[bool]string{true: "127.0.0.1 zoe.robot.localhost robot.localhost"}[l.Local]; l.Hosts != want {
			t.Errorf("%q, want %q", l.Hosts, want)
		}
		claude, err := url.Parse(l.Claude)
		if err != nil || claude.Scheme != "https" || claude.Host != "claude.ai" || claude.Path != "/customize/connectors" || strings.Contains(l.Claude, "+") {
			t.Errorf("%s: %v", l.Claude, err)
		}
		if diff := cmp.Diff(url.Values{"modal": {"add-custom-connector"}, "connectorName": {slug + " wiki"}, "connectorUrl": {want}}, claude.Query()); diff != "" {
			t.Error(diff)
		}
		checkClaudeCode(t, l.ClaudeCode, slug, want)
		if l.ClaudeLogin != "claude mcp login "+slug {
			t.Error(l.ClaudeLogin)
		}
		cursor, err := url.Parse(string(l.Cursor))
		if err != nil || cursor.Scheme != "cursor" || cursor.Host != "anysphere.cursor-deeplink" || cursor.Path != "/mcp/install" || cursor.Query().Get("name") != slug {
			t.Errorf("%s: %v", l.Cursor, err)
		}
		config, err := base64.StdEncoding.DecodeString(cursor.Query().Get("config"))
		if err != nil {
			t.Error(err)
		}
		sameJSON(t, string(config), map[string]any{"url": want})
		sameJSON(t, l.CursorFile, map[string]any{"mcpServers": map[string]any{slug: map[string]any{
			"url": want, "headers": map[string]any{"Authorization": "Bearer ${env:ROBOTWTF_TOKEN}"},
		}}})
		entry := map[string]any{"name": slug, "type": "http", "url": want}
		inLink, err := url.PathUnescape(strings.TrimPrefix(string(l.VSCode), "vscode:mcp/install?"))
		if err != nil || !strings.HasPrefix(string(l.VSCode), "vscode:mcp/install?%7B") {
			t.Errorf("%s: %v", l.VSCode, err)
		}
		sameJSON(t, inLink, entry)
		command, quoted, ok := strings.Cut(l.VSCodeCommand, "'")
		if !ok || command != "code --add-mcp " || strings.Count(quoted, "'") != 1 {
			t.Error(l.VSCodeCommand)
		}
		sameJSON(t, strings.TrimSuffix(quoted, "'"), entry)
		server := map[string]any{"type": "http", "url": want}
		sameJSON(t, l.File, map[string]any{"mcpServers": map[string]any{slug: server}})
		server["headers"] = map[string]any{"Authorization": "Bearer ${ROBOTWTF_TOKEN}"}
		sameJSON(t, l.FileWithToken, map[string]any{"mcpServers": map[string]any{slug: server}})
		if !strings.Contains(l.Prompt, "my "+slug+" wiki") {
			t.Error(l.Prompt)
		}
	}
}

func sameJSON(t *testing.T, text string, want map[string]any) {
	t.Helper()
	var got map[string]any
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Errorf("%v in %s", err, text)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// checkClaudeCode parses the command like Claude Code: flags first, then a name and
// an address. No part of it may be special to a shell.
func checkClaudeCode(t *testing.T, line, name, address string) {
	t.Helper()
	if strings.ContainsAny(line, "'\"`$\\;&|<>()*?#~!\n") {
		t.Errorf("%s contains characters special to a shell", line)
	}
	words := strings.Fields(line)
	if len(words) < 4 || strings.Join(words[:3], " ") != "claude mcp add" {
		t.Fatalf("%s", line)
	}
	flags := map[string]string{}
	var rest []string
	for i := 3; i < len(words); i++ {
		if flag, ok := strings.CutPrefix(words[i], "--"); ok && len(rest) == 0 {
			i++
			flags[flag] = words[i]
			continue
		}
		rest = append(rest, words[i])
	}
	if diff := cmp.Diff(map[string]string{"transport": "http", "scope": "user"}, flags); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{name, address}, rest); diff != "" {
		t.Error(diff)
	}
}

// The connect page waits, explains requests and refusals, turns green when the
// member's agent writes, and keeps or undoes the agent's edits.
func TestConnectPage(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	b := w.as("ada")
	page := func() *answer { return b.get(on("ada", "/-/connect")).want(http.StatusOK) }
	lines := makeConnectLines("ada", testOrigin("ada"))
	page().has("Waiting for your agent", "Nothing has reached this wiki yet.", `href="cursor://anysphere`, `href="vscode:mcp/install?%7B%22name%22`,
		lines.ClaudeCode, lines.Prompt, "https://claude.ai/customize/connectors?modal=add-custom-connector&amp;connectorName=ada%20wiki&amp;connectorUrl=http%3A%2F%2Fada.").
		lacks("ZgotmplZ")
	note := func(r session.Request) { w.Session.Note(t.Context(), "ada", r) }
	note(session.Request{Method: "POST", Path: "/mcp", Status: 401, Cause: session.NoToken})
	page().has("No token yet. That’s how it starts.", "Look for the tab it opened.", "<b>401</b>")
	note(session.Request{Method: "POST", Path: "/mcp", Status: 401, Cause: session.OtherWiki})
	note(session.Request{Method: "POST", Path: "/mcp", Status: 401, Cause: session.Expired})
	note(session.Request{Method: "POST", Path: "/auth/oauth/register", Status: 201, Claims: "<b>Claude</b>"})
	page().has("This token is for another wiki.", "Its token has expired.", "It says it’s &lt;b&gt;Claude&lt;/b&gt;.", "Waiting for your agent")
	note(session.Request{Method: "POST", Path: "/mcp", Status: 200, Agent: "Claude", Tool: "edit_page"})
	page().has("Claude is connected", "Claude called edit_page.").lacks("Waiting")

	w.write("ada", "bob", "Cursor", "Other", "Another member's agent.\n")
	page().lacks("Cursor for bob")
	first := w.write("ada", "ada", "Claude", "My_Project", "Text.\n")
	second := w.write("ada", "ada", "Claude", "Home", "[[My Project]]\n")
	got := page().has("Claude has written", `<a class="name" href="/My_Project">My Project</a>`, "new page", `value="keep"`, `value="undo"`)
	if strings.Index(got.body, second.Commit) > strings.Index(got.body, first.Commit) {
		t.Error("the newest change is not the first")
	}
	do := func(who *browser, action, commit string) *answer {
		return who.post(on("ada", "/-/connect"), url.Values{"action": {action}, "commit": {commit}})
	}
	do(b, "keep", first.Commit).want(http.StatusSeeOther)
	page().lacks(first.Commit).has(second.Commit)
	kept := b.follow(do(b, "undo", second.Commit).want(http.StatusSeeOther)).want(http.StatusOK)
	kept.has("Undone, in a new revision.", "Claude is connected").lacks(second.Commit)
	b.get(on("ada", "/Home")).lacks("My Project</a>\n")
	b.get(on("ada", "/My_Project")).want(http.StatusOK).has("Text.")

	// A change that can't be undone stays, and the page shows why.
	third := w.write("ada", "ada", "Claude", "My_Project", "Another text.\n")
	w.write("ada", "bob", "", "My_Project", "Yet another text.\n")
	do(b, "undo", third.Commit).want(http.StatusConflict).has("This change can&rsquo;t be undone on its own")
	page().has(third.Commit)
	do(b, "keep", "0123456").want(http.StatusNotFound)
	do(b, "undo", "nonsense").want(http.StatusUnprocessableEntity)
	do(w.as("cleo"), "undo", third.Commit).want(http.StatusForbidden)
	do(w.as("cleo"), "keep", third.Commit).want(http.StatusSeeOther)
	page().has(third.Commit) // another member keeping it changes nothing for this one
	do(w.as("dan"), "keep", third.Commit).want(http.StatusForbidden)
	w.Clock.Add(25 * time.Hour)
	b = w.as("ada")
	page().lacks(third.Commit)
	b.get(on("bob", "/-/connect")).want(http.StatusNotFound)
}

// An openStream is an event stream being read.
type openStream struct {
	t      *testing.T
	body   io.ReadCloser
	events chan string // closed at its end
}

// listen opens the event stream of a wiki's connect page through a real server, as a
// person.
func listen(t *testing.T, w *testWiki, server *pipeServer, slug, name string) (*openStream, int) {
	t.Helper()
	return listenAt(t, w, server, slug, name, "/-/connect/events")
}

// listenAt opens an event stream.
func listenAt(t *testing.T, w *testWiki, server *pipeServer, slug, name, path string) (*openStream, int) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", testOrigin(slug)+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for n, value := range w.as(name).cookies[r.Host] {
		r.AddCookie(&http.Cookie{Name: n, Value: value})
	}
	res, err := server.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	s := &openStream{t, res.Body, make(chan string, 100)}
	t.Cleanup(func() { res.Body.Close() })
	go func() {
		defer close(s.events)
		var event strings.Builder
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			switch line := lines.Text(); {
			case line == "" && event.Len() > 0:
				s.events <- event.String()
				event.Reset()
			case strings.HasPrefix(line, "data: "):
				event.WriteString(strings.TrimPrefix(line, "data: ") + "\n")
			}
		}
	}()
	return s, res.StatusCode
}

// next returns the next event; ok is false if the stream has ended.
func (s *openStream) next() (event string, ok bool) {
	s.t.Helper()
	select {
	case event, ok = <-s.events:
		return event, ok
	case <-time.After(20 * time.Second):
		s.t.Fatal("no event came")
		return "", false
	}
}

// streaming returns a world behind an HTTP server with short time limits. Run it
// inside synctest.Test: connections are pipes, so that time is the bubble's and a
// busy machine doesn't run into the limits.
func streaming(t *testing.T) (*testWiki, *pipeServer) {
	t.Helper()
	w := newTestWiki(t)
	s := newPipeServer(&http.Server{Handler: w.handler, WriteTimeout: 200 * time.Millisecond, ReadTimeout: 200 * time.Millisecond})
	t.Cleanup(func() {
		w.web.EndStreams()
		s.client.CloseIdleConnections()
		s.Close()
	})
	return w, s
}

// A pipeServer is an HTTP server that only its client can reach.
type pipeServer struct {
	*http.Server
	client *http.Client
	dial   func(ctx context.Context, network, address string) (net.Conn, error)
}

func newPipeServer(server *http.Server) *pipeServer {
	l := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	l.close = sync.OnceFunc(func() { close(l.closed) })
	dial := func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe() // unbuffered: a write waits for the reader
		select {
		case l.conns <- far:
			return near, nil
		case <-l.closed:
			return nil, net.ErrClosed
		}
	}
	go server.Serve(l)
	return &pipeServer{server, &http.Client{Transport: &http.Transport{DialContext: dial}}, dial}
}

type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	close  func()
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error { l.close(); return nil }

func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

// The stream sends the panel at once and on each change, outlives the usual write
// timeout, and serves only members.
func TestStream(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, server := streaming(t)
		s, status := listen(t, w, server, "ada", "cleo")
		if event, ok := s.next(); status != 200 || !ok || !strings.Contains(event, "Waiting for your agent") {
			t.Fatalf("%d: %q", status, event)
		}
		time.Sleep(500 * time.Millisecond)
		sessions := w.Session
		sessions.Wake("ada") // without news, nothing is sent
		sessions.Note(t.Context(), "ada", session.Request{Method: "POST", Path: "/mcp", Status: 401, Cause: session.NoToken})
		if event, ok := s.next(); !ok || !strings.Contains(event, "No token yet.") {
			t.Fatalf("%v %q", ok, event)
		}
		for _, name := range []string{"dan", ""} {
			if _, status := listen(t, w, server, "ada", name); status != http.StatusForbidden {
				t.Errorf("%q listens to a wiki they only read: %d", name, status)
			}
		}
		if err := w.Tenant.RemoveMember(t.Context(), w.Access("ada", "ada"), "did:plc:cleo"); err != nil {
			t.Fatal(err)
		}
		sessions.Note(t.Context(), "ada", session.Request{Method: "POST", Path: "/mcp", Status: 401, Cause: session.Expired})
		if event, ok := s.next(); ok {
			t.Errorf("a former member got %q", event)
		}
	})
}

// Streams per person are limited, and closed ones are released. The service can
// stop while streams are open.
func TestStreamsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, server := streaming(t)
		var open []*openStream
		for len(open) < 10 {
			s, status := listen(t, w, server, "ada", "ada")
			if status == http.StatusTooManyRequests {
				break
			}
			s.next()
			open = append(open, s)
		}
		if len(open) != 4 {
			t.Errorf("one person has %d streams", len(open))
		}
		if _, status := listen(t, w, server, "ada", "bob"); status != http.StatusOK {
			t.Errorf("another person's first stream: %d", status)
		}
		open[0].body.Close()
		await.Until(t, "a closed stream is given back", await.Long, func() bool {
			_, status := listen(t, w, server, "ada", "ada")
			return status == http.StatusOK
		})
		w.web.EndStreams()
		for _, s := range open[1:] {
			if event, ok := s.next(); ok {
				t.Errorf("after the end came %q", event)
			}
		}
		done, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := server.Shutdown(done); err != nil {
			t.Errorf("open streams prevent the service from stopping: %v", err)
		}
	})
}

// A client that stops reading is disconnected, and blocks nobody.
func TestStalledStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTestWiki(t)
		w.web.stream.write = 200 * time.Millisecond
		r := httptest.NewRequest("GET", on("ada", "/-/connect/events"), nil)
		for n, value := range w.as("ada").cookies[r.Host] {
			r.AddCookie(&http.Cookie{Name: n, Value: value})
		}
		server := newPipeServer(&http.Server{Handler: w.handler})
		t.Cleanup(func() { server.Close() })
		here, err := server.dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { here.Close() })
		if err := r.Write(here); err != nil {
			t.Fatal(err)
		}
		watched := func() bool {
			var stops []func()
			defer func() {
				for _, stop := range stops {
					stop()
				}
			}()
			for range 4 {
				_, stop, err := w.Session.Watch(wiki.NewAccess(w.Access("ada", "ada").Site(), wiki.Caller{User: testworld.Person("ada")}, wiki.Owner))
				if err != nil {
					return true
				}
				stops = append(stops, stop)
			}
			return false
		}
		await.Until(t, "the stream begins", await.Long, watched)
		begun := time.Now()
		w.Session.Note(t.Context(), "ada", session.Request{Status: 401})
		if took := time.Since(begun); took > time.Second {
			t.Errorf("a notification was delayed by %v", took)
		}
		await.Until(t, "a client that doesn't read is disconnected", await.Long, func() bool { return !watched() })
	})
}
