package content

import (
	"errors"
	"slices"
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

// A commit records which text it moved between files, and an erasure rewrites the names.
// An import of the history restores it: TestImportRestoresMerges in package pages.
func TestTakings(t *testing.T) {
	w := newWiki(t, time.Now)
	must(t, w, ada, Edit{Path: "A.md", Data: []byte("a\n")}, Edit{Path: "Key_" + leakedKey + ".md", Data: []byte("b\n")})
	take := func(r Request) Result {
		t.Helper()
		r.Author, r.Limits, r.Message = ada, wiki.DefaultLimits, "Move\n\nTaken: X.md -> C.md"
		done, err := w.Commit(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		return done
	}
	first := take(Request{
		Edits: []Edit{{Path: "A.md", Data: []byte("\n"), Base: BaseAny}, {Path: "C.md", Base: BaseNone, Data: []byte("a\n")}},
		Takes: []Taking{{Path: "C.md", From: "A.md"}},
	})
	must(t, w, ada, Edit{Op: Move, Path: "C.md", To: "D.md", Base: BaseAny})
	must(t, w, bob, Edit{Path: "C.md", Base: BaseNone, Data: []byte("another\n")})
	key := "Key_" + leakedKey + ".md"
	second := take(Request{
		Edits: []Edit{{Op: Delete, Path: key, To: "D.md", Base: BaseAny}, {Path: "D.md", Base: BaseAny, Data: []byte("a\nb\n")}},
		Takes: []Taking{{Path: "D.md", From: key}},
	})
	check := func(w *Wiki, from string) {
		t.Helper()
		got, err := w.Takings(t.Context(), "D.md", 0)
		want := []Taking{{Seq: second.Commit.Seq, Path: "D.md", From: from}, {Seq: first.Commit.Seq, Path: "C.md", From: "A.md"}}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
		if got, err := w.Takings(t.Context(), "C.md", 0); err != nil || len(got) > 0 {
			t.Errorf("the other file: %+v, %v", got, err)
		}
		if got, err := w.Takings(t.Context(), "D.md", second.Commit.Seq); err != nil || len(got) != 1 {
			t.Errorf("before the second: %+v, %v", got, err)
		}
	}
	check(w, key)
	for seq, want := range map[int64]string{first.Commit.Seq: "Taken: A.md -> C.md", second.Commit.Seq: "Merged: " + key + " -> D.md"} {
		var raw string
		if err := w.queryRow(t.Context(), "SELECT raw FROM commits WHERE wiki = $1 AND seq = $2", w.slug, seq).Scan(&raw); err != nil || strings.Count(raw, want) != 1 || strings.Count(raw, "Taken:")+strings.Count(raw, "Merged:") != 1 {
			t.Errorf("%q isn't the only trailer in %q", want, raw)
		}
	}
	erase(t, w, Erasure{Text: leakedKey})
	var n int
	if err := w.queryRow(t.Context(), "SELECT count(*) FROM takings WHERE instr(from_path || from_key, $1) > 0 OR instr(lower(from_path), $2) > 0", leakedKey, strings.ToLower(leakedKey)).Scan(&n); err != nil || n != 0 {
		t.Errorf("%d rows have the erased name, %v", n, err)
	}
	compareWithGit(t, w)
	checkWholeFile(t, w)
}
