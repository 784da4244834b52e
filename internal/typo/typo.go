// Package typo compares a misspelled word with those that may have been meant.
package typo

// longest is the length in bytes up to which words are compared.
const longest = 40

// Distance counts insertions, deletions, changes and swaps of adjacent bytes between
// two words (optimal string alignment). Words over 40 bytes are as different as can be.
func Distance(a, b string) int {
	if len(a) > longest || len(b) > longest {
		return longest
	}
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}

// Closest returns the first of the words that differ least from a misspelled one, or
// "" if even that differs in more than a third of its bytes, or in more than three.
func Closest(misspelled string, words []string) string {
	best, least := "", min(len(misspelled)/3, 3)+1
	for _, word := range words {
		if d := Distance(misspelled, word); d < least {
			best, least = word, d
		}
	}
	return best
}
