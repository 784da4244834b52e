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
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"robot.wtf/internal/budget"
	"robot.wtf/internal/content"
	"robot.wtf/internal/wiki"
)

// exported returns a whole export.
func (w *world) exported(a wiki.Access, format ExportFormat) ([]byte, error) {
	w.t.Helper()
	e, err := w.StartExport(w.t.Context(), a, exportRequest(format))
	if err != nil {
		return nil, err
	}
	defer e.Close()
	return io.ReadAll(e)
}

// unzipped returns the files of an exported zip by name.
func (w *world) unzipped(format ExportFormat) map[string]string {
	w.t.Helper()
	data, err := w.exported(w.reader, format)
	if err != nil {
		w.t.Fatal(err)
	}
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		w.t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range archive.File {
		r, err := f.Open()
		if err != nil {
			w.t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			w.t.Fatal(err)
		}
		files[f.Name] = string(text)
	}
	return files
}

// commitFiles commits files whose names the service itself wouldn't give.
func (w *world) commitFiles(files map[string]string) {
	w.t.Helper()
	c, release, err := w.open(w.t.Context(), w.owner, wiki.Edit)
	if err != nil {
		w.t.Fatal(err)
	}
	defer release()
	r := content.Request{Author: w.owner.Caller(), Message: "Import", Limits: w.site.Limits}
	for _, p := range slices.Sorted(maps.Keys(files)) {
		r.Edits = append(r.Edits, content.Edit{Path: p, Data: []byte(files[p])})
	}
	if _, err := c.Commit(w.t.Context(), r); err != nil {
		w.t.Fatal(err)
	}
}

// The zip of Markdown has every file byte for byte, and nothing else.
func TestExportMarkdown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	files := map[string]string{
		"Home.md":              "---\ntags: [a]\nodd:   'x'\n---\r\n# Home\r\n\r\n[[Garden/Beds|beds]] ![[dot.png]] [x](Garden/Beds.md)\r\n",
		"Garden/Beds.md":       "No end of line",
		"Garden/Beds/map.png":  "\x89PNG\r\n\x00\xff",
		"Größe_und_Straße.md":  "ü\n",
		"Empty.md":             "",
		"Latin-1.md":           "Gr\xfc\xdfe\n",
		"data.json":            strings.Repeat("{}", 1<<19),
		".obsidian/app.json":   "hidden canary",
		"Garden/.secret.md":    "hidden canary",
		".robot/instructions":  "hidden canary",
		"Taken_Down.md":        "withheld canary",
		"Taken_Down/paper.pdf": "pdf",
	}
	w.commitFiles(files)
	if err := w.SaveDraft(w.t.Context(), w.owner, "Home", []byte("draft canary"), "", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := w.TakeDown(w.t.Context(), w.operator(), "Taken_Down", "a court said so"); err != nil {
		t.Fatal(err)
	}
	got := w.unzipped(ExportMarkdown)
	want := map[string]string{}
	for p, text := range files {
		if !wiki.Hidden(p) && p != "Taken_Down.md" {
			want[w.site.Slug+"/"+p] = text
		}
	}
	note := got[w.site.Slug+"/Export notes.txt"]
	delete(got, w.site.Slug+"/Export notes.txt")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(note, "Taken_Down.md is left out: it can't be shown, for legal reasons.") || strings.Contains(note, "court") {
		t.Errorf("the note says %q", note)
	}
	for name, text := range got {
		if strings.Contains(name+text, "canary") {
			t.Errorf("%s has %q", name, text)
		}
	}
}

