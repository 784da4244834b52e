package pages

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"robot.wtf/internal/wiki"
)

func TestFind(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, p := range []string{"Home", "Getting_Started", "Design/VPS_Architecture", "Ünï/Çode", "Moved", "v1.2", "C++_&_C#"} {
		w.put(p, "# "+p+"\n")
	}
	w.upload("Home", "Pic.png", "p")
	w.upload("", "v1.2", "a file of that very name")
	if _, err := w.Rename(w.t.Context(), w.editor, RenameRequest{Precondition: w.base("Moved"), Name: "Moved", NewName: "New Name"}); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ path, want string }{
		{"Home", "page Home"},
		{"Home.md", "page Home"},
		{"home", "301 /Home"},
		{"home.md", "301 /Home"},
		{"Getting Started", "301 /Getting_Started"},
		{"GETTING_STARTED", "301 /Getting_Started"},
		{"Getting_Started/", "301 /Getting_Started"},
		{"Design/VPS_Architecture", "page Design/VPS_Architecture"},
		{"Design", "folder Design"},
		{"design", "301 /Design"},
		{"Home/Pic.png", "file Home/Pic.png"},
		{"home/pic.PNG", "301 /Home/Pic.png"},
		{"v1.2", "file v1.2"},
		{"v1.2.md", "page v1.2"},
		{"U\u0308ni\u0308/C\u0327ode", "301 /%C3%9Cn%C3%AF/%C3%87ode"},
		{"C++ & C#", "301 /C++_&_C%23"},
		{"Moved", "302 /New_Name"},
		{"moved", "302 /New_Name"},
		{"Nowhere", "not found"},
		{"Nowhere/At All", "not found"},
		{"..", "invalid"},
		{"../Home", "invalid"},
		{"Home/../Home", "invalid"},
		{".hidden", "invalid"},
		{"Home/.git/config", "invalid"},
		{"a\x00b", "invalid"},
		{"a\\b", "invalid"},
		{"a\xffb", "invalid"},
		{"", "invalid"},
		{strings.Repeat("x", 300), "invalid"},
		{"Home/edit", "invalid"},
	} {
		f, err := w.Find(w.t.Context(), w.reader, test.path)
		got := map[Kind]string{KindPage: "page ", KindFile: "file ", KindFolder: "folder "}[f.Kind] + f.Path
		var to *wiki.Redirect
		switch {
		case errors.As(err, &to) && to.Permanent:
			got = "301 " + to.To
		case errors.As(err, &to):
			got = "302 " + to.To
		case errors.Is(err, wiki.ErrInvalid):
			got = "invalid"
		case errors.Is(err, wiki.ErrNotFound):
			got = "not found"
		case err != nil:
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%q: %s, want %s", test.path, got, test.want)
		}
	}
}

// All spellings of a name reach the same page.
func TestSpellingsOfOnePage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Getting_Started", "one\n")
	for i, name := range []string{"getting started", "GETTING_STARTED", " Getting Started ", "/Getting_Started.md", "getting_started/"} {
		done, err := w.Save(w.t.Context(), w.editor, SaveRequest{Precondition: w.base(name), Name: name, Text: fmt.Appendf(nil, "%d\n", i)})
		if err != nil || done.Name != "Getting_Started" || done.Created {
			t.Errorf("%q: %+v, %v", name, done, err)
		}
		_, err = w.Save(w.t.Context(), w.editor, SaveRequest{Precondition: Precondition{Create: true}, Name: name, Text: []byte("x")})
		wantKind(t, err, wiki.ErrConflict)
	}
	if got := w.paths(); got != "Getting_Started.md" {
		t.Errorf("got pages %s", got)
	}
}

