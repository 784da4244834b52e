package mcpserver

import (
	"fmt"
	"path"
	"strings"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

func (h *Handler) replacePage(ctx ctx, c *client, a arguments) (*reply, error) {
	name, err := a.needed("path")
	if err != nil {
		return nil, err
	}
	base, _, _, marked, err := parseMark(a.text("revision"))
	switch {
	case err != nil:
		return nil, err
	case marked:
		return nil, wiki.Problemf(wiki.ErrPreconditionRequired, "revision", "You have not read all of this page. Read it with view \"full\", then send the revision of that answer; or change parts of it with edit_page.")
	case base == "":
		return nil, wiki.Problemf(wiki.ErrPreconditionRequired, "revision", "Replacing a page needs the revision that you read. create_page makes a new one.")
	}
	before, _, _, err := h.source(ctx, c, name, base)
	if err != nil {
		return nil, err
	}
	w := write(c, "replace_page", a)
	w.IdempotencyKey += fmt.Sprintf("@%d", before.File.Seq)
	done, err := h.o.Pages.Save(ctx, c.access, pages.SaveRequest{
		Write: w, Name: name, Text: []byte(a.text("content")), Precondition: pages.Precondition{Base: base},
	})
	if err != nil {
		return nil, err
	}
	after, err := h.o.Pages.Source(ctx, c.access, string(done.Name), done.Revision)
	if err != nil {
		return nil, err
	}
	return h.edited(pages.EditResult{Saved: done, Before: before, After: after}, pages.EditRequest{Base: base}), nil
}

// current is the revision that a change of a whole page names; a mark of what
// was read of it does not matter there.
func current(a arguments, doing string) (pages.Precondition, error) {
	base, _, _, _, err := parseMark(a.text("revision"))
	if err == nil && base == "" {
		err = wiki.Problemf(wiki.ErrPreconditionRequired, "revision", "%s needs the page's revision, from any read or list.", doing)
	}
	return pages.Precondition{Base: base}, err
}

func (h *Handler) movePage(ctx ctx, c *client, a arguments) (*reply, error) {
	name, err := a.needed("path")
	if err != nil {
		return nil, err
	}
	to, err := a.needed("new_path")
	if err != nil {
		return nil, err
	}
	base, err := current(a, "Moving")
	if err != nil {
		return nil, err
	}
	done, err := h.o.Pages.Rename(ctx, c.access, pages.RenameRequest{Write: write(c, "move_page", a), Precondition: base, Name: name, NewName: to})
	if err != nil {
		return nil, err
	}
	r := &reply{}
	r.headf("Moved to %s @%s, commit %s. The old path leads there", done.Name, short(done.Revision)+mark(0, 0), short(done.Commit))
	if len(done.Updated) > 0 {
		r.head += fmt.Sprintf(". Links rewritten in: %s", joined(done.Updated))
	}
	return r, nil
}

func (h *Handler) deletePage(ctx ctx, c *client, a arguments) (*reply, error) {
	name, err := a.needed("path")
	if err != nil {
		return nil, err
	}
	base, err := current(a, "Deleting")
	if err != nil {
		return nil, err
	}
	var done pages.Saved
	what := strings.Trim(name, "/")
	if file := a.text("name"); file != "" {
		what = path.Join(what, file)
		done, err = h.o.Pages.DeleteAttachment(ctx, c.access, what, base, write(c, "delete_page", a))
	} else {
		done, err = h.o.Pages.Delete(ctx, c.access, pages.DeleteRequest{Write: write(c, "delete_page", a), Precondition: base, Name: name})
	}
	if err != nil {
		return nil, err
	}
	r := &reply{}
	r.headf("Deleted %s, commit %s. revert with undo %q brings it back.", what, short(done.Commit), short(done.Commit))
	return r, nil
}

func (h *Handler) revert(ctx ctx, c *client, a arguments) (*reply, error) {
	to, _, _, _, err := parseMark(a.text("to"))
	if err != nil {
		return nil, err
	}
	undo := a.text("undo")
	var done pages.Saved
	switch {
	case (to == "") == (undo == ""):
		return nil, wiki.Problemf(wiki.ErrInvalid, "to", "Say either \"to\", the revision that the page is to have again, or \"undo\", a commit to undo.")
	case undo != "":
		done, err = h.o.Pages.Revert(ctx, c.access, undo, write(c, "revert", a))
	default:
		name, missing := a.needed("path")
		if missing != nil {
			return nil, missing
		}
		done, err = h.o.Pages.Restore(ctx, c.access, name, to, write(c, "revert", a))
	}
	if err != nil {
		return nil, err
	}
	r := &reply{}
	if done.Unchanged {
		r.headf("Nothing to revert: it is so already.")
		return r, nil
	}
	r.headf("Reverted in commit %s", short(done.Commit))
	if done.Name != "" && done.Revision != "" {
		r.head += fmt.Sprintf(": %s @%s", done.Name, short(done.Revision)+mark(0, 0))
	}
	return r, nil
}
