package edit

import (
	"fmt"
	"strings"

	"robot.wtf/internal/wiki"
)

// FindOnce returns the offset of the only occurrence of old in text. ErrInvalid
// if there is none or more than one, or if the replacement is the same.
func FindOnce(text, old, replacement string) (int, error) {
	switch {
	case old == "":
		return 0, wiki.Problemf(wiki.ErrInvalid, "old_string", "The text to replace is empty.")
	case old == replacement:
		return 0, wiki.Problemf(wiki.ErrInvalid, "new_string", "The new text is the same as the old text.")
	}
	first := strings.Index(text, old)
	if first < 0 {
		return 0, wiki.Problemf(wiki.ErrInvalid, "old_string", "The text to replace isn't in the page. It must match exactly, including spaces and line breaks.")
	}
	if strings.Contains(text[first+1:], old) {
		return 0, wiki.Problemf(wiki.ErrInvalid, "old_string", "The text to replace occurs more than once, on lines %s. Include more of the surrounding text.", listLines(text, old, 1))
	}
	return first, nil
}

// listLines lists the lines where old begins, at most ten. The first line of text
// has the number first.
func listLines(text, old string, first int) string {
	var lines []string
	for from := 0; len(lines) < 10; {
		i := strings.Index(text[from:], old)
		if i < 0 {
			break
		}
		from += i + 1
		lines = append(lines, fmt.Sprint(first+strings.Count(text[:from-1], "\n")))
	}
	return strings.Join(lines, ", ")
}

const (
	maxComparedLines = 20_000
	maxComparedBytes = 300 // of a line
	minSimilarity    = 0.5
)

// nearestLine returns the line of text that is most similar to the longest line
// of old, and its number from 1; 0 if no line is similar.
func nearestLine(text, old string) (number int, line string) {
	want := ""
	for l := range strings.SplitSeq(old, "\n") {
		if t := strings.TrimSpace(l); len(t) > len(want) {
			want = t
		}
	}
	pairs := countPairs(want)
	best, n := minSimilarity, 0
	for l := range strings.SplitSeq(text, "\n") {
		if n++; n > maxComparedLines {
			break
		}
		if score := similarity(pairs, countPairs(strings.TrimSpace(l))); score > best {
			best, number, line = score, n, l
		}
	}
	return number, truncate(line, maxComparedBytes)
}

// countPairs counts the pairs of adjacent bytes in a line.
func countPairs(line string) map[[2]byte]int {
	line = truncate(line, maxComparedBytes)
	pairs := make(map[[2]byte]int, len(line))
	for i := 1; i < len(line); i++ {
		pairs[[2]byte{line[i-1], line[i]}]++
	}
	return pairs
}

// similarity is the Sørensen–Dice coefficient of two multisets of pairs, from 0
// to 1.
func similarity(a, b map[[2]byte]int) float64 {
	common, total := 0, 0
	for p, n := range a {
		common += min(n, b[p])
		total += n
	}
	for _, n := range b {
		total += n
	}
	if total == 0 {
		return 0
	}
	return 2 * float64(common) / float64(total)
}
