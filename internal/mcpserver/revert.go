package mcpserver

import (
	"context"
	"errors"
	"slices"

	"robot.wtf/internal/edit"
	"robot.wtf/internal/pages"
	"robot.wtf/internal/tokens"
	"robot.wtf/internal/wiki"
)

func (h *Handler) revert(ctx context.Context, c *client, a arguments) (*reply, error) {
	to, _, err := parseRevision(a.text("to"))
	if err != nil {
		return nil, err
	}
	req := pages.UndoRequest{Commit: a.text("undo"), Session: a.text("session"), Revision: to, Texts: true, DryRun: a.boolean("dry_run"), Write: newWrite(c, "revert", a)}
	given := slices.DeleteFunc([]string{to, req.Commit, req.Session}, func(s string) bool { return s == "" })
	switch {
	case len(given) != 1:
		return nil, wiki.Problemf(wiki.ErrInvalid, "to", "Give either \"to\", the revision to restore, \"undo\", the commit to undo, or \"session\", any commit of the session to undo.")
	case req.Session != "":
		req.Path = a.text("path") // only this page, if it is given
	case to != "":
		if req.Name, err = a.requiredText("path"); err != nil {
			return nil, err
		}
	}
	done, err := h.o.Pages.Undo(ctx, c.access, req)
	if err != nil {
		return nil, err
	}
	return h.revertReply(ctx, c, done, req.DryRun), nil
}

// revertReply shows the lines that were, or would be, taken away and restored.
func (h *Handler) revertReply(ctx context.Context, c *client, done pages.Undone, dryRun bool) *reply {
	r := &reply{}
	switch {
	case done.Unchanged:
		r.setHead("Nothing to revert: the page is already in that state.")
		return r
	case dryRun:
		r.setHead("This would be reverted; nothing was saved")
	case done.Replayed:
		r.setHead("Already reverted by this request, in commit %s", hash(done.Commit))
		return r
	default:
		r.setHead("Reverted in commit %s", hash(done.Commit))
	}
	whole := h.addUndone(ctx, c, r, done.Files)
	if done.Name == "" || done.Revision == "" || dryRun {
		return r
	}
	known := noCredit
	if f := done.Files; whole && len(f) == 1 && f[0].Before != nil && f[0].After != nil && f[0].IsText() {
		lines, err := h.o.Pages.KnownLines(ctx, c.access, edit.Normalize(f[0].Before), edit.Normalize(f[0].After), edit.Lines{})
		if err == nil {
			known = creditFor(lines.From, lines.To)
		}
	}
	r.head.add(": %s %s", called(done.Name), revision(done.Revision, known))
	return r
}

// addUndone adds the differences of each file, as edit_page shows them. It reports
// whether it showed all of them.
func (h *Handler) addUndone(ctx context.Context, c *client, r *reply, files []pages.UndoneFile) (whole bool) {
	left := editTokens
	for i, f := range files {
		if left <= 0 {
			r.addTail("%s more are not shown; changes with diff and the commit shows them.", count(len(files)-i, "file"))
			return false
		}
		path := called(pageOrFile(f.Path))
		switch {
		case f.After == nil:
			r.add("Deleted: %s\n", path)
		case f.Before == nil:
			r.add("Restored: %s\n", path)
		case f.From != "":
			r.add("Moved: %s to %s\n", called(pageOrFile(f.From)), path)
		case len(files) > 1:
			r.add("Changed: %s\n", path)
		}
		if !f.IsText() {
			continue
		}
		diff, err := h.o.Pages.CompactDiff(ctx, c.access, edit.Normalize(f.Before), edit.Normalize(f.After), editContext, 1)
		shown, hidden := clipLines(diff, left)
		left -= tokens.Estimate(shown)
		if err != nil || hidden > 0 {
			left = 0
		}
		r.add("%s", undoneText(f.Path, shown))
	}
	return left > 0
}

// undoneText is a diff of a page or an attachment.
func undoneText(path, diff string) value {
	if page, ok := wiki.PageOf(path); ok {
		return pageText(page, true, diff)
	}
	return anywhere(diff)
}

// describeRefusedRevert says what keeps a commit from being undone. Its revision
// gives no credit for reading: the later changes aren't the whole page.
func (h *Handler) describeRefusedRevert(ctx context.Context, c *client, r *reply, conflict *wiki.ConflictError) {
	page := wiki.PageName(pageOrFile(conflict.Path))
	switch {
	case conflict.Deleted:
		r.setHead("Nothing was reverted: %s was deleted or moved since. changes with path %s shows by which commit; undo that one first.", called(page), quoted(called(page)))
		return
	case conflict.BaseBlob == "":
		r.setHead("Nothing was reverted: there is a page %s %s again. Move or delete that one first.", called(page), revision(conflict.TheirBlob, noCredit))
		return
	}
	r.addTail("To take back the rest by hand, read %s %s and use edit_page, or undo the later changes first.", called(page), revision(conflict.TheirBlob, noCredit))
	diff, err := h.o.Pages.CompactDiff(ctx, c.access, string(conflict.Base), string(conflict.Theirs), editContext, 1)
	if err != nil || !fits(diff, editTokens) || diff == "" {
		r.setHead("Nothing was reverted: %s was changed too much since, or another page has its old name.", called(page))
		return
	}
	r.setHead("Nothing was reverted: later changes to %s touch the same lines. They are:", called(page))
	r.add("%s", pageText(page, true, diff))
}

// describeUndoConflict lists the other pages that keep a session from being undone.
func describeUndoConflict(r *reply, err error) {
	var undo *pages.UndoConflict
	if !errors.As(err, &undo) {
		return
	}
	if len(undo.Files) > 1 {
		others := make([]wiki.PageName, 0, len(undo.Files)-1)
		for _, f := range undo.Files[1:] {
			others = append(others, wiki.PageName(pageOrFile(f.Path)))
		}
		r.tail = append(r.tail, append(say("Later changes also conflict on: "), names(others[:min(len(others), maxConflictsNamed)])...))
	}
	r.addTail("revert with session and path undoes one page of the session.")
}

const maxConflictsNamed = 20
