package pages

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/slow"
	"robot.wtf/internal/wiki"
)

// zipFiles makes a zip of files by path.
func zipFiles(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		out, err := z.Create(name)
		if err == nil {
			_, err = io.WriteString(out, files[name])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// received uploads a file, which is removed at the end of the test.
func (w *world) received(data []byte) *Upload {
	w.t.Helper()
	u, err := w.Receive(w.t.Context(), w.owner, bytes.NewReader(data), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	u.Name = "vault.zip"
	w.t.Cleanup(func() {
		if u.receipt != nil {
			w.must(u.Close())
		}
	})
	return u
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) examined(u *Upload, r ImportRequest) *ImportPreview {
	w.t.Helper()
	v, err := w.Examine(w.t.Context(), w.owner, u, r, nil)
	w.must(err)
	return v
}

func (w *world) imported(u *Upload, r ImportRequest) ImportResult {
	w.t.Helper()
	done, err := w.Import(w.t.Context(), w.owner, u, r, nil)
	w.must(err)
	return done
}

var vaultFiles = map[string]string{
	"Vault/.obsidian/app.json":  "{}",
	"Vault/Home.md":             "# Home\n\n[[Garden/Beds]], [[Garden/history]], [[Missing]] and ![[Garden/bed.png]] #green\n",
	"Vault/Garden/Beds.md":      "# Beds\n\nSee [home](../Home.md) and [gone](Gone.md) #green #brown\n",
	"Vault/Garden/history.md":   "# History of the garden\n",
	"Vault/Garden/bed.png":      "\x89PNG\r\n\x1a\nnot really",
	"Vault/Daily/2026-11-30.md": "Today.\n",
}

// A vault becomes the pages of a new wiki in one commit of the importer, in place of
// the initial pages; undoing it restores those.
func TestImportVault(t *testing.T) {
	t.Parallel()
	w := newWorld(t).fresh("new")
	seeds := w.tree()
	u := w.received(zipFiles(t, vaultFiles))
	head := w.head()
	v := w.examined(u, ImportRequest{})
	if w.head() != head || !maps.Equal(w.tree(), seeds) {
		t.Fatal("looking at an import changed the wiki")
	}
	if v.Kind != "an Obsidian vault" || v.Pages != 4 || v.Files != 1 || v.Seeds != 3 || v.After.Pages != 4 || len(v.Clashes) != 0 || len(v.Problems) != 0 {
		t.Errorf("%+v", v)
	}
	if v.Links != 5 || v.LinksLead != 3 || v.Pictures != 1 || v.PicsShow != 1 || v.Tags != 2 || v.DeadLinks() != 2 {
		t.Errorf("links: %+v", v)
	}
	if len(v.Renamed) != 1 || v.Renamed[0].From != "Garden/history.md" || v.Renamed[0].To != "Garden/History.md" || v.LeftFiles != 1 {
		t.Errorf("renamed %v, left %v", v.Renamed, v.Left)
	}
	done := w.imported(u, ImportRequest{})
	if done.Pages != 4 || done.Files != 1 || !done.HasHome || done.History {
		t.Errorf("%+v", done)
	}
	if got, want := w.paths(), "Daily/2026-11-30.md Garden/Beds.md Garden/History.md Garden/bed.png Home.md"; got != want {
		t.Errorf("files: %s", got)
	}
	log, err := w.Changelog(w.t.Context(), w.owner, LogFilter{})
	w.must(err)
	if len(log) != 2 || log[0].ID != done.Head || log[0].Author.DID != "did:plc:ada" || log[0].Author.Imported || !log[0].Author.Brought() || log[0].Message != "Import 4 pages from vault.zip" {
		t.Errorf("%+v", log[0])
	}
	if view, err := w.View(w.t.Context(), w.owner, "Home", ""); err != nil || !contains(view.Body, `href="/Garden/History"`) {
		t.Errorf("the link to a renamed page: %s, %v", view.Body, err)
	}
	_, err = w.Undo(w.t.Context(), w.owner, UndoRequest{Commit: done.Head})
	w.must(err)
	if !maps.Equal(w.tree(), seeds) {
		t.Errorf("undone: %s", w.paths())
	}
}

// Names that both have: the owner's choice applies to the page that they saw, and the default
// keeps the wiki's page.
func TestImportClashes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range []string{"Mine", "Theirs", "Both", "Same"} {
		w.put(name, name+" here\n")
	}
	files := map[string]string{
		"Mine.md": "Mine there\n", "Theirs.md": "Theirs there\n", "both.md": "Both there\n", "Same.md": "Same here\n", "New.md": "[[Both]] [[Mine]] [b](both.md) [[Theirs]]\n",
	}
	u := w.received(zipFiles(t, files))
	v := w.examined(u, ImportRequest{})
	if len(v.Clashes) != 3 || v.Same != 1 || v.Pages != 1 || v.Clashes[0].Mine.Author.Username != "ada" {
		t.Fatalf("%+v", v)
	}
	choices := map[string]Choice{}
	for _, c := range v.Clashes {
		choices[c.Path] = Choice{Decision(strings.ToLower(strings.TrimSuffix(c.Path, ".md"))), c.Mine.Blob}
	}
	// Somebody changes the page that theirs would replace: it isn't overwritten.
	w.put("Theirs", "Changed since\n")
	seq := w.head()
	_, err := w.Import(w.t.Context(), w.owner, u, ImportRequest{Choices: choices}, nil)
	if wantKind(t, err, wiki.ErrPrecondition); w.head() != seq {
		t.Error("a part was imported")
	}
	choices["Theirs.md"] = Choice{Decision: TakeTheirs}
	if v := w.examined(u, ImportRequest{Choices: choices}); v.Pages != 3 || v.After.Pages != 6 {
		t.Errorf("%d pages, %d afterwards", v.Pages, v.After.Pages)
	}
	w.imported(u, ImportRequest{Choices: choices})
	want := map[string]string{
		"Mine.md": "Mine here\n", "Theirs.md": "Theirs there\n", "Both.md": "Both here\n", "both (2).md": "Both there\n", "Same.md": "Same here\n",
		"New.md": "[[both (2)]] [[Mine]] [b](both%20%282%29.md) [[Theirs]]\n",
	}
	if got := w.tree(); !maps.Equal(got, want) {
		t.Errorf("%q", got)
	}
	// Again, nothing is left to do.
	u.Close()
	u = w.received(zipFiles(t, map[string]string{"Same.md": "Same here\n"}))
	if v := w.examined(u, ImportRequest{}); !v.Empty() {
		t.Errorf("%+v", v)
	}
	_, err = w.Import(w.t.Context(), w.owner, u, ImportRequest{}, nil)
	wantKind(t, err, wiki.ErrInvalid)
}

// A file or folder that has to give its name to one of the wiki gets a name that
// nothing else has, neither in the wiki nor in the import.
func TestImportedNamesStayApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.commitFiles(map[string]string{
		"Mine.md": "Mine", "plan.md/Below.md": "in a folder that is called like a page's file", "docs": "a file that is called like a folder",
	})
	files := map[string]string{
		"plan.md": "1", "plan (2).md": "2", "docs/x.md": "3", "docs (2)/x.md": "4", "docs/b/c.md": "5", "Mine.md": "6", "Mine (2).md": "7",
	}
	u := w.received(zipFiles(t, files))
	before := len(w.tree())
	w.imported(u, ImportRequest{Choices: map[string]Choice{"Mine.md": {Decision: KeepBoth}}})
	tree := w.tree()
	if len(tree) != before+len(files) {
		t.Errorf("%d files, want %d", len(tree), before+len(files))
	}
	for name, text := range map[string]string{
		"plan (2).md": "2", "plan (3).md": "1", "docs (2)/x.md": "4", "docs (3)/x.md": "3", "docs (3)/b/c.md": "5", "Mine (2).md": "7", "Mine (3).md": "6",
	} {
		if tree[name] != text {
			t.Errorf("%s is %q, want %q", name, tree[name], text)
		}
	}
	if v := w.examined(u, ImportRequest{}); v.Same != len(files)-2 || len(v.Clashes) != 1 { // plan.md gets another name each time
		t.Errorf("again: %d files are the same, %d clash", v.Same, len(v.Clashes))
	}
}

// Somebody writes in a new wiki while an import reads its files: nothing is replaced.
func TestImportKeepsEditsMadeMeanwhile(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Home", "AGENTS"} {
		w := newWorld(t).fresh("new")
		u := w.received(zipFiles(t, map[string]string{"Home.md": "imported", "x.md": "imported"}))
		edited := false
		_, err := w.Import(w.t.Context(), w.owner, u, ImportRequest{}, func(step ImportStep) {
			if step.What == "Reading the files" && !edited {
				edited = true
				w.put(name, "written meanwhile\n")
			}
		})
		wantKind(t, err, wiki.ErrPrecondition)
		if got := w.tree()[name+".md"]; !edited || got != "written meanwhile\n" {
			t.Errorf("%s is %q", name, got)
		}
	}
}

