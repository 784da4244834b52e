package mcpserver

import (
	"net/http"
	"testing"
)

// BenchmarkCall calls read_page through the whole chain; BenchmarkCallBySDK
// does so with the SDK answering.
func BenchmarkCall(b *testing.B)      { benchmarkCall(b, false) }
func BenchmarkCallBySDK(b *testing.B) { benchmarkCall(b, true) }

func benchmarkCall(b *testing.B, sdk bool) {
	w := newWorld(b)
	if sdk {
		w.door.special = map[string]http.Handler{"ada": w.door.sdk}
	}
	p := posted{token: "ada/editor", slug: "ada", body: callBody(1, "read_page", "path", "Home")}
	b.ReportAllocs()
	for b.Loop() {
		if a := w.post(p); a.StatusCode != 200 {
			b.Fatal(a.text)
		}
	}
}
