package markdown

import (
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/hostile"
	"robot.wtf/internal/slow"
)

// Attack: code in a language whose lexer backtracks at every character, in tokens
// that chroma joins. The page is shown without colors, in little time.
func TestColoringStops(t *testing.T) {
	for name, source := range map[string]string{
		"one language": "```ampl\n" + strings.Repeat(strings.Repeat(`"\`, 15_000)+"\n", 6) + "```\n",
		"two":          "```phtml\n" + strings.Repeat(strings.Repeat(`<?php -`, 4_000)+"\n", 6) + "```\n",
	} {
		if name == "two" && !slow.Enabled() {
			continue // each takes its second
		}
		cost := hostile.Measure(func() int {
			page, err := rendererWithTimeout(20*time.Second).Render(t.Context(), "ada", "Page", []byte(source), &world{})
			if err != nil {
				t.Errorf("%s: %v", name, err)
				return 0
			}
			if strings.Contains(string(page.HTML), "<span") {
				t.Errorf("%s: colored", name)
			}
			return len(page.HTML)
		})
		if cost.CPU > maxHighlighting+maxHighlighting/2 {
			t.Errorf("%s: CPU %s", name, cost.CPU)
		}
	}
}
