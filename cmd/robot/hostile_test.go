package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"robot.wtf/internal/config"
	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

// A hostileRequest is expensive for the service and cheap for its sender.
type hostileRequest struct {
	what, method, path string
	body               func(n int) string
	mcp                bool
}

// hostileRequests returns what bob's tokens can do to hurt ada's readers.
func hostileRequests(base string) []hostileRequest {
	quote := func(s string) string { text, _ := json.Marshal(s); return string(text) }
	conflicts := strings.TrimSuffix(quote(strings.Repeat("mine\na\nb\nc\nd\n", 20_000)), `"`)
	nested := strings.TrimSuffix(quote(strings.Repeat("a\n: ", 40_000)), `"`)
	call := func(name, arguments string) string {
		return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"` + name + `","arguments":` + arguments + `}}`
	}
	return []hostileRequest{
		{what: "an edit that conflicts in 20,000 places", method: "PUT", path: "/api/v1/pages/Conflict", body: func(n int) string {
			return fmt.Sprintf(`{"content":%s%d","revision":"%s"}`, conflicts, n, base)
		}},
		{what: "a regular expression that backtracks", mcp: true, body: func(int) string {
			return call("grep", `{"pattern":"(?:a?){500}z","regex":true}`)
		}},
		{what: "new pages of nested lists", method: "PUT", path: "/api/v1/pages/Nested_%d", body: func(n int) string {
			return fmt.Sprintf(`{"content":%s%d"}`, nested, n)
		}},
		{what: "calls with a byte after the message", mcp: true, body: func(int) string { return call("read_page", `{"path":"Home"}`) + "x" }},
	}
}

// floodPause is the time between two requests of a connection. Four connections send
// as much as the rate limits let one wiki write: 20 a second.
const floodPause = 200 * time.Millisecond

// flood sends a request from four connections at once until stop is called.
func (l *live) flood(address, token string, h hostileRequest) (stop func()) {
	var senders sync.WaitGroup
	stopped := make(chan struct{})
	client := &http.Client{Transport: &http.Transport{DialContext: dialTo(address), MaxIdleConnsPerHost: 4}, Timeout: time.Minute}
	for i := range 4 {
		senders.Go(func() {
			for n := i; ; n += 4 {
				select {
				case <-stopped:
					return
				case <-time.After(floodPause):
				}
				method, path := h.method, h.path
				if h.mcp {
					method, path = "POST", "/mcp"
				}
				r, err := http.NewRequest(method, "http://bob."+config.DevHost+strings.ReplaceAll(path, "%d", fmt.Sprint(n)), strings.NewReader(h.body(n)))
				if err != nil {
					return
				}
				r.Header.Set("Authorization", "Bearer "+token)
				r.Header.Set("Content-Type", "application/json")
				r.Header.Set("Accept", "application/json, text/event-stream")
				if answer, err := client.Do(r); err == nil {
					_, _ = io.Copy(io.Discard, answer.Body)
					answer.Body.Close()
				}
			}
		})
	}
	return func() { close(stopped); senders.Wait() }
}

// Nothing that one tenant does costs the others anything they notice: while it sends
// the most expensive requests that we know, another wiki's pages take at most twice
// as long (p99, the median of five rounds).
func TestHostileTenantLeavesOthersAlone(t *testing.T) {
	if os.Getenv("ROBOT_LONG") == "" {
		t.Skip("measures time for a minute")
	}
	l := startLive(t)
	address := l.listen()
	token := l.token("bob", "owner")
	base := l.prepareHostilePages()
	client := &http.Client{Transport: &http.Transport{DialContext: dialTo(address)}}
	for _, h := range hostileRequests(base) {
		var slower []float64
		for range 5 {
			l.p99(client, 100)
			idle := l.p99(client, 2000)
			stop := l.flood(address, token, h)
			busy := l.p99(client, 2000)
			stop()
			slower = append(slower, float64(busy)/float64(max(idle, time.Millisecond))) // less isn't noticeable
		}
		slices.Sort(slower)
		t.Logf("measured: %s: others' p99 is %.2f times what it was", h.what, slower[2])
		if slower[2] > 2 {
			t.Errorf("%s slows others down by %.2f", h.what, slower[2])
		}
	}
}

// prepareHostilePages writes pages to bob's wiki that make requests expensive. It
// returns an old revision of the page Conflict.
func (l *live) prepareHostilePages() (base string) {
	l.t.Helper()
	ctx := l.t.Context()
	a, err := l.Tenant.Resolve(ctx, "bob", wiki.Caller{User: wiki.User{DID: "did:plc:bobbobbobbobbobbobbobbob", Username: "bob"}})
	l.must(err)
	save := func(name, text, base string) string {
		saved, err := l.Pages.Save(ctx, a, pages.SaveRequest{Name: name, Text: []byte(text), Precondition: pages.Precondition{Base: base, Create: base == ""}})
		l.must(err)
		return saved.Revision
	}
	base = save("Conflict", strings.Repeat("base\na\nb\nc\nd\n", 20_000), "")
	save("Conflict", strings.Repeat("theirs\na\nb\nc\nd\n", 20_000), base)
	save("Long", strings.Repeat("a", 200_000)+"\n", "")
	return base
}
