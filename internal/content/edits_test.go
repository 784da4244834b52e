package content

import (
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"robot.wtf/internal/wiki"
)

func add(path, text string) Edit  { return Edit{Path: path, Data: []byte(text), Base: BaseAny} }
func move(path, to string) Edit   { return Edit{Op: Move, Path: path, To: to, Base: BaseAny} }
func remove(path string) Edit     { return Edit{Op: Delete, Path: path, Base: BaseAny} }
func revision(text string) string { return blobID(text) }

func history(t testing.TB, w *Wiki, path string) []string {
	t.Helper()
	list, err := w.History(t.Context(), path, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, r := range list {
		line := string(r.Kind) + " " + r.Path
		if r.From != "" {
			line += " from " + r.From
		}
		lines = append(lines, line)
	}
	return lines
}

// TestChangesOfSeveralEdits: a commit records the net change of each file, whichever
// edits produced it.
func TestChangesOfSeveralEdits(t *testing.T) {
	a, b := revision("a\n"), revision("b\n")
	for _, tt := range []struct {
		what  string
		edits []Edit
		want  []wiki.Change
	}{
		{"a chain of moves", []Edit{move("A.md", "X.md"), move("X.md", "Y.md")},
			[]wiki.Change{{Path: "Y.md", From: "A.md", Kind: wiki.Moved, Old: a, New: a}}},
		{"two files swap names", []Edit{move("A.md", "X.md"), move("B.md", "A.md"), move("X.md", "B.md")},
			[]wiki.Change{{Path: "A.md", From: "B.md", Kind: wiki.Moved, Old: b, New: b}, {Path: "B.md", From: "A.md", Kind: wiki.Moved, Old: a, New: a}}},
		{"a new page at the old name", []Edit{move("A.md", "X.md"), add("A.md", "new\n")},
			[]wiki.Change{{Path: "A.md", Kind: wiki.Added, New: revision("new\n")}, {Path: "X.md", From: "A.md", Kind: wiki.Moved, Old: a, New: a}}},
		{"a save to a page that was just moved", []Edit{move("A.md", "X.md"), {Path: "A.md", Base: a, Data: []byte("more\n")}},
			[]wiki.Change{{Path: "X.md", From: "A.md", Kind: wiki.Moved, Old: a, New: revision("more\n")}}},
		{"moved, then deleted", []Edit{move("A.md", "X.md"), remove("X.md")},
			[]wiki.Change{{Path: "A.md", Kind: wiki.Deleted, Old: a}}},
		{"moved, deleted, and the name used again", []Edit{move("A.md", "X.md"), remove("X.md"), add("A.md", "new\n")},
			[]wiki.Change{{Path: "A.md", Kind: wiki.Modified, Old: a, New: revision("new\n")}}},
		{"deleted and written again", []Edit{remove("A.md"), add("a.md", "new\n")},
			[]wiki.Change{{Path: "A.md", Kind: wiki.Modified, Old: a, New: revision("new\n")}}},
		{"deleted and written as it was", []Edit{remove("A.md"), add("A.md", "a\n")}, nil},
		{"moved onto a deleted file", []Edit{remove("A.md"), move("B.md", "A.md")},
			[]wiki.Change{{Path: "A.md", Kind: wiki.Deleted, Old: a}, {Path: "A.md", From: "B.md", Kind: wiki.Moved, Old: b, New: b}}},
		{"created, then deleted", []Edit{add("X.md", "x\n"), remove("X.md")}, nil},
		{"moved there and back", []Edit{move("A.md", "X.md"), move("X.md", "A.md")}, nil},
		{"only the case changes", []Edit{move("A.md", "a.md")},
			[]wiki.Change{{Path: "a.md", From: "A.md", Kind: wiki.Moved, Old: a, New: a}}},
	} {
		t.Run(tt.what, func(t *testing.T) {
			w := newWiki(t, time.Now)
			must(t, w, ada, add("A.md", "a\n"), add("B.md", "b\n"))
			r := must(t, w, bob, tt.edits...)
			if r.Unchanged {
				r.Commit.Changes = nil
			}
			if diff := cmp.Diff(tt.want, r.Commit.Changes); diff != "" || r.Unchanged != (tt.want == nil) {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			compareWithGit(t, w)
		})
	}
	w := newWiki(t, time.Now)
	must(t, w, ada, add("A.md", "a\n"))
	if _, err := do(w, ada, add("C.md", "c\n"), remove("Missing.md")); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("a request with an edit that fails: %v", err)
	}
	if names, err := w.Names(t.Context()); err != nil || !slices.Equal(names, []string{"A.md"}) {
		t.Errorf("it left %q, %v", names, err)
	}
}

// TestHistoryThroughMoves: histories and moves of files that shared names.
func TestHistoryThroughMoves(t *testing.T) {
	w := newWiki(t, time.Now)
	for _, e := range []Edit{
		add("A.md", "first\n"), move("A.md", "B.md"), move("B.md", "C.md"), // C was created as A
		add("D.md", "other\n"), move("D.md", "B.md"), move("B.md", "E.md"), // E was created as D and had the name B after C
		add("A.md", "second\n"), remove("A.md"),
		add("F.md", "third\n"), remove("F.md"), add("F.md", "again\n"),
		add("G.md", "fourth\n"), move("G.md", "H.md"), remove("H.md"), add("H.md", "unrelated\n"),
	} {
		must(t, w, ada, e)
	}
	for path, want := range map[string]string{"B.md": "E.md", "D.md": "E.md", "A.md": "", "C.md": "", "F.md": "", "G.md": "", "H.md": "", "Never.md": ""} {
		if got, err := w.MovedTo(t.Context(), path); got != want || (want == "") != errors.Is(err, wiki.ErrNotFound) {
			t.Errorf("MovedTo(%s) = %q, %v, want %q", path, got, err, want)
		}
	}
	for path, want := range map[string][]string{
		"C.md": {"moved C.md from B.md", "moved B.md from A.md", "added A.md"},
		"E.md": {"moved E.md from B.md", "moved B.md from D.md", "added D.md"},
		"B.md": {"moved E.md from B.md", "moved B.md from D.md", "added D.md"},
		"A.md": {"deleted A.md", "added A.md"}, // the second
		"F.md": {"added F.md", "deleted F.md", "added F.md"},
		"G.md": {"deleted H.md", "moved H.md from G.md", "added G.md"},
	} {
		if diff := cmp.Diff(want, history(t, w, path)); diff != "" {
			t.Errorf("history of %s (-want +got):\n%s", path, diff)
		}
	}
	if _, err := w.History(t.Context(), "Never.md", 0, 0); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("history of a file that never existed: %v", err)
	}
	first, err := w.Log(t.Context(), LogFilter{Ascending: true, Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	if f, data, err := w.ReadAt(t.Context(), "A.md", first[0].ID); err != nil || string(data) != "first\n" || f.Path != "A.md" {
		t.Errorf("the first page called A, at its first commit: %q, %v", data, err)
	}
	must(t, w, ada, remove("E.md"), move("C.md", "E.md"))
	if diff := cmp.Diff([]string{"moved E.md from C.md", "moved C.md from B.md", "moved B.md from A.md", "added A.md"}, history(t, w, "E.md")); diff != "" {
		t.Errorf("history of a file that took a deleted one's place (-want +got):\n%s", diff)
	}
	page, err := w.History(t.Context(), "E.md", 3, 1)
	if err != nil || len(page) != 1 || page[0].Seq != 2 {
		t.Errorf("a page of history: %+v, %v", page, err)
	}
}

// TestBases: a base must be a revision of the same file.
func TestBases(t *testing.T) {
	w := newWiki(t, time.Now)
	must(t, w, ada, add("A.md", "a\n"))
	must(t, w, ada, add("B.md", "b\n"))
	must(t, w, ada, add("A.md", "a2\n"))
	put := func(path, base string, strict bool) error {
		_, err := do(w, ada, Edit{Path: path, Base: base, Data: []byte("mine\n"), Strict: strict})
		return err
	}
	for _, tt := range []struct {
		what, path, base string
		strict           bool
		want             error
	}{
		{"another file's revision", "A.md", revision("b\n"), false, wiki.ErrInvalid},
		{"a revision of no file", "A.md", revision("never\n"), false, wiki.ErrInvalid},
		{"not an id", "A.md", "' OR 1=1", false, wiki.ErrInvalid},
		{"a revision of a file that never existed", "Never.md", revision("a\n"), false, wiki.ErrInvalid},
		{"its own old revision", "A.md", revision("a\n"), false, wiki.ErrConflict},
		{"its own old revision, strictly", "A.md", revision("a\n"), true, wiki.ErrPrecondition},
		{"none, strictly", "A.md", BaseNone, true, wiki.ErrPrecondition},
		{"none", "A.md", BaseNone, false, wiki.ErrConflict},
	} {
		if err := put(tt.path, tt.base, tt.strict); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.what, err, tt.want)
		}
	}
	must(t, w, ada, add("Empty.md", ""))
	var met *wiki.ConflictError
	if err := put("Empty.md", BaseNone, false); !errors.As(err, &met) || len(met.Hunks) != 1 || met.Hunks[0].Yours != "mine\n" {
		t.Errorf("creating over an empty page: %v, %+v", err, met)
	}
	must(t, w, ada, add("A.md", "\x00a"))
	if err := put("A.md", revision("a2\n"), false); !errors.As(err, &met) || len(met.Hunks) != 0 || string(met.Yours) != "mine\n" {
		t.Errorf("merging with a binary file: %v, %+v", err, met)
	}
}

