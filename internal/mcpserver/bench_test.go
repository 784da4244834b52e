package mcpserver

import (
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

// processTime is the CPU time that the process has used.
func processTime(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
