package wiki

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"testing"
)

func TestParseAccent(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"": "", " #6A2A9C ": "#6a2a9c", DefaultAccent: "", "#000000": "#000000"} {
		if got, err := ParseAccent(in); err != nil || got != want {
			t.Errorf("ParseAccent(%q) = %q, %v", in, got, err)
		}
	}
	for _, in := range []string{"red", "#fff", "6a2a9c", "#6a2a9cff", "#6a2a9g", "#+a2a9c", "#6a2a9c}body{display:none", "#6a2a9\n"} {
		if got, err := ParseAccent(in); !errors.Is(err, ErrInvalid) {
			t.Errorf("ParseAccent(%q) = %q, %v", in, got, err)
		}
	}
}

// Whatever the color, its text can be read on all backgrounds, other text can be read
// on its tint, and text on a button of it.
func TestAccentShadesHaveContrast(t *testing.T) {
	t.Parallel()
	texts := map[bool][]color{false: colors("#191a1c", "#5b5c5f"), true: colors("#e8e7e2", "#a5a8b0")}
	at := func(text string) color {
		c, ok := parseColor(text)
		if !ok {
			t.Fatalf("not a color: %q", text)
		}
		return c
	}
	for n := range 17 * 17 * 17 {
		accent := fmt.Sprintf("#%02x%02x%02x", min(n/289*16, 255), min(n/17%17*16, 255), min(n%17*16, 255))
		for _, dark := range []bool{false, true} {
			s := AccentShades(accent, dark)
			if !at(s.Accent).readableOn(append(backgrounds[dark], at(s.OnAccent), at(s.Tint))) {
				t.Errorf("%s, dark %v: %+v can't be read", accent, dark, s)
			}
			for _, text := range texts[dark] {
				if got := text.contrast(at(s.Tint)); got < minContrast {
					t.Errorf("%s, dark %v: %s on the tint of %+v has a contrast of %.2f", accent, dark, text, s, got)
				}
			}
		}
	}
	if got := AccentShades("#6a2a9c", false).Accent; got != "#6a2a9c" {
		t.Errorf("a color with enough contrast became %s", got)
	}
}

// The colors here are those of the stylesheet.
func TestAccentBackgroundsAreThoseOfTheStylesheet(t *testing.T) {
	t.Parallel()
	css, err := os.ReadFile("../web/static/app.css")
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"paper", "sunk", "ok-tint", "warn-tint", "bad-tint"} {
		m := regexp.MustCompile(`--` + name + `: light-dark\((#\w+), (#\w+)\);`).FindStringSubmatch(string(css))
		if m == nil || m[1] != backgrounds[false][i].String() || m[2] != backgrounds[true][i].String() {
			t.Errorf("--%s is %q in app.css, %s and %s here", name, m, backgrounds[false][i], backgrounds[true][i])
		}
	}
	if m := regexp.MustCompile(`--accent: light-dark\((#\w+),`).FindStringSubmatch(string(css)); m == nil || m[1] != DefaultAccent {
		t.Errorf("--accent is %q in app.css, %s here", m, DefaultAccent)
	}
}
