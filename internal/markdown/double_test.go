package markdown

import (
	"maps"
	"os"
	"slices"
	"testing"

	"robot.wtf/internal/hostile"
	"robot.wtf/internal/slow"
	"robot.wtf/internal/wiki"
)

// worstShapes are those that cost the most when they are parsed, or were found to
// be quadratic.
var worstShapes = []string{"definition, deep", "lists, deep", "quotes, deep, many lines", "rules of tables"}

// TestDoubling: twice the page takes less than 2.5 times the processor time and
// has less than 2.5 times the HTML, for each operation.
func TestDoubling(t *testing.T) {
	shapes, n := worstShapes, 64<<10
	if slow.Enabled() {
		n = 128 << 10
	}
	if os.Getenv("ROBOT_LONG") != "" {
		shapes, n = slices.Sorted(maps.Keys(hostile.Pages)), 256<<10
	}
	r := rendererWithTimeout(factTimeout)
	for _, shape := range shapes {
		source := func(n int) []byte { return []byte(hostile.Pages[shape](n)) }
		hostile.Double(t, shape+": facts", n, func(n int) int { return len(ExtractFacts("Page", source(n)).Links) })
		if os.Getenv("ROBOT_LONG") == "" {
			continue
		}
		hostile.Double(t, shape+": text", n, func(n int) int { return len(PlainText(source(n))) })
		hostile.Double(t, shape+": sections", n, func(n int) int { return len(Sections(source(n))) })
		hostile.Double(t, shape+": links", n, func(n int) int {
			out, _ := RewriteLinks("Page", source(n), renamer("Page", "Dir/Page", "a", "b"))
			return len(out)
		})
		hostile.Double(t, shape+": HTML", n, func(n int) int {
			page, err := r.Render(t.Context(), "ada", "Page", source(n), &world{all: true})
			if wiki.KindOf(err) == wiki.ErrTooLarge {
				return 0
			}
			return len(page.HTML)
		})
	}
}
