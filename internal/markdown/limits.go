package markdown

import (
	"bytes"
	"regexp"

	"robot.wtf/internal/wiki"
)

// goldmark cannot be stopped once it runs, and some inputs make it slow or its
// output huge, so these are looked at before it is called.
const (
	maxSource   = 1 << 20
	maxLine     = 64 << 10
	maxDepth    = 100 // of quotes and lists on one line
	maxColumns  = 128
	maxCells    = 20_000 // of all tables, padded to their columns
	maxBrackets = 1_000  // open [ in a block
	maxNotes    = 5_000  // footnotes and reference definitions
	maxOutput   = 8 << 20
)

var definition = regexp.MustCompile(`^ {0,3}\[[^\]]+\]:`)

// checkLimits returns a Problem of kind ErrTooLarge that names the limit.
func checkLimits(source []byte) error {
	over := func(format string, args ...any) error {
		return wiki.Problemf(wiki.ErrTooLarge, "content", format, args...)
	}
	if len(source) > maxSource {
		return over("This page is longer than %d bytes, so its source is shown.", maxSource)
	}
	brackets, notes, cells, columns := 0, 0, 0, 0
	line := 0
	for text := range bytes.Lines(source) {
		line++
		switch {
		case len(text) > maxLine:
			return over("Line %d is longer than %d bytes, so the source is shown.", line, maxLine)
		case nesting(text) > maxDepth:
			return over("Line %d is nested deeper than %d levels, so the source is shown.", line, maxDepth)
		}
		trimmed := bytes.TrimLeft(bytes.TrimRight(text, "\r\n"), " \t>")
		if len(trimmed) == 0 {
			brackets, columns = 0, 0
			continue
		}
		if brackets += bytes.Count(text, []byte("[")) - bytes.Count(text, []byte("]")); brackets > maxBrackets || bytes.Count(text, []byte("[")) > 4*maxBrackets {
			return over("Around line %d more than %d brackets are open, so the source is shown.", line, maxBrackets)
		}
		brackets = max(brackets, 0)
		if definition.Match(text) {
			if notes++; notes > maxNotes {
				return over("There are more than %d notes and references, so the source is shown.", maxNotes)
			}
		}
		if pipes := bytes.Count(text, []byte("|")); pipes > 0 {
			columns = max(columns, pipes+1)
			cells += columns
			if columns > maxColumns+1 && delimiterRow.Match(trimmed) {
				return over("The table at line %d has more than %d columns, so the source is shown.", line, maxColumns)
			}
			if cells > maxCells {
				return over("The tables have more than %d cells, so the source is shown.", maxCells)
			}
		}
	}
	return nil
}

var delimiterRow = regexp.MustCompile(`^\|?[ \t:|-]+$`)

// nesting bounds how many containers the beginning of a line opens.
func nesting(line []byte) int {
	depth, blanks := 0, 0
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == ' ':
			blanks++
		case c == '\t':
			blanks += 4
		case c == '>':
			depth++
		case (c == '-' || c == '*' || c == '+') && i+1 < len(line) && (line[i+1] == ' ' || line[i+1] == '\t'):
			depth++
		case c >= '0' && c <= '9':
			j := i
			for j < len(line) && j < i+9 && line[j] >= '0' && line[j] <= '9' {
				j++
			}
			if j+1 >= len(line) || line[j] != '.' && line[j] != ')' || line[j+1] != ' ' {
				return depth + blanks/4
			}
			i = j
			depth++
		default:
			return depth + blanks/4
		}
	}
	return depth // a blank line nests nothing
}
