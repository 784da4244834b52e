package edit

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	maxComparedBytes = 300 // of a line of the text to find
	maxShownChars    = 300 // of the text around a place
	minSimilarity    = 0.5
)

// A place is the text that is most similar to one that wasn't found.
type place struct {
	line       int    // from 1
	text       string // of the line, or of the part that is similar
	difference string // the first one, in words; "" if there is none on this line
}

// nearest returns the place in text that is most similar to the longest line of old.
// If the text has this line, it is the nearest other line of old that differs.
func nearest(text, old string) (place, bool) {
	wanted := strings.Split(old, "\n")
	longest := 0
	for i, l := range wanted {
		if len(strings.TrimSpace(l)) > len(strings.TrimSpace(wanted[longest])) {
			longest = i
		}
	}
	want := strings.TrimSpace(wanted[longest])
	want = strings.ToValidUTF8(want[:min(len(want), maxComparedBytes)], "")
	at, ok := similarPlace(text, want)
	if !ok {
		return place{}, false
	}
	line := strings.Count(text[:at], "\n")
	near := compareAt(text, at, want, line+1)
	if near.difference != "" || len(wanted) == 1 {
		return near, true
	}
	lines := strings.Split(text, "\n")
	for i, l := range wanted {
		n := line + i - longest
		if n < 0 || n >= len(lines) {
			continue
		}
		first, last := i == 0, i == len(wanted)-1
		same := lines[n] == l || first && strings.HasSuffix(lines[n], l) || last && strings.HasPrefix(lines[n], l)
		if !same {
			near = compareAt(lines[n], 0, strings.ToValidUTF8(l[:min(len(l), maxComparedBytes)], ""), n+1)
			if near.difference == "" {
				near.difference = "more on the line"
			}
			return near, true
		}
	}
	return near, true
}

// similarPlace returns the offset of the window of text that shares most pairs of
// adjacent bytes with want, measured by the Sørensen-Dice coefficient. A window is
// a line, or as many bytes of it as want has. It takes time linear in the text.
func similarPlace(text, want string) (at int, ok bool) {
	if len(want) < 2 {
		return 0, false
	}
	c := pairCounter{want: make([]uint16, 1<<16), have: make([]uint16, 1<<16)}
	for i := 1; i < len(want); i++ {
		c.want[pairAt(want, i)]++
	}
	best, offset := minSimilarity, 0
	for l := range strings.SplitAfterSeq(text, "\n") {
		line := strings.TrimSpace(l)
		begin := offset + strings.Index(l, line)
		offset += len(l)
		from := 0
		for i := 1; i < len(line); i++ {
			c.add(pairAt(line, i))
			if i-from == len(want) {
				from++
				c.remove(pairAt(line, from))
			}
			if i+1 < len(line) && i+1-from < len(want) {
				continue
			}
			if score := 2 * float64(c.common) / float64(i-from+len(want)-1); score > best {
				best, at, ok = score, begin+from, true
			}
		}
		for i := from + 1; i < len(line); i++ {
			c.remove(pairAt(line, i))
		}
	}
	return at, ok
}

// pairAt is the pair of bytes that ends at i.
func pairAt(text string, i int) uint16 { return uint16(text[i-1])<<8 | uint16(text[i]) }

// A pairCounter counts the pairs that a window has in common with a text.
type pairCounter struct {
	want, have []uint16 // by pair
	common     int
}

func (c *pairCounter) add(pair uint16) {
	if c.have[pair]++; c.have[pair] <= c.want[pair] {
		c.common++
	}
}

func (c *pairCounter) remove(pair uint16) {
	if c.have[pair] <= c.want[pair] {
		c.common--
	}
	c.have[pair]--
}

// compareAt compares want with the text around an offset and returns the part of
// the line to show, with the first difference. Columns count characters from 1.
func compareAt(text string, at int, want string, line int) place {
	begin := strings.LastIndexByte(text[:at], '\n') + 1
	end := len(text)
	if i := strings.IndexByte(text[at:], '\n'); i >= 0 {
		end = at + i
	}
	from, to := max(begin, at-maxShownChars/2), min(end, at+len(want)+maxShownChars/2)
	for from > begin && !utf8.RuneStart(text[from]) {
		from--
	}
	for to < end && !utf8.RuneStart(text[to]) {
		to++
	}
	there, column := []rune(text[from:to]), utf8.RuneCountInString(text[begin:from])
	match, difference := align(there, []rune(want), column)
	shown := there
	if utf8.RuneCountInString(text[begin:end]) <= maxShownChars {
		return place{line, text[begin:end], difference}
	}
	first := max(0, match-maxShownChars/6)
	last := min(len(there), first+maxShownChars-2)
	shown = slices.Clone(there[first:last])
	if from > begin || first > 0 {
		shown = append([]rune("…"), shown...)
	}
	if to < end || last < len(there) {
		shown = append(shown, '…')
	}
	return place{line, string(shown), difference}
}

// align finds the part of a text that needs the fewest changes to become want, and
// returns where it begins, with the first change in words.
func align(text, want []rune, column int) (begin int, difference string) {
	// cost[i][j]: changes to make want[i:] of a part of text that begins at j.
	cost := make([][]int32, len(want)+1)
	for i := len(want); i >= 0; i-- {
		cost[i] = make([]int32, len(text)+1)
		for j := len(text); j >= 0; j-- {
			cost[i][j] = alignCost(cost, text, want, i, j)
		}
	}
	for j := range cost[0] {
		if cost[0][j] < cost[0][begin] {
			begin = j
		}
	}
	for i, j := 0, begin; i < len(want); i, j = i+1, j+1 {
		switch {
		case j < len(text) && text[j] == want[i] && cost[i][j] == cost[i+1][j+1]:
		case j < len(text) && cost[i][j] == cost[i+1][j+1]+1:
			return begin, fmt.Sprintf("%s instead of %s at column %d", nameRune(text[j]), nameRune(want[i]), column+j+1)
		case j < len(text) && cost[i][j] == cost[i][j+1]+1:
			return begin, fmt.Sprintf("also %s at column %d", nameRune(text[j]), column+j+1)
		default:
			return begin, fmt.Sprintf("no %s at column %d", nameRune(want[i]), column+j+1)
		}
	}
	return begin, ""
}

func alignCost(cost [][]int32, text, want []rune, i, j int) int32 {
	switch {
	case i == len(want):
		return 0 // the rest of the text isn't part of it
	case j == len(text):
		return int32(len(want) - i)
	case text[j] == want[i]:
		return cost[i+1][j+1]
	}
	return 1 + min(cost[i+1][j+1], cost[i+1][j], cost[i][j+1])
}

// nameRune names a character so that lookalikes differ.
func nameRune(r rune) string {
	if r > ' ' && r < 0x7f {
		return fmt.Sprintf("%q", string(r))
	}
	return fmt.Sprintf("U+%04X", r)
}
