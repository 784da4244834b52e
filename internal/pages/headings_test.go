package pages

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"robot.wtf/internal/edit"
	"robot.wtf/internal/markdown"
	"robot.wtf/internal/slow"
	"robot.wtf/internal/wiki"
)

// Links to the headings of a moved section follow it, whether they name the page or
// are on it, and links in it lead back to what stayed.
func TestLinksFollowSections(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	base := w.put("Trips/Long", "# Long\n\nSee [[#Tea]], [sub](#green-tea) and [[#Rest]].\n\n## Tea\n\nBack to [[#Rest]], on to [[#Green tea|green]], [up](#rest).\n\n### Green tea\n\ng ^leaf\n\n## Rest\n\nr [[#^leaf]] ^end\n").Revision
	w.put("Other", "# Other\n\n## Tea\n\nMine. [[#Tea]]\n")
	w.put("Trips/Home", "[[Trips/Long#Tea]], [[trips/long#Green tea|g]], [a](Long#tea), [b](../Trips/Long.md#rest), [c](/Trips/Long#green-tea), ![[Trips/Long#Tea]], [[Trips/Long]], <a href=\"/Trips/Long#tea\">d</a>\n\n[e]: Long#tea\n\n![[Trips/Long#^leaf]] [[Trips/Long#^end]] [[Trips/Long#Tea#Green tea]] [[Trips/Long#Long#Green tea]]\n")
	done, err := w.Change(w.t.Context(), w.editor, ChangeSet{Steps: []Step{{Kind: StepMoveSection, Name: "Trips/Long", Base: base, To: "Other", Edit: edit.Edit{Section: "Tea"}}}})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"Trips/Home": "[[Other#tea-1]], [[Other#Green tea|g]], [a](../Other#tea-1), [b](../Trips/Long.md#rest), [c](/Other#green-tea), ![[Other#tea-1]], [[Trips/Long]], <a href=\"/Other#tea-1\">d</a>\n\n[e]: ../Other#tea-1\n\n![[Other#^leaf]] [[Trips/Long#^end]] [[Other#Tea#Green tea]] [[Other#Green tea]]\n",
		"Trips/Long": "# Long\n\nSee [[Other#tea-1]], [sub](../Other#green-tea) and [[#Rest]].\n\n## Rest\n\nr [[Other#^leaf]] ^end\n",
		"Other":      "# Other\n\n## Tea\n\nMine. [[#Tea]]\n\n## Tea\n\nBack to [[Trips/Long#Rest]], on to [[#Green tea|green]], [up](Trips/Long#rest).\n\n### Green tea\n\ng ^leaf\n",
	} {
		if got := w.text(name); got != want {
			t.Errorf("%s is\n%s\nwant\n%s", name, got, want)
		}
	}
	if !slices.Equal(done.Relinked, []wiki.PageName{"Trips/Home"}) {
		t.Errorf("relinked %v", done.Relinked)
	}
}

// Links by a former name of the page follow a heading, too: names that a rename and a
// merge left behind, in each spelling.
func TestLinksByFormerNamesFollowSections(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Old/Drinks", "# Drinks\n\n## Tea\n\nt\n\n## Milk\n\nm\n")
	if _, err := w.Rename(w.t.Context(), w.editor, RenameRequest{Name: "Old/Drinks", NewName: "Hot", Precondition: w.base("Old/Drinks")}); err != nil {
		t.Fatal(err)
	}
	merged := w.put("Cold", "# Cold\n\n## Ice\n\ni\n").Revision
	if _, err := w.Change(w.t.Context(), w.editor, ChangeSet{Steps: []Step{{Kind: StepMerge, Name: "Cold", Base: merged, To: "Hot"}}}); err != nil {
		t.Fatal(err)
	}
	w.put("Home", "[[Old/Drinks#Tea]] [[old/drinks#Milk]] [a](/Old/Drinks#tea) [b](Old/Drinks.md#tea) [[Cold#Ice|ice]] [[Cold]]\n")
	w.put("Old/Near", "[c](Drinks#tea) ![[Old/Drinks#Tea]]\n")
	w.put("Other", "# Other\n\n## Tea\n\nMine.\n")
	base := w.page("Hot").File.Blob
	step := func(section string) Step {
		return Step{Kind: StepMoveSection, Name: "Hot", Base: base, To: "Other", Edit: edit.Edit{Section: section}}
	}
	done, err := w.Change(w.t.Context(), w.editor, ChangeSet{Steps: []Step{step("Tea"), step("Ice")}})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"Home":     "[[Other#tea-1]] [[old/drinks#Milk]] [a](/Other#tea-1) [b](Other.md#tea-1) [[Other#Ice|ice]] [[Cold]]\n",
		"Old/Near": "[c](../Other#tea-1) ![[Other#tea-1]]\n",
	} {
		if got := w.text(name); got != want {
			t.Errorf("%s is\n%s\nwant\n%s", name, got, want)
		}
	}
	if !slices.Equal(done.Relinked, []wiki.PageName{"Home", "Old/Near"}) {
		t.Errorf("relinked %v", done.Relinked)
	}
}

