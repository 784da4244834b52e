package mcpserver

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"
)

// BenchmarkCall calls tools through the whole chain; BenchmarkCallBySDK does
// so with the SDK answering.
func BenchmarkCall(b *testing.B)      { benchmarkCalls(b, false) }
func BenchmarkCallBySDK(b *testing.B) { benchmarkCalls(b, true) }

func benchmarkCalls(b *testing.B, sdk bool) {
	for _, tool := range []struct {
		name string
		body func(n int64) string
	}{
		{"read_page", func(n int64) string { return callBody(n, "read_page", "path", "Home") }},
		{"search", func(n int64) string { return callBody(n, "search", "query", "line", "mode", "keyword") }},
		{"edit_page", func(n int64) string {
			words := []string{"even", "odd"}
			edit := map[string]string{"op": "replace", "old": words[n%2], "text": words[(n+1)%2]}
			return callBody(n, "edit_page", "path", "Bench", "edits", []any{edit})
		}},
	} {
		b.Run(tool.name, func(b *testing.B) {
			w := newWorld(b)
			if sdk {
				w.door.special = map[string]http.Handler{"ada": w.door.sdk}
			}
			w.save("ada", "ada", "Home", benchmarkPage)
			w.save("ada", "ada", "Bench", "even\n")
			b.ReportAllocs()
			cpu := processTime(b)
			n := int64(0)
			for b.Loop() {
				w.benchmarkPost(b, tool.body(n))
				n++
			}
			b.ReportMetric(float64(processTime(b)-cpu)/float64(n), "cpu-ns/op")
		})
	}
}

var benchmarkPage = "# Home\n\n" + strings.Repeat("A line with words, a [link](Bench) and more words.\n", 40)

// benchmarkPost posts a body as a member, without the overhead of post.
func (w *world) benchmarkPost(b testing.TB, body string) {
	r, err := http.NewRequestWithContext(b.Context(), "POST", "http://ada.robot.localhost/mcp", strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	r.RemoteAddr = "192.0.2.1:1234"
	r.Header = http.Header{
		"Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"},
		"Mcp-Protocol-Version": {"2025-11-25"}, "Authorization": {"Bearer " + w.Tokens["ada/editor"]},
	}
	answer := httptest.NewRecorder()
	w.handler.ServeHTTP(answer, r)
	if text := answer.Body.String(); answer.Code != 200 || strings.Contains(text, `"isError":true`) {
		b.Fatal(answer.Code, text)
	}
}

// A call on a page in another script costs about as much CPU time as on an English one
// of as many bytes.
func TestCallsCostTheSameInEveryScript(t *testing.T) {
	w := newWorld(t)
	texts := scripts(t)
	page := func(script string) string {
		text := strings.Repeat(texts[script]+"\n\n", 8_000/len(texts[script])+1)
		return strings.ToValidUTF8(text[:8_000], "")
	}
	calls := map[string]func(name string, n int64) string{
		"read_page": func(name string, n int64) string { return callBody(n, "read_page", "path", name) },
		"edit_page": func(name string, n int64) string {
			return callBody(n, "edit_page", "path", name, "edits", []any{map[string]string{"op": "append", "text": fmt.Sprintf("Line %d.", n)}})
		},
	}
	for tool, body := range calls {
		cost := map[string]time.Duration{}
		for round := range 6 { // the first one warms up
			for _, script := range []string{"english", "japanese", "arabic"} {
				name := tool + " " + script
				w.save("ada", "ada", name, page(script))
				before := processTime(t)
				for n := range int64(20) {
					w.benchmarkPost(t, body(name, n))
				}
				if used := processTime(t) - before; round == 1 || round > 1 && used < cost[script] {
					cost[script] = used
				}
			}
		}
		for _, script := range []string{"japanese", "arabic"} {
			ratio := float64(cost[script]) / float64(cost["english"])
			t.Logf("%s: %s %.2f times English", tool, script, ratio)
			if ratio > 2 {
				t.Errorf("%s costs %s on a page in %s, %s in English", tool, cost[script], script, cost["english"])
			}
		}
	}
}

// processTime is the CPU time that the process has used.
func processTime(b testing.TB) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
