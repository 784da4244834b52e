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

	"robot.wtf/internal/await"
	"robot.wtf/internal/content"
	"robot.wtf/internal/minilm"
	"robot.wtf/internal/slow"
	"robot.wtf/internal/wiki"
)

// A fakeModel only knows that some words are synonyms, so its vectors are
// predictable. It counts the texts it embeds.
type fakeModel struct {
	embedded atomic.Int64
	started  chan string // if not nil, receives each text before it is embedded
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
		for n := h.Sum64(); n != 0; n >>= 16 { // four dimensions per word
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

// useModel replaces the world's service with one that has a model, and starts
// its embedder.
func (u *world) useModel(m Model) (stop func()) {
	u.t.Helper()
	if err := u.s.Close(); err != nil {
		u.t.Fatal(err)
	}
	u.s = New(Options{Dir: u.dir, Model: m, Log: u.s.opts.Log})
	return u.startEmbedder()
}

// startEmbedder runs the service's embedder without a quiet period.
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

// waitEmbedded waits until all chunks are embedded.
func (u *world) waitEmbedded() {
	u.t.Helper()
	if err := u.s.CatchUp(u.t.Context(), u.w); err != nil {
		u.t.Fatal(err)
	}
	await.Until(u.t, "all chunks are embedded", await.Long, func() bool { wikis, _ := u.s.Backlog(); return wikis == 0 })
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
		"Garage", "the automobile is parked here\n",
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
		{Semantic, "vehicle", "Garage Trip"},
		{Hybrid, "vehicle", "Garage Trip"},
		{Hybrid, "chilly", "Weather"},
		{Hybrid, "car", "Trip Garage"}, // an exact match comes first
		{Hybrid, "vehicle tag:holiday", "Trip"},
		{Semantic, "vehicle -coast", "Garage"},
		{Hybrid, `vehicle "to the coast"`, "Trip"},
		{Hybrid, "vehicle garag*", "Garage"},
		{Hybrid, "vehicle path:Gar*", "Garage"},
		{Hybrid, "vehicle author:bob", ""},
		{Hybrid, "汽车", "中文"}, // not English
		{Semantic, "汽车", "中文"},
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
		if c.query != "car" && c.query != "garage" && c.query != "hound vehicle" { // equally near pages have no order
			slices.Sort(got)
			slices.Sort(want)
		}
		if c.query == "hound vehicle" {
			got = got[:min(1, len(got))]
		}
		if c.query == "car" && len(got) == 2 {
			got, want = got[:1], want[:1]
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s %q (-want +got):\n%s", c.mode, c.query, d)
		}
	}
	r := u.searchMode(Hybrid, "icy")
	if got := snippetText(r.Hits[0]); got != "[icy] nights in spring" || r.Mode != Hybrid || r.Waiting != 0 {
		t.Errorf("snippet %q, results %+v", got, r)
	}
	if r := u.searchMode(Semantic, "tag:holiday"); r.Mode != Keyword {
		t.Errorf("a query with only filters has mode %s, want keyword", r.Mode)
	}
	for _, q := range hostileQueries {
		u.searchMode(Hybrid, q)
		u.searchMode(Semantic, q)
	}
	if _, err := ParseMode("psychic"); err == nil {
		t.Error("ParseMode accepts an unknown mode")
	}
}

// Only changed chunks are embedded again.
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
		t.Errorf("embedded %d chunks, want 4", n)
	}
	u.put("Page", page("changed"))
	if n := count(); n != 1 {
		t.Errorf("after one section changed: embedded %d chunks, want 1", n)
	}
	u.put("Page", page("changed")+"\n## Four\n\n"+long("four")+"\n")
	if n := count(); n != 1 {
		t.Errorf("after adding a section: embedded %d chunks, want 1", n)
	}
	u.put("Page", "line\n\n"+page("changed"))
	if n := count(); n > 2 {
		t.Errorf("after prepending a line: embedded %d chunks, want at most 2", n)
	}
	u.move("Other.md", "Another.md")
	if n := count(); n != 1 {
		t.Errorf("after a move: embedded %d chunks, want 1", n)
	}
	if r := u.searchMode(Semantic, "changed"); foundPages(r) != "Page" || r.Hits[0].Heading != "Two" {
		t.Errorf("found %s, heading %q", foundPages(r), r.Hits[0].Heading)
	}
	m.embedded.Store(0)
	u.remove("Page.md")
	if r := u.searchMode(Semantic, "changed"); len(r.Hits) != 0 {
		t.Errorf("found a deleted page: %s", foundPages(r))
	}
	if m.embedded.Load() != 1 { // only the query
		t.Error("a deletion embeds chunks")
	}
	u.put("Page", "canary automobile\n")
	u.waitEmbedded()
	u.put("Page", "nothing of it\n") // its old vector must not match
	if r := u.searchMode(Semantic, "canary automobile"); len(r.Hits) != 0 {
		t.Errorf("removed text finds %s: %s", foundPages(r), snippetText(r.Hits[0]))
	}
}

