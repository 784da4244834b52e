package markdown

import (
	"strings"
	"testing"
)

// Each listed name is one that the renderer replaces.
func TestEmojiNames(t *testing.T) {
	list := EmojiNames()
	if len(list) < 1800 {
		t.Fatalf("only %d names of emoji", len(list))
	}
	for _, e := range []EmojiName{list[0], {"robot", "🤖"}, list[len(list)-1]} {
		if html := render(t, "x :"+e.Name+": y"); !strings.Contains(html, e.Char) {
			t.Errorf(":%s: isn't rendered as %s: %s", e.Name, e.Char, html)
		}
	}
}