// Into a folder: links keep leading to the imported pages, and a name of a folder or
// of a file isn't used twice.
func TestImportIntoFolder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Home", "here\n")
	w.put("Vault/Old", "old\n")
	w.upload("", "notes", "a file")
	u := w.received(zipFiles(t, map[string]string{
		"Home.md": "[[Sub/Page]] ![](img/x.png) [up](/Home.md)\n", "Sub/Page.md": "[[Home]] [h](../Home.md)\n", "img/x.png": "png", "Vault/x.md": "x", "notes/y.md": "y", "Old": "a file with a page's folder name",
	}))
	w.imported(u, ImportRequest{Into: " Vault/ "})
	got := w.tree()
	if got["Vault/Home.md"] != "[[Vault/Sub/Page]] ![](img/x.png) [up](/Vault/Home.md)\n" || got["Vault/Sub/Page.md"] != "[[Vault/Home]] [h](../Home.md)\n" || got["Home.md"] != "here\n" {
		t.Errorf("%q", got)
	}
	// The same again: links that were rewritten don't make it different.
	if v := w.examined(u, ImportRequest{Into: "Vault"}); !v.Empty() || len(v.Clashes) > 0 {
		t.Errorf("again: %+v", v)
	}
	u.Close()
	u = w.received(zipFiles(t, map[string]string{"notes/y.md": "y", "Vault": "a file", "z.md": "z"}))
	v := w.examined(u, ImportRequest{})
	if v.RenamedFiles != 2 {
		t.Errorf("%+v", v.Renamed)
	}
	w.imported(u, ImportRequest{})
	if got := w.tree(); got["notes (2)/y.md"] != "y" || got["Vault (2)"] != "a file" {
		t.Errorf("%s", w.paths())
	}
	if v := w.examined(u, ImportRequest{}); !v.Empty() || len(v.Clashes) > 0 {
		t.Errorf("the second again: %+v", v)
	}
	for _, into := range []string{"../x", "a/edit", "-", strings.Repeat("x", 300)} {
		_, err := w.Examine(w.t.Context(), w.owner, u, ImportRequest{Into: into}, nil)
		wantKind(t, err, wiki.ErrInvalid)
	}
}

