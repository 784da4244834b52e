package pages

import (
	"context"
	"fmt"
	"slices"

	"robot.wtf/internal/content"
	"robot.wtf/internal/wiki"
)

// An UndoConflict says which files keep a session from being undone. Nothing was
// changed.
type UndoConflict struct {
	Files []*wiki.ConflictError // at least one, as those of an undone commit
}

func (e *UndoConflict) Error() string {
	return fmt.Sprintf("%s changed later in the same places, first %s", countOf(len(e.Files), "file"), e.Files[0].Path)
}

// Unwrap returns the first conflict.
func (e *UndoConflict) Unwrap() error { return e.Files[0] }

// undoSession undoes the changes of a session, of all files or of one, in one commit. It fails
// with *UndoConflict if others changed the same places later.
func (s *Service) undoSession(ctx context.Context, w *content.Wiki, a wiki.Access, r UndoRequest) (Undone, error) {
	found, err := sessionOf(ctx, w, r.Session)
	if err != nil {
		return Undone{}, err
	}
	first := found.Commits[0]
	switch {
	case first.Author.Imported:
		return Undone{}, wiki.Problemf(wiki.ErrInvalid, "session", "An import can't be undone like a session. Delete its pages, or undo single commits.")
	case len(found.Commits) < found.Count:
		return Undone{}, wiki.Problemf(wiki.ErrTooLarge, "session", "This session has %d commits; at most %d can be undone at once. Undo its commits one by one.", found.Count, maxSessionCommits)
	}
	message := fmt.Sprintf("Undo %s by %s", countOf(found.Count, "change"), authorOf(first.Author))
	steps := sessionSteps(found.Commits)
	if r.Path != "" {
		keys, err := keysInSession(found, r.Path)
		if err != nil {
			return Undone{}, err
		}
		steps = onlyKeys(steps, keys)
		message = fmt.Sprintf("Undo changes to %s by %s", titleOf(r.Path), authorOf(first.Author))
	}
	message += fmt.Sprintf("\n\nThis reverts the session of commit %s.", first.ID)
	return s.undoPlanned(ctx, w, a, r, first.ID, message, func() ([]content.Edit, error) { return inverseSteps(ctx, w, steps) })
}

func countOf(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// authorOf names the author of a session: "Claude Code for ada".
func authorOf(a wiki.Author) string {
	if a.Agent != "" {
		return a.Agent + " for " + a.Username
	}
	return a.Username
}

// inverseSteps lists the edits that undo the changes of several commits, given in their
// order.
func inverseSteps(ctx context.Context, w *content.Wiki, steps [][]wiki.Change) ([]content.Edit, error) {
	u, err := newUndo(ctx, w)
	if err != nil {
		return nil, err
	}
	u.session = true
	for _, changes := range slices.Backward(steps) {
		if err := u.undo(ctx, changes); err != nil {
			return nil, fmt.Errorf("pages: undo a session: %w", err)
		}
	}
	if len(u.conflicts) > 0 {
		return nil, &UndoConflict{u.conflicts}
	}
	return u.result()
}

// A place is the position of a change in steps.
type place struct{ step, n int }

// sessionSteps lists the changes of commits. A change of a file's text that continues an
// earlier one is joined with it, if nobody else changed the file in between. So lines
// that the session wrote and changed again are no conflict.
func sessionSteps(commits []wiki.Commit) [][]wiki.Change {
	steps := make([][]wiki.Change, len(commits))
	last := map[string]place{} // the last change of a file, by key
	for i, c := range commits {
		for _, ch := range c.Changes {
			key := wiki.Key(ch.Path)
			at, known := last[key]
			if known && joinChange(&steps[at.step][at.n], ch) {
				continue
			}
			delete(last, wiki.Key(ch.From))
			last[key] = place{i, len(steps[i])}
			steps[i] = append(steps[i], ch)
		}
	}
	for i, changes := range steps {
		steps[i] = slices.DeleteFunc(changes, func(ch wiki.Change) bool { return ch.Old == "" && ch.New == "" })
	}
	return steps
}

// joinChange makes a change end as a later one of the same file does, and reports
// whether they could be joined. A file that is added and deleted has no text at all.
func joinChange(ch *wiki.Change, later wiki.Change) bool {
	if ch.Path != later.Path || ch.New == "" || ch.New != later.Old {
		return false
	}
	switch {
	case later.Kind == wiki.Modified:
		ch.New = later.New
	case later.Kind == wiki.Deleted && ch.Kind == wiki.Added:
		ch.New = ""
	case later.Kind == wiki.Deleted && ch.Kind == wiki.Modified:
		ch.Kind, ch.New = wiki.Deleted, ""
	default:
		return false
	}
	return true
}

// onlyKeys keeps the changes of files with some keys.
func onlyKeys(steps [][]wiki.Change, keys []string) [][]wiki.Change {
	for i, changes := range steps {
		steps[i] = slices.DeleteFunc(changes, func(ch wiki.Change) bool {
			return !slices.Contains(keys, wiki.Key(ch.Path)) && (ch.From == "" || !slices.Contains(keys, wiki.Key(ch.From)))
		})
	}
	return steps
}
