package content

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"robot.wtf/internal/wiki"
)

// An agent pastes a key into a page, and its owner erases it. The key must be gone
// from every table and every byte on disk, and nothing else may change.
const leakedKey = "sk-ant-0123456789abcdef"

func erase(t *testing.T, w *Wiki, e Erasure) ErasureReport {
	t.Helper()
	e.Author = ada
	report, err := w.Erase(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// onDisk reports which files of a directory contain a text.
func onDisk(t *testing.T, dir, text string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte(text)) {
			files = append(files, filepath.Base(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// leak writes the key everywhere that a person or an agent can. It returns the
// number of the last commit without it.
func leak(t *testing.T, w *Wiki) int64 {
	t.Helper()
	ctx := context.Background()
	clean := must(t, w, ada, Edit{Path: "Setup.md", Data: []byte("before\n")}).Commit.Seq
	f, _, err := w.Read(ctx, "Setup.md")
	if err != nil {
		t.Fatal(err)
	}
	r, err := w.Commit(ctx, Request{Author: bot, Limits: wiki.DefaultLimits, Message: "Use " + leakedKey, IdempotencyKey: "k", IdempotencyHash: "h",
		Edits: []Edit{{Path: "Setup.md", Base: f.Blob, Data: []byte("key: " + leakedKey + "\n[[" + leakedKey + "]]\n")}}})
	if err != nil {
		t.Fatal(err)
	}
	must(t, w, bob, Edit{Path: "Setup.md", Base: r.Files[0].Blob, Data: []byte("key: " + leakedKey + "\nmore\n")})
	must(t, w, bot, Edit{Path: "Notes/about " + leakedKey + ".md", Data: []byte("text\n")})
	must(t, w, bot, Edit{Op: Move, Path: "Notes/about " + leakedKey + ".md", To: leakedKey + "/x.md", Base: BaseAny})
	must(t, w, bot, Edit{Path: "key.bin", Data: []byte("\x00\x01" + leakedKey + "\x02")})
	if err := w.SaveDraft(ctx, bob.User.DID, Draft{Path: "Draft " + leakedKey + ".md", Text: []byte("my " + leakedKey), Message: leakedKey, Base: f.Blob}); err != nil {
		t.Fatal(err)
	}
	return clean
}

func TestEraseText(t *testing.T) {
	for seed := range 4 {
		c := newClock()
		w := newWiki(t, c.Now)
		r := rand.New(rand.NewPCG(uint64(seed), 7))
		scribble(t, w, c, r, 20)
		untouched := leak(t, w)
		scribble(t, w, c, r, 20)
		before := wikiLog(t, w)
		plan := erase(t, w, Erasure{Text: leakedKey, DryRun: true})
		report := erase(t, w, Erasure{Text: leakedKey})
		after := wikiLog(t, w)
		if plan.Commit = report.Commit; plan != report || report.Versions != 3 || report.Messages < 2 || report.Drafts != 1 {
			t.Errorf("planned %+v, did %+v", plan, report)
		}
		checkErased(t, w, before, after, untouched)
		compareWithGit(t, w)
		checkWholeFile(t, w)
		must(t, w, bob, Edit{Path: "Setup.md", Base: BaseAny, Data: []byte("saved after\n")}) // the wiki still works
		compareWithGit(t, w)
	}
}

func wikiLog(t *testing.T, w *Wiki) []wiki.Commit {
	t.Helper()
	log, err := w.Log(t.Context(), LogFilter{Ascending: true, Limit: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	return log
}

// checkErased compares a wiki's log before and after an erasure.
func checkErased(t *testing.T, w *Wiki, before, after []wiki.Commit, untouched int64) {
	t.Helper()
	if len(after) != len(before)+1 || len(after[len(after)-1].Changes) != 0 || after[len(after)-1].Author.Username != "ada" {
		t.Fatalf("%d commits became %d, the last is %+v", len(before), len(after), after[len(after)-1])
	}
	for i, was := range before {
		is := after[i]
		if (was.ID == is.ID) != (was.Seq <= untouched) {
			t.Errorf("commit %d was %s and is %s; the first %d don't change", was.Seq, was.ID, is.ID, untouched)
		}
		_, err := w.CommitByID(t.Context(), was.ID)
		var gone *wiki.Problem
		if was.ID != is.ID && (!errors.As(err, &gone) || gone.Kind != wiki.ErrGone || gone.DidYouMean != is.ID) {
			t.Errorf("former commit %s: %v, want its successor %s", was.ID, err, is.ID)
		}
		for _, ch := range was.Changes {
			if strings.Contains(ch.Path+ch.From, leakedKey) {
				continue // has another name now
			}
			_, data, err := w.ReadAt(t.Context(), ch.Path, is.ID)
			if ch.Kind != wiki.Deleted && (err != nil || bytes.Contains(data, []byte(leakedKey))) {
				t.Errorf("%s at commit %d: %q, %v", ch.Path, is.Seq, data, err)
			}
		}
		was.ID, was.Parents, was.Changes, is.ID, is.Parents, is.Changes = "", nil, nil, "", nil, nil
		was.Message = strings.ReplaceAll(was.Message, leakedKey, erasedText)
		if strings.HasPrefix(was.Message, "Create") || strings.HasPrefix(was.Message, "Move") {
			was.Message = is.Message // names
		}
		if diff := cmp.Diff(was, is); diff != "" {
			t.Errorf("commit %d (-before +after):\n%s", was.Seq, diff)
		}
	}
	dump, _ := json.Marshal(after)
	if bytes.Contains(dump, []byte(leakedKey)) {
		t.Errorf("the log still has the key: %s", dump)
	}
	if d, err := w.Draft(t.Context(), bob.User.DID, "Draft "+leakedKey+".md"); err == nil {
		t.Errorf("the draft still has the key: %+v", d)
	}
}

// checkWholeFile looks for the key in the bytes of the database, and inflated in
// its blobs, and verifies everything else.
func checkWholeFile(t *testing.T, w *Wiki) {
	t.Helper()
	dir := filepath.Join(w.o.Dir, w.slug)
	if files := onDisk(t, dir, leakedKey); len(files) > 0 {
		t.Errorf("the key is still in %v", files)
	}
	var n int
	for _, query := range []string{
		"SELECT COUNT(*) FROM files f WHERE NOT EXISTS (SELECT 1 FROM blobs b WHERE b.oid = f.blob)",
		"SELECT COUNT(*) FROM changes c WHERE new <> '' AND NOT EXISTS (SELECT 1 FROM blobs b WHERE b.oid = c.new)",
		"SELECT COUNT(*) FROM changes c WHERE old <> '' AND NOT EXISTS (SELECT 1 FROM blobs b WHERE b.oid = c.old)",
		"SELECT COUNT(*) FROM blobs b JOIN replaced r ON r.oid = b.oid",
		"SELECT history_bytes - (SELECT SUM(LENGTH(data)) FROM blobs) FROM meta",
		"SELECT current_bytes - (SELECT SUM(size) FROM files) FROM meta",
		"SELECT COUNT(*) FROM backlinks WHERE key LIKE '%sk_ant%'",
	} {
		if err := w.queryRow(t.Context(), query).Scan(&n); err != nil || n != 0 {
			t.Errorf("%s: %d, %v", query, n, err)
		}
	}
	if err := visitBlobs(t, w, func(id string, text []byte) {
		if bytes.Contains(text, []byte(leakedKey)) {
			t.Errorf("blob %s still has the key", id)
		}
	}); err != nil {
		t.Error(err)
	}
	copied := filepath.Join(t.TempDir(), "copy.db")
	if _, err := w.db.ExecContext(t.Context(), "VACUUM INTO '"+copied+"'"); err != nil {
		t.Fatal(err)
	}
	if _, err := CheckFile(t.Context(), copied, w.slug); err != nil {
		t.Error(err)
	}
}

func visitBlobs(t *testing.T, w *Wiki, visit func(id string, text []byte)) error {
	var ids []string
	rows, err := w.queryRows(t.Context(), "SELECT oid FROM blobs")
	if err != nil {
		return err
	}
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return err
		}
		ids = append(ids, id)
	}
	for _, id := range ids {
		text, err := w.Blob(t.Context(), id)
		if err != nil {
			return err
		}
		visit(id, text)
	}
	return rows.Close()
}

// A retry of a request from before an erasure gets its first result with new ids,
// unless the result itself had the text.
func TestEraseKeepsResultsOfRequests(t *testing.T) {
	w := newWiki(t, time.Now)
	must(t, w, ada, Edit{Path: "A.md", Data: []byte(leakedKey)})
	request := Request{Author: ada, Limits: wiki.DefaultLimits, IdempotencyKey: "k", IdempotencyHash: "h", Edits: []Edit{{Path: "A.md", Base: BaseAny, Data: []byte("clean\n")}}}
	first, err := w.Commit(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	erase(t, w, Erasure{Text: leakedKey})
	again, err := w.Commit(t.Context(), request)
	if err != nil || !again.Replayed || again.Commit.ID == first.Commit.ID {
		t.Fatalf("a retry: %+v, %v", again, err)
	}
	if _, err := w.CommitByID(t.Context(), again.Commit.ID); err != nil {
		t.Error(err)
	}
}

// Someone who has the page open while the text is erased must not bring it back
// by saving, and must not lose their own text.
func TestEraseWhileEditing(t *testing.T) {
	w := newWiki(t, time.Now)
	old := must(t, w, ada, Edit{Path: "A.md", Data: []byte("one\n" + leakedKey + "\nthree\n")}).Files[0].Blob
	erase(t, w, Erasure{Text: leakedKey})
	yours := []byte("one\n" + leakedKey + "\nthree\nfour\n")
	_, err := do(w, bob, Edit{Path: "A.md", Base: old, Data: yours})
	var conflict *wiki.ConflictError
	if !errors.As(err, &conflict) || !bytes.Equal(conflict.Yours, yours) || string(conflict.Base) != "one\n[erased]\nthree\n" {
		t.Fatalf("saving a text from before: %v", err)
	}
	for range 2 { // several erasures
		next := must(t, w, bob, Edit{Path: "A.md", Base: BaseAny, Data: []byte("another " + leakedKey)}).Files[0].Blob
		erase(t, w, Erasure{Text: leakedKey})
		if _, err := do(w, bob, Edit{Path: "A.md", Base: next, Data: yours}); !errors.As(err, &conflict) {
			t.Errorf("saving a text from before a later erasure: %v", err)
		}
	}
}

func TestEraseCommit(t *testing.T) {
	c := newClock()
	w := newWiki(t, c.Now)
	scribble(t, w, c, rand.New(rand.NewPCG(3, 3)), 10)
	a := must(t, w, ada, Edit{Path: "Setup.md", Data: []byte("one\n")})
	b, err := w.Commit(t.Context(), Request{Author: bot, Message: "Add " + leakedKey, Limits: wiki.DefaultLimits, Edits: []Edit{
		{Path: "Setup.md", Base: a.Files[0].Blob, Data: []byte("two " + leakedKey + "\n")}, {Path: "Other.md", Data: []byte(leakedKey + "\n")},
		{Op: Move, Path: "Setup.md", To: "Moved.md", Base: BaseAny},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Erase(t.Context(), Erasure{Author: ada, Commit: b.Commit.ID}); !errors.Is(err, wiki.ErrInvalid) {
		t.Errorf("erasing the current version: %v", err)
	}
	must(t, w, bob, Edit{Path: "Moved.md", Base: BaseAny, Data: []byte("three\n")}, Edit{Op: Delete, Path: "Other.md", Base: BaseAny})
	report := erase(t, w, Erasure{Commit: b.Commit.ID[:12]})
	if report.Versions != 2 || report.Rewritten != 2 || report.Files != 0 {
		t.Errorf("report %+v", report)
	}
	log := wikiLog(t, w)
	is := log[b.Commit.Seq-1]
	if is.Message != "Erased" || is.Author != b.Commit.Author || len(is.Changes) != 2 {
		t.Errorf("the erased commit is %+v", is)
	}
	if f, text, err := w.ReadAt(t.Context(), "Moved.md", is.ID); err != nil || string(text) != erasedVersion || f.Path != "Moved.md" {
		t.Errorf("the erased version is %q, %v", text, err)
	}
	if got := text(t, w, "Moved.md"); got != "three\n" {
		t.Errorf("the current version is %q", got)
	}
	compareWithGit(t, w)
	checkWholeFile(t, w)
	history, err := w.History(t.Context(), "Moved.md", 0, 0)
	if err != nil || len(history) != 3 || history[2].Path != "Setup.md" {
		t.Errorf("the history through the move: %+v, %v", history, err)
	}
}

func TestEraseRefuses(t *testing.T) {
	w := newWiki(t, time.Now)
	must(t, w, ada, Edit{Path: "A.md", Data: []byte("text\n")})
	_, before := w.Head()
	for _, tt := range []struct {
		e    Erasure
		want error
	}{
		{Erasure{}, wiki.ErrInvalid},
		{Erasure{Text: "text\n", Commit: before}, wiki.ErrInvalid},
		{Erasure{Text: "short"}, wiki.ErrInvalid},
		{Erasure{Text: "         "}, wiki.ErrInvalid},
		{Erasure{Text: "erased-"}, wiki.ErrInvalid},
		{Erasure{Text: "a\x00bcdefgh"}, wiki.ErrInvalid},
		{Erasure{Text: "abcdef\xff"}, wiki.ErrInvalid},
		{Erasure{Text: strings.Repeat("x", MaxErasedText+1)}, wiki.ErrTooLarge},
		{Erasure{Text: "nowhere to be found"}, wiki.ErrNotFound},
		{Erasure{Commit: "0123456789"}, wiki.ErrNotFound},
		{Erasure{Commit: "nothex"}, wiki.ErrInvalid},
	} {
		for _, dry := range []bool{true, false} {
			tt.e.Author, tt.e.DryRun = ada, dry
			if _, err := w.Erase(t.Context(), tt.e); !errors.Is(err, tt.want) {
				t.Errorf("%.60s: %v, want %v", fmt.Sprintf("%+v", tt.e), err, tt.want)
			}
		}
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Erase(canceled, Erasure{Author: ada, Text: "text\nlonger"}); !errors.Is(err, context.Canceled) {
		t.Errorf("with a canceled context: %v", err)
	}
	if _, after := w.Head(); after != before {
		t.Error("a refused erasure moved the head")
	}
}

// Texts with line breaks match any line ends, as a form sends them.
func TestEraseLines(t *testing.T) {
	w := newWiki(t, time.Now)
	must(t, w, ada, Edit{Path: "A.md", Data: []byte("x\n-----BEGIN KEY-----\nabc\n-----END KEY-----\ny\n")},
		Edit{Path: "B.md", Data: []byte("x\r\n-----BEGIN KEY-----\r\nabc\r\n-----END KEY-----\r\ny\r\n")})
	erase(t, w, Erasure{Text: "-----BEGIN KEY-----\r\nabc\r\n-----END KEY-----"})
	if a, b := text(t, w, "A.md"), text(t, w, "B.md"); a != "x\n[erased]\ny\n" || b != "x\r\n[erased]\r\ny\r\n" {
		t.Errorf("left %q and %q", a, b)
	}
	compareWithGit(t, w)
}