// A Notion export: names and links lose their ids, and tables become pages.
func TestImportNotion(t *testing.T) {
	t.Parallel()
	w := newWorld(t).fresh("new")
	const a, b, c = "0123456789abcdef0123456789abcdef", "11111111111111111111111111111111", "22222222222222222222222222222222"
	u := w.received(zipFiles(t, map[string]string{
		"Plan " + a + ".md":                               "# Plan\n\n[Task](Plan%20" + a + "/Task%20" + b + ".md) [Board](Plan%20" + a + "/Board%20" + c + ".csv) ![x](Plan%20" + a + "/x.png)\n",
		"Plan " + a + "/Task " + b + ".md":                "# Task\n\n[up](../Plan%20" + a + ".md)\n",
		"Plan " + a + "/Board " + c + ".csv":              "Name,Done\nOne,Yes\n",
		"Plan " + a + "/Board " + c + "/One " + b + ".md": "# One\n",
		"Plan " + a + "/x.png":                            "png",
	}))
	v := w.examined(u, ImportRequest{})
	if v.Kind != "a Notion export" || v.ConvertedFiles != 1 || v.Links != v.LinksLead || v.Links < 4 || v.PicsShow != 1 {
		t.Errorf("%+v", v)
	}
	w.imported(u, ImportRequest{})
	want := map[string]string{
		"Plan.md":           "# Plan\n\n[Task](Plan/Task.md) [Board](Plan/Board.md) ![x](Plan/x.png)\n",
		"Plan/Task.md":      "# Task\n\n[up](../Plan.md)\n",
		"Plan/Board.md":     "# Board\n\n| Name | Done |\n| --- | --- |\n| [One](/Plan/Board/One.md) | Yes |\n",
		"Plan/Board/One.md": "# One\n", "Plan/x.png": "png",
	}
	if got := w.tree(); !maps.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// Limits are found before anything is read, and folders can be left out.
func TestImportLimits(t *testing.T) {
	t.Parallel()
	limits := wiki.DefaultLimits
	limits.Pages, limits.PageBytes, limits.AttachmentBytes, limits.CurrentBytes = 10, 1000, 2000, 10_000
	w := worldWith(t, limits)
	w.put("Here", "x\n")
	files := map[string]string{"large.md": strings.Repeat("x", 1001), "talk.mp4": strings.Repeat("x", 2001)}
	for i := range 9 {
		files[fmt.Sprintf("Daily/%d.md", i)] = "x"
		files[fmt.Sprintf("Notes/%d.md", i)] = "x"
	}
	u := w.received(zipFiles(t, files))
	v := w.examined(u, ImportRequest{})
	if len(v.Problems) != 1 || !strings.Contains(v.Problems[0], "would have 19, and the limit is 10") || v.LeftFiles != 2 {
		t.Errorf("%q, left %v", v.Problems, v.Left)
	}
	if len(v.Folders) != 2 || v.Folders[0] != (TopFolder{"Daily", 9, 9}) {
		t.Errorf("%+v", v.Folders)
	}
	_, err := w.Import(w.t.Context(), w.owner, u, ImportRequest{}, nil)
	if refused := ImportProblems(err); len(refused) != 1 {
		t.Errorf("%v", err)
	}
	if v := w.examined(u, ImportRequest{Without: []string{"Daily"}}); len(v.Problems) != 0 || v.Pages != 9 || v.WithoutFiles != 9 {
		t.Errorf("%+v", v)
	}
	w.imported(u, ImportRequest{Without: []string{"Daily"}})

	u.Close()
	files = map[string]string{}
	for i := range 6 {
		files[fmt.Sprintf("%d.png", i)] = strings.Repeat("x", 1900)
	}
	u = w.received(zipFiles(t, files))
	if v := w.examined(u, ImportRequest{}); len(v.Problems) != 1 || !strings.Contains(v.Problems[0], "limit is 9.8 KB") {
		t.Errorf("%q", v.Problems)
	}
}

// Attack: tens of thousands of tiny files, which the limits on pages and bytes allow.
// They are refused before any is stored, in files and in a history. A file that
// replaces another doesn't count.
func TestImportOfManyFiles(t *testing.T) {
	t.Parallel()
	limits := wiki.DefaultLimits
	limits.Files = 5
	w := worldWith(t, limits)
	w.startMirror()
	w.put("Here", "x\n")
	files := map[string]string{"Here.md": "y\n"}
	repository := map[string][]byte{}
	for i := range 5 {
		files[fmt.Sprintf("%d.txt", i)] = "x"
		repository[fmt.Sprintf("%d.txt", i)] = []byte("x")
	}
	u := w.received(zipFiles(t, files))
	if v := w.examined(u, ImportRequest{}); len(v.Problems) != 1 || !strings.Contains(v.Problems[0], "would have 6, and the limit is 5") {
		t.Errorf("six files: %q", v.Problems)
	}
	u.Close()
	delete(files, "0.txt")
	u = w.received(zipFiles(t, files))
	w.imported(u, ImportRequest{})
	u.Close()
	if stats, err := w.Stats(w.t.Context(), w.owner); err != nil || stats.Files != 5 {
		t.Errorf("%+v, %v", stats, err)
	}
	if _, err := w.Upload(w.t.Context(), w.owner, UploadRequest{Page: "Here", Name: "0.txt", Data: strings.NewReader("x")}); !errors.Is(err, wiki.ErrQuota) {
		t.Errorf("a sixth file: %v", err)
	}
	fresh := w.another("fresh", limits)
	repository["Home.md"] = []byte("Home\n")
	_, err := fresh.Examine(w.t.Context(), fresh.owner, fresh.received(bundleOfFiles(t, repository)), ImportRequest{}, nil)
	if reasons := strings.Join(ImportProblems(err), " "); !strings.Contains(reasons, "has 6 files; this wiki can have at most 5") {
		t.Errorf("a history with six files: %v", err)
	}
}

// Only the owner imports.
func TestImportNeedsTheOwner(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	data := zipFiles(t, map[string]string{"a.md": "x"})
	for _, a := range []wiki.Access{w.editor, w.viewer, w.reader, {}} {
		_, err := w.Receive(w.t.Context(), a, unread{t}, nil)
		if !errors.Is(err, wiki.ErrDenied) {
			t.Errorf("upload: %v", err)
		}
		_, err = w.ReceiveFolder(w.t.Context(), a, func() (string, io.Reader, error) { t.Error("read"); return "", nil, io.EOF }, nil)
		if !errors.Is(err, wiki.ErrDenied) {
			t.Errorf("folder: %v", err)
		}
		u := w.received(data)
		if _, err := w.Examine(w.t.Context(), a, u, ImportRequest{}, nil); !errors.Is(err, wiki.ErrDenied) {
			t.Errorf("examine: %v", err)
		}
		if _, err := w.Import(w.t.Context(), a, u, ImportRequest{}, nil); !errors.Is(err, wiki.ErrDenied) {
			t.Errorf("import: %v", err)
		}
		u.Close()
	}
}

// Imported text counts as a stranger's unless the importer vouches for it.
func TestImportedTextIsForeign(t *testing.T) {
	t.Parallel()
	member := func(did string) bool { return did == "did:plc:ada" }
	foreign := func(w *world, page wiki.PageName) bool {
		t.Helper()
		got, err := w.Foreign(w.t.Context(), w.owner, member, []*Words{{Page: page}})
		w.must(err)
		return got[0]
	}
	w := newWorld(t)
	w.put("Own", "my words\n")
	u := w.received(zipFiles(t, map[string]string{"Brought.md": "their words\n"}))
	w.imported(u, ImportRequest{})
	u.Close()
	u = w.received(zipFiles(t, map[string]string{"Vouched.md": "my own words\n"}))
	w.imported(u, ImportRequest{Own: true})
	if foreign(w, "Own") || !foreign(w, "Brought") || foreign(w, "Vouched") {
		t.Errorf("foreign: %v, %v, %v", foreign(w, "Own"), foreign(w, "Brought"), foreign(w, "Vouched"))
	}
	w.put("Brought", "rewritten\n")
	if foreign(w, "Brought") {
		t.Error("a member has rewritten all of it")
	}
	w.put("Brought", "rewritten\ntheir words\n")
	if !foreign(w, "Brought") {
		t.Error("the words are back")
	}
}

// A repository goes into a wiki with pages as its newest files, without history.
func TestImportRepositoryFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.startMirror()
	w.put("Own", "here\n")
	u := w.received(must(os.ReadFile("testdata/odd.bundle")))
	v := w.examined(u, ImportRequest{Into: "Odd"})
	if v.Kind != "a git repository" || v.History || !v.Repository || v.Pages == 0 || v.LeftFiles == 0 {
		t.Errorf("%+v", v)
	}
	before := w.head()
	done := w.imported(u, ImportRequest{Into: "Odd"})
	if w.head() != before+1 || done.Pages != v.Pages {
		t.Errorf("%+v", done)
	}
	names := w.paths()
	if !strings.Contains(names, "Odd/Home.md") || strings.Contains(names, "passwd") || strings.Contains(names, ".gitignore") {
		t.Errorf("%s", names)
	}
	// A wiki with only its initial pages takes the history; the preview says so.
	fresh := w.fresh("new")
	u.Close()
	u = fresh.received(must(os.ReadFile("testdata/odd.bundle")))
	v = fresh.examined(u, ImportRequest{})
	if !v.History || v.Commits == 0 || v.Seeds != 3 || fresh.head() != 1 {
		t.Errorf("%+v", v)
	}
	if done := fresh.imported(u, ImportRequest{}); done.Commits != v.Commits || done.Pages != v.Pages || !done.History {
		t.Errorf("%+v, previewed %+v", done, v)
	}
}

