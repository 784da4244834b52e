package wiki

import (
	"testing"
	"time"
)

func TestUnquotedLink(t *testing.T) {
	list := func(values ...any) any { return []any{values} }
	for _, c := range []struct {
		value any
		want  string
	}{
		{list("Page"), "[[Page]]"},
		{list("Page|text"), "[[Page|text]]"},
		{list("One", "two"), "[[One, two]]"},
		{list(uint64(3)), "[[3]]"},
		{list(), ""},
		{list(uint64(1), uint64(2)), ""},
		{list("One", uint64(2)), ""},
		{list(time.Time{}), ""},
		{list(true), ""},
		{list(list("Page")), ""},
		{[]any{"Page"}, ""},
		{[]any{[]any{"One"}, []any{"Two"}}, ""},
		{"Page", ""},
	} {
		if got, ok := UnquotedLink(c.value); got != c.want || ok != (c.want != "") {
			t.Errorf("UnquotedLink(%v) = %q, %v", c.value, got, ok)
		}
	}
}
