package wiki

import (
	"fmt"
	"strings"
	"time"
)

// JournalPath returns the end of the path of a day's page in Logseq, without ".md",
// for the name by which links call it: "journals/2026_11_03" for "Nov 3rd, 2026".
func JournalPath(name string) (string, bool) {
	month, rest, _ := strings.Cut(strings.TrimSpace(name), " ")
	day, year, ok := strings.Cut(rest, ", ")
	if !ok || len(day) < 3 {
		return "", false
	}
	t, err := time.Parse("Jan 2 2006", month+" "+day[:len(day)-2]+" "+year)
	if err != nil || !strings.EqualFold(journalName(t), month+" "+rest[:len(day)]+", "+year) {
		return "", false
	}
	return t.Format("journals/2006_01_02"), true
}

// journalName is the opposite of JournalPath.
func journalName(t time.Time) string {
	ending := "th"
	if t.Day()/10 != 1 {
		switch t.Day() % 10 {
		case 1:
			ending = "st"
		case 2:
			ending = "nd"
		case 3:
			ending = "rd"
		}
	}
	return fmt.Sprintf("%s %d%s, %d", t.Format("Jan"), t.Day(), ending, t.Year())
}

// journalKey returns the key of links to a day's page by the day, "" for other pages.
func journalKey(folder, last string) string {
	if folder != "journals" && !strings.HasSuffix(folder, "/journals") {
		return ""
	}
	t, err := time.Parse("2006_01_02", FoldName(last))
	if err != nil {
		return ""
	}
	return FoldName(journalName(t))
}
