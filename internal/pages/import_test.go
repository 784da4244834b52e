package pages

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"robot.wtf/internal/content"
	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/wiki"
)

// fresh creates another wiki with its seed pages.
func (w *world) fresh(slug string) *world {
	w.t.Helper()
	other := w.another(slug, wiki.DefaultLimits)
	if err := other.Seed(w.t.Context(), other.owner); err != nil {
		w.t.Fatal(err)
	}
	return other
}

func (w *world) importing(in io.Reader) (ImportResult, error) {
	w.t.Helper()
	u, err := w.Receive(w.t.Context(), w.owner, in, nil)
	if err != nil {
		return ImportResult{}, err
	}
	defer u.Close()
	return w.Import(w.t.Context(), w.owner, u, ImportRequest{}, nil)
}

// mustImport imports a file.
func (w *world) mustImport(file string) ImportResult {
	w.t.Helper()
	f, err := os.Open(file)
	if err != nil {
		w.t.Fatal(err)
	}
	defer f.Close()
	r, err := w.importing(f)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// bundleOf creates a bundle of a repository.
func bundleOf(t testing.TB, repo string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "bundle")
	runGit(t, repo, "bundle", "create", "-q", file, "--all", "HEAD")
	return file
}

// checkSameObjects checks that a wiki's repository has the same objects as another
// repository at a commit.
func (w *world) checkSameObjects(source, head string) {
	w.t.Helper()
	if _, err := w.mirror.CatchUp(w.t.Context(), w.site.Slug); err != nil {
		w.t.Fatal(err)
	}
	list := func(repo, at string) []string {
		ids := strings.Fields(runGit(w.t, repo, "rev-list", "--objects", "--no-object-names", at))
		slices.Sort(ids)
		return ids
	}
	if want, got := list(source, head), list(w.repo(), "main"); !slices.Equal(got, want) {
		w.t.Fatalf("the clone has %d objects, the source %d", len(got), len(want))
	}
	if out := runGit(w.t, w.repo(), "fsck", "--strict", "--full", "--no-dangling"); strings.Contains(out, "error") {
		w.t.Errorf("fsck: %s", out)
	}
}

