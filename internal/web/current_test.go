package web

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/markdown"
	"robot.wtf/internal/minilm"
	"robot.wtf/internal/pages"
	"robot.wtf/internal/slow"
	"robot.wtf/internal/tenant"
	"robot.wtf/internal/testworld"
	"robot.wtf/internal/wiki"
)

// kept returns the finished page of strangers at a path, nil if there is none.
func (w *testWiki) kept(path string) *finishedPage {
	p, _ := w.web.finished.cache.GetIfPresent(finishedKey{"ada", path, false})
	return p
}

// A save keeps the finished pages that it doesn't change.
func TestSavesKeepOtherPages(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	stranger := w.anonymous()
	w.put("ada", "Hail", "Stones.\n")
	w.put("ada", "Frost", "See [[Weather Station]], ![[Hail]].\n")
	w.put("ada", "Snow", "White.\n")
	paths := []string{"/Weather_Station", "/Weather_Station/Calibration", "/Frost", "/Snow", "/"}
	view := func() map[string]*finishedPage {
		kept := map[string]*finishedPage{}
		for _, path := range paths {
			stranger.get(on("ada", path)).want(http.StatusOK)
			if kept[path] = w.kept(path); kept[path] == nil {
				t.Errorf("%s isn't kept", path)
			}
		}
		return kept
	}
	before := view()
	for _, test := range []struct {
		what, changed string
		change        func()
	}{
		{"nothing happened", "", func() {}},
		{"a page was saved", "/Snow", func() { w.put("ada", "Snow", "Whiter.\n") }},
		{"an embedded page was saved", "/Frost", func() { w.put("ada", "Hail", "Large stones.\n") }},
		{"a link to a page was added", "/Snow /Weather_Station/Calibration", func() { w.put("ada", "Snow", "[[Weather Station/Calibration]]\n") }},
		{"the text of a link changed", "/Frost /Weather_Station", func() { w.put("ada", "Frost", "Always see [[Weather Station]], ![[Hail]].\n") }},
		{"a link was removed", "/Snow /Weather_Station/Calibration", func() { w.put("ada", "Snow", "White.\n") }},
		{"a file was uploaded", "", func() { w.upload("ada", "Snow", "notes.txt", "some notes\n") }},
		{"a page without links was saved often", "/Snow", func() {
			for i := range 50 {
				w.put("ada", "Snow", fmt.Sprint("White ", i, "\n"))
			}
		}},
	} {
		test.change()
		after := view()
		for _, path := range paths {
			changed := strings.Contains(" "+test.changed+" ", " "+path+" ")
			if same := before[path] == after[path]; same == changed {
				t.Errorf("%s: %s was kept: %v", test.what, path, same)
			}
		}
		before = after
	}
}