func TestRedLinksTurnBlue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Home", "[[New Page]] and ![[Part]] and ![](/Home/pic.png)\n")
	view := func() *View {
		t.Helper()
		v, err := w.View(w.t.Context(), w.reader, "Home", "")
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	if v := view(); !contains(v.Body, `href="/New_Page/edit"`) {
		t.Errorf("no red link: %s", v.Body)
	}
	if first, second := view(), view(); first.Body != second.Body {
		t.Error("the second view differs")
	}
	w.put("new_page", "here\n")
	if v := view(); !contains(v.Body, `href="/new_page"`) || contains(v.Body, "New_Page/edit") {
		t.Errorf("still red: %s", v.Body)
	}
	w.put("Part", "the embedded words\n")
	if v := view(); !contains(v.Body, "the embedded words") {
		t.Errorf("not embedded: %s", v.Body)
	}
	w.put("Part", "other words\n")
	if v := view(); !contains(v.Body, "other words") || contains(v.Body, "embedded words") {
		t.Errorf("the old embed: %s", v.Body)
	}
	if _, err := w.Delete(w.t.Context(), w.editor, DeleteRequest{Precondition: w.base("new_page"), Name: "new_page"}); err != nil {
		t.Fatal(err)
	}
	if v := view(); !contains(v.Body, `href="/New_Page/edit"`) {
		t.Errorf("still blue: %s", v.Body)
	}
}

// A body is rendered once, and again only if a commit changes its links.
func TestBodyCache(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Home", "[[Other]]\n")
	body := func() any {
		t.Helper()
		if _, err := w.View(w.t.Context(), w.reader, "Home", ""); err != nil {
			t.Fatal(err)
		}
		b, ok := w.views.GetIfPresent(cacheKey{"body", "ada", "Home"})
		if !ok {
			t.Fatal("not cached")
		}
		return b
	}
	first := body()
	w.put("Unrelated", "x\n")
	if body() != first {
		t.Error("rendered again without need")
	}
	w.put("Other", "x\n")
	if body() == first {
		t.Error("not rendered again")
	}
}

// Sources are cached until the wiki changes. The cache isn't used for moved pages,
// takedowns and other revisions.
func TestSourceCache(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("A", "one\n")
	read := func(name, revision string) (*Source, error) { return w.Source(w.t.Context(), w.reader, name, revision) }
	first, err := read("A", "")
	if err != nil || first.Text != "one\n" {
		t.Fatalf("%+v, %v", first, err)
	}
	if again, _ := read("A", ""); again != first {
		t.Error("the second read isn't cached")
	}
	w.put("A", "two\n")
	if now, err := read("A", ""); err != nil || now.Text != "two\n" || now.Old {
		t.Errorf("after a save: %+v, %v", now, err)
	}
	if old, err := read("A", first.File.Blob); err != nil || old.Text != "one\n" || !old.Old {
		t.Errorf("the first revision: %+v, %v", old, err)
	}
	c, release, err := w.open(w.t.Context(), w.owner, wiki.Read)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if err := c.TakeDown(w.t.Context(), "A.md", "a court's order"); err != nil { // without invalidating the cache
		t.Fatal(err)
	}
	_, err = read("A", "")
	wantKind(t, err, wiki.ErrTakenDown)
	if err := c.LiftTakedown(w.t.Context(), "A.md"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Rename(w.t.Context(), w.editor, RenameRequest{Precondition: w.base("A"), Name: "A", NewName: "B"}); err != nil {
		t.Fatal(err)
	}
	var redirect *wiki.Redirect
	if got, err := read("A", ""); !errors.As(err, &redirect) {
		t.Errorf("after it moved: %+v, %v", got, err)
	}
}

func TestViewOfOldRevisions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.put("Page", "first\n")
	second := w.put("Page", "second\n")
	for _, test := range []struct {
		revision, text string
		old            bool
	}{
		{"", "second", false},
		{first.Commit, "first", true},
		{first.Commit[:7], "first", true},
		{first.Revision[:8], "first", true},
		{strings.ToUpper(first.Revision), "first", true},
		{second.Revision, "second", false},
	} {
		v, err := w.View(w.t.Context(), w.reader, "Page", test.revision)
		if err != nil || !contains(v.Body, test.text) || v.Old != test.old || v.Current != second.Revision {
			t.Errorf("%q: %+v, %v", test.revision, v, err)
		}
	}
	for revision, kind := range map[string]error{
		"123456": wiki.ErrInvalid, "HEAD": wiki.ErrInvalid, "--help-me": wiki.ErrInvalid, "0123456789": wiki.ErrNotFound,
	} {
		_, err := w.View(w.t.Context(), w.reader, "Page", revision)
		wantKind(t, err, kind)
	}
	if _, err := w.Delete(w.t.Context(), w.editor, DeleteRequest{Precondition: w.base("Page"), Name: "Page"}); err != nil {
		t.Fatal(err)
	}
	v, err := w.View(w.t.Context(), w.reader, "Page", first.Commit)
	if err != nil || !v.Old || v.Current != "" {
		t.Errorf("of a deleted page: %+v, %v", v, err)
	}
	_, err = w.View(w.t.Context(), w.reader, "Page", "")
	wantKind(t, err, wiki.ErrNotFound)
}

