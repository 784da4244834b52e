package pages

import (
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/markdown"
)

// A render that took too long shows the source once. The next one tries again, until
// the page has been too slow twice.
func TestSlowPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	slow := strings.Repeat("*a*\n\n", 20_000)
	w.put("Slow", slow)
	patient := w.Service.markdown
	view := func() *View {
		v, err := w.View(w.t.Context(), w.reader, "Slow", "")
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	w.Service.markdown = markdown.New(markdown.Options{Patience: time.Millisecond})
	if v := view(); v.Body != "" || !v.Provisional || len(v.Notices) != 1 || !strings.Contains(v.Notices[0], "too long to render") {
		t.Errorf("a slow page: %d bytes, provisional %v, %q", len(v.Body), v.Provisional, v.Notices)
	}
	w.Service.markdown = patient
	if v := view(); v.Body == "" || v.Provisional || len(v.Notices) > 0 {
		t.Errorf("the second try: %d bytes, provisional %v, %q", len(v.Body), v.Provisional, v.Notices)
	}

	w.put("Slow", slow+"b\n")
	w.Service.markdown = markdown.New(markdown.Options{Patience: time.Millisecond})
	for range 2 {
		view()
	}
	w.Service.markdown = patient
	if v := view(); v.Body != "" || !v.Provisional {
		t.Error("a page that was too slow twice was rendered again at once")
	}
	now := w.Service.now
	w.Service.now = func() time.Time { return now().Add(2 * slowPause) }
	if v := view(); v.Body == "" || v.Provisional {
		t.Error("a page that was too slow twice isn't rendered after the pause")
	}
}
