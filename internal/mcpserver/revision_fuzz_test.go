package mcpserver

import (
	"errors"
	"strings"
	"testing"

	"robot.wtf/internal/edit"
	"robot.wtf/internal/wiki"
)

// A revision that agents send back names a range of lines, or is an error that
// says so.
func FuzzRevision(f *testing.F) {
	for _, revision := range []string{"", "a1b2c3d4", "@a1b2c3d4~0", "a1b2c3d4~40-120", "~", "~-", "a~1-", "a~99999999999999999999", "a~2-1", "a~1~2"} {
		f.Add(revision)
	}
	f.Fuzz(func(t *testing.T, revision string) {
		base, seen, err := parseRevision(revision)
		if err != nil {
			if !errors.As(err, new(*wiki.Problem)) {
				t.Errorf("not a Problem: %v", err)
			}
			return
		}
		from, to, marked := linesOf(seen)
		if from < 0 || to < from || !marked && to > 0 {
			t.Errorf("lines %d-%d, %v", from, to, marked)
		}
		if !marked || to == 1<<30 || base != strings.TrimSpace(strings.TrimPrefix(base, "@")) { // no revision of ours
			return
		}
		again, seen, err := parseRevision(base + rangeSuffix(from, to))
		from2, to2, _ := linesOf(seen)
		if err != nil || again != base || from2 != from || to2 != to {
			t.Errorf("%q became %q lines %d-%d: %v", revision, again, from2, to2, err)
		}
	})
}

func linesOf(seen *edit.Lines) (from, to int, marked bool) {
	if seen == nil {
		return 0, 0, false
	}
	return seen.From, seen.To, true
}