// A heading with an id of its own has two anchors: links to both follow it.
func TestLinksFollowChosenIDs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	base := w.put("Long", "# Long\n\n## Green tea {#tea}\n\nt\n\n## Green tea\n\nu\n\n## Rest {#end}\n\n[[#Green tea]] [a](#tea) [[#Green tea-1]] [[#Rest]]\n").Revision
	w.put("Other", "# Other\n\n## Green tea\n\n## Tea\n")
	w.put("Home", "[[Long#Green tea]] [a](Long#tea) [[Long#Green tea-1]] [[Long#Rest]] [[Other#Green tea]]\n")
	_, err := w.Change(w.t.Context(), w.editor, ChangeSet{Steps: []Step{{Kind: StepMoveSection, Name: "Long", Base: base, To: "Other", Edit: edit.Edit{Section: "tea"}}}})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"Home": "[[Other#tea-1]] [a](Other#tea-1) [[Long#green-tea]] [[Long#Rest]] [[Other#Green tea]]\n",
		"Long": "# Long\n\n## Green tea\n\nu\n\n## Rest {#end}\n\n[[Other#tea-1]] [a](Other#tea-1) [[#green-tea]] [[#Rest]]\n",
	} {
		if got := w.text(name); got != want {
			t.Errorf("%s is\n%s\nwant\n%s", name, got, want)
		}
	}
}

// A headingWiki is a wiki in which each heading has a mark below it and each link to a
// heading has a number.
type headingWiki struct {
	*world
	random *rand.Rand
	names  []string
	former []string // names that links can have for pages, too
	marks  int
	links  int
}

var headingTitles = []string{"Tea", "Tea", "Tea-1", "Milk & honey", "お茶", "Rest"}

func (w *headingWiki) one(list []string) string { return list[w.random.IntN(len(list))] }

// link returns a link to any heading of a page, from the page self.
func (w *headingWiki) link(self string) string {
	w.links++
	title := w.one(headingTitles)
	fragment := strings.TrimPrefix(markdown.Anchor(title), "#user-content-")
	if w.random.IntN(3) == 0 {
		title, fragment = title+"-1", fragment+"-1"
	}
	page := w.one(append(w.former, w.names...))
	switch w.random.IntN(4) {
	case 0:
		return fmt.Sprintf("[[#%s|L%d]]", title, w.links)
	case 1:
		return fmt.Sprintf("[L%d](#%s)", w.links, fragment)
	case 2:
		return fmt.Sprintf("[L%d](/%s#%s)", w.links, page, fragment)
	}
	return fmt.Sprintf("[[%s#%s|L%d]]", page, title, w.links)
}

func (w *headingWiki) page(self string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Page %s\n\n%s\n\n", self, w.link(self))
	for range 1 + w.random.IntN(5) {
		w.marks++
		fmt.Fprintf(&b, "%s %s\n\nm%d %s %s\n\n", strings.Repeat("#", 2+w.random.IntN(2)), w.one(headingTitles), w.marks, w.link(self), w.link(self))
	}
	return b.String()
}

var (
	numberedLink = regexp.MustCompile(`\[\[([^\]|#]*)#([^\]|]*)\|L(\d+)\]\]|\[L(\d+)\]\(([^)#]*)#([^)]*)\)`)
	headingMark  = regexp.MustCompile(`^m\d+`)
)