// TestFoldersKeepOneSpelling: files join existing folders, and a folder's spelling
// can change if all its files move.
func TestFoldersKeepOneSpelling(t *testing.T) {
	w := newWiki(t, time.Now)
	must(t, w, ada, add("Design/A.md", "a\n"), add("design/Sub/B.md", "b\n"))
	must(t, w, ada, add("DESIGN/SUB/C.md", "c\n"))
	r := must(t, w, ada, move("Design/Sub/C.md", "design/sub/c2.md"))
	if r.Files[0].Path != "Design/Sub/c2.md" {
		t.Errorf("one file moved to %q", r.Files[0].Path)
	}
	must(t, w, ada, move("Design/A.md", "design/A.md"), move("Design/Sub/B.md", "design/sub/B.md"), move("Design/Sub/c2.md", "design/sub/c2.md"))
	names, err := w.Names(t.Context())
	if want := []string{"design/A.md", "design/sub/B.md", "design/sub/c2.md"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("a folder of another spelling: %q, %v", names, err)
	}
	compareWithGit(t, w)
	for _, path := range []string{"", "/A.md", "A//B.md", "../A.md", "a/./b", "x/.GIT/config", "a/", strings.Repeat("x", 201), "a\x00b", "\xff"} {
		if _, err := do(w, ada, add(path, "x\n")); !errors.Is(err, wiki.ErrInvalid) {
			t.Errorf("a file %q: %v", path, err)
		}
		if _, err := do(w, ada, move("design/A.md", path)); !errors.Is(err, wiki.ErrInvalid) {
			t.Errorf("a move to %q: %v", path, err)
		}
	}
}

