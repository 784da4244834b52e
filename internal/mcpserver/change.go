package mcpserver

import (
	"context"
	"fmt"
	"path"
	"strings"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

func (h *Handler) replacePage(ctx context.Context, c *client, a arguments) (*reply, error) {
	page, err := a.requiredText("path")
	if err != nil {
		return nil, err
	}
	base, seen, err := parseRevision(a.text("revision"))
	switch {
	case err != nil:
		return nil, err
	case seen != nil:
		return nil, wiki.Problemf(wiki.ErrPreconditionRequired, "revision", "You haven't read the whole page. Read it with view \"full\" and send that revision, or change parts with edit_page.")
	case base == "":
		return nil, wiki.Problemf(wiki.ErrPreconditionRequired, "revision", "Replacing a page requires the revision you read. For a new page, use create_page.")
	}
	before, _, _, err := h.source(ctx, c, page, base)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(before.File.Blob, strings.ToLower(base)) {
		return nil, wiki.Problemf(wiki.ErrPreconditionRequired, "revision", "%s is a commit. Read the page with view \"full\" and send the revision in the answer's first line.", base)
	}
	if c.proposes() {
		return h.proposeText(ctx, c, page, base, a)
	}
	w := newWrite(c, "replace_page", a)
	w.IdempotencyKey += fmt.Sprintf("@%d", before.File.Seq)
	done, err := h.o.Pages.Save(ctx, c.access, pages.SaveRequest{
		Write: w, Name: page, Text: []byte(a.text("content")), Precondition: pages.Precondition{Base: base},
	})
	if err != nil {
		return nil, err
	}
	after, err := h.o.Pages.Source(ctx, c.access, string(done.Name), done.Revision)
	if err != nil {
		return nil, err
	}
	result := pages.EditResult{Saved: done, Before: before, After: after}
	if done.Merged && !done.Replayed {
		if result.Now, err = h.o.Pages.Source(ctx, c.access, string(done.Name), done.Replaced); err != nil {
			return nil, err
		}
	}
	return h.editReply(ctx, c, result, pages.EditRequest{Base: base}), nil
}

// requireRevision returns the precondition of a change to a whole page. It
// ignores which lines were read.
func requireRevision(a arguments, doing string) (pages.Precondition, error) {
	base, _, err := parseRevision(a.text("revision"))
	if err == nil && base == "" {
		err = wiki.Problemf(wiki.ErrPreconditionRequired, "revision", "%s requires the page's revision, from any read or list.", wiki.Own(doing))
	}
	return pages.Precondition{Base: base}, err
}

func (h *Handler) movePage(ctx context.Context, c *client, a arguments) (*reply, error) {
	page, err := a.requiredText("path")
	if err != nil {
		return nil, err
	}
	to, err := a.requiredText("new_path")
	if err != nil {
		return nil, err
	}
	base, err := requireRevision(a, "Moving")
	if err != nil && !h.isFolder(ctx, c, page) {
		return nil, err
	}
	done, err := h.o.Pages.Rename(ctx, c.access, pages.RenameRequest{Write: newWrite(c, "move_page", a), Precondition: base, Name: page, NewName: to})
	if err != nil {
		return nil, err
	}
	r := &reply{}
	if done.Name == "" {
		r.setHead("Moved %s to %s, commit %s. Their old paths redirect", count(done.Moved, "page"), called(strings.Trim(to, "/")+"/"), hash(done.Commit))
	} else {
		r.setHead("Moved to %s %s, commit %s. The old path redirects there", called(done.Name), revision(done.Revision, noCredit), hash(done.Commit))
	}
	if len(done.Updated) > 0 {
		r.head.add(". Links rewritten in: ")
		r.head = append(r.head, names(done.Updated)...)
	}
	return r, nil
}

// isFolder reports whether a path is of a folder that isn't a page.
func (h *Handler) isFolder(ctx context.Context, c *client, path string) bool {
	found, err := h.o.Pages.Find(ctx, c.access, strings.Trim(path, "/"))
	return err == nil && found.Kind == pages.KindFolder
}

func (h *Handler) deletePage(ctx context.Context, c *client, a arguments) (*reply, error) {
	page, err := a.requiredText("path")
	if err != nil {
		return nil, err
	}
	base, err := requireRevision(a, "Deleting")
	if err != nil {
		return nil, err
	}
	var done pages.Saved
	what := strings.Trim(page, "/")
	if file := a.text("name"); file != "" {
		what = path.Join(what, file)
		done, err = h.o.Pages.DeleteAttachment(ctx, c.access, what, base, newWrite(c, "delete_page", a))
	} else {
		done, err = h.o.Pages.Delete(ctx, c.access, pages.DeleteRequest{Write: newWrite(c, "delete_page", a), Precondition: base, Name: page})
	}
	if err != nil {
		return nil, err
	}
	r := &reply{}
	r.setHead("Deleted %s, commit %s. revert with undo %s restores it.", called(what), hash(done.Commit), quoted(hash(done.Commit)))
	h.describeDeletion(ctx, c, r, done.Commit)
	return r, nil
}

// maxNamed is how many pages or files a line about a deletion names.
const maxNamed = 10

// describeDeletion says what went with deleted pages, what stayed, and whose links
// lead nowhere now. Without that, the answer is still right.
func (h *Handler) describeDeletion(ctx context.Context, c *client, r *reply, commit string) {
	done, err := h.o.Pages.Deletion(ctx, c.access, commit)
	if err != nil {
		h.o.Log.WarnContext(ctx, "describing a deletion failed", "wiki", c.access.Site().Slug, "err", err)
		return
	}
	addDeletion(r, done, "Attachments deleted too: ", "Pages below stay: ", "Broken links are now on: ", "Links to it now lead to: ")
}

// describeCreation names the pages whose links new pages have taken over. If that fails,
// the answer is still right.
func (h *Handler) describeCreation(ctx context.Context, c *client, r *reply, commit string, words ours) {
	taken, err := h.o.Pages.Creation(ctx, c.access, commit)
	if err != nil {
		h.o.Log.WarnContext(ctx, "describing a creation failed", "wiki", c.access.Site().Slug, "err", err)
		return
	}
	addTaken(r, taken, words)
}

func addTaken(r *reply, taken []pages.Diverted, words ours) {
	var from []string
	for _, d := range taken {
		from = append(from, strings.TrimSuffix(d.From, ".md"))
	}
	if len(from) > 0 {
		r.addTailList(words, firstNames(from))
	}
}

// describePlannedDeletion is describeDeletion for a dry run.
func describePlannedDeletion(r *reply, would pages.Deletion) {
	addDeletion(r, would, "Attachments to be deleted too: ", "Pages below would stay: ", "Links would break on: ", "Links to it would then lead to: ")
}

func addDeletion(r *reply, done pages.Deletion, files, below, broken, diverted ours) {
	if len(done.Pages) > 0 && len(done.Files) > 0 {
		r.addTailList(files, firstNames(done.Files))
	}
	if len(done.Below) > 0 {
		r.addTailList(below, firstNames(done.Below))
	}
	if len(done.Broken) > 0 {
		r.addTailList(broken, firstNames(done.Broken))
	}
	if len(done.Diverted) > 0 {
		var to []string
		for _, d := range done.Diverted {
			to = append(to, strings.TrimSuffix(d.To, ".md"))
		}
		r.addTailList(diverted, firstNames(to))
	}
}

// firstNames lists at most maxNamed names.
func firstNames[T ~string](list []T) line {
	values := make([]value, min(len(list), maxNamed))
	for i := range values {
		values[i] = called(list[i])
	}
	l := joined(values, ", ")
	if more := len(list) - len(values); more > 0 {
		l.add(" and %s more", digits(more))
	}
	return l
}