// An index that followed saves, embedding in between, equals a rebuilt one: it
// has the same chunks, each with the vector of its own text.
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
			if rapid.Bool().Draw(rt, "search") { // loads the vectors, so the next change updates them
				u.searchMode(Semantic, words[0])
			}
		}
		u.waitEmbedded()
		searchAll := func() (all []Results) {
			for _, word := range words {
				all = append(all, u.searchMode(Semantic, word), u.searchMode(Hybrid, word))
			}
			return all
		}
		incremental := searchAll()
		stop()
		if err := u.s.Remove(t.Context(), "ada"); err != nil {
			rt.Fatal(err)
		}
		stop = u.startEmbedder()
		u.waitEmbedded()
		if d := cmp.Diff(searchAll(), incremental); d != "" {
			rt.Fatalf("rebuilt (-) and incremental (+) index differ:\n%s", d)
		}
		stop()
		if err := u.s.Close(); err != nil {
			rt.Fatal(err)
		}
	})
}

// An embedder that is killed leaves its backlog to the next one, which finds it
// in the index.
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
		t.Errorf("pending wikis are %v, err %v", list, err)
	}
	if err := u.s.CatchUp(t.Context(), u.w); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for range 10 {
		seen[<-m.started] = true
	}
	go func() { <-m.started }() // the embedding in progress
	stop()
	if err := u.s.Close(); err != nil {
		t.Fatal(err)
	}

	again := &fakeModel{}
	u.s = New(Options{Dir: u.dir, Model: again, Log: u.s.opts.Log})
	if list, err := u.s.Pending(); err != nil || !slices.Equal(list, []string{"ada"}) {
		t.Errorf("pending wikis are %v, err %v", list, err)
	}
	u.startEmbedder()
	u.waitEmbedded()
	if n := again.embedded.Load(); n < 9 || n > 14 {
		t.Errorf("embedded %d chunks after the restart, want about 12", n)
	}
	if r := u.searchMode(Semantic, "vehicle"); r.Total != 20 {
		t.Errorf("found %d pages, want 20", r.Total)
	}
	if list, _ := u.s.Pending(); len(list) != 0 {
		t.Errorf("pending wikis are %v, want none", list)
	}
	if _, err := os.Stat(filepath.Join(u.dir, "ada", pendingFile)); err == nil {
		t.Error("the pending file still exists")
	}
}

// Each wiki gets its turn, whatever the backlog of another.
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
	<-m.started // ada's wiki is being embedded
	other := u.createWiki("bob")
	if err := commit(t.Context(), other, "bob", content.Edit{Path: "Home.md", Data: []byte("bob text\n")}); err != nil {
		t.Fatal(err)
	}
	if err := u.s.CatchUp(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if wikis, sections := u.s.Backlog(); wikis != 2 || sections < 196 {
		t.Errorf("the backlog has %d wikis and %d sections", wikis, sections)
	}
	for n := 0; ; n++ {
		if text := <-m.started; strings.Contains(text, "bob") {
			break
		}
		if n > 2*chunksPerTurn {
			t.Fatal("bob's wiki waits for all of ada's")
		}
	}
	go func() {
		for range m.started { // unblock the embedder
		}
	}()
	u.waitEmbedded()
}

// A page that is saved repeatedly is embedded once its wiki is quiet, or after
// maxEmbedDelay even if it isn't.
func TestEmbeddingWaitsForQuietWiki(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newEmbedQueue()
		start := time.Now()
		for time.Since(start) < maxEmbedDelay {
			q.setBacklog("ada", 3)
			if slug, wait := q.nextWiki(time.Now()); slug != "" || wait <= 0 || wait > quietPeriod {
				t.Fatalf("%v after the first save and directly after the last: next wiki is %q, wait %v", time.Since(start), slug, wait)
			}
			time.Sleep(quietPeriod - time.Millisecond)
		}
		q.setBacklog("ada", 3)
		if slug, _ := q.nextWiki(time.Now()); slug != "ada" {
			t.Errorf("%v after the first save: next wiki is %q, want ada", time.Since(start), slug)
		}
		q.setBacklog("ada", 0)
		if slug, wait := q.nextWiki(time.Now()); slug != "" || wait != 0 {
			t.Errorf("empty queue: next wiki is %q, wait %v", slug, wait)
		}

		q.setBacklog("bob", 9)
		time.Sleep(quietPeriod)
		for left := 8; left > 0; left-- { // a shrinking backlog isn't a save
			if slug, _ := q.nextWiki(time.Now()); slug != "bob" {
				t.Fatalf("with %d chunks left: next wiki is %q, want bob", left+1, slug)
			}
			q.setBacklog("bob", left)
		}
	})
}

