package pages

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"robot.wtf/internal/wiki"
)

func TestStartText(t *testing.T) {
	w := newWorld(t)
	w.put("Garden/Beds", "# Beds\r\n\r\n![plan](plan.png) and [[./Soil]], [[Home]]\r\n")
	w.put("Garden/Soil", "soil\n")
	w.put("Home", "home\n")
	w.upload("Garden/Beds", "plan.png", "png")
	w.put("Templates/Meeting", "# {{title}}\n\n{{author}}, {{date}}\n")
	text, err := w.StartText(w.t.Context(), w.editor, StartRequest{Name: "Elsewhere/Beds copy", Copy: "Garden/Beds"})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(text, "\r") || !strings.Contains(text, "# Beds\n") {
		t.Errorf("the copy is %q", text)
	}
	w.put("Elsewhere/Beds_copy", text)
	links, err := w.Links(w.t.Context(), w.owner, "Elsewhere/Beds_copy")
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(links.To); !strings.Contains(got, "Garden/Soil") || !strings.Contains(got, "Home") {
		t.Errorf("the copy links to %s", got)
	}
	if v, err := w.View(w.t.Context(), w.owner, "Elsewhere/Beds_copy", ""); err != nil || !strings.Contains(string(v.Body), `<img src="/Garden/Beds/`) {
		t.Errorf("the copy's picture: %v in %s", err, v.Body)
	}
	text, err = w.StartText(w.t.Context(), w.editor, StartRequest{Name: "Monday", Template: "Templates/Meeting"})
	if err != nil || !strings.HasPrefix(text, "# Monday\n\nbob, 2026-") {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := w.StartText(w.t.Context(), w.viewer, StartRequest{Name: "X", Copy: "Home"}); !errors.Is(err, wiki.ErrDenied) {
		t.Errorf("a viewer: %v", err)
	}
	if _, err := w.StartText(w.t.Context(), w.editor, StartRequest{Name: "X", Copy: "Nothing"}); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("a missing page: %v", err)
	}
}
