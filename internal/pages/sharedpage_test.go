package pages

import (
	"errors"
	"testing"

	"robot.wtf/internal/wiki"
)

// Attack: a page of a new wiki is shared, then an import replaces all pages, and one has
// the same name.
func TestImportEndsSharedPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Home", "canary\n")
	w.put("Other", "x\n")
	w.startMirror()
	w.checkRepository()
	bundle := bundleOf(t, w.repo())
	to := w.fresh("copy")
	name, seq, err := to.Shareable(to.t.Context(), to.owner, "home")
	w.must(err)
	shared := SharedPage{Name: name, Seq: seq, At: to.now()}
	if v, err := to.ViewShared(to.t.Context(), to.reader, shared, "/-/x/"); err != nil || v.Name != "Home" {
		t.Fatalf("%v %v", v, err)
	}
	to.clock.Add(60)
	to.mustImport(bundle)
	if v, err := to.ViewShared(to.t.Context(), to.reader, shared, "/-/x/"); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("after the import: %v, %v", v.Body, err)
	}
	name, seq, err = to.Shareable(to.t.Context(), to.owner, "Home")
	w.must(err)
	if _, err := to.ViewShared(to.t.Context(), to.reader, SharedPage{Name: name, Seq: seq, At: to.now()}, "/-/x/"); err != nil {
		t.Errorf("shared after the import: %v", err)
	}
}

// A page that was merged into another isn't shown as part of it, and one that comes back
// is.
func TestSharedPageComesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Plan", "the plan\n")
	name, seq, err := w.Shareable(w.t.Context(), w.owner, "Plan")
	w.must(err)
	shared := SharedPage{Name: name, Seq: seq, At: w.now()}
	w.put("Whole", "canary\n")
	w.change(w.editor, Step{Kind: StepMerge, Name: "Plan", Base: w.revision("Plan"), To: "Whole"})
	if _, err := w.SharedName(w.t.Context(), w.reader, shared); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("merged: %v", err)
	}
	w.put("Plan", "the plan again\n")
	if name, err := w.SharedName(w.t.Context(), w.reader, shared); err != nil || name != "Plan" {
		t.Errorf("made again: %q, %v", name, err)
	}
}

// Attack: a page is taken down while its pictures are collected for the cache, which would
// still serve them afterwards.
func TestTakedownWhileReading(t *testing.T) {
	w := newWorld(t)
	w.put("Plan", "x\n")
	key := cacheKey{"shared pictures", "ada", "test"}
	before := w.forgotten.Load()
	if _, err := w.TakeDown(w.t.Context(), w.operator(), "Plan", "a court said so"); err != nil {
		t.Fatal(err)
	}
	w.cacheUnlessForgotten(before, key, sharedPictures{"Plan/a.png": true})
	if _, ok := w.views.GetIfPresent(key); ok {
		t.Error("cached after the takedown")
	}
	w.cacheUnlessForgotten(w.forgotten.Load(), key, sharedPictures{})
	if _, ok := w.views.GetIfPresent(key); !ok {
		t.Error("not cached though nothing was taken down meanwhile")
	}
}
