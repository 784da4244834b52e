package mcpserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"robot.wtf/internal/limit"
	"robot.wtf/internal/wiki"
)

// tricks are bodies that two parsers could understand differently, with the code
// of the error, or 0 if they are fine.
var tricks = []struct {
	body string
	code int
}{
	{callBody(1, "create_page", "path", "P", "content", "x"), 0},
	{" \r\n\t" + callBody(1, "read_page", "path", "Home") + " \r\n\t", 0},
	{callBody(1, "create_page", "path", "P", "content", "x") + "x", -32700},
	{callBody(1, "create_page", "path", "P", "content", "x") + "}", -32700},
	{callBody(1, "create_page", "path", "P", "content", "x") + "\x00", -32700},
	{callBody(1, "create_page", "path", "P", "content", "x") + " 1", -32700},
	{callBody(1, "create_page", "path", "P", "content", "x") + callBody(2, "create_page", "path", "Q", "content", "x"), -32700},
	{"\ufeff" + callBody(1, "create_page", "path", "P", "content", "x"), -32700},
	{"", -32700}, {" ", -32700}, {"{", -32700}, {"[", -32700}, {"nul", -32700}, {"'", -32700},
	{`{"jsonrpc":"2.0","id":1,"method":"tools/call","method":"ping","params":{"name":"create_page","arguments":{"path":"P","content":"x"}}}`, -32600},
	{`{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call","params":{"name":"create_page","arguments":{"path":"P","content":"x"}}}`, -32600},
	{`{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call","params":{"name":"create_page","arguments":{"path":"P","content":"x"}}}`, -32600},
	{`{"jsonrpc":"2.0","id":1,"METHOD":"tools/call","params":{"name":"create_page","arguments":{"path":"P","content":"x"}}}`, -32600},
	{`{"jsonrpc":"2.0","id":1,"method":"ping","m\u0065thod":"tools/call","params":{"name":"create_page","arguments":{"path":"P","content":"x"}}}`, -32600},
	{`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_page","name":"create_page","arguments":{"path":"P","content":"x"}}}`, -32600},
	{`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"Name":"create_page","arguments":{"path":"P","content":"x"}}}`, -32600},
	{`{"jsonrpc":"2.0","id":1,"method":"tools/call","param\u017f":{},"params":{"name":"create_page","arguments":{"path":"P","content":"x"}}}`, -32600},
	{`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"create_page","arguments":{"path":"P","path":"Q","content":"x"}}}`, -32600},
	{`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"create_page","arguments":{"path":"P","content":"x","deep":[{"K":1,"\u212a":2}]}}}`, -32600},
	{`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"create_page","arguments":{"path":"P","content":"a\u0000b"}}}`, -32600},
	{`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"create_page","arguments":{"path":"P","content":"a\\u0000b"}}}`, 0},
	{`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"create_page","arguments":{"path":"P","content":"\ud83d"}}}`, -32700},
	{`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"create_page","arguments":{"path":"P","content":"\ud83d\ude00"}}}`, 0},
	{`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"create_page","arguments":{"path":"P","content":"` + "\xff" + `"}}}`, -32700},
	{`{"jsonrpc":"2.0","id":1,"method":"tools\/call","params":{"n\u0061me":"create\u005fpage","arguments":{"path":"P","content":"x"}}}`, 0},
	{`{"jsonrpc":"2.0","id":null,"method":"tools/call","params":{"name":"create_page","arguments":{"path":"P","content":"x"}}}`, -32600},
	{`{"jsonrpc":"2.0","id":true,"method":"ping"}`, -32600}, {`{"jsonrpc":"2.0","id":{},"method":"ping"}`, -32600},
	{`{"jsonrpc":"2.0","id":"` + strings.Repeat("a", maxID) + `","method":"ping"}`, -32600},
	{`{"jsonrpc":"2.0","id":12345678901234567890123,"method":"tools/call","params":{"name":"create_page","arguments":{"path":"P","content":"x"}}}`, 0},
	{`{"jsonrpc":"2.0","method":"tools/call","params":{"name":"create_page","arguments":{"path":"P","content":"x"}}}`, 0}, // the SDK refuses the notification
	{`{"jsonrpc":2.0,"id":1,"method":"ping"}`, -32600}, {`{"id":1,"method":"ping"}`, -32600},
	{`{"jsonrpc":"2.0","id":1,"method":["tools/call"]}`, -32600}, {`{"jsonrpc":"2.0","id":1,"method":""}`, -32600},
	{`{"jsonrpc":"2.0","id":1}`, -32600}, {`{"jsonrpc":"2.0","result":{}}`, -32600}, {`{"jsonrpc":"2.0","id":1,"result":{}}`, 0},
	{`{"jsonrpc":"2.0","id":1,"method":"tools/call","result":{},"params":{"name":"create_page","arguments":{"path":"P","content":"x"}}}`, -32600},
	{`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":[{"name":"create_page"}]}`, -32602},
	{`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"create_page","arguments":[]}}`, 0}, // the SDK refuses it
	{`1`, -32600}, {`"ping"`, -32600}, {`null`, -32600}, {`[]`, -32600}, {`[1]`, -32600}, {`[[]]`, -32600},
	{"[" + callBody(1, "create_page", "path", "P", "content", "x") + "," + callBody(2, "read_page", "path", "Home") + "]", 0},
	{"[" + callBody(1, "create_page", "path", "P", "content", "x") + "," + callBody(1, "create_page", "path", "Q", "content", "x") + "]", -32600},
	{"[" + callBody(1, "create_page", "path", "P", "content", "x") + ",]", -32700},
	{"[" + callBody(1, "create_page", "path", "P", "content", "x") + "] ]", -32700},
	{"[" + callBody(1, "create_page", "path", "P", "content", "x") + "],[" + callBody(2, "create_page", "path", "Q", "content", "x") + "]", -32700},
	{"[" + strings.Repeat(`{"jsonrpc":"2.0","method":"notifications/initialized"},`, maxBatch) + `{"jsonrpc":"2.0","method":"notifications/initialized"}]`, -32600},
	{`{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":` + strings.Repeat("[", 62) + strings.Repeat("]", 62) + `}}`, 0},
	{`{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":` + strings.Repeat("[", 63) + strings.Repeat("]", 63) + `}}`, -32600},
	{`{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":[0` + strings.Repeat(",0", maxValues) + `]}}`, -32600},
	{`{"jsonrpc":"2.0","id":1,"method":"ping","params":{` + manyMembers(maxMembers) + `}}`, 0},
	{`{"jsonrpc":"2.0","id":1,"method":"ping","params":{` + manyMembers(maxMembers+1) + `}}`, -32600},
	{`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, 0},
	{`{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"orient"}}`, 0},
	{`{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true}}}`, 0},
}

func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"%d":0`, i)
	}
	return b.String()[1:]
}

