package search

import (
	"context"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"robot.wtf/internal/content"
	"robot.wtf/internal/minilm"
	"robot.wtf/internal/wiki"
)

// A fakeModel knows that some words mean the same, and nothing else: what it
// says of a text is plain to see. It counts what it embeds.
type fakeModel struct {
	embedded atomic.Int64
	started  chan string // gets what is embedded, when there is one
}

var sameMeaning = map[string]string{
	"automobile": "car", "vehicle": "car", "frosty": "cold", "chilly": "cold", "icy": "cold", "canine": "dog", "hound": "dog", "汽车": "car",
}

func (m *fakeModel) Tokens(text string) []minilm.Token {
	var list []minilm.Token
	for t := range tokenize(text) {
		list = append(list, minilm.Token{Start: t.start, End: t.end})
	}
	for i, c := range text {
		if strings.ContainsRune(".!?", c) {
			list = append(list, minilm.Token{Start: i, End: i + 1})
		}
	}
	slices.SortFunc(list, func(a, b minilm.Token) int { return a.Start - b.Start })
	return list
}

func (m *fakeModel) Embed(text string) []float32 {
	m.embedded.Add(1)
	if m.started != nil {
		m.started <- text
	}
	v := make([]float32, minilm.Dim)
	for word := range strings.FieldsSeq(strings.ToLower(strings.NewReplacer(".", " ", ",", " ").Replace(text))) {
		if same := sameMeaning[word]; same != "" {
			word = same
		}
		h := fnv.New64a()
		h.Write([]byte(word))
		for n := h.Sum64(); n != 0; n >>= 16 { // four dimensions a word
			v[n%minilm.Dim]++
		}
	}
	length := 0.0
	for _, f := range v {
		length += float64(f * f)
	}
	for i := range v {
		v[i] = float32(float64(v[i]) / math.Sqrt(max(length, 1)))
	}
	return v
}

// meaning makes a world's service one with a model, and a worker.
func (u *world) useModel(m Model) (stop func()) {
	u.t.Helper()
	if err := u.s.Close(); err != nil {
		u.t.Fatal(err)
	}
	u.s = New(Options{Dir: u.dir, Model: m, Log: u.s.opts.Log})
	return u.startEmbedder()
}

func (u *world) startEmbedder() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	s := u.s
	s.queue.quietPeriod = 0
	go func() { s.RunEmbedder(ctx); close(ended) }()
	stop = func() { cancel(); <-ended }
	u.t.Cleanup(stop)
	return stop
}

// settle waits until all is embedded.
func (u *world) waitEmbedded() {
	u.t.Helper()
	if err := u.s.CatchUp(u.t.Context(), u.w); err != nil {
		u.t.Fatal(err)
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		if wikis, _ := u.s.Backlog(); wikis == 0 {
			return
		}
		if time.Now().After(end) {
			u.t.Fatal("the vectors are never made")
		}
	}
}

func (u *world) searchMode(mode Mode, text string) Results {
	u.t.Helper()
	r, err := u.s.Search(u.t.Context(), u.w, Query{Text: text, Limit: 100, Mode: mode})
	if err != nil {
		u.t.Fatalf("search %q: %v", text, err)
	}
	return r
}