// A history with every kind of object keeps all ids, and clones are equal.
func TestImportKeepsEveryObject(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.startMirror()
	source := filepath.Join(t.TempDir(), "source")
	runGit(t, t.TempDir(), "clone", "-q", "--bare", abs(t, "testdata/odd.bundle"), source)
	head := runGit(t, source, "rev-parse", "HEAD")
	fresh := w.fresh("odd")
	seeds, err := fresh.Changelog(w.t.Context(), fresh.owner, LogFilter{})
	if err != nil || len(seeds) != 1 {
		t.Fatal(seeds, err)
	}
	if _, err := w.mirror.CatchUp(w.t.Context(), "odd"); err != nil { // of the seeds
		t.Fatal(err)
	}
	r := fresh.mustImport("testdata/odd.bundle")
	if r.Head != head || !r.HasHome || len(r.Renamed) != 0 {
		t.Errorf("%+v, want the head %s", r, head)
	}
	if want := []string{"lost", "unmerged"}; !isSubset(want, r.Left) {
		t.Errorf("left: %q", r.Left)
	}
	fresh.checkSameObjects(source, head)
	clone := filepath.Join(t.TempDir(), "clone")
	runGit(t, t.TempDir(), "clone", "-q", "--no-local", fresh.repo(), clone)
	fresh.checkAllCommits(clone)
	if got, want := runGit(t, clone, "rev-list", "--all"), runGit(t, source, "rev-list", "HEAD", "side-done"); got != want {
		t.Errorf("the clone has the commits\n%s\nwant\n%s", got, want)
	}
	// Signatures verify in a clone only if every byte is kept.
	signers := "gpg.ssh.allowedSignersFile=" + abs(t, "testdata/odd.signers")
	for _, what := range []string{"verify-commit main~1", "verify-commit :/Merge", "verify-tag v1.0"} {
		command, object, _ := strings.Cut(what, " ")
		id := runGit(t, clone, "rev-parse", object)
		runGit(t, clone, "-c", signers, command, id)
	}
	if signed := runGit(t, clone, "-c", signers, "log", "--format=%G?"); strings.Count(signed, "G") != 2 {
		t.Errorf("signatures: %q", strings.Fields(signed))
	}
	for tag := range strings.FieldsSeq("v1.0 light side-done") {
		if got, want := runGit(t, fresh.repo(), "rev-parse", tag), runGit(t, source, "rev-parse", tag); got != want {
			t.Errorf("tag %s is %s, not %s", tag, got, want)
		}
	}
	if s := w.mirror.Stats(); s.Mismatches != 0 || s.Failures != 0 {
		t.Errorf("%+v", s)
	}

	// Symbolic links, dotfiles and submodules aren't served.
	if names := fresh.paths(); strings.Contains(names, "passwd") || strings.Contains(names, ".gitignore") || strings.Contains(names, "module") ||
		!strings.Contains(names, "Link.md") || !strings.Contains(names, "a b/Ünïcode – name.md") {
		t.Errorf("files: %s", names)
	}
	for _, path := range []string{"passwd.txt", ".gitignore", "module", "module/x"} {
		if _, _, err := fresh.OpenAttachment(w.t.Context(), fresh.owner, path, ""); !errors.Is(err, wiki.ErrNotFound) && !errors.Is(err, wiki.ErrInvalid) {
			t.Errorf("%s: %v", path, err)
		}
	}
	log, err := fresh.Changelog(w.t.Context(), fresh.owner, LogFilter{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Fields(runGit(t, source, "rev-list", "--first-parent", "HEAD"))
	for i, c := range log {
		if i < len(want) && c.ID != want[i] || !c.Author.Imported || c.Author.DID != "" {
			t.Errorf("commit %d: %+v, want %s", i, c, want[i])
		}
		if _, _, err := fresh.Commit(w.t.Context(), fresh.owner, c.ID); err != nil {
			t.Errorf("commit %s: %v", c.ID, err)
		}
	}
	if len(log) != len(want) || log[1].Author.Username != "J\uFFFDrg" {
		t.Errorf("%d commits of %d; %+v", len(log), len(want), log[1])
	}
	history, err := fresh.History(w.t.Context(), fresh.owner, "Guide", 0, 50)
	if err != nil || history[len(history)-1].Path != "Notes/First.md" {
		t.Errorf("the history stops before the rename: %+v, %v", history, err)
	}
	if back, err := fresh.Links(w.t.Context(), fresh.owner, "Guide"); err != nil || len(back.From) != 1 {
		t.Errorf("backlinks: %+v, %v", back, err)
	}

	// The seed commit's id is gone, and new commits build on the import.
	if _, _, err := fresh.Commit(w.t.Context(), fresh.owner, seeds[0].ID); !errors.Is(err, wiki.ErrGone) {
		t.Errorf("the replaced commit: %v", err)
	}
	if _, err := fresh.Page(w.t.Context(), fresh.owner, "Home", seeds[0].ID[:9]); !errors.Is(err, wiki.ErrGone) {
		t.Errorf("a page at the replaced commit: %v", err)
	}
	fresh.put("Home", "mine now\n")
	if _, err := fresh.Save(w.t.Context(), fresh.owner, SaveRequest{Name: "New page", Text: []byte("x")}); err != nil {
		t.Error(err)
	}
	if _, err := w.mirror.CatchUp(w.t.Context(), "odd"); err != nil {
		t.Fatal(err)
	}
	if parent := runGit(t, fresh.repo(), "rev-parse", "main~2"); parent != head {
		t.Errorf("the next commit builds on %s", parent)
	}

	// Only a new wiki takes a history. This one takes the files, which it has, apart
	// from the page that was edited.
	again, err := fresh.importing(bytes.NewReader(must(os.ReadFile("testdata/odd.bundle"))))
	if !errors.Is(err, wiki.ErrInvalid) || !strings.Contains(err.Error(), "keeps its own pages") {
		t.Errorf("a second import: %+v, %v", again, err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func isSubset(some, all []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
}

func abs(t testing.TB, path string) string {
	t.Helper()
	full, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return full
}

// Importing a clone of a wiki restores it with agents and moves.
func TestImportOfExport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.startMirror()
	r := rand.New(rand.NewPCG(5, 5))
	w.randomEdits(r, 60)
	bot := wiki.NewAccess(w.site, wiki.Caller{User: w.owner.Caller().User, Agent: "Claude", Client: "https://claude.ai", Grant: "g1"}, wiki.Owner)
	if _, err := w.Save(w.t.Context(), bot, SaveRequest{Name: "By an agent", Text: []byte("text")}); err != nil {
		t.Fatal(err)
	}
	w.checkRepository()
	fresh := w.fresh("again")
	fresh.mustImport(bundleOf(t, w.repo()))
	fresh.checkSameObjects(w.repo(), "main")
	if !maps.Equal(w.tree(), fresh.tree()) {
		t.Error("the files differ")
	}
	before, err := w.Changelog(w.t.Context(), w.owner, LogFilter{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	after, err := fresh.Changelog(w.t.Context(), fresh.owner, LogFilter{Limit: 1000})
	if err != nil || len(after) != len(before) {
		t.Fatal(len(after), len(before), err)
	}
	for i := range before {
		b, a := before[i], after[i]
		b.Author.Imported, b.Seq = true, a.Seq
		if fmt.Sprint(a) != fmt.Sprint(b) {
			t.Fatalf("commit %d:\n%+v\n%+v", i, a, b)
		}
	}
}

// A zip of a working tree or a bare repository is imported without its
// configuration, hooks and alternates.
func TestImportOfZip(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.startMirror()
	source := filepath.Join(t.TempDir(), "source")
	runGit(t, t.TempDir(), "clone", "-q", abs(t, "testdata/odd.bundle"), source)
	appendTo(t, filepath.Join(source, ".git", "config"), "[core]\n\tfsmonitor = touch /tmp/robot-evil\n\thooksPath = /tmp\n")
	head := runGit(t, filepath.Join(source, ".git"), "rev-parse", "HEAD")
	bare := filepath.Join(t.TempDir(), "bare")
	runGit(t, source, "-c", "core.fsmonitor=false", "clone", "-q", "--bare", ".", bare)
	for name, dir := range map[string]string{"working": filepath.Dir(source), "inside": source, "bare": bare} {
		fresh := w.fresh("zip" + name)
		if r, err := fresh.importing(zipOf(t, dir)); err != nil || r.Head != head {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

func appendTo(t testing.TB, file, text string) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(text)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

func zipOf(t testing.TB, dir string) *bytes.Reader {
	t.Helper()
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	if err := errors.Join(z.AddFS(regularOnly{os.DirFS(dir)}), z.Close()); err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(buf.Bytes())
}

// regularOnly hides symbolic links, which Writer.AddFS rejects.
type regularOnly struct{ fs.FS }

func (r regularOnly) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(r.FS, name)
	return slices.DeleteFunc(entries, func(d fs.DirEntry) bool { return !d.IsDir() && !d.Type().IsRegular() }), err
}

// A rejected import lists all reasons and changes nothing.
func TestImportRejects(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.startMirror()
	fresh := w.fresh("new")
	before, seq := fresh.tree(), fresh.head()
	odd, err := os.ReadFile("testdata/odd.bundle")
	if err != nil {
		t.Fatal(err)
	}
	// made returns a bundle of one commit with a tree in mktree's format.
	made := func(tree string) io.Reader {
		dir := filepath.Join(t.TempDir(), "made")
		runGit(t, t.TempDir(), "init", "-q", "-b", "main", dir)
		blob := strings.TrimSpace(feedGit(t, dir, "text\n", "hash-object", "-w", "--stdin"))
		empty := feedGit(t, dir, "", "mktree")
		id := feedGit(t, dir, strings.NewReplacer("BLOB", blob, "EMPTY", empty).Replace(tree), "mktree", "--missing")
		commit := feedGit(t, dir, fmt.Sprintf("tree %s\nauthor A <a> 1 +0000\ncommitter A <a> 1 +0000\n\nx\n", id), "hash-object", "-t", "commit", "-w", "--stdin")
		runGit(t, dir, "update-ref", "refs/heads/main", commit)
		data, err := os.ReadFile(bundleOf(t, dir))
		if err != nil {
			t.Fatal(err)
		}
		return bytes.NewReader(data)
	}
	var bomb bytes.Buffer
	z := zip.NewWriter(&bomb)
	for name, n := range map[string]int{"HEAD": 10, "objects/ab/" + strings.Repeat("cd", 19): 9 << 20} {
		f, err := z.Create("x/.git/" + name)
		if err == nil {
			_, err = f.Write(make([]byte, n))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	z.Close()
	tagged, err := os.ReadFile(tagOnly(t))
	if err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Clone(odd)
	damaged[len(damaged)-300] ^= 1
	for name, tt := range map[string]struct {
		in   io.Reader
		want string
	}{
		"nothing":     {strings.NewReader(""), "not a git bundle"},
		"text":        {strings.NewReader("# Home\n"), "not a git bundle"},
		"cut short":   {bytes.NewReader(odd[:len(odd)/2]), "can't be read"},
		"no refs":     {strings.NewReader("# v2 git bundle\n\n"), "no branch to import"},
		"only a tag":  {bytes.NewReader(tagged), "no branch to import"},
		"head alone":  {bytes.NewReader(odd[:60]), "truncated"},
		"damaged":     {bytes.NewReader(damaged), "can't be read"},
		"part":        {strings.NewReader("# v2 git bundle\n-" + strings.Repeat("a", 40) + " x\n" + strings.Repeat("b", 40) + " HEAD\n\nPACK"), "depends on commits"},
		"sha256":      {strings.NewReader("# v3 git bundle\n@object-format=sha256\n"), "object-format=sha256"},
		"no zip":      {strings.NewReader("PK\x03\x04nonsense"), "not a git bundle"},
		"dot git":     {made("040000 tree EMPTY\t.GIT\n"), "hasDotgit"},
		"climbs":      {made("100644 blob BLOB\t..\n"), "hasDotdot"},
		"not UTF-8":   {made("100644 blob BLOB\tb\xe4d.md\n"), "isn't UTF-8"},
		"bad modules": {made("120000 blob BLOB\t.gitmodules\n"), "gitmodulesSymlink"},
	} {
		_, err := fresh.importing(tt.in)
		var refused *gitrepo.Refused
		if !errors.As(err, &refused) || !strings.Contains(refused.Error(), tt.want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	small := *fresh
	limits := wiki.DefaultLimits
	limits.Pages, limits.CurrentBytes, limits.PageBytes, limits.HistoryBytes = 2, 50, 20, 1<<20
	site := fresh.site
	site.Limits = limits
	small.owner = wiki.NewAccess(site, fresh.owner.Caller(), wiki.Owner)
	_, err = small.importing(bytes.NewReader(odd))
	for _, want := range []string{"a page can be at most 20", "this wiki can have at most 2", "can be at most 50"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("limits: %v lacks %q", err, want)
		}
	}
	if _, err := small.importing(&bomb); err == nil || !strings.Contains(err.Error(), "larger than the import limit") {
		t.Errorf("bomb: %v", err)
	}
	if _, err := fresh.Receive(w.t.Context(), fresh.editor, bytes.NewReader(odd), nil); !errors.Is(err, wiki.ErrDenied) {
		t.Errorf("an editor: %v", err)
	}
	if !maps.Equal(before, fresh.tree()) || fresh.head() != seq {
		t.Error("a rejected import changed something")
	}
	if left, _ := filepath.Glob(filepath.Join(w.dir, ".scratch", "import-*")); len(left) != 0 {
		t.Errorf("left over: %q", left)
	}
}

// tagOnly creates a bundle of a tag without a branch.
func tagOnly(t testing.TB) string {
	t.Helper()
	dir, file := filepath.Join(t.TempDir(), "repo"), filepath.Join(t.TempDir(), "bundle")
	runGit(t, t.TempDir(), "init", "-q", "-b", "main", dir)
	runGit(t, dir, "-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "-q", "--allow-empty", "-m", "x")
	runGit(t, dir, "tag", "v1")
	runGit(t, dir, "bundle", "create", "-q", file, "v1")
	return file
}

func feedGit(t testing.TB, dir, in string, args ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "in")
	if err := os.WriteFile(file, []byte(in), 0o600); err != nil {
		t.Fatal(err)
	}
	return runGitFrom(t, dir, file, args...)
}

// Files whose names differ only in spelling are renamed in one last commit.
func TestImportRenamesConflicts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.startMirror()
	dir := filepath.Join(t.TempDir(), "clash")
	runGit(t, t.TempDir(), "init", "-q", "-b", "main", dir)
	in := "commit refs/heads/main\ncommitter A <a@b> 1 +0000\ndata 1\nx\n"
	for i, name := range []string{"Readme.md", "README.md", "read me.md", "read_me.md", "Notes", "notes/x.md"} {
		in += fmt.Sprintf("M 100644 inline %q\ndata 2\n%d\n\n", name, i)
	}
	feedGit(t, dir, in, "fast-import", "--quiet")
	fresh := w.fresh("clash")
	r := fresh.mustImport(bundleOf(t, dir))
	if len(r.Renamed) != 3 || fresh.head() != 3 {
		t.Errorf("%+v, head %d", r, fresh.head())
	}
	fresh.checkRepository()
	if paths := fresh.paths(); paths != "Notes_2 README.md Readme_2.md notes/x.md read me.md read_me_2.md" {
		t.Error(paths)
	}
	if page, err := fresh.Page(w.t.Context(), fresh.owner, "Readme_2", ""); err != nil || string(page.Source) != "0\n" {
		t.Errorf("%+v, %v", page, err)
	}
}

// The preview of a history names what will be renamed, also if a name looks like a
// rename.
func TestImportPreviewsRenames(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.startMirror()
	dir := filepath.Join(t.TempDir(), "arrows")
	runGit(t, t.TempDir(), "init", "-q", "-b", "main", dir)
	in := "commit refs/heads/main\ncommitter A <a@b> 1 +0000\ndata 1\nx\n"
	for _, name := range []string{"a -> b.md", "A -> b.md"} {
		in += fmt.Sprintf("M 100644 inline %q\ndata 1\nx\n", name)
	}
	feedGit(t, dir, in, "fast-import", "--quiet")
	fresh := w.fresh("arrows")
	v := fresh.examined(fresh.received(must(os.ReadFile(bundleOf(t, dir)))), ImportRequest{})
	if len(v.Renamed) != 1 || v.Renamed[0].From != "a -> b.md" || v.Renamed[0].To != "a -> b_2.md" || v.After.HistoryBytes == 0 {
		t.Errorf("%+v", v)
	}
}

// Symbolic links aren't pages, whatever their names.
func TestImportCountsPagesWithoutLinks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.startMirror()
	dir := filepath.Join(t.TempDir(), "links")
	runGit(t, t.TempDir(), "init", "-q", "-b", "main", dir)
	in := "commit refs/heads/main\ncommitter A <a@b> 1 +0000\ndata 1\nx\nM 100644 inline Home.md\ndata 1\nx\n"
	for n := range 3 {
		in += fmt.Sprintf("M 120000 inline Link_%d.md\ndata 7\nHome.md\n", n)
	}
	feedGit(t, dir, in, "fast-import", "--quiet")
	l := wiki.DefaultLimits
	l.Pages = 2
	if r := w.another("links", l).mustImport(bundleOf(t, dir)); r.Pages != 1 {
		t.Errorf("%+v", r)
	}
}

// Attack: imported names with control and invisible characters, which terminals
// and agents interpret. They are renamed like clashes, and the report quotes them.
func TestImportRenamesControlCharacters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.startMirror()
	dir := filepath.Join(t.TempDir(), "control")
	runGit(t, t.TempDir(), "init", "-q", "-b", "main", dir)
	in := "commit refs/heads/main\ncommitter A <a@b> 1 +0000\ndata 1\nx\n"
	for i, name := range []string{`a\033b.md`, `a_b.md`, `line\nbreak.txt`, `dir\001/x.md`, `\342\200\256evil.md`, `fine.md`} {
		in += fmt.Sprintf("M 100644 inline \"%s\"\ndata 2\n%d\n\n", name, i)
	}
	feedGit(t, dir, in, "fast-import", "--quiet")
	fresh := w.fresh("control")
	r := fresh.mustImport(bundleOf(t, dir))
	slices.Sort(r.Renamed)
	want := []string{`"\u202eevil.md" -> _evil.md`, `"a\x1bb.md" -> a_b_2.md`, `"dir\x01/x.md" -> dir_/x.md`, `"line\nbreak.txt" -> line_break.txt`}
	if !slices.Equal(r.Renamed, want) {
		t.Errorf("%q\nwant %q", r.Renamed, want)
	}
	fresh.checkRepository()
	if paths := fresh.paths(); paths != "_evil.md a_b.md a_b_2.md dir_/x.md fine.md line_break.txt" {
		t.Errorf("%q", paths)
	}
	if page, err := fresh.Page(w.t.Context(), fresh.owner, "a_b_2", ""); err != nil || string(page.Source) != "0\n" {
		t.Errorf("%+v, %v", page, err)
	}
}

// An import keeps drafts of the pages that it replaces.
func TestImportKeepsDrafts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.startMirror()
	fresh := w.fresh("drafts")
	if err := fresh.SaveDraft(w.t.Context(), fresh.owner, "Home", []byte("my draft"), "", fresh.base("Home").Base); err != nil {
		t.Fatal(err)
	}
	fresh.mustImport("testdata/odd.bundle")
	drafts, err := fresh.Drafts(w.t.Context(), fresh.owner)
	if err != nil || len(drafts) != 1 {
		t.Errorf("%+v, %v", drafts, err)
	}
	_, err = fresh.Save(w.t.Context(), fresh.owner, SaveRequest{Name: "Home", Text: []byte("my draft"), Precondition: Precondition{Create: true}})
	var conflict *wiki.ConflictError
	if err == nil || errors.As(err, &conflict) == errors.Is(err, wiki.ErrExists) {
		t.Errorf("saved over the imported page: %v", err)
	}
	_ = content.SeedMessage
}

// The limit of a history counts stored bytes: compressed, and older revisions as their
// difference from the next one.
func TestImportCountsBytesAsStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.startMirror()
	random := func(seed uint64, n int) string {
		r := rand.New(rand.NewPCG(seed, 1))
		text := make([]byte, n)
		for i := range text {
			text[i] = byte(r.UintN(256))
		}
		return fmt.Sprintf("%x\n", text)
	}
	bundle := func(files ...string) string {
		var in strings.Builder
		for n, data := range files {
			fmt.Fprintf(&in, "commit refs/heads/main\ncommitter Ann <ann@example.com> %d +0000\ndata 1\nx\nM 644 inline Page_%d.md\ndata %d\n%s\n", 1700000000+n, n%2, len(data), data)
		}
		repo := t.TempDir()
		runGit(t, repo, "init", "-q", "--bare", "-b", "main")
		feedGit(t, repo, in.String(), "fast-import", "--quiet")
		return bundleOf(t, repo)
	}
	text := random(1, 2000)
	revisions := make([]string, 30)
	for n := range revisions {
		revisions[n] = fmt.Sprintf("Revision %d\n%s", n, text)
	}
	for n, c := range []struct {
		what, file string
		limit      int64
		ok         bool
	}{
		{"30 revisions of 4 KB that are nearly equal", bundle(revisions...), 16 << 10, true},
		{"the same, without room for one", bundle(revisions...), 2 << 10, false},
		{"two different pages that git stores as one", bundle(text, text+"end\n"), 4000, false},
		{"much text in few bytes", bundle(strings.Repeat("a", 500_000)), 10_000, false},
	} {
		l := wiki.DefaultLimits
		l.HistoryBytes = c.limit
		other := w.another(fmt.Sprintf("import%d", n), l)
		f, err := os.Open(c.file)
		if err != nil {
			t.Fatal(err)
		}
		_, err = other.importing(f)
		f.Close()
		stats, errStats := other.Stats(w.t.Context(), other.owner)
		switch {
		case errStats != nil:
			t.Fatal(errStats)
		case c.ok && (err != nil || stats.Pages == 0 || stats.HistoryBytes > c.limit):
			t.Errorf("%s: %v, %+v", c.what, err, stats)
		case !c.ok && (err == nil || stats.Pages != 0):
			t.Errorf("%s: %v, %+v", c.what, err, stats)
		}
	}
}