// A trickster counts calls that are executed, instead of executing them.
type trickster struct {
	*world
	grant           string // of the token that it uses
	executed, wrote atomic.Int32
}

// newTrickster returns a world whose tools do nothing.
func newTrickster(t testing.TB) *trickster {
	tr := &trickster{world: newWorld(t)}
	for name, real := range tr.door.tools {
		fake := *real
		fake.serve = func(*Handler, context.Context, *client, arguments) (*reply, error) {
			tr.executed.Add(1)
			if real.action != wiki.Read {
				tr.wrote.Add(1)
			}
			return &reply{head: say("done")}, nil
		}
		tr.door.tools[name] = &fake
	}
	r := httptest.NewRequest("POST", "http://ada.robot.localhost/mcp", nil)
	r.Header.Set("Authorization", "Bearer "+tr.Tokens["ada/editor"])
	caller, err := tr.Session.Bearer(r, "ada")
	if err != nil {
		t.Fatal(err)
	}
	tr.grant = caller.Grant
	return tr
}

// try sends a body, and fails if more was executed than counted, or anything
// without a token.
func (tr *trickster) try(t testing.TB, body, version string) *httptest.ResponseRecorder {
	t.Helper()
	const each = 3 * maxBatch
	now := time.Now()
	limits := limit.New(limit.Options{Rates: limit.RatesFor(each, each), Now: func() time.Time { return now }})
	var logged strings.Builder
	tr.door.o.Limits, tr.door.o.Log = limits, slog.New(slog.NewTextHandler(&logged, nil))
	tr.executed.Store(0)
	tr.wrote.Store(0)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	r := httptest.NewRequestWithContext(ctx, "POST", "http://ada.robot.localhost/mcp", strings.NewReader(body))
	r.Header = http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}, "Authorization": {"Bearer " + tr.Tokens["ada/editor"]}}
	if version != "" {
		r.Header.Set("MCP-Protocol-Version", version)
	}
	rec := httptest.NewRecorder()
	tr.handler.ServeHTTP(rec, r)
	if ctx.Err() != nil {
		t.Errorf("%q takes 10 s", truncate(body, 200))
	}
	reads, writes := each-left(limits, tr.grant, false), each-left(limits, tr.grant, true)
	if executed, wrote := int(tr.executed.Load()), int(tr.wrote.Load()); reads < 1 || executed > reads || wrote > writes {
		t.Errorf("%q: %d calls executed, %d of them writes; counted %d and %d", truncate(body, 200), executed, wrote, reads, writes)
	}
	if strings.Contains(logged.String(), "counted") { // the SDK found a message that the reader didn't
		t.Errorf("%q: %s", truncate(body, 200), logged.String())
	}
	return rec
}