func TestSearchModes(t *testing.T) {
	u := newWorld(t)
	u.useModel(&fakeModel{})
	u.put(
		"Garage", "the automobile stands here\n",
		"Weather", "icy nights in spring\n",
		"Kennel", "a hound sleeps\n\n## Food\n\nbones\n",
		"Trip", "---\ntags: [holiday]\n---\nwe took the car to the coast\n",
		"中文", "我的 汽车 很 快\n",
	)
	u.waitEmbedded()
	for _, c := range []struct {
		mode         Mode
		query, pages string
	}{
		{Keyword, "vehicle", ""},
		{Semantic, "vehicle", "Garage Trip 中文"},
		{Hybrid, "vehicle", "Garage Trip 中文"},
		{Hybrid, "chilly", "Weather"},
		{Hybrid, "car", "Trip 中文 Garage"}, // the word itself first
		{Hybrid, "vehicle tag:holiday", "Trip"},
		{Semantic, "vehicle -coast", "Garage 中文"},
		{Hybrid, `vehicle "to the coast"`, "Trip"},
		{Hybrid, "vehicle garag*", "Garage"},
		{Hybrid, "vehicle path:Gar*", "Garage"},
		{Hybrid, "vehicle author:bob", ""},
		{Hybrid, "汽车", "中文 Garage Trip"},
		{Semantic, "汽车", "中文 Garage Trip"},
		{Keyword, "汽车", "中文"},
		{Hybrid, "garage", "Garage"},
		{Hybrid, "tag:holiday", "Trip"},
		{Semantic, "-coast", "Garage Kennel Weather 中文"},
		{Hybrid, "zyzzyva", ""},
		{Semantic, "", ""},
		{Hybrid, "hound vehicle", "Kennel"},
	} {
		got := strings.Fields(foundPages(u.searchMode(c.mode, c.query)))
		want := strings.Fields(c.pages)
		if c.query != "car" && c.query != "garage" && c.query != "hound vehicle" { // the order of what is as near
			slices.Sort(got)
			slices.Sort(want)
		}
		if c.query == "hound vehicle" {
			got = got[:min(1, len(got))]
		}
		if c.query == "car" && len(got) == 3 {
			got, want = got[:1], want[:1]
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s %q (-want +got):\n%s", c.mode, c.query, d)
		}
	}
	r := u.searchMode(Hybrid, "icy")
	if got := snippetText(r.Hits[0]); got != "[icy] nights in spring" || r.Mode != Hybrid || r.Waiting != 0 {
		t.Errorf("%q, %+v", got, r)
	}
	if r := u.searchMode(Semantic, "tag:holiday"); r.Mode != Keyword {
		t.Errorf("filters alone are compared by %s", r.Mode)
	}
	for _, q := range hostileQueries {
		u.searchMode(Hybrid, q)
		u.searchMode(Semantic, q)
	}
	if _, err := ParseMode("psychic"); err == nil {
		t.Error("a mode that is none")
	}
}

// What is embedded again is what changed.
func TestEmbedOnlyChangedChunks(t *testing.T) {
	u := newWorld(t)
	m := &fakeModel{}
	u.useModel(m)
	long := func(word string) string { return strings.Repeat(word+" ", 120) }
	page := func(middle string) string {
		return "# Page\n\n" + long("one") + "\n\n## Two\n\n" + long(middle) + "\n\n## Three\n\n" + long("three") + "\n"
	}
	count := func() int64 {
		u.waitEmbedded()
		return m.embedded.Swap(0)
	}
	u.put("Page", page("two"), "Other", "text\n")
	if n := count(); n != 4 {
		t.Errorf("%d of 4 chunks were embedded", n)
	}
	u.put("Page", page("changed"))
	if n := count(); n != 1 {
		t.Errorf("after a change of one section %d chunks were embedded", n)
	}
	u.put("Page", page("changed")+"\n## Four\n\n"+long("four")+"\n")
	if n := count(); n != 1 {
		t.Errorf("after a section more %d chunks were embedded", n)
	}
	u.put("Page", "line\n\n"+page("changed"))
	if n := count(); n > 2 {
		t.Errorf("after a line in front %d chunks were embedded", n)
	}
	u.move("Other.md", "Another.md")
	if n := count(); n != 1 {
		t.Errorf("after a move %d chunks were embedded", n)
	}
	if r := u.searchMode(Semantic, "changed"); foundPages(r) != "Page" || r.Hits[0].Heading != "Two" {
		t.Errorf("%s, %q", foundPages(r), r.Hits[0].Heading)
	}
	m.embedded.Store(0)
	u.remove("Page.md")
	if r := u.searchMode(Semantic, "changed"); len(r.Hits) != 0 {
		t.Errorf("a deleted page is found: %s", foundPages(r))
	}
	if m.embedded.Load() != 1 { // the query
		t.Error("a deletion embeds something")
	}
	u.put("Page", "canary automobile\n")
	u.waitEmbedded()
	u.put("Page", "nothing of it\n") // its old vector answers no more
	if r := u.searchMode(Semantic, "canary automobile"); len(r.Hits) != 0 {
		t.Errorf("what a page no longer says finds %s: %s", foundPages(r), snippetText(r.Hits[0]))
	}
}