// Names that some systems can't store are changed, along with the links to them, and
// the note lists them.
func TestExportMarkdownPortableNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.commitFiles(map[string]string{
		"Home.md":         "[[What?]] [[What?|it]] [x](What%3F.md#part) ![](What%3F/a%2Ab.png) [[Other]] `[[What?]]`\n",
		"What?.md":        "[up](Home.md) ![](./a%2Ab.png)\n",
		"What?/a*b.png":   "png",
		"Sub/con.md":      "[[What?]]\n",
		"Sub/Other.md":    "[c](con.md)\n",
		"Export notes.md": "a page\n",
	})
	want := map[string]string{
		"Home.md":          "[[What-]] [[What-|it]] [x](What-.md#part) ![](What-/a-b.png) [[Other]] `[[What?]]`\n",
		"What-.md":         "[up](Home.md) ![](./a-b.png)\n",
		"What-/a-b.png":    "png",
		"Sub/con-.md":      "[[What-]]\n",
		"Sub/Other.md":     "[c](con-.md)\n",
		"Export notes.md":  "a page\n",
		"Export notes.txt": "",
	}
	got := w.unzipped(ExportMarkdown)
	note := got[w.site.Slug+"/Export notes.txt"]
	got[w.site.Slug+"/Export notes.txt"] = ""
	if diff := cmp.Diff(w.inFolder(want), got); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(note, "What?/a*b.png is named What-/a-b.png here") {
		t.Errorf("the note says %q", note)
	}
}

// In Obsidian, [[Weather Station]] doesn't lead to Weather_Station.md.
func TestExportMarkdownSpelling(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.commitFiles(map[string]string{
		"Home.md":                      "[[Weather Station]] [[Garden Notes/Bed One]] [a](Weather_Station.md) [[weather_station|b]] ![[Weather Station/a_b.png]]\n",
		"Weather_Station.md":           "[[snake_case]]\n",
		"Weather_Station/a_b.png":      "png",
		"Garden_Notes/Bed_One.md":      "[up](../Home.md) [two](Bed_Two.md)\n",
		"Garden_Notes/Bed_Two.md":      "",
		"Garden_Notes/Bed_One/c_d.png": "png",
		"snake_case.md":                "",
	})
	want := map[string]string{
		"Home.md":                      "[[Weather Station]] [[Garden Notes/Bed One]] [a](Weather%20Station.md) [[Weather Station|b]] ![[Weather Station/a_b.png]]\n",
		"Weather Station.md":           "[[snake_case]]\n",
		"Weather Station/a_b.png":      "png",
		"Garden Notes/Bed One.md":      "[up](../Home.md) [two](Bed_Two.md)\n",
		"Garden Notes/Bed_Two.md":      "",
		"Garden Notes/Bed One/c_d.png": "png",
		"snake_case.md":                "",
	}
	if diff := cmp.Diff(w.inFolder(want), w.unzipped(ExportMarkdown)); diff != "" {
		t.Error(diff)
	}
}

// A bundle is the whole history: imported elsewhere, each commit has the same id.
func TestExportBundle(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.startMirror()
	w.put("Home", "one\n")
	w.put("Garden/Beds", "[[Home]]\n")
	w.upload("Home", "dot.png", "png")
	w.rename("Garden/Beds", "Beds")
	data, err := w.exported(w.reader, ExportBundle)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "wiki.bundle")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	runGit(t, w.repo(), "bundle", "verify", "-q", file)
	other := w.fresh("cleo")
	other.mustImport(file)
	other.checkSameObjects(w.repo(), runGit(t, w.repo(), "rev-parse", "main"))
	if diff := cmp.Diff(w.tree(), other.tree()); diff != "" {
		t.Error(diff)
	}
	if _, err := w.TakeDown(w.t.Context(), w.operator(), "Home", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := w.exported(w.owner, ExportBundle); !errors.Is(err, wiki.ErrTakenDown) {
		t.Errorf("with a takedown: %v", err)
	}
}