// An embedding waits for running queries, but at most maxQueryWait.
func TestYieldToQueries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Dir: t.TempDir(), Model: &fakeModel{}})
		s.activeQueries.Add(1)
		start := time.Now()
		s.yieldToQueries(t.Context())
		if d := time.Since(start); d < maxQueryWait || d > 2*maxQueryWait {
			t.Errorf("an embedding waits %v for a query, want %v", d, maxQueryWait)
		}
		s.activeQueries.Add(-1)
		start = time.Now()
		s.yieldToQueries(t.Context())
		if d := time.Since(start); d > 0 {
			t.Errorf("an embedding waits %v without any query", d)
		}
	})
}

// The embedder yields to queries.
func TestEmbedderYieldsToQueries(t *testing.T) {
	u := newWorld(t)
	m := &fakeModel{started: make(chan string, 10)}
	u.useModel(m)
	u.put("Home", "car\n")
	u.s.activeQueries.Add(1)
	start := time.Now()
	if err := u.s.CatchUp(t.Context(), u.w); err != nil {
		t.Fatal(err)
	}
	<-m.started
	if d := time.Since(start); d < maxQueryWait {
		t.Errorf("the embedder waits only %v for a running query", d)
	}
	u.s.activeQueries.Add(-1)
}

// Vectors of idle wikis aren't kept in memory, and all vectors together fit in
// CacheBytes.
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
		t.Errorf("%d bytes of vectors before the first query", n)
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
		t.Error("recently used vectors were dropped")
	}
	u.s.dropIdleVectors(0)
	if n := u.s.VectorBytes(); n != 0 {
		t.Errorf("%d bytes of vectors when all are idle", n)
	}
}