// A zip with a repository can be taken as a folder, and a folder can be sent file by
// file.
func TestImportFolders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := w.received(zipFiles(t, map[string]string{"v/.git/HEAD": "ref: refs/heads/main\n", "v/.git/objects/aa/" + strings.Repeat("0", 38): "x", "v/A page.md": "x"}))
	if v := w.examined(u, ImportRequest{AsFolder: true}); v.Pages != 1 || v.LeftFiles != 2 || !strings.Contains(v.Left[0].Why, "history") {
		t.Errorf("%+v", v)
	}
	u.Close()

	sent := []string{"My vault/A.md", "My vault/sub/B.md", "My vault/.obsidian/x"}
	u, err := w.ReceiveFolder(w.t.Context(), w.owner, func() (string, io.Reader, error) {
		if len(sent) == 0 {
			return "", nil, io.EOF
		}
		name := sent[0]
		sent = sent[1:]
		return name, strings.NewReader("text of " + name), nil
	}, nil)
	w.must(err)
	defer u.Close()
	w.imported(u, ImportRequest{AsFolder: true})
	if got := w.tree(); u.Name != "My vault" || got["A.md"] != "text of My vault/A.md" || got["sub/B.md"] == "" {
		t.Errorf("%q %q", u.Name, got)
	}

	// An upload that breaks off or is too large leaves nothing behind.
	broken := 0
	_, err = w.another("bob", wiki.DefaultLimits).ReceiveFolder(w.t.Context(), w.owner, func() (string, io.Reader, error) {
		if broken++; broken > 1 {
			return "", nil, io.ErrUnexpectedEOF
		}
		return "x/a.md", strings.NewReader("x"), nil
	}, nil)
	if err == nil {
		t.Error("a broken upload was received")
	}
	u.Close()
	if left, _ := filepath.Glob(filepath.Join(w.dir, ".scratch", "import-*")); len(left) != 0 {
		t.Errorf("left over: %q", left)
	}
}