// left counts a token's requests that the limits still allow.
func left(limits *limit.Limiter, grant string, write bool) (n int) {
	for limits.Take(limit.Request{Wiki: "ada", Caller: limit.Token(grant), Member: true, Write: write}) == nil {
		n++
	}
	return n
}

// Attack: POST /mcp with one byte after the JSON. The SDK executed it, but our
// rate limits didn't count it. The same with duplicate members, members in another
// case, and so on: nothing that the reader rejects is executed, and everything that
// is executed is counted.
func TestTricksAreCountedOrRefused(t *testing.T) {
	t.Parallel()
	tr := newTrickster(t)
	for _, trick := range tricks {
		rec := tr.try(t, trick.body, "2025-03-26")
		var got struct {
			ID    json.RawMessage
			Error struct{ Code int }
		}
		_ = json.Unmarshal(rec.Body.Bytes(), &got)
		if trick.code != 0 && (rec.Code != http.StatusBadRequest || got.Error.Code != trick.code || tr.executed.Load() > 0) {
			t.Errorf("%q: %d %s, executed %d; want the error %d", truncate(trick.body, 200), rec.Code, rec.Body, tr.executed.Load(), trick.code)
		}
		if trick.code == 0 && strings.Contains(rec.Body.String(), "-32700") {
			t.Errorf("%q: %d %s", truncate(trick.body, 200), rec.Code, rec.Body)
		}
	}
	if rec := tr.try(t, "["+callBody(1, "create_page", "path", "P", "content", "x")+"]", "2025-06-18"); rec.Code != http.StatusBadRequest || tr.executed.Load() > 0 {
		t.Errorf("a batch in a revision without them: %d %s", rec.Code, rec.Body)
	}
	if tr.try(t, "["+callBody(1, "create_page", "path", "P", "content", "x")+","+callBody(2, "read_page", "path", "Home")+"]", ""); tr.executed.Load() != 2 || tr.wrote.Load() != 1 {
		t.Errorf("a batch of two: %d executed, %d writes", tr.executed.Load(), tr.wrote.Load())
	}
}

// FuzzExecutedImpliesCounted: whatever the body, no call is executed without a
// token of the rate limits.
func FuzzExecutedImpliesCounted(f *testing.F) {
	for _, trick := range tricks {
		if len(trick.body) < 10_000 {
			f.Add(trick.body, "2025-03-26")
		}
	}
	f.Add(callBody(1, "create_page", "path", "P", "content", "x"), "2025-11-25")
	f.Add(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_page","arguments":{"path":"Home"},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`, "2026-07-28")
	tr := newTrickster(f)
	f.Fuzz(func(t *testing.T, body, version string) {
		tr.try(t, body, version)
	})
}

// An id comes back as the client sent it, from our own path and from the SDK,
// which keeps numbers as float64.
func TestIDsComeBackAsSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, id := range []string{"0", "-1", "7", `"7"`, `"é\u00e9"`, "9007199254740993", "-9007199254740993", "123456789012345678901234567890", "1.5", "1e3", `""`} {
		for _, rest := range []string{
			`"method":"tools/call","params":{"name":"read_page","arguments":{"path":"Home"}}`,
			`"method":"tools/list"`, `"method":"tools/call","params":{"name":"nothing"}`, `"method":"prompts/get","params":{"name":"nothing"}`,
		} {
			a := w.post(posted{token: "ada/editor", slug: "ada", body: `{"jsonrpc":"2.0","id":` + id + `,` + rest + `}`})
			if got := string(a.result.ID); got != id && !(id[0] == '"' && sameText(got, id)) {
				t.Errorf("%s %s: came back as %s: %s", id, rest, got, truncate(a.text, 200))
			}
		}
	}
}

