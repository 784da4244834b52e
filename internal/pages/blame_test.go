package pages

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"robot.wtf/internal/content"
	"robot.wtf/internal/edit"
	"robot.wtf/internal/slow"
	"robot.wtf/internal/wiki"
)

// blamed lists the lines of a page that aren't blank, each with its author. The authors
// beside the page must be the same, where they are known.
func (w *world) blamed(name string) (list []string) {
	w.t.Helper()
	lines, err := w.Blame(w.t.Context(), w.owner, name, "")
	if err != nil {
		w.t.Fatal(err)
	}
	c, release, err := w.open(w.t.Context(), w.owner, wiki.Read)
	if err != nil {
		w.t.Fatal(err)
	}
	defer release()
	p := w.page(name)
	by, err := w.authorship(w.t.Context(), c, p.File, p.Source)
	if err != nil {
		w.t.Fatal(err)
	}
	for i, l := range lines {
		if strings.TrimSpace(l.Text) == "" {
			continue
		}
		list = append(list, l.Revision.Author.Username+": "+l.Text)
		if n, unknown := by.author(i); !unknown && shownAuthor(by.by[n].Author) != shownAuthor(l.Revision.Author) {
			w.t.Errorf("%s: beside line %d %q is %s, blame says %s", name, i+1, l.Text, by.by[n].Author.Username, l.Revision.Author.Username)
		}
	}
	return list
}

// change makes steps as a person.
func (w *world) change(a wiki.Access, steps ...Step) {
	w.t.Helper()
	if _, err := w.Change(w.t.Context(), a, ChangeSet{Steps: steps}); err != nil {
		w.t.Fatal(err)
	}
}

// Lines that a section's move or a merge brings to another page keep their authors, with
// headings at other levels and other link targets, through further moves of the text and
// both pages.
func TestBlameFollowsMovedText(t *testing.T) {
	t.Parallel()
	for _, cold := range []bool{false, true} {
		w := newWorld(t)
		look := func(name string, want ...string) {
			t.Helper()
			if cold {
				w.dropCaches()
			}
			if diff := cmp.Diff(want, w.blamed(name)); diff != "" {
				t.Errorf("cold %t, %s: %s", cold, name, diff)
			}
		}
		w.writeAs(w.editor, "Trip", "# Trip\n\n## Tea\n\nGreen, see [[#Rest]].\n\n### Cups\n\ntwo\n\n## Rest\n\nnone\n")
		w.writeAs(w.owner, "Trip", "# Trip\n\n## Tea\n\nGreen, see [[#Rest]].\n\n### Cups\n\ntwo\n\nthree\n\n## Rest\n\nnone\n")
		w.writeAs(w.owner, "Drinks", "# Drinks\n\n## Hot\n\nThese:\n")
		w.writeAs(w.owner, "Home", "Ask about [[Trip#Cups]].\n")
		look("Trip", "bob: # Trip", "bob: ## Tea", "bob: Green, see [[#Rest]].", "bob: ### Cups", "bob: two", "ada: three", "bob: ## Rest", "bob: none")
		w.change(w.editor, Step{Kind: StepMoveSection, Name: "Trip", Base: w.page("Trip").File.Blob, To: "Drinks#Hot", Edit: edit.Edit{Section: "Tea", Text: "Moved.\n"}})
		look("Drinks", "ada: # Drinks", "ada: ## Hot", "ada: These:", "bob: ### Tea", "bob: Green, see [[Trip#Rest]].", "bob: #### Cups", "bob: two", "ada: three")
		look("Trip", "bob: # Trip", "bob: Moved.", "bob: ## Rest", "bob: none")
		look("Home", "ada: Ask about [[Drinks#Cups]].")
		w.change(w.owner, Step{Kind: StepMove, Name: "Drinks", Base: w.page("Drinks").File.Blob, To: "Bar/Drinks"})
		w.change(w.owner, Step{Kind: StepMoveSection, Name: "Bar/Drinks", Base: w.page("Bar/Drinks").File.Blob, To: "New", Edit: edit.Edit{Section: "Tea"}})
		look("New", "bob: # Tea", "bob: Green, see [[Trip#Rest]].", "bob: ## Cups", "bob: two", "ada: three")
		w.writeAs(w.editor, "New", w.text("New")+"\nfour\n")
		w.change(w.owner, Step{Kind: StepMerge, Name: "New", Base: w.page("New").File.Blob, To: "Trip"})
		look("Trip", "bob: # Trip", "bob: Moved.", "bob: ## Rest", "bob: none", "bob: ## Tea", "bob: Green, see [[Trip#Rest]].", "bob: ### Cups", "bob: two", "ada: three", "bob: four")
	}
}