// An index that followed saves and was embedded in between has the chunks of a
// new one, each with the vector of its text.
func TestVectorsMatchRebuiltIndex(t *testing.T) {
	setRapidChecks(t, 6, 200)
	words := strings.Fields("car automobile dog hound icy chilly frost other more")
	rapid.Check(t, func(rt *rapid.T) {
		u := newWorld(t)
		m := &fakeModel{}
		stop := u.useModel(m)
		for range rapid.IntRange(1, 8).Draw(rt, "saves") {
			name := rapid.SampledFrom([]string{"A", "B", "C/D"}).Draw(rt, "name")
			var text strings.Builder
			for range rapid.IntRange(0, 4).Draw(rt, "sections") {
				word := rapid.SampledFrom(words).Draw(rt, "word")
				fmt.Fprintf(&text, "## %s\n\n%s\n\n", word, strings.Repeat(word+" ", rapid.SampledFrom([]int{1, 30, 90, 300, 900}).Draw(rt, "length")))
			}
			u.put(name, text.String()+"end\n")
			if rapid.Bool().Draw(rt, "settle") {
				u.waitEmbedded()
			}
		}
		u.waitEmbedded()
		ask := func() (all []Results) {
			for _, word := range words {
				all = append(all, u.searchMode(Semantic, word), u.searchMode(Hybrid, word))
			}
			return all
		}
		followed := ask()
		stop()
		if err := u.s.Remove(t.Context(), "ada"); err != nil {
			rt.Fatal(err)
		}
		stop = u.startEmbedder()
		u.waitEmbedded()
		if d := cmp.Diff(ask(), followed); d != "" {
			rt.Fatalf("anew (-) and followed (+) differ:\n%s", d)
		}
		stop()
		if err := u.s.Close(); err != nil {
			rt.Fatal(err)
		}
	})
}

// A worker that is killed in the middle leaves what waits to the next one, which
// finds it without being told.
func TestEmbeddingResumesAfterRestart(t *testing.T) {
	u := newWorld(t)
	m := &fakeModel{started: make(chan string)}
	stop := u.useModel(m)
	var all []string
	for i := range 20 {
		all = append(all, fmt.Sprintf("Page_%d", i), fmt.Sprintf("automobile number%d\n", i))
	}
	u.put(all...)
	u.s.MarkPending("ada")
	if list, err := u.s.Pending(); err != nil || !slices.Equal(list, []string{"ada"}) {
		t.Errorf("unfinished are %v, %v", list, err)
	}
	if err := u.s.CatchUp(t.Context(), u.w); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for range 10 {
		seen[<-m.started] = true
	}
	go func() { <-m.started }() // the one under way
	stop()
	if err := u.s.Close(); err != nil {
		t.Fatal(err)
	}

	again := &fakeModel{}
	u.s = New(Options{Dir: u.dir, Model: again, Log: u.s.opts.Log})
	if list, err := u.s.Pending(); err != nil || !slices.Equal(list, []string{"ada"}) {
		t.Errorf("unfinished are %v, %v", list, err)
	}
	u.startEmbedder()
	u.waitEmbedded()
	if n := again.embedded.Load(); n < 9 || n > 14 {
		t.Errorf("%d of some 12 chunks were left", n)
	}
	if r := u.searchMode(Semantic, "vehicle"); r.Total != 20 {
		t.Errorf("%d of 20 pages", r.Total)
	}
	if list, _ := u.s.Pending(); len(list) != 0 {
		t.Errorf("unfinished are %v", list)
	}
	if _, err := os.Stat(filepath.Join(u.dir, "ada", pendingFile)); err == nil {
		t.Error("it is still noted as behind")
	}
}

