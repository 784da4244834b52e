package mcpserver

import (
	"errors"
	"testing"

	"robot.wtf/internal/wiki"
)

// Any cursor names a part of the list, or is an error that says so.
func FuzzCursor(f *testing.F) {
	for _, cursor := range []string{"", "0", "5", "-1", "+1", "1e3", "9223372036854775807", "9223372036854775800", "99999999999999999999", "Home:12", "\x00"} {
		f.Add(cursor, 10)
	}
	f.Add("3", 0)
	f.Fuzz(func(t *testing.T, cursor string, n int) {
		n = min(max(n, 0), 1<<20)
		a := arguments{"cursor": {value: cursor}}
		r := &reply{}
		var shown []int
		err := a.paginate(r, n, 20, func(i int) line {
			shown = append(shown, i)
			return nil
		})
		if err != nil {
			if !errors.As(err, new(*wiki.Problem)) {
				t.Errorf("not a Problem: %v", err)
			}
			return
		}
		for _, i := range shown {
			if i < 0 || i >= n || len(shown) > 20 {
				t.Fatalf("cursor %q of %d: %v", cursor, n, shown)
			}
		}
		if more := len(shown) > 0 && shown[len(shown)-1] < n-1; more != (len(r.tail) > 0) {
			t.Errorf("cursor %q of %d: %v, but the reply ends with %v", cursor, n, shown, r.tail)
		}
	})
}

// Attack: a cursor near the largest number made the end of the list negative, and
// the tool panic.
func TestHugeCursors(t *testing.T) {
	w := newWorld(t)
	for _, cursor := range []string{"9223372036854775807", "9223372036854775800", "2147483647"} {
		for tool, query := range map[string]string{"search": "query", "list_pages": "path_prefix", "links": "kind", "changes": "path", "grep": "pattern"} {
			text := map[string]string{"search": "weather", "links": "wanted", "grep": "weather"}[tool]
			w.call("ada/owner", tool, query, text, "cursor", cursor) // fails the test for an error 500
		}
	}
}