// storedBytes is what contents add to a wiki's history.
func storedBytes(contents ...string) (sum int64) {
	for _, c := range contents {
		sum += int64(len(deflate([]byte(c))))
	}
	return sum
}

// TestHistoryBytes: content that is already stored isn't counted again, and a file
// over its limit can be made smaller.
func TestHistoryBytes(t *testing.T) {
	w := newWiki(t, time.Now)
	l := wiki.Limits{Pages: 9, Files: 9, CurrentBytes: 100, HistoryBytes: storedBytes("0123456789", "abcdefghij"), PageBytes: 10, AttachmentBytes: 10}
	commit := func(l wiki.Limits, edits ...Edit) error {
		_, err := w.Commit(t.Context(), Request{Author: ada, Limits: l, Edits: edits})
		return err
	}
	large := l
	large.PageBytes = 50
	for _, step := range []struct {
		what   string
		limits wiki.Limits
		edit   Edit
		kind   error
	}{
		{"a file", l, add("f.png", "0123456789"), nil},
		{"the same content again", l, add("g.png", "0123456789"), nil},
		{"to the byte", l, add("h.png", "abcdefghij"), nil},
		{"one byte more", l, add("i.png", "x"), wiki.ErrQuota},
		{"the content of another file", l, add("f.png", "abcdefghij"), nil},
		{"a page of 40 bytes", large, add("P.md", strings.Repeat("p", 40)), nil},
		{"cut down to 30, under the smaller limit", l, add("P.md", strings.Repeat("p", 30)), nil},
		{"grown to 31", l, add("P.md", strings.Repeat("p", 31)), wiki.ErrTooLarge},
		{"moved as it is", l, move("P.md", "Q.md"), nil},
	} {
		err := commit(step.limits, step.edit)
		if !errors.Is(err, step.kind) || step.kind == nil && err != nil {
			t.Errorf("%s: %v, want %v", step.what, err, step.kind)
		}
		var p *wiki.Problem
		if step.kind != nil && (!errors.As(err, &p) || !strings.ContainsAny(p.Message, "0123456789")) {
			t.Errorf("%s: %v names no number", step.what, err)
		}
	}
	if got, err := w.Stats(t.Context()); err != nil || got.HistoryBytes != storedBytes("0123456789", "abcdefghij", strings.Repeat("p", 40), strings.Repeat("p", 30)) {
		t.Errorf("stats %+v, %v", got, err)
	}
}

