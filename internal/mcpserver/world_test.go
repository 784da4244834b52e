package mcpserver

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"robot.wtf/internal/limit"
	"robot.wtf/internal/server"
	"robot.wtf/internal/testdisk"
	"robot.wtf/internal/testworld"
)

// The test binary is also the service that tests kill.
func TestMain(m *testing.M) {
	if dir := os.Getenv("ROBOT_TEST_SERVE"); dir != "" {
		serveUntilKilled(dir, os.Getenv("ROBOT_TEST_ADDR"))
	}
	os.Exit(testdisk.Run(m))
}

// A world is a testworld behind the real chain of handlers. Its clock ticks: no
// two looks at it see the same second.
type world struct {
	*testworld.World
	handler http.Handler
	door    *Handler
	ids     atomic.Int64
}

func newWorld(t testing.TB) *world { return newLimitedWorld(t, nil) }

func newLimitedWorld(t testing.TB, limits *limit.Limiter) *world {
	t.Helper()
	clock := new(testworld.Clock)
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	return serveWorld(testworld.New(t, testworld.Options{Now: clock.Tick, Log: log}), clock.Tick, limits, log)
}

// serveWorld builds the chain of handlers.
func serveWorld(services *testworld.World, now func() time.Time, limits *limit.Limiter, log *slog.Logger) *world {
	w := &world{World: services}
	w.door = New(Options{Pages: w.Pages, Tenant: w.Tenant, Session: w.Session, Limits: limits, Now: now, Log: log})
	lost := func(rw http.ResponseWriter, r *http.Request, _ string) { http.NotFound(rw, r) }
	w.handler = server.New(server.Options{
		Host: "robot.localhost", Platform: http.NotFound, Wiki: lost, API: lost, MCP: w.door.ServeWiki, Log: slog.New(slog.DiscardHandler),
	})
	return w
}

func (w *world) must(err error) {
	w.T.Helper()
	if err != nil {
		w.T.Fatal(err)
	}
}

// save writes a page and returns its revision.
func (w *world) save(slug, name, page, text string) string {
	w.T.Helper()
	return w.Save(slug, name, page, text).Revision
}

func (w *world) source(slug, page string) string {
	w.T.Helper()
	src, err := w.Pages.Source(w.T.Context(), w.Access(slug, slug), page, "")
	w.must(err)
	return src.Text
}

// A request is one POST to /mcp, as a client of revision 2025-11-25 sends it.
type posted struct {
	token, slug string
	body        string
	headers     []string // pairs
	method      string   // POST when empty
	path        string
}

type answered struct {
	*http.Response
	text   string
	result struct {
		ID     json.RawMessage
		Result struct {
			Content []struct {
				Type, Text, Data, MIMEType string
			}
			IsError bool
			Tools   []struct{ Name, Description string }
		}
		Error *struct {
			Code    int
			Message string
		}
	}
}

func (w *world) post(p posted) answered {
	w.T.Helper()
	if p.method == "" {
		p.method = "POST"
	}
	if p.path == "" {
		p.path = "/mcp"
	}
	r := httptest.NewRequest(p.method, "http://"+p.slug+".robot.localhost"+p.path, strings.NewReader(p.body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	r.Header.Set("MCP-Protocol-Version", "2025-11-25")
	if secret := w.Tokens[p.token]; secret != "" {
		r.Header.Set("Authorization", "Bearer "+secret)
	}
	for i := 0; i+1 < len(p.headers); i += 2 {
		r.Header.Del(p.headers[i])
		if p.headers[i+1] != "" {
			r.Header.Set(p.headers[i], p.headers[i+1])
		}
	}
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	a := answered{Response: rec.Result(), text: rec.Body.String()}
	_ = json.Unmarshal([]byte(a.text), &a.result)
	return a
}

// call calls a tool; arguments come in pairs, or as one text of JSON.
func (w *world) call(token, tool string, arguments ...any) (text string, failed bool) {
	w.T.Helper()
	slug, _, _ := strings.Cut(token, "/")
	a := w.post(posted{token: token, slug: slug, body: callBody(w.ids.Add(1), tool, arguments...)})
	if a.StatusCode != 200 || len(a.result.Result.Content) == 0 {
		w.T.Fatalf("%s: %s %s", tool, a.Status, a.text)
	}
	return a.result.Result.Content[0].Text, a.result.Result.IsError
}

func callBody(id int64, tool string, arguments ...any) string {
	given := map[string]any{}
	if len(arguments) == 1 {
		return `{"jsonrpc":"2.0","id":` + jsonOf(id) + `,"method":"tools/call","params":{"name":"` + tool + `","arguments":` + arguments[0].(string) + `}}`
	}
	for i := 0; i+1 < len(arguments); i += 2 {
		given[arguments[i].(string)] = arguments[i+1]
	}
	return `{"jsonrpc":"2.0","id":` + jsonOf(id) + `,"method":"tools/call","params":{"name":"` + tool + `","arguments":` + jsonOf(given) + `}}`
}

func jsonOf(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// ok calls a tool that must not fail.
func (w *world) ok(token, tool string, arguments ...any) string {
	w.T.Helper()
	text, failed := w.call(token, tool, arguments...)
	if failed {
		w.T.Fatalf("%s %v: %s", tool, arguments, text)
	}
	return text
}

// fails calls a tool that must fail and say so.
func (w *world) fails(says, token, tool string, arguments ...any) string {
	w.T.Helper()
	text, failed := w.call(token, tool, arguments...)
	if !failed || !strings.Contains(text, says) {
		w.T.Errorf("%s %v: failed %v: %s\nwant %q", tool, arguments, failed, text, says)
	}
	return text
}
