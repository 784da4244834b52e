package mcpserver

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/limit"
	"robot.wtf/internal/wiki"
)

// Attack: an agent collects one-time addresses and uploads faster than its
// token can write. Each upload counts as a write of that token.
func TestUploadRateLimit(t *testing.T) {
	t.Parallel()
	const writes = 10
	start := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	now := start
	w := newLimitedWorld(t, limit.New(limit.Options{Rates: limit.RatesFor(1000, writes), Now: func() time.Time { return now }}))
	w.door.o.Now = func() time.Time { return start } // addresses don't expire
	var paths []string
	for i := range writes { // asking for an address is a write too: these in earlier minutes
		paths = append(paths, w.offerUpload("ada/editor", "Home", fmt.Sprintf("f%d.txt", i)))
		now = now.Add(time.Minute)
	}
	now = now.Add(time.Minute)
	paths = append(paths, w.offerUpload("ada/editor", "Home", "last.txt")) // this one in the same minute as the uploads
	for i, path := range paths[:writes-1] {
		if a := w.send("ada", path, strings.NewReader("x")); a.Code != http.StatusCreated {
			t.Fatalf("upload %d: %d %s", i, a.Code, a.Body)
		}
	}
	a := w.send("ada", paths[writes], strings.NewReader("x"))
	if a.Code != http.StatusTooManyRequests || a.Header().Get("Retry-After") == "" {
		t.Errorf("beyond the limit: %d %s", a.Code, a.Body)
	}
	if _, _, err := w.file("ada", "Home/last.txt"); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("it is stored: %v", err)
	}
}