// targets returns for each link the mark of the heading that it leads to, or "".
func (w *headingWiki) targets() map[string]string {
	w.t.Helper()
	marks := map[string]string{} // by key of the page and anchor
	texts := w.all()
	for name, text := range texts {
		v, err := w.View(w.t.Context(), w.owner, name, "")
		if err != nil {
			w.t.Fatal(err)
		}
		lines := strings.Split(text, "\n")
		for _, h := range v.Headings {
			if h.Line+1 < len(lines) {
				marks[wiki.Key(name)+"#"+h.ID] = headingMark.FindString(lines[h.Line+1])
			}
		}
	}
	found := map[string]string{}
	for name, text := range texts {
		for _, m := range numberedLink.FindAllStringSubmatch(text, -1) {
			page, fragment, number := m[1], m[2], m[3]
			if m[4] != "" {
				page, fragment, number = m[5], m[6], m[4]
				if page != "" && !strings.HasPrefix(page, "/") {
					page = path.Join("/", path.Dir(name), page)
				}
			}
			if page == "" {
				page = name
			}
			page = w.now(strings.ReplaceAll(strings.Trim(page, "/"), " ", "_"))
			fragment, err := url.PathUnescape(fragment)
			id, err2 := url.PathUnescape(strings.TrimPrefix(markdown.Anchor(fragment), "#"))
			if err != nil || err2 != nil {
				w.t.Fatal(err, err2)
			}
			found[number] = marks[wiki.Key(page)+"#"+id]
		}
	}
	return found
}

// now returns the name of a page that a name leads to.
func (w *headingWiki) now(name string) string {
	var to *wiki.Redirect
	if _, err := w.Find(w.t.Context(), w.owner, name); errors.As(err, &to) {
		return strings.Trim(to.To, "/")
	}
	return name
}

// TestLinksKeepTheirHeadings moves sections and merges pages at random, several in one
// commit. Each link still leads to the heading that it led to before, also by a former
// name.
func TestLinksKeepTheirHeadings(t *testing.T) {
	t.Parallel()
	moved, followed, seeds := 0, 0, 12
	if slow.Enabled() {
		seeds = 300
	}
	for seed := range uint64(seeds) {
		w := &headingWiki{world: newWorld(t), random: rand.New(rand.NewPCG(seed, 1)), names: []string{"A", "B", "Dir/C", "Dir/D_d"}, former: []string{"Was/A", "Dir/Was"}}
		for i, name := range w.names {
			first := name
			if i < len(w.former) {
				first = w.former[i]
			}
			w.put(first, w.page(name))
			if _, err := w.Rename(w.t.Context(), w.editor, RenameRequest{Name: first, NewName: name, Precondition: w.base(first), KeepLinks: true}); err != nil && first != name {
				t.Fatal(err)
			}
		}
		for range 3 {
			before := w.targets()
			steps := w.steps()
			if _, err := w.Change(w.t.Context(), w.editor, ChangeSet{Steps: steps}); err != nil {
				if wiki.KindOf(err) == nil {
					t.Fatalf("seed %d: %+v: %v", seed, steps, err)
				}
				continue
			}
			moved++
			for link, now := range w.targets() {
				switch was := before[link]; {
				case was == "":
				case now != was:
					t.Fatalf("seed %d: %+v\nL%s led to %s and leads to %q now:\n%v", seed, steps, link, was, now, w.all())
				default:
					followed++
				}
			}
		}
	}
	t.Log(moved, followed)
	if moved < seeds/2 || followed < 8*seeds {
		t.Errorf("only %d changes were made, %d links followed", moved, followed)
	}
}

// steps returns one to three steps that move a section or merge a page.
func (w *headingWiki) steps() []Step {
	var steps []Step
	for range 1 + w.random.IntN(3) {
		from, to := w.one(w.names), w.one(append(w.names, "New", "Dir/New"))
		page, err := w.Source(w.t.Context(), w.owner, from, "")
		if err != nil {
			continue // merged
		}
		step := Step{Kind: StepMerge, Name: from, Base: page.File.Blob, To: to}
		if n := len(page.Sections()); w.random.IntN(4) > 0 && n > 2 {
			s := page.Sections()[2+w.random.IntN(n-2)]
			step.Kind, step.Edit.Section = StepMoveSection, strings.Join(s.Path, " > ")
			if w.random.IntN(2) == 0 {
				step.Edit.Text = "## Tea\n\nMoved.\n"
			}
			if target, err := w.Source(w.t.Context(), w.owner, to, ""); err == nil && w.random.IntN(2) == 0 {
				step.To += "#" + strings.Join(target.Sections()[w.random.IntN(len(target.Sections()))].Path, " > ")
			}
		}
		steps = append(steps, step)
	}
	return steps
}