// Each wiki that waits gets its turn, however much another has.
func TestEmbeddingIsFairAcrossWikis(t *testing.T) {
	u := newWorld(t)
	m := &fakeModel{started: make(chan string)}
	u.useModel(m)
	var all []string
	for i := range 200 {
		all = append(all, fmt.Sprintf("Page_%d", i), "ada text\n")
	}
	u.put(all...)
	if err := u.s.CatchUp(t.Context(), u.w); err != nil {
		t.Fatal(err)
	}
	<-m.started // ada's have begun
	other := u.createWiki("bob")
	if err := commit(t.Context(), other, "bob", content.Edit{Path: "Home.md", Data: []byte("bob text\n")}); err != nil {
		t.Fatal(err)
	}
	if err := u.s.CatchUp(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if wikis, sections := u.s.Backlog(); wikis != 2 || sections < 196 {
		t.Errorf("%d wikis wait with %d sections", wikis, sections)
	}
	for n := 0; ; n++ {
		if text := <-m.started; strings.Contains(text, "bob") {
			break
		}
		if n > 2*chunksPerTurn {
			t.Fatal("bob waits for all of ada's")
		}
	}
	go func() {
		for range m.started { // let it end
		}
	}()
	u.waitEmbedded()
}

// What is written over and over is embedded once it is left alone, or after a
// while even so.
func TestEmbeddingWaitsForQuietWiki(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newEmbedQueue()
		begun := time.Now()
		for time.Since(begun) < maxEmbedDelay {
			q.setBacklog("ada", 3)
			if slug, in := q.nextWiki(time.Now()); slug != "" || in <= 0 || in > quietPeriod {
				t.Fatalf("%v after the first save and at once after the last, the next is %q, or in %v", time.Since(begun), slug, in)
			}
			time.Sleep(quietPeriod - time.Millisecond)
		}
		q.setBacklog("ada", 3)
		if slug, _ := q.nextWiki(time.Now()); slug != "ada" {
			t.Errorf("%v after the first save nothing is embedded", time.Since(begun))
		}
		q.setBacklog("ada", 0)
		if slug, in := q.nextWiki(time.Now()); slug != "" || in != 0 {
			t.Errorf("when nothing waits, the next is %q, or in %v", slug, in)
		}

		q.setBacklog("bob", 9)
		time.Sleep(quietPeriod)
		for left := 8; left > 0; left-- { // what is embedded is no save
			if slug, _ := q.nextWiki(time.Now()); slug != "bob" {
				t.Fatalf("with %d chunks left, the next is %q", left+1, slug)
			}
			q.setBacklog("bob", left)
		}
	})
}

// A query does not wait for what waits to be embedded.
func TestYieldToQueries(t *testing.T) {
	s := New(Options{Dir: t.TempDir(), Model: &fakeModel{}})
	s.activeQueries.Add(1)
	begin := time.Now()
	s.yieldToQueries(t.Context())
	if d := time.Since(begin); d < maxQueryWait {
		t.Errorf("an embedding waits %v for a query", d)
	}
	s.activeQueries.Add(-1)
	begin = time.Now()
	s.yieldToQueries(t.Context())
	if d := time.Since(begin); d > maxQueryWait/2 {
		t.Errorf("an embedding waits %v for nobody", d)
	}
}

// The worker is one of those who let queries pass.
func TestEmbedderYieldsToQueries(t *testing.T) {
	u := newWorld(t)
	m := &fakeModel{started: make(chan string, 10)}
	u.useModel(m)
	u.put("Home", "car\n")
	u.s.activeQueries.Add(1)
	begin := time.Now()
	if err := u.s.CatchUp(t.Context(), u.w); err != nil {
		t.Fatal(err)
	}
	<-m.started
	if d := time.Since(begin); d < maxQueryWait {
		t.Errorf("the worker embeds %v after a query began that has not ended", d)
	}
	u.s.activeQueries.Add(-1)
}