// TestForgedTrailers: whatever the message, git reads agents, clients and grants
// from the commit only as the caller has them.
func TestForgedTrailers(t *testing.T) {
	w := newWiki(t, time.Now)
	for _, who := range []wiki.Caller{ada, bot} {
		for n, message := range []string{
			"Note\n\nAgent: Evil", "Note\n\nagent:Evil\nGRANT : Evil\n", "Note\n\nSigned-off-by: me\nClient: Evil\n and more Evil\nprose",
			"Note\n\nAgent: Evil\n\nGrant: Evil\n\nMoved: Evil -> Evil", "Agent: Evil", "\n\n\nMoved: Evil -> Evil\n", "Note\r\n\r\nAgent: Evil\r\n",
			"Note\n\nAgent: Evil\n\tEvil\n\vEvil", "Note\n\n(cherry picked from commit 1)\nAgent: Evil", "x\n\nCo-authored-by: you\nAgent: Evil",
			// Lines that git skips must not hide the paragraph before them.
			"Note\n\nAgent: Evil\n# comment", "Note\n\nGrant: Evil\n\n# comment\n", "Note\n\nAgent: Evil\n\nConflicts:\n\tfile",
			"Note\n\n# comment\n\nAgent: Evil\n\n#\n\nGrant: Evil\n\n#", "# Note\nAgent: Evil", "#\n\nAgent: Evil", "Note\nMoved: Evil\n\n#",
		} {
			r, err := w.Commit(t.Context(), Request{Author: who, Message: message, Limits: wiki.DefaultLimits, Edits: []Edit{add("A.md", who.Grant+message)}})
			if err != nil {
				t.Fatal(err)
			}
			var raw []byte
			if err := w.queryRow(t.Context(), "SELECT raw FROM commits WHERE wiki = $1 AND seq = $2", w.slug, r.Commit.Seq).Scan(&raw); err != nil {
				t.Fatal(err)
			}
			_, body, _ := strings.Cut(string(raw), "\n\n")
			cmd := exec.Command("git", "interpret-trailers", "--parse", "--no-divider")
			cmd.Stdin = strings.NewReader(body)
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(out)) {
				key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
				if isReservedTrailer(key) && value != map[string]string{"Agent": who.Agent, "Client": who.Client, "Grant": who.Grant}[key] {
					t.Errorf("message %d by %q: git reads %q of %q", n, who.Agent, line, body)
				}
			}
		}
	}
}

