package content

import (
	"crypto/rand"
	"errors"
	"flag"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/merge"
	"robot.wtf/internal/wiki"
)

// These tests compare real wikis with models that don't use SQL: maps of files and
// lists of their versions.

var modelNames = []string{"A.md", "a.md", "B.md", "Dir.md", "Dir/A.md", "dir/b.md", "DIR/x.png", "Dir/Sub/C.md", "dir/sub/d.png", "dir", "Dir/sub", "Ünï/Ä.md", "ünï/é.png"}

var modelTexts = []string{"", "1\n2\n3\n4\n5\n", "1\n2\n3\n4\nfive\n", "one\n2\n3\n4\n5\n", "one\n2\n3\n4\nV\n", "\x00binary", "[[A]] [[Dir/A]]\n"}

// A modelFile is one file through all its names.
type modelFile struct {
	path     string // the current path, or the last one if deleted
	alive    bool
	versions []modelVersion
}

type modelVersion struct {
	seq        int64
	blob, text string // blob is "" for a deletion
}

func (f *modelFile) text() string { return f.versions[len(f.versions)-1].text }
func (f *modelFile) blob() string { return f.versions[len(f.versions)-1].blob }

// A model is a wiki in memory.
type model struct {
	seq  int64
	ids  []string              // of the commits
	now  map[string]*modelFile // by key
	last map[string]*modelFile // the last file that had a key
}

func modelWiki(t *rapid.T, p *Pool) *Wiki {
	slug := "ada" + strings.ToLower(rand.Text()[:20])
	if err := p.Create(t.Context(), slug); err != nil {
		t.Fatal(err)
	}
	w, release, err := p.Open(t.Context(), slug)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	return w
}

func blobID(text string) string { return gitrepo.ObjectID("blob", []byte(text)) }

// clash reports whether a path would make a file and a folder of the same name.
func clash(path string, others map[string]string) bool {
	key := wiki.Key(path)
	for other := range others {
		k := wiki.Key(other)
		if strings.HasPrefix(k, key+"/") || strings.HasPrefix(key, k+"/") {
			return true
		}
	}
	return false
}

// spelled returns a new path with its folders spelled as in the other files' paths.
func spelled(path string, others map[string]string) string {
	parts := strings.Split(path, "/")
	for n := 1; n < len(parts); n++ {
		dir := strings.Join(parts[:n], "/")
		for _, other := range slices.Sorted(maps.Keys(others)) {
			theirs := strings.Split(other, "/")
			if len(theirs) > n && wiki.Key(strings.Join(theirs[:n], "/")) == wiki.Key(dir) {
				copy(parts, theirs[:n])
				break
			}
		}
	}
	return strings.Join(parts, "/")
}

// treeOf returns git's id of a tree with these files.
func treeOf(files map[string]string) string {
	var entries []gitrepo.TreeEntry
	below := map[string]map[string]string{}
	for path, text := range files {
		dir, rest, inside := strings.Cut(path, "/")
		if !inside {
			entries = append(entries, gitrepo.TreeEntry{Mode: gitrepo.ModeFile, Name: path, ID: blobID(text)})
			continue
		}
		if below[dir] == nil {
			below[dir] = map[string]string{}
		}
		below[dir][rest] = text
	}
	for dir, inside := range below {
		entries = append(entries, gitrepo.TreeEntry{Mode: gitrepo.ModeTree, Name: dir, ID: treeOf(inside)})
	}
	return gitrepo.ObjectID("tree", gitrepo.EncodeTree(entries))
}