// After a save of another page, a finished page is sent without reading the database.
func TestSavesCostOtherPagesNothing(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	stranger := w.anonymous()
	stranger.get(on("ada", "/Weather_Station")).want(http.StatusOK)
	c, release, err := w.Content.Open(t.Context(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	w.put("ada", "Garden/Beds", "Beans and peas.\n")
	stranger.get(on("ada", "/Garden/Beds")).want(http.StatusOK) // follows the save
	before := c.ReadStatements()
	stranger.get(on("ada", "/Weather_Station")).want(http.StatusOK)
	if n := c.ReadStatements() - before; n > 0 {
		t.Errorf("%d statements", n)
	}
}

// The first reader doesn't wait for the best compression; the second one triggers it.
func TestPagesAreCompressedWellTheSecondTime(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	packed := w.anonymous()
	packed.header.Set("Accept-Encoding", "gzip")
	for _, well := range []bool{false, true, true} {
		packed.get(on("ada", "/Weather_Station")).want(http.StatusOK)
		if got := w.kept("/Weather_Station").packed.Load().small; got != well {
			t.Errorf("compressed well: %v, want %v", got, well)
		}
	}
}

// A page that is taken down disappears at once, also where it is embedded.
func TestTakedownsReachFinishedPages(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	w.put("ada", "Hail", "Large stones.\n")
	w.put("ada", "Frost", "![[Hail]]\n")
	stranger := w.anonymous()
	stranger.get(on("ada", "/Hail")).want(http.StatusOK).has("Large stones.")
	stranger.get(on("ada", "/Frost")).want(http.StatusOK).has("Large stones.")
	operator, err := w.Tenant.Resolve(t.Context(), "ada", wiki.Caller{Operator: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Pages.TakeDown(t.Context(), operator, "Hail", "the reason"); err != nil {
		t.Fatal(err)
	}
	stranger.get(on("ada", "/Hail")).want(http.StatusUnavailableForLegalReasons)
	stranger.get(on("ada", "/Frost")).want(http.StatusOK).lacks("Large stones.")
}

// A wordModel compares texts by the words that they share.
type wordModel struct{}

func (wordModel) Tokens(text string) (list []minilm.Token) {
	at := 0
	for word := range strings.FieldsSeq(text) {
		start := at + strings.Index(text[at:], word)
		at = start + len(word)
		list = append(list, minilm.Token{Start: start, End: at})
	}
	return list
}

func (wordModel) Embed(text string) []float32 {
	v := make([]float32, minilm.Dim)
	for word := range strings.FieldsSeq(text) {
		n := 0
		for _, c := range word {
			n = n*31 + int(c)
		}
		v[(n%minilm.Dim+minilm.Dim)%minilm.Dim] += 0.2
	}
	return v
}

// A historian changes wiki "ada" at random. All changes have one author, because who
// wrote which line also depends on the revisions that were viewed.
type historian struct {
	*testWiki
	*rand.Rand
	operator wiki.Access
}

var historianPages = []string{"Home", "Hail", "Snow", "Winter/Frost", "Winter/Ice", "Winter"}

func (h *historian) page() string { return historianPages[h.IntN(len(historianPages))] }

// text is a page that links to others in different ways.
func (h *historian) text() string {
	var b strings.Builder
	if h.IntN(4) == 0 {
		b.WriteString("---\naliases: [Cold]\n---\n")
	}
	if h.IntN(2) == 0 {
		b.WriteString("# Title " + fmt.Sprint(h.IntN(3)) + "\n\n")
	}
	for range 1 + h.IntN(4) {
		parts := []string{
			"the weather was cold and wet in the garden today ", "we measured the wind at the station with the new mast ", "the frost came early this year and the plants died ",
			"[[" + h.page() + "]] ", "[[" + h.page() + "|text]] ", "![[" + h.page() + "]]\n\n", "[[Cold]] ", "[[Frost]] ", "![](/Hail/dot.png) ", "\n\n## Section\n\n", "- [ ] task\n",
		}
		b.WriteString(parts[h.IntN(len(parts))])
	}
	return b.String() + "\n"
}

// change makes one change. Some are refused, which changes nothing.
func (h *historian) change() string {
	h.Clock.Add(time.Second)
	ctx, ada, page := h.T.Context(), h.Access("ada", "ada"), h.page()
	base := pages.Precondition{}
	if p, err := h.Pages.Page(ctx, ada, page, ""); err == nil {
		base.Base = p.File.Blob
	}
	var err error
	what := "save"
	switch h.IntN(14) {
	case 0:
		what = "rename"
		_, err = h.Pages.Rename(ctx, ada, pages.RenameRequest{Precondition: base, Name: page, NewName: h.page(), KeepLinks: h.IntN(2) == 0})
	case 1:
		what = "delete"
		_, err = h.Pages.Delete(ctx, ada, pages.DeleteRequest{Precondition: base, Name: page})
	case 2:
		what = "upload"
		_, err = h.Pages.Upload(ctx, ada, pages.UploadRequest{Page: "Hail", Name: "dot.png", Data: strings.NewReader(string(testPNG(h.T)) + fmt.Sprint(h.IntN(3))), Replace: true})
	case 3:
		what = "settings"
		home := ""
		if h.IntN(2) == 0 {
			home = page
		}
		err = h.Tenant.Configure(ctx, ada, tenant.Settings{Public: true, Title: fmt.Sprint("Weather ", h.IntN(3)), Home: home, Wikilinks: []wiki.LinkOrder{wiki.TargetFirst, wiki.TextFirst}[h.IntN(2)]})
	case 4:
		what = "takedown"
		_, err = h.Pages.TakeDown(ctx, h.operator, page, "the reason")
	case 5, 6:
		what = "lift"
		_, err = h.Pages.LiftTakedown(ctx, h.operator, page)
	case 7:
		what = "member"
		err = h.Tenant.SetMember(ctx, ada, testworld.Person("cleo").DID, []wiki.Role{wiki.Viewer, wiki.Editor}[h.IntN(2)])
	default:
		_, err = h.Pages.Save(ctx, ada, pages.SaveRequest{Precondition: base, Name: page, Text: []byte(h.text())})
	}
	return fmt.Sprintf("%s of %s: %v", what, page, err)
}

// Whatever changes, a page from the cache is the one that a service without caches
// renders.
func TestFinishedPagesAreCurrent(t *testing.T) {
	t.Parallel()
	w := newWikiWith(t, nil, testworld.Options{Model: wordModel{}})
	seed := rand.Uint64()
	h := &historian{testWiki: w, Rand: rand.New(rand.NewPCG(seed, 0))}
	var err error
	if h.operator, err = w.Tenant.Resolve(t.Context(), "ada", wiki.Caller{Operator: true}); err != nil {
		t.Fatal(err)
	}
	c, release, err := w.Content.Open(t.Context(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	fresh, freshHandler := w.newHandlers(nil)
	cached := w.handler
	people := []*browser{w.anonymous(), w.as("ada"), w.as("cleo")}
	changes := 30
	if slow.Enabled() {
		changes = 600
	}
	hits := 0
	for range changes {
		what := h.change()
		if err := w.Search.CatchUp(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Search.EmbedAll(t.Context(), "ada", 1); err != nil {
			t.Fatal(err)
		}
		for range 6 {
			path, who := "/"+strings.TrimPrefix(h.page(), "Home"), people[h.IntN(len(people))]
			before := w.kept(path)
			got := who.get(on("ada", path))
			if before != nil && before == w.kept(path) {
				hits++
			}
			fresh.finished.cache.InvalidateAll()
			fresh.o.Pages = pages.New(pages.Options{Content: w.Content, Search: w.Search, Markdown: markdown.New(markdown.Options{}), Now: w.Clock.Now})
			w.handler = freshHandler
			want := who.get(on("ada", path))
			w.handler = cached
			if got.status != want.status || got.body != want.body || got.header.Get("Location") != want.header.Get("Location") {
				t.Fatalf("seed %d, after %s: %s differs from what is rendered now: %s", seed, what, path, firstDifference(got.body, want.body))
			}
		}
	}
	if hits < changes/4 {
		t.Errorf("seed %d: %d pages came from the cache after %d changes", seed, hits, changes)
	}
}

func firstDifference(got, want string) string {
	at := 0
	for at < len(got) && at < len(want) && got[at] == want[at] {
		at++
	}
	cut := func(s string) string { return s[max(0, min(len(s), at)-80):min(len(s), at+120)] }
	return fmt.Sprintf("…%s… instead of …%s…", cut(got), cut(want))
}

// BenchmarkFirstView measures the first view of a page that was saved, among 500.
func BenchmarkFirstView(b *testing.B) {
	w := newTestWiki(b)
	w.Clock.Add(time.Hour)
	text := func(n int) string {
		var t strings.Builder
		fmt.Fprintf(&t, "# Page %d\n\n", n)
		for i := range 12 {
			fmt.Fprintf(&t, "## Section %d\n\n%s See [[Notes/Page %d]] and [[Notes/Page %d|that one]].\n\n- one\n- two\n- three **bold**\n\n", i, strings.Repeat("Words of the page and more of them. ", 7), (n+i)%480, (n+7*i)%480)
		}
		return t.String()
	}
	for n := range 480 {
		w.Save("ada", "ada", fmt.Sprint("Notes/Page ", n), text(n))
	}
	stranger := w.anonymous()
	stranger.header.Set("Accept-Encoding", "gzip")
	got := stranger.get(on("ada", "/Notes/Page_200")).want(http.StatusOK)
	plain := w.anonymous().get(on("ada", "/Notes/Page_200")).want(http.StatusOK)
	n := 0
	for b.Loop() {
		b.StopTimer()
		n++
		w.Save("ada", "ada", "Notes/Page 200", text(200)+fmt.Sprint(n))
		r := stranger.request(http.MethodGet, on("ada", "/Notes/Page_200"), nil)
		b.StartTimer()
		w.handler.ServeHTTP(discard{http.Header{}}, r)
	}
	b.ReportMetric(float64(len(got.body)), "gzip-bytes")
	b.ReportMetric(float64(len(plain.body)), "bytes")
}