// A wiki exported as Markdown and imported elsewhere has the same pages, files and
// links, even if names are spelled differently or changed in the zip.
func TestExportMarkdownRoundTrip(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.commitFiles(map[string]string{
		"Home.md":                 "[[Weather Station]] [a](Weather_Station.md#top) [[What?|b]] ![[Weather Station/a_b.png]] [c](Sub/con.md) [[Missing]]\n",
		"Weather_Station.md":      "[home](/Home) [[Sub/Deep/Page]] ![](./a_b.png)\n",
		"Weather_Station/a_b.png": "png",
		"What?.md":                "[x](What%3F/n*1.txt) [[Home]]\n",
		"What?/n*1.txt":           "notes",
		"Sub/con.md":              "[up](../Home.md) [[What?]]\n",
		"Sub/Deep/Page.md":        "---\nrelated: '[[Weather Station]]'\n---\n\n[con](../con.md)\n",
		"Ünï/cödé_und_mehr.md":    "[[Home]]\r\n",
	})
	data, err := w.exported(w.reader, ExportMarkdown)
	if err != nil {
		t.Fatal(err)
	}
	w.startMirror()
	other := w.fresh("cleo")
	if _, err := other.importing(bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	renamed := strings.NewReplacer("what?", "what-", "n*1", "n-1", "con.md", "con-.md", "sub/con ", "sub/con- ")
	want, got := w.linksByKey(), other.linksByKey()
	for i, l := range want {
		want[i] = renamed.Replace(l + " ")
	}
	for i, l := range got {
		got[i] = l + " "
	}
	slices.Sort(want)
	slices.Sort(got)
	got = slices.DeleteFunc(got, func(l string) bool { return l == "export_notes.txt " })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// linksByKey lists a wiki's files and the links between its pages, as keys.
func (w *world) linksByKey() []string {
	w.t.Helper()
	var list []string
	for p := range w.tree() {
		list = append(list, wiki.Key(p))
	}
	g, err := w.Graph(w.t.Context(), w.owner)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range g.Edges {
		list = append(list, wiki.Key(string(e[0]))+" -> "+wiki.Key(string(e[1])))
	}
	return list
}

// The website has every page as the service shows it, and nothing that the service
// doesn't show.
func TestExportSite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.commitFiles(map[string]string{
		"Home.md":              "---\nstatus: '[[Garden/Beds]]'\ntags: [a]\n---\n\n[[Garden/Beds|beds]] [[Old]] ![[Garden/Beds]] ![](/x.png) ![[Taken Down]] [[.secret]] <b onclick=x>bold</b>\n",
		"Garden/Beds.md":       "# Beds and borders\n\nText of the beds.\n",
		"Former.md":            "Moved.\n",
		"x.png":                "png",
		"page.html":            "<script>alert(1)</script>",
		"Taken_Down.md":        "withheld canary",
		"Taken_Down/paper.pdf": "pdf",
		".secret.md":           "hidden canary",
	})
	w.rename("Former", "Old")
	w.put("Garden/Beds", "# Beds and borders\n\nText of the beds. [[Former]]\n")
	if err := w.SaveDraft(w.t.Context(), w.owner, "Home", []byte("draft canary"), "", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := w.TakeDown(w.t.Context(), w.operator(), "Taken_Down", "a court said so"); err != nil {
		t.Fatal(err)
	}
	before, err := w.View(w.t.Context(), w.reader, "Home", "")
	if err != nil {
		t.Fatal(err)
	}
	got := w.unzipped(ExportSite)
	slug := w.site.Slug + "/"
	for name, text := range got {
		if strings.Contains(name+text, "canary") || strings.Contains(text, "court") {
			t.Errorf("%s has %q", name, text)
		}
	}
	for name, wants := range map[string][]string{
		"index.html":           {`<a href="Garden/Beds.html">beds</a>`, `<img src="x.png"`, `<b>bold</b>`, "Text of the beds", `<dt>status</dt>`, `href="-/tag/1.html"`, "by-ada", "1 November 2026"},
		"Garden/Beds.html":     {"<h1 ", "Beds and borders", `<a href="../Old.html">Former</a>`, `Linked from`, `href="../index.html"`},
		"Garden.html":          {`href="Garden/Beds.html"`},
		"page_html.txt":        {"<script>"},
		"Taken_Down/paper.pdf": {"pdf"},
		"Export notes.txt":     {"Taken_Down.md is left out", "page.html is named page_html.txt here"},
		"-/search/p0.js":       {`"Beds","Garden"`, "Text of the beds"},
		"-/index.html":         {`href="../Old.html"`},
		"-/app.css":            {"body {}"},
	} {
		for _, want := range wants {
			if !strings.Contains(got[slug+name], want) {
				t.Errorf("%s lacks %q: %s", name, want, got[slug+name])
			}
		}
	}
	if _, ok := got[slug+"Taken_Down.html"]; ok {
		t.Error("a page under takedown has a file")
	}
	after, err := w.View(w.t.Context(), w.reader, "Home", "")
	if err != nil || before.Body != after.Body || len(after.Properties) != 1 || before.Properties[0].Values[0] != after.Properties[0].Values[0] {
		t.Errorf("the export changed the page that the service shows: %v, %v", after, err)
	}
}

// Attack: a client starts downloads and reads nothing. The exports finish
// anyway, so the wiki's slot is free for the next one. Strangers can have only a few
// downloads per wiki open, and take none from members.
func TestExportsAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Home", strings.Repeat("words ", 10_000))
	var open []*Export
	for range maxWikiDownloads {
		e, err := w.StartExport(w.t.Context(), w.reader, exportRequest(ExportMarkdown))
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, e)
	}
	if free, ok := w.exports.readers.TryAcquire(w.site.Slug); ok {
		free()
		t.Error("there is room for one more stranger")
	}
	if data, err := w.exported(w.viewer, ExportMarkdown); err != nil || len(data) == 0 {
		t.Errorf("a member gets %d bytes, %v", len(data), err)
	}
	for _, e := range open {
		e.Close()
		e.Close() // is idempotent
		if _, err := e.Read(make([]byte, 10)); err == nil {
			t.Error("a closed export can be read")
		}
	}
	if _, err := w.exported(w.reader, ExportMarkdown); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	left, err := os.ReadDir(filepath.Join(w.dir, ".scratch"))
	if err != nil || len(left) > 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
	w.exports.time = time.Nanosecond
	if _, err := w.exported(w.reader, ExportMarkdown); !errors.Is(err, wiki.ErrUnavailable) || !strings.Contains(err.Error(), "took too long") {
		t.Errorf("without time: %v", err)
	}
	w.exports.time = maxExportTime
	w.room.Store(10)
	if _, err := w.exported(w.reader, ExportMarkdown); !errors.Is(err, wiki.ErrStorage) || !strings.Contains(err.Error(), "for this export") {
		t.Errorf("on a full disk: %v", err)
	}
}