// sameState compares a wiki with path -> text, using every method that reads it.
func sameState(t *rapid.T, w *Wiki, want map[string]string) {
	ctx := t.Context()
	files, err := w.List(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	stats := Stats{}
	for _, f := range files {
		data, err := w.Blob(ctx, f.Blob)
		if err != nil || int64(len(data)) != f.Size {
			t.Fatalf("%s: %d bytes, size %d, %v", f.Path, len(data), f.Size, err)
		}
		got[f.Path] = string(data)
		stats.Files++
		stats.CurrentBytes += f.Size
		if _, ok := wiki.PageOf(f.Path); ok {
			stats.Pages++
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("files (-want +got):\n%s", diff)
	}
	if err := w.queryRow(ctx, "SELECT COALESCE(SUM(LENGTH(data)), 0) FROM blobs WHERE wiki = $1", w.slug).Scan(&stats.HistoryBytes); err != nil {
		t.Fatal(err)
	}
	if counters, err := w.Stats(ctx); err != nil || counters != stats {
		t.Fatalf("counters %+v, counted %+v, %v", counters, stats, err)
	}
	if names, err := w.Names(ctx); err != nil || !slices.Equal(names, slices.Sorted(maps.Keys(want))) {
		t.Fatalf("names %q, %v", names, err)
	}
	seq, id := w.Head()
	if seq == 0 {
		return
	}
	var raw []byte
	if err := w.queryRow(ctx, "SELECT raw FROM commits WHERE wiki = $1 AND seq = $2", w.slug, seq).Scan(&raw); err != nil {
		t.Fatal(err)
	}
	c, err := gitrepo.ParseCommit(raw)
	if err != nil || c.Tree != treeOf(want) || gitrepo.ObjectID("commit", raw) != id {
		t.Fatalf("commit %s has the tree %s, want %s: %v", id, c.Tree, treeOf(want), err)
	}
}

// applyChanges applies the changes of a commit to path -> text, as an export does.
func applyChanges(t *rapid.T, w *Wiki, files map[string]string, c wiki.Commit) {
	before := maps.Clone(files)
	for _, ch := range c.Changes {
		from := ch.From
		if from == "" {
			from = ch.Path
		}
		text, there := before[from]
		if ch.Kind != wiki.Added && (!there || blobID(text) != ch.Old) {
			t.Fatalf("commit %d: %+v changes %q", c.Seq, ch, text)
		}
		if ch.Kind != wiki.Added {
			delete(files, from)
		}
	}
	for _, ch := range c.Changes {
		if ch.New == "" {
			continue
		}
		if _, there := files[ch.Path]; there {
			t.Fatalf("commit %d: %+v overwrites a file", c.Seq, ch)
		}
		data, err := w.Blob(t.Context(), ch.New)
		if err != nil {
			t.Fatal(err)
		}
		files[ch.Path] = string(data)
	}
}

func (m *model) files() map[string]string { return m.others(nil) }

func (m *model) others(f *modelFile) map[string]string {
	files := map[string]string{}
	for _, o := range m.now {
		if o != f {
			files[o.path] = o.text()
		}
	}
	return files
}

func (m *model) add(f *modelFile, blob, text string) {
	m.seq++
	f.versions = append(f.versions, modelVersion{m.seq, blob, text})
}

// apply applies an edit, or returns the expected kind of error.
func (m *model) apply(e Edit) error {
	f := m.now[wiki.Key(e.Path)]
	if e.Op == Put {
		return m.put(f, e)
	}
	switch {
	case f == nil:
		return wiki.ErrNotFound
	case e.Base != BaseAny && e.Base != f.blob():
		return wiki.ErrPrecondition
	case e.Op == Delete:
		delete(m.now, wiki.Key(e.Path))
		f.alive = false
		m.add(f, "", "")
		return nil
	}
	if there := m.now[wiki.Key(e.To)]; there != nil && there != f {
		return wiki.ErrExists
	}
	path, text := spelled(e.To, m.others(f)), f.text()
	if e.Data != nil {
		text = string(e.Data)
	}
	switch {
	case path == f.path && text == f.text():
		return nil
	case path != f.path && clash(path, m.others(f)):
		return wiki.ErrInvalid
	}
	delete(m.now, wiki.Key(f.path))
	f.path = path
	m.now[wiki.Key(path)], m.last[wiki.Key(path)] = f, f
	m.add(f, blobID(text), text)
	return nil
}

func (m *model) put(f *modelFile, e Edit) error {
	key, text := wiki.Key(e.Path), string(e.Data)
	last := m.last[key]
	if f == nil && e.Base != BaseAny && e.Base != BaseNone {
		if last == nil || !last.alive {
			if last == nil || !last.had(e.Base) {
				return wiki.ErrInvalid
			}
			return wiki.ErrConflict
		}
		f = last
	}
	if f == nil {
		path := spelled(e.Path, m.files())
		if clash(path, m.files()) {
			return wiki.ErrInvalid
		}
		f = &modelFile{path: path, alive: true}
		if last != nil && !last.alive && wiki.Key(last.path) == key {
			f.versions = slices.Clone(last.versions) // deleted and created again
		}
		m.now[key], m.last[key] = f, f
		m.add(f, blobID(text), text)
		return nil
	}
	if e.Base != BaseAny && e.Base != f.blob() && text != f.text() {
		switch {
		case e.Base == BaseNone:
			return wiki.ErrConflict
		case !f.had(e.Base):
			return wiki.ErrInvalid
		}
		base := f.versions[slices.IndexFunc(f.versions, func(v modelVersion) bool { return v.blob == e.Base })].text
		merged := merge.Three([]byte(base), e.Data, []byte(f.text()))
		if strings.Contains(base+text+f.text(), "\x00") || !merged.Clean() {
			return wiki.ErrConflict
		}
		text = string(merged.Text)
	}
	if text != f.text() {
		m.add(f, blobID(text), text)
	}
	return nil
}

func (f *modelFile) had(blob string) bool {
	return slices.ContainsFunc(f.versions, func(v modelVersion) bool { return v.blob == blob })
}

// setRapidChecks sets the number of rapid's runs, because each syncs a real disk.
func setRapidChecks(t *testing.T, few, many int) {
	n := few
	if longTests() {
		n = many
	} else if testing.Short() {
		n = few / 4
	}
	before := flag.Lookup("rapid.checks").Value.String()
	flag.Set("rapid.checks", strconv.Itoa(n))
	t.Cleanup(func() { flag.Set("rapid.checks", before) })
}

// TestModel compares single edits, and the histories of files.
func TestModel(t *testing.T) {
	setRapidChecks(t, 20, 500)
	p := openPool(t, t.TempDir(), time.Now)
	rapid.Check(t, func(t *rapid.T) {
		w := modelWiki(t, p)
		m := &model{now: map[string]*modelFile{}, last: map[string]*modelFile{}}
		for range rapid.IntRange(5, 40).Draw(t, "edits") {
			m.step(t, w)
		}
		sameState(t, w, m.files())
		m.sameHistories(t, w)
	})
}

func (m *model) step(t *rapid.T, w *Wiki) {
	e := Edit{
		Op:   rapid.SampledFrom([]Op{Put, Put, Put, Delete, Move, Move}).Draw(t, "op"),
		Path: rapid.SampledFrom(modelNames).Draw(t, "path"),
		Data: []byte(rapid.SampledFrom(modelTexts).Draw(t, "text")),
	}
	bases := []string{BaseAny, BaseNone, strings.Repeat("1", 40)}
	if last := m.last[wiki.Key(e.Path)]; last != nil {
		for _, v := range last.versions {
			if v.blob != "" {
				bases = append(bases, v.blob)
			}
		}
	}
	e.Base = rapid.SampledFrom(bases).Draw(t, "base")
	if e.Op == Move {
		e.To = rapid.SampledFrom(modelNames).Draw(t, "to")
		if rapid.Bool().Draw(t, "text stays") {
			e.Data = nil
		}
	}
	before := m.seq
	want := m.apply(e)
	res, err := do(w, ada, e)
	if !errors.Is(err, want) || want == nil && err != nil {
		t.Fatalf("%+v: %v, want %v", e, err, want)
	}
	if seq, _ := w.Head(); seq != m.seq {
		t.Fatalf("%+v: head %d, want %d", e, seq, m.seq)
	}
	if err == nil && res.Unchanged != (before == m.seq) {
		t.Fatalf("%+v: unchanged is %v", e, res.Unchanged)
	}
	if m.seq > before {
		m.ids = append(m.ids, res.Commit.ID)
	}
}

// sameHistories compares the moves and history of every file.
func (m *model) sameHistories(t *rapid.T, w *Wiki) {
	for key, f := range m.last {
		to, err := w.MovedTo(t.Context(), key)
		switch {
		case m.now[key] != nil || !f.alive:
			if !errors.Is(err, wiki.ErrNotFound) {
				t.Fatalf("MovedTo(%s) = %q, %v, but the file is there or deleted", key, to, err)
			}
		case err != nil || to != f.path:
			t.Fatalf("MovedTo(%s) = %q, %v, want %q", key, to, err, f.path)
		}
		history, err := w.History(t.Context(), key, 0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		var got []modelVersion
		for _, r := range slices.Backward(history) {
			got = append(got, modelVersion{seq: r.Seq, blob: r.New})
		}
		want := slices.Clone(f.versions)
		for i := range want {
			want[i].text = ""
		}
		if !slices.Equal(got, want) {
			t.Fatalf("history of %s: %v, want %v", key, got, want)
		}
		for _, v := range f.versions {
			_, data, err := w.ReadAt(t.Context(), key, m.ids[v.seq-1])
			if (v.blob == "") != errors.Is(err, wiki.ErrNotFound) || v.blob != "" && err != nil || string(data) != v.text {
				t.Fatalf("%s at commit %d: %q, %v, want %q", key, v.seq, data, err, v.text)
			}
			if v.blob == "" {
				continue
			}
			if at, _, err := w.ReadAt(t.Context(), key, v.blob[:12]); err != nil || at.Blob != v.blob {
				t.Fatalf("%s at %s: %+v, %v", key, v.blob, at, err)
			}
		}
	}
}

// TestManyEditsAtOnce: a request with several edits has the same effect as the
// edits one by one, or none, and its changes describe that effect.
func TestManyEditsAtOnce(t *testing.T) {
	setRapidChecks(t, 20, 500)
	p := openPool(t, t.TempDir(), time.Now)
	rapid.Check(t, func(t *rapid.T) {
		w := modelWiki(t, p)
		files, exported := map[string]string{}, map[string]string{}
		for range rapid.IntRange(1, 12).Draw(t, "requests") {
			var edits []Edit
			staged := map[string]string{} // key -> text
			for path, text := range files {
				staged[wiki.Key(path)] = text
			}
			for range rapid.IntRange(1, 6).Draw(t, "edits") {
				if e, ok := drawEdit(t, staged); ok {
					edits = append(edits, e)
				}
			}
			if len(edits) == 0 {
				continue
			}
			res, err := do(w, ada, edits...)
			if errors.Is(err, wiki.ErrInvalid) { // a file and a folder of one name
				sameState(t, w, files)
				continue
			}
			if err != nil {
				t.Fatalf("%+v: %v", edits, err)
			}
			files = map[string]string{}
			list, err := w.List(t.Context(), "")
			if err != nil || len(list) != len(staged) {
				t.Fatalf("%d files, want %d, %v", len(list), len(staged), err)
			}
			for _, f := range list { // the other test covers spellings
				files[f.Path] = staged[wiki.Key(f.Path)]
			}
			sameState(t, w, files)
			if !res.Unchanged {
				applyChanges(t, w, exported, res.Commit)
			}
			if diff := cmp.Diff(files, exported); diff != "" {
				t.Fatalf("%+v\nafter applying the changes %+v (-want +got):\n%s", edits, res.Commit.Changes, diff)
			}
			oneSpelling(t, files)
		}
	})
}

// drawEdit makes an edit that must succeed, and applies it to the model.
func drawEdit(t *rapid.T, staged map[string]string) (Edit, bool) {
	path := rapid.SampledFrom(modelNames).Draw(t, "path")
	key := wiki.Key(path)
	_, there := staged[key]
	text := rapid.SampledFrom(modelTexts).Draw(t, "text")
	switch rapid.IntRange(0, 4).Draw(t, "op") {
	case 0:
		delete(staged, key)
		return Edit{Op: Delete, Path: path, Base: BaseAny}, there
	case 1, 2:
		to := rapid.SampledFrom(modelNames).Draw(t, "to")
		if _, taken := staged[wiki.Key(to)]; !there || taken && wiki.Key(to) != key {
			return Edit{}, false
		}
		staged[key], staged[wiki.Key(to)] = "", staged[key]
		if wiki.Key(to) != key {
			delete(staged, key)
		}
		return Edit{Op: Move, Path: path, To: to, Base: BaseAny}, true
	}
	staged[key] = text
	return Edit{Path: path, Data: []byte(text), Base: BaseAny}, true
}

func oneSpelling(t *rapid.T, files map[string]string) {
	spelling := map[string]string{}
	for path := range files {
		for dir := parentFolder(path); dir != ""; dir = parentFolder(dir) {
			if other, ok := spelling[wiki.Key(dir)]; ok && other != dir {
				t.Fatalf("folders %q and %q", dir, other)
			}
			spelling[wiki.Key(dir)] = dir
		}
	}
}
