package pages

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"robot.wtf/internal/content"
	"robot.wtf/internal/edit"
	"robot.wtf/internal/wiki"
)

// A ChangeSet changes several pages in one commit, all or none.
type ChangeSet struct {
	Write
	Steps  []Step
	DryRun bool // report the result without saving it
}

// StepKind is what a Step does.
type StepKind string

// The kinds of steps.
const (
	StepEdit   StepKind = "edit"   // make Edit on the page
	StepCreate StepKind = "create" // a page that doesn't exist, with Text
	StepMove   StepKind = "move"   // the page to To, with everything below it; links follow
	StepDelete StepKind = "delete" // the page and its attachments
	// StepMerge adds the page's text and attachments to the page To. Links follow, and
	// the former name leads there. Pages below it stay.
	StepMerge StepKind = "merge"
	// StepMoveSection moves the section Edit.Section to To, a page or "page#section",
	// and leaves Edit.Text in its place. A missing page is created.
	StepMoveSection StepKind = "move_section"
)

// A Step is one step of a ChangeSet. It applies to what the steps before it leave.
type Step struct {
	Kind StepKind
	Name string      // of the page
	Base string      // the revision that the writer read, or ""
	Seen *edit.Lines // the lines they read; nil for all
	Edit edit.Edit
	Text []byte
	To   string
}

// A ChangedPage is what a ChangeSet did to a page.
type ChangedPage struct {
	Kind     wiki.ChangeKind // "" if the page already was in that state
	Name     wiki.PageName   // after the change
	From     wiki.PageName   // before a move
	Revision string          // "" after a deletion
	Before   *Source         // the writer's base or the page before; nil if it was created or the result is a replay
	Now      *Source         // the page before the change, which differs from Before if others changed it since
	After    *Source         // nil if it was deleted or the result is a replay
	Base     string          // the revision that the writer named
	Seen     *edit.Lines
	Merged   bool          // with changes that others made since Base
	Taken    bool          // some of its text is from other pages
	Sent     bool          // created, without text from other pages: the writer sent all of it
	Edits    []StepResult  // of the steps of kind StepEdit
	Into     wiki.PageName // the page that a deleted one was merged into
	Lost     []string      // front matter of a page merged into this one that has another value here
}

// A StepResult is the result of a step of kind StepEdit.
type StepResult struct {
	Step   int // index
	Result edit.Result
}

// A ChangeSetResult is the result of a ChangeSet.
type ChangeSetResult struct {
	Saved                    // of the first page
	Pages    []ChangedPage   // in the order of the steps
	Relinked []wiki.PageName // other pages, whose links follow a move
	Deletion Deletion        // what a dry run would delete; Service.Deletion reports it for a commit
	Taken    []Diverted      // links that a dry run's new pages would take over; Service.Creation reports them for a commit
}

// Changed counts the pages that change, apart from those whose links do.
func (done *ChangeSetResult) Changed() int {
	n := done.Moved
	for _, p := range done.Pages {
		if p.Kind != "" && p.Kind != wiki.Moved {
			n++
		}
	}
	return n
}

// Has reports whether any step is of a kind.
func (set *ChangeSet) Has(kind StepKind) bool {
	return slices.ContainsFunc(set.Steps, func(s Step) bool { return s.Kind == kind })
}

// A StepError is why a step of a ChangeSet failed.
type StepError struct {
	Step int // index
	Name string
	Err  error
}

// ChangeSetError is the error of a ChangeSet with failed steps. Nothing was
// changed.
type ChangeSetError struct{ Steps []StepError }

func (e *ChangeSetError) Error() string {
	return fmt.Sprintf("%d steps failed, the first one because: %v", len(e.Steps), e.Steps[0].Err)
}

// Unwrap returns the steps' errors.
func (e *ChangeSetError) Unwrap() []error {
	list := make([]error, len(e.Steps))
	for i, s := range e.Steps {
		list[i] = s.Err
	}
	return list
}

// Bounds of a ChangeSet, besides maxEdits steps.
const (
	maxChangedPages   = 50
	maxChangeSetBytes = 16 << 20 // of the texts before
)

// Change makes the steps of a ChangeSet in order, in one commit. They apply to the
// current pages, as in ApplyEdits. If steps fail, it tries the other pages' steps
// and returns a *ChangeSetError that lists all failures.
func (s *Service) Change(ctx context.Context, a wiki.Access, set ChangeSet) (ChangeSetResult, error) {
	w, release, err := s.open(ctx, a, wiki.Edit)
	if err != nil {
		return ChangeSetResult{}, err
	}
	defer release()
	if err := checkEditCount(len(set.Steps)); err != nil {
		return ChangeSetResult{}, err
	}
	var done ChangeSetResult
	done.Saved, err = withReplay(ctx, w, a, set.Write, func() (Saved, error) {
		var err error
		for range maxEditTries {
			if done, err = s.changeOnce(ctx, w, a, set); !errors.Is(err, errOutdated) {
				return done.Saved, err
			}
		}
		return Saved{}, wiki.Problemf(wiki.ErrConflict, "", "Others are changing these pages at the same time. Try again in a moment.")
	})
	if err != nil || set.DryRun || done.Unchanged {
		return done, err
	}
	return done, done.readCommit(ctx, w)
}

// changeOnce plans the steps from the current state and commits them.
func (s *Service) changeOnce(ctx context.Context, w *content.Wiki, a wiki.Access, set ChangeSet) (ChangeSetResult, error) {
	d, err := s.directory(ctx, w, a)
	if err != nil {
		return ChangeSetResult{}, err
	}
	p := newPlan(s, w, a, d)
	if err := p.makeSteps(ctx, set.Steps); err != nil {
		return ChangeSetResult{}, err
	}
	edits, err := p.edits(ctx)
	if err != nil {
		return ChangeSetResult{}, err
	}
	done := ChangeSetResult{Pages: p.changedPages(), Relinked: p.relinked}
	switch {
	case len(edits) == 0:
		done.Saved = p.order[0].saved()
	case set.DryRun:
		if done.Deletion, err = p.deletion(ctx); err == nil {
			done.Taken, err = p.creation(ctx)
		}
	default:
		done.Saved, err = s.commit(ctx, w, a, set.Write, content.Request{Message: commitMessage(set.Message, "%s", p.message()), Edits: edits, Takes: p.takings()})
	}
	done.Moved = p.movedPages()
	return done, markOutdated(err)
}

// readCommit completes a result with the names that the commit gave the pages.
// For a replay it has only those.
func (done *ChangeSetResult) readCommit(ctx context.Context, w *content.Wiki) error {
	c, err := w.CommitByID(ctx, done.Commit)
	if err != nil {
		return err
	}
	if done.Replayed {
		done.Pages = nil
	}
	for _, ch := range c.Changes {
		name, ok := wiki.PageOf(ch.Path)
		if !ok {
			continue
		}
		i := slices.IndexFunc(done.Pages, func(p ChangedPage) bool {
			return p.Name.Key() == name.Key() && (p.Kind == wiki.Deleted) == (ch.Kind == wiki.Deleted)
		})
		switch {
		case i >= 0:
			done.Pages[i].Name, done.Pages[i].Revision, done.Pages[i].Kind = name, ch.New, ch.Kind
		case done.Replayed:
			from, _ := wiki.PageOf(ch.From)
			done.Pages = append(done.Pages, ChangedPage{Kind: ch.Kind, Name: name, From: from, Revision: ch.New})
		}
	}
	return nil
}