// Undoing a change, or restoring a page, gives its lines back to their authors.
func TestBlameOfTextThatCameBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	look := func(when, name string, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, w.blamed(name)); diff != "" {
			t.Errorf("%s, %s: %s", when, name, diff)
		}
		w.dropCaches()
		w.blamed(name)
	}
	w.writeAs(w.owner, "Page", "# Page\n\n## One\n\nada\n")
	w.writeAs(w.owner, "Other", "# Other\n")
	undo := func(commit string) {
		t.Helper()
		if _, err := w.Revert(w.t.Context(), w.editor, commit, Write{Message: "Back"}); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []Step{
		{Kind: StepMoveSection, Name: "Page", To: "Other", Edit: edit.Edit{Section: "One"}}, {Kind: StepMerge, Name: "Page", To: "Other"},
		{Kind: StepMove, Name: "Page", To: "Moved"}, {Kind: StepDelete, Name: "Page"}, {Kind: StepEdit, Name: "Page", Edit: edit.Edit{Op: edit.Replace, Old: "ada", Text: "bob"}},
	} {
		step.Base = w.page("Page").File.Blob
		done, err := w.Change(w.t.Context(), w.editor, ChangeSet{Steps: []Step{step}})
		if err != nil {
			t.Fatal(err)
		}
		undo(done.Commit)
		look(string(step.Kind), "Page", "ada: # Page", "ada: ## One", "ada: ada")
		look(string(step.Kind), "Other", "ada: # Other")
	}
	w.writeAs(w.editor, "Page", "# Page\n\n## One\n\nada\n\nbob\n")
	look("a later edit", "Page", "ada: # Page", "ada: ## One", "ada: ada", "bob: bob")
}

// Whatever sections and pages bob moves and merges, the lines that ada wrote stay hers.
func TestBlameOfRandomMoves(t *testing.T) {
	t.Parallel()
	seeds, checked := 20, 0
	if slow.Enabled() {
		seeds = 300
	}
	for seed := range uint64(seeds) {
		w := &headingWiki{world: newWorld(t), random: rand.New(rand.NewPCG(seed, 2)), names: []string{"A", "B", "Dir/C", "Dir/D_d"}}
		for _, name := range w.names {
			w.writeAs(w.owner, name, w.page(name))
		}
		for range 4 {
			steps := w.steps()
			if _, err := w.Change(w.t.Context(), w.editor, ChangeSet{Steps: steps}); err != nil {
				continue
			}
			for name := range w.all() {
				for _, line := range w.blamed(name) {
					if _, text, _ := strings.Cut(line, ": "); headingMark.MatchString(text) {
						if checked++; !strings.HasPrefix(line, "ada: ") {
							t.Fatalf("seed %d: after %+v, %s has %q", seed, steps, name, line)
						}
					}
				}
			}
		}
	}
	if checked < 5*seeds {
		t.Errorf("only %d lines", checked)
	}
}

// A commit that moves pages can also change text, which is credited to the commit's
// author.
func TestBlameOfEditsBesideMoves(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.writeAs(w.owner, "Plan", "See [[Old]].\n\nI like it.\n\nSee [old](Old.md).\n")
	w.writeAs(w.owner, "Old", "# Old\n\n## Part\n\nText.\n")
	w.change(w.editor,
		Step{Kind: StepMove, Name: "Old", Base: w.page("Old").File.Blob, To: "New"},
		Step{Kind: StepEdit, Name: "Plan", Edit: edit.Edit{Op: edit.Replace, Old: "I like it.", Text: "I hate it."}})
	if diff := cmp.Diff([]string{"ada: See [[New]].", "bob: I hate it.", "ada: See [old](New.md)."}, w.blamed("Plan")); diff != "" {
		t.Error(diff)
	}
	w.change(w.editor,
		Step{Kind: StepMoveSection, Name: "New", Base: w.page("New").File.Blob, To: "Plan", Edit: edit.Edit{Section: "Part"}},
		Step{Kind: StepEdit, Name: "Plan", Edit: edit.Edit{Op: edit.Append, Text: "And this."}})
	if diff := cmp.Diff([]string{"ada: See [[New]].", "bob: I hate it.", "ada: See [old](New.md).", "ada: ## Part", "ada: Text.", "bob: And this."}, w.blamed("Plan")); diff != "" {
		t.Error(diff)
	}
}

