package mcpserver

import (
	"strings"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/tokens"
)

// Budgets of answers, in tokens as package tokens estimates them. Characters
// would not do: 1,000 of them cost an English reader 230 tokens and a Japanese
// one 700.
const (
	defaultRead  = 2_500 // read_page
	defaultReads = 6_000 // read_pages
	maxRead      = 20_000
	minRead      = 100
	aroundPage   = 200    // for the lines around a page's text, without its name
	aroundItem   = 130    // the same for one of several pages
	listTokens   = 2_400  // of a list, or of a longer one that the caller asked for:
	longTokens   = 10_000 //
	diffTokens   = 4_000
	editTokens   = 3_000 // of what an edit changed
	fileTokens   = 6_000 // of an attachment
	agentsTokens = 4_000 // of the page AGENTS in a prompt
)

// charsPerToken converts max_chars, the parameter's former name and unit.
const charsPerToken = 4

// tokenBudget returns the most tokens that a read may show.
func (a arguments) tokenBudget(standard int) (int, error) {
	most, err := a.integer("max_tokens", 0, minRead, maxRead)
	if err != nil || most > 0 {
		return most, err
	}
	chars, err := a.integer("max_chars", charsPerToken*standard, charsPerToken*minRead, charsPerToken*maxRead)
	return chars / charsPerToken, err
}

// textBudget is what a budget leaves for a page's text beside the lines around
// it.
func textBudget(most, around int, src *pages.Source) int {
	return max(minRead/2, most-around-2*tokens.Estimate(string(src.Name)))
}

// fits reports whether a text is within a budget.
func fits(text string, most int) bool {
	return len(text) <= most || tokens.Fit(text, most) == len(text)
}

// clip shortens a line to a number of tokens.
func clip(text string, most int) string {
	if len(text) <= most {
		return text
	}
	n := tokens.Fit(text, most)
	if n == len(text) {
		return text
	}
	return strings.TrimSpace(text[:n]) + "…"
}

// clipLines cuts a text after a line and returns how many bytes are left. A
// first line that is too long is cut within.
func clipLines(text string, most int) (shown string, left int) {
	if len(text) <= most {
		return text, 0
	}
	n := tokens.Fit(text, most)
	if n == len(text) {
		return text, 0
	}
	if line := strings.LastIndexByte(text[:n], '\n') + 1; line > 0 {
		n = line
	}
	return text[:n], len(text) - n
}

// A listMeter decides how many lines of a list an answer shows.
type listMeter struct{ left, lines int }

// listMeter returns the meter of a list whose caller may have named a limit.
func (a arguments) listMeter() *listMeter {
	if a["limit"] != nil {
		return &listMeter{left: longTokens}
	}
	return &listMeter{left: listTokens}
}

// takes reports whether another line fits. The first one always does.
func (m *listMeter) takes(l line) bool {
	m.left -= 1 + tokens.Estimate(l.text())
	m.lines++
	return m.left >= 0 || m.lines == 1
}
