package pages

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"robot.wtf/internal/wiki"
)

func TestGrep(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("A/One", "first Line\r\nsecond line\nthird\n")
	w.put("B", "line four\nfive\n\nline six")
	for _, test := range []struct {
		r    GrepRequest
		want string
	}{
		{GrepRequest{Pattern: "LINE"}, "A/One:1 A/One:2 B:1 B:4"},
		{GrepRequest{Pattern: "line", Prefix: "a/"}, "A/One:1 A/One:2"},
		{GrepRequest{Pattern: "^line", Regex: true}, "B:1 B:4"},
		{GrepRequest{Pattern: "e$", Regex: true}, "A/One:1 A/One:2 B:2"},
		{GrepRequest{Pattern: "l.ne"}, ""},
		{GrepRequest{Pattern: "LINE", Regex: true}, ""},
	} {
		test.r.Limit = 1
		var got []string
		for {
			found, err := w.Grep(w.ctx, w.reader, test.r)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range found.Matches {
				got = append(got, fmt.Sprintf("%s:%d", m.Page, m.Line))
			}
			if test.r.After = found.More; found.More == "" {
				break
			}
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%+v: %v, want %s", test.r, got, test.want)
		}
	}
	found, err := w.Grep(w.ctx, w.reader, GrepRequest{Pattern: "five", Limit: 5, Context: 1})
	if err != nil || len(found.Matches) != 1 || strings.Join(found.Matches[0].Lines, "|") != "line four|five|" || found.Matches[0].First != 1 {
		t.Errorf("%+v %v", found, err)
	}
	if _, err := w.Grep(w.ctx, w.reader, GrepRequest{Pattern: "(", Regex: true}); !errors.Is(err, wiki.ErrInvalid) {
		t.Errorf("%v", err)
	}
}
