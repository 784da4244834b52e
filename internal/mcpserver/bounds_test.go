package mcpserver

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
)

// Attack: pages, files and requests with more of something than an answer shows. The
// numbers are written out here, so that raising a bound is a decision.
func TestBoundsOfAnswers(t *testing.T) {
	w := newWorld(t)
	w.save("ada", "ada", "Long", strings.Repeat("# H\n\ntext\n\n", 120))
	if n := strings.Count(w.ok("ada/editor", "read_page", "path", "Long", "view", "outline", "max_tokens", 20_000), "H (lines"); n != 100 {
		t.Errorf("an outline has %d headings, want 100", n)
	}

	names := make([]string, 21)
	for i := range names {
		names[i] = "Long"
	}
	w.fails("1 to 20 pages", "ada/editor", "read_pages", "items", names)

	for size, refused := range map[int]bool{256 << 10: false, 256<<10 + 1: true} {
		data := base64.StdEncoding.EncodeToString(make([]byte, size))
		text, failed := w.call("ada/editor", "write_attachment", "path", "Long", "name", fmt.Sprint("f", size, ".bin"), "base64", data)
		if failed != refused || refused && !strings.Contains(text, "upload address") {
			t.Errorf("%d bytes: %q", size, text)
		}
	}
}
