package content

import (
	"errors"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/wiki"
)

// The name of a file that was merged into another leads to it, through later moves,
// until a file takes the name again.
func TestMergedFileRedirects(t *testing.T) {
	w := newWiki(t, time.Now)
	must(t, w, ada, Edit{Path: "A.md", Data: []byte("a\n")}, Edit{Path: "B.md", Data: []byte("b\n")})
	r := must(t, w, ada, Edit{Op: Delete, Path: "A.md", To: "B.md", Base: BaseAny}, Edit{Path: "B.md", Base: BaseAny, Data: []byte("b\na\n")})
	leads := func(want string) {
		t.Helper()
		to, err := w.MovedTo(t.Context(), "A.md")
		if to != want || want == "" && !errors.Is(err, wiki.ErrNotFound) {
			t.Errorf("A leads to %q, %v; want %q", to, err, want)
		}
	}
	leads("B.md")
	var raw string
	if err := w.queryRow(t.Context(), "SELECT raw FROM commits WHERE wiki = $1 AND seq = $2", w.slug, r.Commit.Seq).Scan(&raw); err != nil || !strings.Contains(raw, "\nMerged: A.md -> B.md\n") {
		t.Errorf("no trailer in %q", raw)
	}
	must(t, w, ada, Edit{Op: Move, Path: "B.md", To: "C.md", Base: BaseAny})
	leads("C.md")
	if h, err := w.History(t.Context(), "C.md", 0, 0); err != nil || len(h) != 3 || h[2].Path != "B.md" {
		t.Errorf("the history of the other file: %+v, %v", h, err)
	}
	must(t, w, ada, Edit{Path: "A.md", Data: []byte("new\n")})
	leads("")
	must(t, w, ada, Edit{Op: Delete, Path: "A.md", Base: BaseAny})
	leads("")
	must(t, w, ada, Edit{Path: "Key_" + leakedKey + ".md", Data: []byte("a\n")})
	must(t, w, ada, Edit{Op: Delete, Path: "Key_" + leakedKey + ".md", To: "C.md", Base: BaseAny})
	erase(t, w, Erasure{Text: leakedKey})
	var n int
	if err := w.queryRow(t.Context(), "SELECT count(*) FROM merges WHERE instr(path || key, $1) > 0 OR instr(lower(path), $2) > 0", leakedKey, strings.ToLower(leakedKey)).Scan(&n); err != nil || n != 0 {
		t.Errorf("%d rows have the erased name, %v", n, err)
	}
	compareWithGit(t, w)
	checkWholeFile(t, w)
}