// Wikis that nobody asks keep no vectors in memory, and all together never more
// than the bound.
func TestVectorCacheIsBounded(t *testing.T) {
	u := newWorld(t)
	u.useModel(&fakeModel{})
	u.s.opts.CacheBytes = 20_000 // two wikis of 20 pages
	var wikis []*content.Wiki
	for i := range 5 {
		w := u.createWiki(fmt.Sprintf("wiki-%d", i))
		var edits []content.Edit
		for n := range 20 {
			edits = append(edits, content.Edit{Path: fmt.Sprintf("Page_%d.md", n), Data: []byte("car\n")})
		}
		if err := commit(t.Context(), w, "ada", edits...); err != nil {
			t.Fatal(err)
		}
		if err := u.s.CatchUp(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		wikis = append(wikis, w)
	}
	u.waitEmbedded()
	if n := u.s.VectorBytes(); n != 0 {
		t.Errorf("%d bytes before anybody asks", n)
	}
	for range 2 {
		for _, w := range wikis {
			r, err := u.s.Search(t.Context(), w, Query{Text: "vehicle", Mode: Semantic})
			if err != nil || r.Total != 20 {
				t.Fatal(r.Total, err)
			}
			if n := u.s.VectorBytes(); n > 20_000 || n == 0 {
				t.Errorf("%d bytes of vectors", n)
			}
		}
	}
	u.s.dropIdleVectors(time.Hour)
	if u.s.VectorBytes() == 0 {
		t.Error("vectors in use are dropped")
	}
	u.s.dropIdleVectors(0)
	if n := u.s.VectorBytes(); n != 0 {
		t.Errorf("%d bytes when idle", n)
	}
}

// A wiki that was asked once, and then no more, costs next to nothing: 10,000 of
// them would cost less than 20 MB, whatever they hold. Only the open indexes, few
// of them, cost more.
func TestIdleWikiMemory(t *testing.T) {
	const first, last, each = 30, 150, 10
	u := newWorld(t)
	u.useModel(&fakeModel{})
	u.s.opts.MaxOpen = 10
	pool, err := content.NewPool(content.Options{Dir: u.dir, MaxOpen: 10, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Links: func(wiki.PageName, []byte) []wiki.Link { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	ask := func(from, to int) {
		for i := from; i < to; i++ {
			slug := fmt.Sprintf("idle-%d", i)
			if err := pool.Create(t.Context(), slug); err != nil {
				t.Fatal(err)
			}
			w, release, err := pool.Open(t.Context(), slug)
			if err != nil {
				t.Fatal(err)
			}
			var edits []content.Edit
			for n := range each {
				edits = append(edits, content.Edit{Path: fmt.Sprintf("Page_%d.md", n), Data: []byte("car\n")})
			}
			if err := commit(t.Context(), w, "ada", edits...); err != nil {
				t.Fatal(err)
			}
			if _, err := u.s.Search(t.Context(), w, Query{Text: "car", Mode: Keyword}); err != nil {
				t.Fatal(err)
			}
			if _, err := u.s.EmbedAll(t.Context(), slug, 1); err != nil {
				t.Fatal(err)
			}
			r, err := u.s.Search(t.Context(), w, Query{Text: "vehicle", Mode: Semantic})
			if err != nil || r.Total != each {
				t.Fatal(r.Total, err)
			}
			release()
		}
		u.s.dropIdleVectors(0)
	}
	heap := func() int64 {
		runtime.GC()
		runtime.GC() // what finalizers held
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	ask(0, first)
	before := heap()
	ask(first, last)
	if n := u.s.VectorBytes(); n != 0 {
		t.Errorf("%d bytes of vectors when all are idle", n)
	}
	per := (heap() - before) / (last - first)
	t.Logf("measured: an idle wiki keeps %d bytes", per)
	if per > 2000 {
		t.Errorf("an idle wiki keeps %d bytes: 10,000 keep %d MB", per, per*10_000>>20)
	}
}

// Whoever works drops what nobody asked for within some minutes.
func TestIdleVectorsAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newWorld(t)
		u.useModel(&fakeModel{})
		u.put("Home", "car\n")
		u.waitEmbedded()
		for range 10 {
			u.searchMode(Semantic, "vehicle")
			if time.Sleep(vectorIdleTime - time.Second); u.s.VectorBytes() == 0 {
				t.Fatal("vectors in use are dropped")
			}
		}
		if time.Sleep(vectorIdleTime + 2*time.Minute); u.s.VectorBytes() != 0 {
			t.Error("vectors stay when nobody asks")
		}
	})
}

func TestRelatedPages(t *testing.T) {
	u := newWorld(t)
	u.useModel(&fakeModel{})
	story := strings.Repeat("it was told on winter evenings by the fire ", 5)
	u.put("Cars", "car car car\n", "Autos", "automobile vehicle\n", "Dogs", "dog hound\n", "Story", story+"once\n", "Copy/Of_It", story+"twice\n")
	before := u.s.VectorVersion("ada")
	u.waitEmbedded()
	if u.s.VectorVersion("ada") == before {
		t.Error("the stamp stays when vectors are made")
	}
	names := func(list []SimilarPage, err error) (names []string) {
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range list {
			names = append(names, string(n.Page))
		}
		return names
	}
	if got := names(u.s.Related(t.Context(), u.w, "Cars", 5)); !slices.Equal(got, []string{"Autos"}) {
		t.Errorf("like Cars are %v", got)
	}
	if got := names(u.s.Related(t.Context(), u.w, "Nothing", 5)); got != nil {
		t.Errorf("like a page that is not there are %v", got)
	}
	if got := names(u.s.Similar(t.Context(), u.w, "Hounds", "canine dog\n", 5)); !slices.Equal(got, []string{"Dogs"}) {
		t.Errorf("like a new page are %v", got)
	}
	if got := names(u.s.Similar(t.Context(), u.w, "Dogs", "dog\n", 5)); got != nil {
		t.Errorf("a page is like itself: %v", got)
	}
	twins, err := u.s.NearDuplicates(t.Context(), u.w, 10)
	if err != nil || len(twins) != 1 || twins[0].A != "Copy/Of_It" || twins[0].B != "Story" || twins[0].Similarity > 1.01 {
		t.Errorf("twins are %v, %v", twins, err)
	}
	u.remove("Copy/Of_It.md")
	u.search("x")
	if twins, err = u.s.NearDuplicates(t.Context(), u.w, 10); err != nil || len(twins) != 0 {
		t.Errorf("twins are %v, %v", twins, err)
	}
}

func TestChunkPage(t *testing.T) {
	m := &fakeModel{}
	sentence := "A sentence of exactly eight words stands here. "
	for _, c := range []struct {
		name, page, source string
		want               []string // how the chunks begin, or all of a short one
	}{
		{"a short page", "Weather_Station", "# Weather Station\n\nA mast.\n", []string{"Weather Station. A mast."}},
		{"folders and headings", "Design/VPS", "Lead.\n\n## Disks\n\n" + strings.Repeat(sentence, 15) + "\n\n### RAID\n\n" + strings.Repeat(sentence, 15),
			[]string{"Design. VPS. Lead. Disks. A sentence", "Design. VPS. Disks. RAID. A sentence"}},
		{"small sections are one", "P", "one\n\n## B\n\ntwo\n\n## C\n\nthree\n", []string{"P. one B. two C. three"}},
		{"no headings in code", "P", "```\n# not a heading\n```\n\n## Real\n\ntext\n", []string{"P. # not a heading Real. text"}},
		{"CRLF", "P", "one\r\n\r\n## B\r\n\r\ntwo\r\n", []string{"P. one B. two"}},
		{"bad front matter", "P", "---\ntitle: [unclosed\n---\n\ntext\n", nil},
		{"front matter", "P", "---\ntitle: The Title\ntags: [x]\n---\n\ntext\n", []string{"The Title. text"}},
		{"nothing", "Some/Page_Name", "", []string{"Some. Page Name. "}},
		{"headings alone", "P", "## A\n\n## B\n", []string{"P. A.  B. "}},
		{"comments are not there", "P", "a <!-- hidden --> b\n", []string{"P. a b"}},
	} {
		chunks := chunkPage(m, newDocument(wiki.PageName(c.page), []byte(c.source), nil))
		if c.want != nil && len(chunks) != len(c.want) {
			t.Errorf("%s: %d chunks: %+v", c.name, len(chunks), chunks)
			continue
		}
		for i, want := range c.want {
			if !strings.HasPrefix(chunks[i].text, want) {
				t.Errorf("%s: chunk %d is %q, want %q", c.name, i, chunks[i].text, want)
			}
		}
	}
	var words []string
	for i := range 3000 {
		words = append(words, fmt.Sprintf("word%d", i))
		if i%9 == 8 {
			words[i] += "."
		}
	}
	long := strings.Join(words, " ")
	chunks := chunkPage(m, newDocument("Long", []byte("# Long\n\n## Deep\n\n"+long), nil))
	if len(chunks) < 13 || len(chunks) > 20 {
		t.Errorf("%d chunks", len(chunks))
	}
	covered := 0
	for i, c := range chunks {
		if n := len(m.Tokens(c.text)); n > chunkTokens {
			t.Errorf("chunk %d has %d tokens", i, n)
		}
		text, ok := strings.CutPrefix(c.text, "Long. Deep. ")
		if !ok {
			t.Fatalf("chunk %d is %q", i, c.text)
		}
		if c.start > covered {
			t.Errorf("chunk %d begins at %d, after %d", i, c.start, covered)
		}
		covered = c.start + len(text)
		if i < len(chunks)-1 && !strings.HasSuffix(text, ".") {
			t.Errorf("chunk %d ends in a sentence: %q", i, text[len(text)-20:])
		}
	}
	if covered != len(long) {
		t.Errorf("%d of %d bytes are covered", covered, len(long))
	}
	if n := len(chunkPage(m, newDocument("P", []byte(strings.Repeat("x ", 500_000)), nil))); n != maxChunks {
		t.Errorf("a megabyte is %d chunks", n)
	}
	name := wiki.PageName(strings.Repeat("Long_Name_", 19) + "/" + strings.Repeat("x_", 99))
	for _, c := range chunkPage(m, newDocument(name, []byte(long), nil)) {
		if n := len(m.Tokens(c.text)); n > chunkTokens {
			t.Errorf("with a long name a chunk has %d tokens", n)
		}
	}
}

func TestPackedVectorAccuracy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		vector := rapid.Custom(func(t *rapid.T) []float32 {
			v := rapid.SliceOfN(rapid.Float32Range(-1, 1), minilm.Dim, minilm.Dim).Draw(t, "v")
			length := 0.0
			for _, f := range v {
				length += float64(f) * float64(f)
			}
			for i := range v {
				v[i] /= float32(max(math.Sqrt(length), 1e-6))
			}
			return v
		})
		a, b := vector.Draw(t, "a"), vector.Draw(t, "b")
		want := 0.0
		for i := range a {
			want += float64(a[i]) * float64(b[i])
		}
		x := newQueryVector(a)
		v := &vectors{chunks: make([]chunkLocation, 1), scales: []float32{x.scale}, data: x.data}
		if got := v.cosines(newQueryVector(b))[0]; math.Abs(float64(got)-want) > .02 {
			t.Fatalf("cosine %v, want %v", got, want)
		}
	})
}