// An import that runs out of time is refused with a sentence.
func TestImportOutOfTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := w.received(zipFiles(t, vaultFiles))
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Hour)
	defer cancel()
	err := w.withImport(ctx, w.owner, u, ImportRequest{}, nil, func(context.Context, *importRun) error {
		return &gitrepo.Failure{Command: "fsck", Err: errors.Join(context.DeadlineExceeded, errors.New("signal: killed"))}
	})
	wantKind(t, err, wiki.ErrTooLarge)
	if !strings.Contains(err.Error(), "took too long") || strings.Contains(err.Error(), "killed") {
		t.Error(err)
	}
}

// BenchmarkImportVault imports 2,000 pages of 2 KB with five links each, and reports
// pages a second of the preview and of the import.
func BenchmarkImportVault(b *testing.B) {
	const pages = 2000
	files := map[string]string{}
	for n := range pages {
		text := fmt.Sprintf("# Page %d\n\n", n)
		for k := range 5 {
			text += fmt.Sprintf("See [[Folder %d/Page %d]] and what follows. ", (n+k)%20, (n+k)%pages) + strings.Repeat("Words of a note. ", 20) + "\n\n"
		}
		files[fmt.Sprintf("Vault/Folder %d/Page %d.md", n%20, n)] = text
	}
	data := zipFiles(b, files)
	limits := wiki.DefaultLimits
	limits.Pages = 2 * pages
	var looking, writing time.Duration
	for n := range b.N {
		w := worldWith(b, limits).another(fmt.Sprintf("new%d", n), limits)
		u := w.received(data)
		began := time.Now()
		if v := w.examined(u, ImportRequest{}); v.Pages != pages || len(v.Problems) > 0 {
			b.Fatalf("%d pages, %q", v.Pages, v.Problems)
		}
		looking += time.Since(began)
		began = time.Now()
		w.imported(u, ImportRequest{})
		writing += time.Since(began)
	}
	b.ReportMetric(float64(b.N*pages)/looking.Seconds(), "previewed-pages/s")
	b.ReportMetric(float64(b.N*pages)/writing.Seconds(), "imported-pages/s")
}