func TestLinksFollowEdits(t *testing.T) {
	w := newWiki(t, time.Now)
	for _, text := range []string{"[[A]] [[B]] [[C]]\n", "[[A]]\n", "none\n", "[[C]] [[B]]\n"} {
		must(t, w, ada, add("Page.md", text))
		var got []string
		links, err := w.LinksFrom(t.Context(), "page")
		for _, l := range links {
			got = append(got, "[["+l.Target+"]]")
		}
		if want := strings.TrimSpace(strings.TrimSuffix(text, "none\n")); err != nil || strings.Join(got, " ") != want {
			t.Errorf("links of %q: %q, %v", text, got, err)
		}
	}
	must(t, w, ada, move("Page.md", "Folder/Moved.md"))
	if links, err := w.LinksByKey(t.Context(), wiki.PageKeys("B.md", nil)); err != nil || len(links) != 1 || links[0].From != "Folder/Moved" {
		t.Errorf("links after a move: %+v, %v", links, err)
	}
}

func TestLogFilters(t *testing.T) {
	w := newWiki(t, time.Now)
	for _, c := range []struct {
		who  wiki.Caller
		edit Edit
	}{
		{ada, add("Design/A.md", "a\n")}, {bob, add("Other.md", "b\n")}, {bot, add("Design/B.md", "c\n")},
		{ada, move("Design/B.md", "B.md")}, {ada, add("Designs.md", "d\n")}, {ada, add("design_notes.md", "e\n")},
	} {
		must(t, w, c.who, c.edit)
	}
	yes, no := true, false
	for _, tt := range []struct {
		filter LogFilter
		want   []int64
	}{
		{LogFilter{}, []int64{6, 5, 4, 3, 2, 1}},
		{LogFilter{Limit: 2}, []int64{6, 5}},
		{LogFilter{Before: 3}, []int64{2, 1}},
		{LogFilter{After: 4, Ascending: true}, []int64{5, 6}},
		{LogFilter{PathPrefix: "Design/"}, []int64{4, 3, 1}},
		{LogFilter{PathPrefix: "Design"}, []int64{5, 4, 3, 1}},
		{LogFilter{Author: "bob"}, []int64{2}},
		{LogFilter{Agents: &yes}, []int64{3}},
		{LogFilter{Agents: &no, Author: "ada", PathPrefix: "Design/"}, []int64{4, 1}},
		{LogFilter{Author: "nobody"}, nil},
	} {
		list, err := w.Log(t.Context(), tt.filter)
		var got []int64
		for _, c := range list {
			got = append(got, c.Seq)
			if len(c.Changes) != 1 {
				t.Errorf("commit %d has the changes %+v", c.Seq, c.Changes)
			}
		}
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%+v: %v, %v, want %v", tt.filter, got, err, tt.want)
		}
	}
	for n := range 150 {
		must(t, w, ada, add("Many.md", strings.Repeat("x", n)))
	}
	list, err := w.Log(t.Context(), LogFilter{Limit: 1000})
	if err != nil || len(list) != 156 || slices.ContainsFunc(list, func(c wiki.Commit) bool { return len(c.Changes) != 1 }) {
		t.Errorf("a long log: %d commits, %v", len(list), err)
	}
}

// Attack: commits of tens of thousands of files, as imports make them, and somebody lists
// the changes. A list reads a bounded number, an equal part of each commit that has more.
func TestListsReadSomeChanges(t *testing.T) {
	w := newWiki(t, time.Now)
	for n := range 3 {
		var edits []Edit
		for i := range 30 {
			edits = append(edits, Edit{Path: fmt.Sprintf("%02d.md", i), Data: fmt.Appendf(nil, "%d\n", n), Base: BaseAny})
		}
		must(t, w, ada, edits...)
	}
	must(t, w, ada, Edit{Path: "one.md", Data: []byte("x\n")})
	for most, want := range map[int]string{0: "1 30 30 30", 91: "1 30 30 30", 90: "1 22+ 22+ 22+", 20: "1 5+ 5+ 5+", 1: "1 1+ 1+ 1+"} {
		log, err := w.Log(t.Context(), LogFilter{Changes: most})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range log {
			text := fmt.Sprint(len(c.Changes))
			if c.Cut {
				text += "+"
			}
			if c.Changes[0].Path != "00.md" && c.Changes[0].Path != "one.md" {
				t.Errorf("the first change is that of %s", c.Changes[0].Path)
			}
			got = append(got, text)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("at most %d: %q, want %q", most, got, want)
		}
	}
}