func sameText(a, b string) bool {
	var x, y string
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && x == y
}

// The names of an object are compared one by one up to a number, then by index.
func TestNamesDifferInMoreThanCase(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, scannedNames - 1, scannedNames, scannedNames + 1, 200} {
		var names []string
		for i := range n {
			names = append(names, fmt.Sprintf("name%d", i))
		}
		for _, again := range []string{"name0", "NAME0", fmt.Sprintf("Name%d", n-1), `n\u0061me0`} {
			if _, _, err := readMessages(objectOf(append(slices.Clone(names), again)), ""); err == nil {
				t.Errorf("%d names, then %s: accepted", n, again)
			}
		}
		if _, _, err := readMessages(objectOf(append(names, "name-0")), ""); err != nil {
			t.Errorf("%d names: %v", n, err)
		}
	}
}

func objectOf(names []string) []byte {
	return []byte(`{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":[{"` + strings.Join(names, `":0,"`) + `":0},{"name0":1}]}}`)
}

// Attack: bodies made to be slow to read. Twice the size costs less than 2.5 times
// the CPU, and the largest body little.
func TestHostileBodiesCostLinearTime(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // its time varies
	for name, body := range map[string]func(n int) string{
		"names": func(n int) string {
			var b strings.Builder
			for i := range n / 2 {
				if i%(maxMembers-1) == 0 {
					b.WriteString(`"":0},{`)
				}
				fmt.Fprintf(&b, `"%x":0,`, i)
			}
			return `[{` + b.String() + `"":0}]`
		},
		"colliding names": func(n int) string { return "[" + strings.Repeat(`{"a":{},"A_":{},"b":{}},`, n/8) + "0]" },
		"values":          func(n int) string { return "[" + strings.Repeat("0,", n) + "0]" },
		"escapes":         func(n int) string { return `"` + strings.Repeat(`\u0041`, 10*n) + `"` },
		"NULs":            func(n int) string { return "[" + strings.Repeat(`"\\u0000",`, n) + "0]" },
		"long text":       func(n int) string { return `"` + strings.Repeat("é", 40*n) + `"` },
		"open arrays":     func(n int) string { return strings.Repeat("[", n) },
	} {
		t.Run(name, func(t *testing.T) {
			cost := func(n int) time.Duration {
				whole := []byte(`{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":` + body(n) + `}}`)
				least := time.Hour
				for range 5 {
					start := cpuTime(t)
					_, _, err := readMessages(whole, "")
					least = min(least, cpuTime(t)-start)
					if rejected := (*messageError)(nil); err != nil && !errors.As(err, &rejected) {
						t.Fatal(err)
					}
				}
				return least
			}
			once, twice := cost(20_000), cost(40_000)
			linear := func() bool { return twice <= 5*once/2+time.Millisecond }
			for try := 0; try < 10 && !linear(); try++ { // other processes disturb it
				once, twice = min(once, cost(20_000)), min(twice, cost(40_000))
			}
			if t.Logf("%v, twice the size %v", once, twice); !linear() {
				t.Error("more than 2.5 times as much")
			}
		})
	}
}

// cpuTime is the CPU time of the process.
func cpuTime(t *testing.T) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// A NUL in a text gets an error that says what to do, and nothing is saved.
func TestNULInContent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.post(posted{token: "ada/editor", slug: "ada", body: callBody(3, "create_page", `{"path":"Nul","content":"a\u0000b"}`)})
	if a.StatusCode != http.StatusBadRequest || a.result.Error == nil || !strings.Contains(a.result.Error.Message, "NUL") {
		t.Errorf("%s %s", a.Status, a.text)
	}
	if _, err := w.Pages.Source(w.T.Context(), w.Access("ada", "ada"), "Nul", ""); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("the page exists: %v", err)
	}
}
