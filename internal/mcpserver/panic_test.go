package mcpserver

import (
	"log/slog"
	"strings"
	"testing"

	"robot.wtf/internal/background"
)

// A panic in a method that the SDK handles, on a goroutine of its own, is that
// request's error.
func TestPanicInMethod(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var log strings.Builder
	w.door.o.Background = background.New(background.Options{Log: slog.New(slog.NewTextHandler(&log, nil)), Before: func(background.Job) { panic("a bug") }})
	const prompts = `{"jsonrpc":"2.0","id":1,"method":"prompts/list"}`
	if a := w.post(posted{token: "ada/editor", slug: "ada", body: prompts}); !strings.Contains(a.text, "Something broke on our side") || strings.Contains(a.text, "a bug") {
		t.Errorf("%d: %s", a.StatusCode, a.text)
	}
	if !strings.Contains(log.String(), "a bug") || !strings.Contains(log.String(), "panic_test.go") {
		t.Errorf("the log lacks the stack: %s", &log)
	}
	w.door.o.Background = nil
	if a := w.post(posted{token: "ada/editor", slug: "ada", body: prompts}); a.StatusCode != 200 || strings.Contains(a.text, "error") {
		t.Errorf("%d: %s", a.StatusCode, a.text)
	}
}
