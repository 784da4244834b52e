package edit

import (
	"errors"
	"strings"
	"testing"

	"robot.wtf/internal/wiki"
)

// A section is found by its title, by its heading as it is written, by its anchor
// and by a path, in this order.
func TestSectionByHeading(t *testing.T) {
	t.Parallel()
	doc := NewDocument(`Lead.

## A **b** [[C|d]] ##

### Tasks & *notes*

## Größe: 5 > 3?

## tasks

## plan-b

## Plan B

## Snake_case and \*stars\*

## Tasks

## a-b-d
`)
	for name, want := range map[string]int{
		"A b d": 3, "a  B D": 3, "## A **b** [[C|d]] ##": 3, "A **b** [[C|d]]": 3, "#user-content-a-b-d-1": 19, "A_b_ d": 0,
		"Tasks & *notes*": 5, "A b d > Tasks & notes": 5, "A **b** [[C|d]] > Tasks & *notes*": 5, "#user-content-tasks--notes": 5, "tasks--notes": 5,
		"Größe: 5 > 3?": 7, "große-5--3": 7, "#user-content-gro%C3%9Fe-5--3": 7, "gro%C3%9Fe-5--3": 7,
		"tasks": 9, "Tasks": 17, "TASKS": -1, "#user-content-tasks-1": 17, "#tasks": 9,
		"plan-b": 11, "Plan B": 13, "PLAN-B": 11,
		`Snake_case and \*stars\*`: 15, "Snake_case and *stars*": 15,
		"a-b-d": 19, "#a-b-d": 3, "": 0, "#": 0, "!": 0, "section": 0, "A b": 0, strings.Repeat("*>", 10_000): 0,
	} {
		s, err := doc.Section(name)
		switch {
		case want == 0 && !errors.Is(err, wiki.ErrNotFound), want < 0 && !errors.Is(err, wiki.ErrInvalid):
			t.Errorf("%.60q: line %d, %v", name, s.StartLine, err)
		case want > 0 && (err != nil || s.StartLine != want):
			t.Errorf("%q: line %d, %v; want line %d", name, s.StartLine, err, want)
		}
	}
}