// An export gives the wiki's turn to others, and ends when its reader leaves.
func TestExportTakesTurns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 20 {
		w.upload("", fmt.Sprintf("random%d.json", i), strings.Repeat(fmt.Sprint(i*7919), 500_000))
	}
	e, err := w.StartExport(w.t.Context(), w.owner, exportRequest(ExportMarkdown))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Read(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	release, err := w.content.AcquireLarge(ctx, w.site.Slug, 1<<20)
	if err != nil {
		t.Fatalf("no turn beside an export that nobody reads: %v", err)
	}
	e.Close() // doesn't wait for a turn
	release()
	if free, ok := w.exports.making.TryAcquire(w.site.Slug); !ok {
		t.Error("the export goes on")
	} else {
		free()
	}
}

// operator is the operator's access.
func (w *world) operator() wiki.Access {
	return wiki.NewAccess(w.site, wiki.Caller{Operator: true}, wiki.Owner)
}

// inFolder returns files under their names in a zip.
func (w *world) inFolder(files map[string]string) map[string]string {
	list := map[string]string{}
	for p, text := range files {
		list[w.site.Slug+"/"+p] = text
	}
	return list
}

func exportRequest(format ExportFormat) ExportRequest {
	return ExportRequest{
		Format: format, Origin: "https://ada.example", Byline: func(a wiki.Author) string { return "by-" + a.Username },
		Assets: func() (SiteAssets, error) { return SiteAssets{Style: []byte("body {}")}, nil },
	}
}

