package mcpserver

import (
	"fmt"
	"log/slog"
	"net/http/httptest"
	"testing"

	"robot.wtf/internal/wiki"
)

// Each kind of error has a reply of its own, and over HTTP the status of
// wiki.Status.
func TestRefusalOfEveryKind(t *testing.T) {
	h := &Handler{o: Options{Log: slog.New(slog.DiscardHandler)}}
	for _, kind := range wiki.Kinds() {
		err := fmt.Errorf("pages: %w", kind)
		if r := h.errorReply(t.Context(), &client{}, &tool{}, arguments{}, err); !r.failed || r.head.text() == "" || r.head.text() == internalErrorText {
			t.Errorf("%v: reply %q", kind, r.head.text())
		}
		if kind == wiki.ErrNotFound || kind == wiki.ErrDenied || kind == wiki.ErrSuspended {
			continue // 401 with a challenge, like a missing token
		}
		w := httptest.NewRecorder()
		h.refuseCaller(w, httptest.NewRequest("POST", "/mcp", nil), "ada", err)
		if w.Code != wiki.Status(kind) {
			t.Errorf("%v: status %d, want %d", kind, w.Code, wiki.Status(kind))
		}
	}
}
