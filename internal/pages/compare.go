package pages

// Compare sets two texts of a page side by side, such as what is saved and a
// draft, or the base of a conflict and one of its sides.
func Compare(old, now []byte) []DiffHunk {
	d := FileDiff{Path: ".md"}
	d.Old.Path, d.New.Path = d.Path, d.Path
	d.compare([]byte(plainLines(old)), []byte(plainLines(now)))
	return d.Hunks
}