// BenchmarkExport exports wikis of 500 and 6,500 pages of 3 KB with ten links each.
func BenchmarkExport(b *testing.B) {
	for _, n := range []int{500, 6500} {
		limits := wiki.DefaultLimits
		limits.Pages, limits.CurrentBytes = 10_000, 1<<30
		w := worldWith(b, limits)
		var vocabulary []string
		r := rand.New(rand.NewPCG(1, 2))
		for range 20_000 {
			word := make([]byte, 2+r.IntN(9))
			for i := range word {
				word[i] = "etaoinshrdlucmfwypvbgkjqxz"[min(r.IntN(26), r.IntN(26))]
			}
			vocabulary = append(vocabulary, string(word))
		}
		files := map[string]string{}
		for i := range n {
			var text strings.Builder
			fmt.Fprintf(&text, "---\ntags: [t%d]\n---\n\n# Page %d\n\n", i%50, i)
			for j := range 450 {
				word := vocabulary[min(r.IntN(len(vocabulary)), r.IntN(len(vocabulary)), r.IntN(len(vocabulary)))]
				switch {
				case j%45 == 0:
					fmt.Fprintf(&text, "[[Folder %d/Page %d|%s]] ", r.IntN(n)%40, r.IntN(n), word)
				case j%90 == 44:
					text.WriteString(word + ".\n\n## " + word + "\n\n")
				default:
					text.WriteString(word + " ")
				}
			}
			files[fmt.Sprintf("Folder_%d/Page_%d.md", i%40, i)] = text.String()
			if len(files) == 500 || i == n-1 {
				w.commitFiles(files)
				clear(files)
			}
		}
		for _, format := range []ExportFormat{ExportMarkdown, ExportSite} {
			b.Run(fmt.Sprintf("%s/%d", format, n), func(b *testing.B) {
				runtime.GC()
				peak, cpu := watchHeap(), processorTime(b)
				var bytes int64
				for b.Loop() {
					e, err := w.StartExport(w.t.Context(), w.viewer, exportRequest(format))
					if err != nil {
						b.Fatal(err)
					}
					if bytes, err = io.Copy(io.Discard, e); err != nil {
						b.Fatal(err)
					}
					e.Close()
				}
				b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "pages/s")
				b.ReportMetric(float64(n*b.N)/(processorTime(b)-cpu).Seconds(), "pages/cpu-s")
				b.ReportMetric(float64(bytes)/(1<<20), "MB")
				b.ReportMetric(peak()/(1<<20), "MB-heap")
			})
		}
	}
}

// processorTime returns the processor time that this process has used.
func processorTime(b *testing.B) time.Duration {
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// watchHeap returns a function that returns by how much the heap has grown at most, in
// bytes.
func watchHeap() (peak func() float64) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	start, most := m.HeapInuse, m.HeapInuse
	stop, done := make(chan bool), make(chan bool)
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapInuse)
			}
		}
	}()
	return func() float64 {
		close(stop)
		<-done
		return float64(most - start)
	}
}

// Attack: one wiki's exports take all slots, to be made or downloaded. Another wiki's
// aren't delayed.
func TestExportsHaveAShareForEachWiki(t *testing.T) {
	t.Parallel()
	all := newExportSlots()
	for name, c := range map[string]struct {
		slots *budget.Slots
		share int
	}{"made": {all.making, 1}, "members": {all.members, maxWikiDownloads}, "readers": {all.readers, maxWikiDownloads}} {
		for range c.share {
			if _, err := waitForExport(t.Context(), c.slots, "eve"); err != nil {
				t.Fatal(err)
			}
		}
		waits, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if _, err := waitForExport(waits, c.slots, "eve"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: more than a share: %v", name, err)
		}
		cancel()
		if _, err := waitForExport(t.Context(), c.slots, "bob"); err != nil {
			t.Errorf("%s: another wiki: %v", name, err)
		}
	}
}