// Attack: text goes back and forth between two pages, so that its authors are far away.
// The walk ends at its bound, and no line has a wrong author.
func TestBlameOfTextThatKeepsMoving(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.writeAs(w.owner, "P0", "# P\n\n## S\n\nmine\n")
	w.writeAs(w.editor, "P1", "# P\n")
	for i := range 12 {
		from := fmt.Sprint("P", i%2)
		w.change(w.editor, Step{Kind: StepMoveSection, Name: from, Base: w.page(from).File.Blob, To: fmt.Sprint("P", 1-i%2), Edit: edit.Edit{Section: "S"}})
	}
	w.dropCaches()
	if diff := cmp.Diff([]string{"ada: # P", "ada: ## S", "ada: mine"}, w.blamed("P0")); diff != "" {
		t.Error(diff)
	}
	c, release, err := w.open(w.t.Context(), w.owner, wiki.Read)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	p := w.page("P0")
	walk := &authorWalk{s: w.Service, bounds: walkBounds{steps: 5, bytes: 1 << 20, time: time.Hour}, each: true, begun: w.timer()}
	a := &authorship{}
	if err := walk.find(w.t.Context(), &revisionList{w: c, path: p.File.Path}, 0, a, a.open(p.Source), p.Source); err != nil {
		t.Fatal(err)
	}
	for i := range a.lines {
		if n, unknown := a.author(i); !unknown && a.by[n].Author.Username != "ada" {
			t.Errorf("line %d is by %s", i+1, a.by[n].Author.Username)
		}
	}
	if walk.steps > 6 {
		t.Errorf("%d steps", walk.steps)
	}
}

// Attack: a page alternates between two texts, so that each revision only brings one back.
// The walk ends at its bound.
func TestBlameOfTextThatAlternates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 60 {
		w.writeAs(w.editor, "P", []string{"up\n", "down\n"}[i%2])
	}
	c, release, err := w.open(w.t.Context(), w.owner, wiki.Read)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	p := w.page("P")
	walk := &authorWalk{s: w.Service, bounds: walkBounds{steps: 5, bytes: 1 << 20, time: time.Hour}, each: true, begun: w.timer()}
	a, past := &authorship{}, &revisionList{w: c, path: p.File.Path}
	if err := walk.find(w.t.Context(), past, 0, a, a.open(p.Source), p.Source); err != nil {
		t.Fatal(err)
	}
	if n, unknown := a.author(0); !unknown || a.by[n].Seq != past.read[10].Seq || walk.steps > 5 {
		t.Errorf("unknown %t, after %d steps", unknown, walk.steps)
	}
}

// A walk that has used up its time leaves the other lines open.
func TestBlameEndsInTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.writeAs(w.owner, "P", "one\n")
	w.writeAs(w.editor, "P", "one\ntwo\n")
	c, release, err := w.open(w.t.Context(), w.owner, wiki.Read)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	p := w.page("P")
	for spent, want := range map[time.Duration]bool{time.Second: false, time.Minute: true} {
		walk := &authorWalk{s: w.Service, bounds: walkBounds{steps: 5, bytes: 1 << 20, time: time.Second}, each: true, begun: w.timer().Add(-spent)}
		a := &authorship{}
		if err := walk.find(w.t.Context(), &revisionList{w: c, path: p.File.Path}, 0, a, a.open(p.Source), p.Source); err != nil {
			t.Fatal(err)
		}
		if _, unknown := a.author(1); unknown != want {
			t.Errorf("after %s: unknown %t", spent, unknown)
		}
	}
}

// An older revision can be binary, as in an imported history. Its lines still count.
func TestBlameOfBinaryText(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("From", "# F\n\n## S\n\n[x](y.md)\n")
	c, release, err := w.open(w.t.Context(), w.owner, wiki.Edit)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	const binary = "# P\n\x00\n\n## S\n\n[x](y.md)\n"
	done, err := c.Commit(w.t.Context(), content.Request{Author: w.editor.Caller(), Message: "Binary", Limits: wiki.DefaultLimits, Takes: []content.Taking{{Path: "Page.md", From: "From.md"}},
		Edits: []content.Edit{{Op: content.Put, Path: "Page.md", Data: []byte(binary), Base: content.BaseNone}}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Commit(w.t.Context(), content.Request{Author: w.owner.Caller(), Message: "Text", Limits: wiki.DefaultLimits, Takes: []content.Taking{{Path: "Page.md", From: "From.md"}},
		Edits: []content.Edit{{Op: content.Put, Path: "Page.md", Data: []byte(strings.Replace(binary, "\x00", "no NUL", 1)), Base: done.Files[0].Blob}}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"bob: # P", "ada: no NUL", "ada: ## S", "ada: [x](y.md)"}, w.blamed("Page")); diff != "" {
		t.Error(diff)
	}
}