func TestBacklinksAndSubpages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Target", "[[Target]] itself\n")
	w.put("A", "before [[target]] after, and [[Target]] again\n")
	w.put("B", "`[[Target]]`\n")
	w.put("Target/Sub", "x\n")
	w.put("Target/Sub/More", "x\n")
	v, err := w.View(w.t.Context(), w.reader, "Target", "")
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Backlinks) != 1 || v.Backlinks[0].Name != "A" || !strings.Contains(v.Backlinks[0].Text, "before") || v.Below != 2 {
		t.Errorf("%+v, %d below", v.Backlinks, v.Below)
	}
	links, err := w.Links(w.t.Context(), w.reader, "a")
	if diff := cmp.Diff(PageLinks{To: []wiki.PageName{"Target"}}, links); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
}

func TestIndex(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Home", "[[Getting Started]] [[wanted page]] #Blue\n")
	w.put("Getting_Started", "---\ntags: [red, blue]\ncategory: Guides\n---\n[[Wanted_Page]] [[other]] [[Home]]\n")
	w.put("élan/Alone", "[[Élan/Alone]]\n")
	w.put("zebra", "[x](/Home)\n")
	index, err := w.Index(w.t.Context(), w.reader)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range index.Letters {
		for _, e := range l.Pages {
			got = append(got, l.Letter+" "+string(e.Name))
		}
	}
	if want := []string{"A élan/Alone", "G Getting_Started", "H Home", "Z zebra"}; !slices.Equal(got, want) {
		t.Errorf("letters %v", got)
	}
	want := []Tag{{"blue", []wiki.PageName{"Getting_Started", "Home"}}, {"guides", []wiki.PageName{"Getting_Started"}}, {"red", []wiki.PageName{"Getting_Started"}}}
	if diff := cmp.Diff(want, index.Tags); diff != "" {
		t.Error(diff)
	}
	if len(index.Wanted) != 2 || wiki.Key(string(index.Wanted[0].Name)) != "wanted_page" || len(index.Wanted[0].From) != 2 {
		t.Errorf("wanted %+v", index.Wanted)
	}
	if want := []wiki.PageName{"zebra", "élan/Alone"}; !slices.Equal(index.Orphans, want) || index.Pages != 4 {
		t.Errorf("orphans %v of %d", index.Orphans, index.Pages)
	}
	if len(index.Tree) != 4 || index.Tree[3].Path != "élan" && index.Tree[3].Path != "zebra" {
		t.Errorf("tree %+v", index.Tree)
	}
	for _, test := range []struct {
		f    ListFilter
		want string
	}{
		{ListFilter{}, "[Getting_Started Home zebra élan/Alone]"},
		{ListFilter{Prefix: "getting"}, "[Getting_Started]"},
		{ListFilter{Tag: "#BLUE"}, "[Getting_Started Home]"},
		{ListFilter{Tag: "blue", Prefix: "H"}, "[Home]"},
		{ListFilter{Category: "guides"}, "[Getting_Started]"},
		{ListFilter{Category: "red"}, "[]"},
		{ListFilter{UpdatedSince: w.page("zebra").File.Modified}, "[zebra]"},
	} {
		list, err := w.List(w.t.Context(), w.reader, test.f)
		names := []wiki.PageName{}
		for _, e := range list {
			names = append(names, e.Name)
		}
		if fmt.Sprint(names) != test.want || err != nil {
			t.Errorf("%+v: %v, %v", test.f, names, err)
		}
	}
	graph, err := w.Graph(w.t.Context(), w.reader)
	if err != nil || len(graph.Nodes) != 4 || len(graph.Edges) != 3 {
		t.Errorf("%+v, %v", graph, err)
	}
}