// An idle wiki that was searched once takes so little memory that 10,000 take
// less than 20 MB, whatever their size. Only open indexes, which are few, take
// more.
func TestIdleWikiMemory(t *testing.T) {
	const each = 10
	first, last := 12, 24
	if os.Getenv("ROBOT_LONG") != "" {
		first, last = 30, 150
	} else if slow.Enabled() {
		first, last = 15, 60
	}
	u := newWorld(t)
	u.useModel(&fakeModel{})
	u.s.opts.MaxOpen = 10
	pool, err := content.NewPool(content.Options{Dir: u.dir, MaxOpen: 10, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Links: func(wiki.PageName, []byte) []wiki.Link { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	searchWikis := func(from, to int) {
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
	heapBytes := func() int64 {
		runtime.GC()
		runtime.GC() // frees objects with finalizers
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	searchWikis(0, first)
	before := heapBytes()
	searchWikis(first, last)
	if n := u.s.VectorBytes(); n != 0 {
		t.Errorf("%d bytes of vectors when all are idle", n)
	}
	per := (heapBytes() - before) / int64(last-first)
	t.Logf("measured: an idle wiki takes %d bytes", per)
	if per > 2000 {
		t.Errorf("an idle wiki takes %d bytes, 10,000 take %d MiB", per, per*10_000>>20)
	}
}

// The embedder drops vectors that weren't used for some minutes.
func TestIdleVectorsAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newWorld(t)
		u.useModel(&fakeModel{})
		u.put("Home", "car\n")
		u.waitEmbedded()
		for range 10 {
			u.searchMode(Semantic, "vehicle")
			if time.Sleep(vectorIdleTime - time.Second); u.s.VectorBytes() == 0 {
				t.Fatal("recently used vectors were dropped")
			}
		}
		if time.Sleep(vectorIdleTime + 2*time.Minute); u.s.VectorBytes() != 0 {
			t.Error("idle vectors stay in memory")
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
		t.Error("VectorVersion doesn't change when chunks are embedded")
	}
	names := func(list []SimilarPage, err error) (names []string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range list {
			names = append(names, string(n.Page))
		}
		return names
	}
	if got := names(u.related("Cars", 5)); !slices.Equal(got, []string{"Autos"}) {
		t.Errorf("related to Cars: %v, want Autos", got)
	}
	if got := names(u.related("Nothing", 5)); got != nil {
		t.Errorf("related to a missing page: %v, want none", got)
	}
	if got := names(u.s.Similar(t.Context(), u.w, "Hounds", "canine dog\n", 5)); !slices.Equal(got, []string{"Dogs"}) {
		t.Errorf("similar to a new page: %v, want Dogs", got)
	}
	if got := names(u.s.Similar(t.Context(), u.w, "Dogs", "dog\n", 5)); got != nil {
		t.Errorf("similar to the text of Dogs, except Dogs: %v, want none", got)
	}
	pairs, err := u.s.NearDuplicates(t.Context(), u.w, 10)
	if err != nil || len(pairs) != 1 || pairs[0].A != "Copy/Of_It" || pairs[0].B != "Story" || pairs[0].Similarity > 1.01 {
		t.Errorf("near-duplicates are %v, err %v", pairs, err)
	}
	u.remove("Copy/Of_It.md")
	u.search("x")
	if pairs, err = u.s.NearDuplicates(t.Context(), u.w, 10); err != nil || len(pairs) != 0 {
		t.Errorf("near-duplicates are %v, err %v", pairs, err)
	}
}

func TestChunkPage(t *testing.T) {
	m := &fakeModel{}
	sentence := "A sentence of exactly eight words is here. "
	for _, c := range []struct {
		name, page, source string
		want               []string // prefix of each chunk
	}{
		{"a short page", "Weather_Station", "# Weather Station\n\nA mast.\n", []string{"Weather Station. A mast."}},
		{"folders and headings", "Design/VPS", "Lead.\n\n## Disks\n\n" + strings.Repeat(sentence, 15) + "\n\n### RAID\n\n" + strings.Repeat(sentence, 15),
			[]string{"Design. VPS. Lead. Disks. A sentence", "Design. VPS. Disks. RAID. A sentence"}},
		{"small sections are merged", "P", "one\n\n## B\n\ntwo\n\n## C\n\nthree\n", []string{"P. one B. two C. three"}},
		{"no headings in code", "P", "```\n# not a heading\n```\n\n## Real\n\ntext\n", []string{"P. # not a heading Real. text"}},
		{"CRLF", "P", "one\r\n\r\n## B\r\n\r\ntwo\r\n", []string{"P. one B. two"}},
		{"bad front matter", "P", "---\ntitle: [unclosed\n---\n\ntext\n", nil},
		{"front matter", "P", "---\ntitle: The Title\ntags: [x]\n---\n\ntext\n", []string{"The Title. text"}},
		{"empty page", "Some/Page_Name", "", []string{"Some. Page Name. "}},
		{"only headings", "P", "## A\n\n## B\n", []string{"P. A.  B. "}},
		{"no comments", "P", "a <!-- hidden --> b\n", []string{"P. a b"}},
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
		t.Errorf("a long section has %d chunks", len(chunks))
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
			t.Errorf("chunk %d starts at byte %d, the previous one ends at %d", i, c.start, covered)
		}
		covered = c.start + len(text)
		if i < len(chunks)-1 && !strings.HasSuffix(text, ".") {
			t.Errorf("chunk %d ends within a sentence: %q", i, text[len(text)-20:])
		}
	}
	if covered != len(long) {
		t.Errorf("chunks cover %d of %d bytes", covered, len(long))
	}
	if n := len(chunkPage(m, newDocument("P", []byte(strings.Repeat("x ", 500_000)), nil))); n != maxChunks {
		t.Errorf("a page of 1 MB has %d chunks", n)
	}
	name := wiki.PageName(strings.Repeat("Long_Name_", 19) + "/" + strings.Repeat("x_", 99))
	for _, c := range chunkPage(m, newDocument(name, []byte(long), nil)) {
		if n := len(m.Tokens(c.text)); n > chunkTokens {
			t.Errorf("a chunk of a page with a long name has %d tokens", n)
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
		if got := v.cosines(newQueryVector(b))[0]; math.Abs(float64(got)-want) > 0.02 {
			t.Fatalf("cosine %v, want %v", got, want)
		}
	})
}

// In Hybrid mode, too, a long page that has all the words is found, although a short one
// with some of them scores much higher, and the missing words are named.
func TestHybridKnowsMissingWords(t *testing.T) {
	u := newWorld(t)
	u.useModel(&fakeModel{})
	filler := strings.Repeat("Nothing about that here at all. ", 2000)
	u.put("Long", filler+"frost mast\n", "Short", strings.Repeat("frost mast frost mast ", 30)+"\n", "Frost", strings.Repeat("frost ", 40)+"\n", "Other", "zinnia\n")
	for i := range 20 {
		u.put(fmt.Sprint("Filler", i), "unrelated\n")
	}
	u.waitEmbedded()
	want := map[wiki.PageName]string{"Long": "[]", "Short": "[]", "Frost": "[mast]"}
	r := u.searchMode(Hybrid, "frost mast")
	for _, hit := range r.Hits {
		if hit.ByWords {
			if got := fmt.Sprint(hit.Missing); got != want[hit.Page] {
				t.Errorf("%s: without %s, want %s", hit.Page, got, want[hit.Page])
			}
			delete(want, hit.Page)
		} else if len(hit.Missing) > 0 {
			t.Errorf("%s, found by meaning only, is said to lack %q", hit.Page, hit.Missing)
		}
	}
	if len(want) > 0 {
		t.Errorf("not found by words: %v", want)
	}
}