// A 60 MB upload over the limits is refused within two seconds, without reading it.
func TestImportLimitsAreFoundSoon(t *testing.T) {
	slow.Test(t)
	w := newWorld(t)
	files := map[string]string{}
	noise := rand.NewChaCha8([32]byte{})
	for n := range 12 {
		picture := make([]byte, 5<<20)
		noise.Read(picture)
		files[fmt.Sprintf("Pictures/%d.png", n)] = string(picture)
	}
	for n := range 600 {
		files[fmt.Sprintf("Notes/%d.md", n)] = "# Note\n"
	}
	u := w.received(zipFiles(t, files))
	began := time.Now()
	v := w.examined(u, ImportRequest{})
	if took := time.Since(began); took > 2*time.Second || u.Size < 60<<20 {
		t.Errorf("%d MB took %s", u.Size>>20, took)
	}
	if len(v.Problems) != 2 || v.Folders[0].Name != "Notes" {
		t.Errorf("%q, %+v", v.Problems, v.Folders)
	}
}

// The same files again, below a folder and with links among them, change nothing.
func TestImportIntoFolderTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for want := range 2 {
		u := w.received(zipFiles(t, map[string]string{"A.md": "see [[B]] and [B](B.md)\n", "B.md": "x\n"}))
		if v := w.examined(u, ImportRequest{Into: "Big"}); v.Same != 2*want {
			t.Errorf("import %d: %d files are the same", want+1, v.Same)
		}
		if want == 0 {
			w.imported(u, ImportRequest{Into: "Big"})
		}
		w.must(u.Close())
	}
}

// Empty notes are pages, too: people create them as targets of links.
func TestImportKeepsEmptyNotes(t *testing.T) {
	t.Parallel()
	w := newWorld(t).fresh("new")
	files := map[string]string{"Home.md": "[[Empty]] and [[Blank]]\n", "Empty.md": "", "Folder/Blank.md": ""}
	done := w.imported(w.received(zipFiles(t, files)), ImportRequest{})
	if got := w.paths(); done.Pages != 3 || got != "Empty.md Folder/Blank.md Home.md" {
		t.Errorf("%d pages: %s", done.Pages, got)
	}
	if view, err := w.View(w.t.Context(), w.owner, "Home", ""); err != nil || !contains(view.Body, `href="/Empty"`) || !contains(view.Body, `href="/Folder/Blank"`) {
		t.Errorf("%s, %v", view.Body, err)
	}
}