func TestTree(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, p := range []string{"b", "A", "A/Two", "A/One/Deep", "Folder_Only/Page"} {
		w.put(p, "x\n")
	}
	w.upload("A", "file.png", "x")
	tree, err := w.Tree(w.t.Context(), w.reader)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	var walk func(depth int, nodes []*Node)
	walk = func(depth int, nodes []*Node) {
		for _, n := range nodes {
			got = append(got, fmt.Sprintf("%s%s %s %q %d", strings.Repeat("-", depth), n.Name, n.Path, n.Page, n.Count))
			walk(depth+1, n.Children)
		}
	}
	walk(0, tree)
	want := []string{
		`A A "A" 2`, `-One A/One "" 1`, `--Deep A/One/Deep "A/One/Deep" 0`, `-Two A/Two "A/Two" 0`,
		`b b "b" 0`, `Folder Only Folder_Only "" 1`, `-Page Folder_Only/Page "Folder_Only/Page" 0`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	list, err := w.Folder(w.t.Context(), w.reader, "folder only")
	if err != nil || len(list) != 1 || list[0].Name != "Folder_Only/Page" {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestSeed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 2 {
		if err := w.Seed(w.t.Context(), w.owner); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.paths(); got != "AGENTS.md Getting_Started.md Home.md" || w.head() != 1 {
		t.Errorf("%s in %d commits", got, w.head())
	}
	for _, name := range []string{"Home", "Getting_Started", "AGENTS"} {
		v, err := w.View(w.t.Context(), w.owner, name, "")
		if err != nil || len(v.Notices) > 0 || len(v.Body) < 500 {
			t.Errorf("%s: %v %v", name, err, v)
		}
	}
	index, err := w.Index(w.t.Context(), w.owner)
	if err != nil || len(index.Orphans) > 0 || len(index.Wanted) > 0 {
		t.Errorf("a new wiki has orphans %v and missing pages %v (%v)", index.Orphans, index.Wanted, err)
	}
}

// Hostile and unusual names round-trip or are rejected.
func TestNamesRoundTrip(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range []string{
		"Simple", "With Blank", "Dots.in.name", "v1.2.3", "100%", "100%25", "a?b", "a#b", "a&b=c", "C++", "(paren)", "[bracket]",
		"quote\"s", "it's", "<b>bold</b>", "a;b", "a,b", "a|b", "-dash", "--upload-pack=x", "~tilde", "名前", "日本/東京", "Ünïcödé",
		"emoji 🦉", "a\u200db", "con", "NUL.txt", "{curly}", "$HOME", "`tick`", "a:b", "*", "Project/History", "API", "Deep/a/b/c/d/e",
		"A/Edit", "ſharp", "ﬁ", "İstanbul", "ß", "_leading", "a..b", "%2e%2e", "@mention", "!bang", "=", "+",
		strings.Repeat("ü", 95), "key: value", "[[link]]", "edit/me", "x/../y", "a//b", ".hidden", "a/.b", "\u202eevil", "a\nb", "view",
		strings.Repeat("x", 198), "-/index", "api/v1", "", " ", "/", "x.git/y", ".GIT", "git~1/x",
	} {
		done, err := w.Save(w.t.Context(), w.editor, SaveRequest{Name: name, Text: []byte("text of " + strings.ToValidUTF8(name, ""))})
		if err != nil {
			if !errors.Is(err, wiki.ErrInvalid) {
				t.Errorf("%q: %v", name, err)
			}
			continue
		}
		found, err := w.Find(w.t.Context(), w.reader, string(done.Name))
		if err != nil || found.Kind != KindPage || found.Path != string(done.Name) {
			t.Errorf("%q was saved as %q; Find returns %+v, %v", name, done.Name, found, err)
		}
		v, err := w.View(w.t.Context(), w.reader, name, "")
		if err != nil || v.Name != done.Name {
			t.Errorf("%q: %+v, %v", name, v, err)
		}
		if history, err := w.History(w.t.Context(), w.reader, name, 0, 0); err != nil || len(history) != 1 {
			t.Errorf("%q: history %v, %v", name, history, err)
		}
	}
	if _, err := w.Index(w.t.Context(), w.reader); err != nil {
		t.Error(err)
	}
}

// Links to sections use the ids of headings.
func TestSectionAnchors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, heading := range []string{"Next steps", "What's new?", "Ünï çode", "a_b-c", "1.2.3", "`code` and *more*", "C++ & C#", "…", "名前"} {
		w.put("Target", "# "+heading+"\n")
		w.put("Link", "[[Target#"+strings.NewReplacer("`", "", "*", "", "#", "").Replace(heading)+"]]\n")
		target, err := w.View(w.t.Context(), w.reader, "Target", "")
		if err != nil || len(target.Headings) != 1 {
			t.Fatalf("%q: %+v, %v", heading, target, err)
		}
		link, err := w.View(w.t.Context(), w.reader, "Link", "")
		if want := "#" + (&url.URL{Fragment: target.Headings[0].ID}).EscapedFragment() + `"`; err != nil || !contains(link.Body, want) {
			t.Errorf("%q has id %q; the link is %s", heading, target.Headings[0].ID, link.Body)
		}
	}
}

// A page that can't be rendered is shown as source with a reason.
func TestHostilePagesAreShownAsSource(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	source := strings.Repeat("> ", 5000) + "deep " + strings.Repeat("[", 70_000) + "\n"
	w.put("Page", source)
	for _, call := range []func() (*View, error){
		func() (*View, error) { return w.View(w.t.Context(), w.reader, "Page", "") },
		func() (*View, error) { return w.Preview(w.t.Context(), w.editor, "Page", []byte(source)) },
	} {
		v, err := call()
		if err != nil || v.Body != "" || len(v.Notices) != 1 || string(v.Source) != source || v.Title != "Page" {
			t.Errorf("%v: %.200s", err, fmt.Sprintf("%+v", v))
		}
	}
}

// A page with a table of a file follows changes of the file.
func TestDataTable(t *testing.T) {
	w := newWorld(t)
	w.put("Scores", "{{DataTable\n|src=scores.csv\n}}\n")
	shows := func(want string) {
		t.Helper()
		for range 2 { // also from the cache
			view, err := w.View(w.t.Context(), w.reader, "Scores", "")
			w.must(err)
			if !contains(view.Body, want) {
				t.Errorf("no %s in %s", want, view.Body)
			}
		}
	}
	shows(`class="red"`)
	w.upload("Scores", "scores.csv", "Name;Score\nAda;3\n")
	shows("<td>3</td>")
	w.upload("Scores", "scores.csv", "Name;Score\nAda;4\n")
	shows("<td>4</td>")
	w.upload("Scores", "scores.csv", "\xff\xfeN\x00;\x00M\x00\n\x00a\x00;\x00b\x00\n\x00")
	shows("<td>b</td>")
	w.upload("Scores", "scores.csv", "\x89PNG\x00")
	shows(`<a href="/Scores/scores.csv">scores.csv</a>`)
}
