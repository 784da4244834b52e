package typo

import (
	"strings"
	"testing"
)

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "ab", 2}, {"data", "data", 0}, {"data", "date", 1}, {"data", "dta", 1}, {"data", "dtaa", 1}, {"data", "listen", 5},
		{strings.Repeat("a", 41), strings.Repeat("a", 41), 40},
	} {
		if got := Distance(c.a, c.b); got != c.want {
			t.Errorf("%q and %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestClosest(t *testing.T) {
	words := []string{"data", "listen", "max_pages"}
	for misspelled, want := range map[string]string{"dta": "data", "max_page": "max_pages", "lisetn": "listen", "colour": "", "": ""} {
		if got := Closest(misspelled, words); got != want {
			t.Errorf("%q: %q, want %q", misspelled, got, want)
		}
	}
}
