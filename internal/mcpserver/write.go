package mcpserver

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"robot.wtf/internal/edit"
	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

// repeatWindow is how long an identical request with the same id counts as a
// network retry. Clients count their ids from 1 each time they start.
const repeatWindow = 10 * time.Minute

// newWrite returns the common fields of a change. The idempotency key
// includes the request's id, unless the request has a revision to tell
// repetitions by.
func newWrite(c *client, t string, a arguments) pages.Write {
	w := pages.Write{Message: a.text("message")}
	sum := sha256.New()
	fmt.Fprintf(sum, "%s\n", t)
	if a.text("revision") == "" || t != "edit_page" && t != "replace_page" {
		if c.id == "" {
			return w // one of a batch
		}
		fmt.Fprintf(sum, "%s\n", c.id)
		w.IdempotencyWindow = repeatWindow
	}
	for _, name := range slices.Sorted(maps.Keys(a)) {
		fmt.Fprintf(sum, "%s %d %s\n", name, len(a[name].raw), a[name].raw)
	}
	w.IdempotencyKey = "mcp " + hex.EncodeToString(sum.Sum(nil))
	w.IdempotencyHash = w.IdempotencyKey
	return w
}

func (h *Handler) createPage(ctx context.Context, c *client, a arguments) (*reply, error) {
	path, err := a.requiredText("path")
	if err != nil {
		return nil, err
	}
	if a["content"] == nil && a.text("template") == "" {
		return nil, wiki.Problemf(wiki.ErrInvalid, "content", `create_page requires "content", "template" or both.`)
	}
	if c.proposes() {
		return h.proposePage(ctx, c, path, a)
	}
	req := pages.SaveRequest{
		Write: newWrite(c, "create_page", a), Name: path, Text: []byte(a.text("content")), Template: a.text("template"), Member: h.isMember(ctx, c),
		Precondition: pages.Precondition{Create: true, Strict: true},
	}
	done, err := h.o.Pages.Save(ctx, c.access, req)
	if errors.Is(err, wiki.ErrPrecondition) {
		return nil, h.alreadyExistsError(ctx, c, path, a)
	}
	if err != nil {
		return nil, err
	}
	r := &reply{}
	known := fullCredit
	if req.Template != "" {
		if known, err = h.addCreatedText(ctx, c, r, done); err != nil {
			return nil, err
		}
	}
	verb := ours("Created")
	if done.Replayed {
		verb = "Already created"
	}
	r.setHead("%s %s %s, commit %s, %s", constant(verb), called(done.Name), revision(done.Revision, known), hash(done.Commit), address(c, done.Name, done.Name.URL()))
	h.describeCreation(ctx, c, r, done.Commit, "Links now lead here instead of to: ")
	similar, meant, err := h.o.Pages.PossibleDuplicates(ctx, c.access, string(done.Name), a.text("content"), 5)
	if err == nil && len(meant) > 0 {
		r.addTailList("Pages that may be about the same: ", names(meant))
	}
	if err == nil && len(similar) > 0 {
		r.addTailList("Pages with similar names: ", names(similar))
	}
	return r, nil
}

// addCreatedText adds the text of a page that was created from a template, and
// returns what the caller then knows of it.
func (h *Handler) addCreatedText(ctx context.Context, c *client, r *reply, done pages.Saved) (credit, error) {
	src, err := h.o.Pages.Source(ctx, c.access, string(done.Name), done.Revision)
	if err != nil {
		return noCredit, err
	}
	shown, left := clipLines(src.Text, editTokens)
	r.add("%s", pageText(src.Name, src.Old, shown))
	if left > 0 {
		r.addTail("%s more: read_page shows them.", count(left, "byte"))
		return noCredit, nil
	}
	return fullCredit, nil
}

// alreadyExistsError reports that the page to create exists.
func (h *Handler) alreadyExistsError(ctx context.Context, c *client, path string, a arguments) error {
	src, err := h.o.Pages.Source(ctx, c.access, path, "")
	if err != nil {
		return wiki.Problemf(wiki.ErrExists, "", "A page called %q already exists.", path)
	}
	if a.text("template") == "" && strings.TrimRight(src.Text, "\n") == strings.TrimRight(a.text("content"), "\n") {
		return wiki.Problemf(wiki.ErrExists, "", "%s %s already exists with exactly this text.", src.Name, revisionArg(src.File.Blob, fullCredit))
	}
	return wiki.Problemf(wiki.ErrExists, "", "%s %s already exists (%s chars). Read it, then edit_page, or choose another path.", src.Name, revisionArg(src.File.Blob, noCredit), wiki.Own(thousands(runeCount(src.Text))))
}

func (h *Handler) editPage(ctx context.Context, c *client, a arguments) (*reply, error) {
	if namesPages(a.objects("edits")) {
		return h.changePages(ctx, c, a)
	}
	path, err := a.requiredText("path")
	if err != nil {
		return nil, err
	}
	req := pages.EditRequest{Write: newWrite(c, "edit_page", a), Name: path, DryRun: a.boolean("dry_run")}
	if req.Base, req.Seen, err = parseRevision(a.text("revision")); err != nil {
		return nil, err
	}
	if req.Edits, err = parseEdits(a); err != nil {
		return nil, err
	}
	if c.proposes() {
		return h.proposeEdits(ctx, c, req, a)
	}
	done, err := h.o.Pages.ApplyEdits(ctx, c.access, req)
	if err != nil {
		return nil, err
	}
	return h.editReply(ctx, c, done, req), nil
}

// parseEdits returns the edits of a call; a single one can be in the
// parameters themselves.
func parseEdits(a arguments) ([]edit.Edit, error) {
	list := a.objects("edits")
	if a["edits"] == nil {
		list = []arguments{a}
	}
	out := make([]edit.Edit, len(list))
	for i, e := range list {
		var err error
		if out[i], err = parseEdit(e, i); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// parseEdit returns the i-th edit of a call.
func parseEdit(e arguments, i int) (edit.Edit, error) {
	op := e.text("op")
	if op == "" && e["old"] != nil {
		op = string(edit.Replace)
	}
	switch {
	case op == "":
		return edit.Edit{}, wiki.Problemf(wiki.ErrInvalid, "edits", "Edit %d needs an \"op\": %s.", i+1, wiki.Own(strings.TrimPrefix(findParam("op", editParams).kind, "enum ")))
	case e["text"] == nil && op == string(edit.Replace):
		return edit.Edit{}, wiki.Problemf(wiki.ErrInvalid, "edits", "Edit %d (replace) needs \"text\". To delete the old text, send \"text\": \"\". Nothing was changed.", i+1)
	case e["text"] == nil:
		return edit.Edit{}, wiki.Problemf(wiki.ErrInvalid, "edits", "Edit %d (%s) needs \"text\". Nothing was changed.", i+1, wiki.Own(op))
	}
	return edit.Edit{Op: edit.Op(op), Old: e.text("old"), Section: e.text("section"), Text: e.text("text"), All: e.boolean("all")}, nil
}

const editContext = 2 // lines around a change

// editReply describes the result of edits.
func (h *Handler) editReply(ctx context.Context, c *client, done pages.EditResult, req pages.EditRequest) *reply {
	r := &reply{}
	switch {
	case done.Replayed && done.After == nil:
		r.setHead("%s %s: already applied by this request, nothing changed", called(done.Name), revision(done.Revision, unchangedCredit(done, req)))
		return r
	case done.Unchanged:
		r.setHead("%s %s: %s", called(done.Name), revision(done.Revision, unchangedCredit(done, req)), constant(unchangedText(done, req)))
		return r
	}
	diff, failed := h.changeDiff(ctx, c, done, req.DryRun)
	shown, left := clipLines(diff, editTokens)
	cut := failed != nil || left > 0
	switch {
	case req.DryRun:
		r.setHead("%s would change; nothing was saved", called(done.Name))
	case done.Replayed:
		r.setHead("%s %s: already applied by this request, commit %s", called(done.Name), revision(done.Revision, noCredit), hash(done.Commit))
		return r
	default:
		r.setHead("Edited %s %s, commit %s", called(done.Name), revision(done.Revision, h.creditAfter(ctx, c, done, req, cut)), hash(done.Commit))
	}
	if done.Merged {
		r.head.add(", merged with what others changed since %s", revision(req.Base, baseCredit(done, req)))
	}
	describeEdits(r, done)
	r.add("%s", pageText(done.Name, true, shown)) // the diff also shows removed lines
	return r
}

// changeDiff is the diff that the answer to a change shows. A dry run also shows the
// lines that the change would remove; otherwise the writer knows them.
func (h *Handler) changeDiff(ctx context.Context, c *client, done pages.EditResult, dryRun bool) (string, error) {
	now := done.Now
	if now == nil && !done.Merged {
		now = done.Before
	}
	if dryRun || now == nil {
		return h.o.Pages.CompactDiff(ctx, c.access, done.Before.Text, done.After.Text, editContext, 1)
	}
	return h.o.Pages.ChangeDiff(ctx, c.access, done.Before.Text, now.Text, done.After.Text, editContext)
}

// unchangedCredit says which lines of an unchanged page the writer knows: those of
// the revision they named, if it is still the page's, or else none.
func unchangedCredit(done pages.EditResult, req pages.EditRequest) credit {
	switch {
	case req.Base == "" || !strings.HasPrefix(done.Revision, strings.ToLower(strings.TrimSpace(req.Base))):
		return noCredit
	case req.Seen == nil:
		return fullCredit
	}
	return creditFor(req.Seen.From, req.Seen.To)
}

// unchangedText says why edits changed nothing.
func unchangedText(done pages.EditResult, req pages.EditRequest) ours {
	applied, present := 0, 0
	for _, e := range done.Edits {
		switch e.State {
		case edit.Applied:
			applied++
		case edit.Present:
			present++
		}
	}
	switch {
	case len(done.Edits) == 0:
		return "nothing changed, the page already has this text"
	case applied == len(done.Edits):
		return "already applied, nothing changed"
	case applied+present < len(done.Edits):
		return "nothing changed, the edits cancel each other out"
	case req.Base == "":
		return "nothing changed, this is already there. To add it once more, send the revision you read"
	}
	return "nothing changed, this is already there"
}

// describeEdits says which of several edits changed nothing, and which differences
// were ignored to find their texts.
func describeEdits(r *reply, done pages.EditResult) {
	for i, e := range done.Edits {
		describeEdit(&r.head, i, e)
	}
}

func describeEdit(l *line, i int, e edit.Result) {
	switch e.State {
	case edit.Applied:
		l.add("; edit %s was already applied", digits(i+1))
	case edit.Present:
		l.add("; edit %s changed nothing, this is already there", digits(i+1))
	}
	if len(e.Ignored) > 0 {
		l.add("; the old text of edit %s matched after ignoring differences in %s", digits(i+1), ignoredText(e.Ignored))
	}
}

// baseCredit says which lines of the revision that they sent the writer knows.
func baseCredit(done pages.EditResult, req pages.EditRequest) credit {
	switch {
	case req.Base == "", done.Before == nil, !strings.HasPrefix(done.Before.File.Blob, strings.ToLower(req.Base)): // a commit's id
		return noCredit
	case req.Seen == nil:
		return fullCredit
	}
	return creditFor(req.Seen.From, req.Seen.To)
}

// creditAfter says which lines of the new revision the writer knows, from the
// revision they sent and the changes that the reply shows.
func (h *Handler) creditAfter(ctx context.Context, c *client, done pages.EditResult, req pages.EditRequest, cut bool) credit {
	before := baseCredit(done, req)
	switch {
	case cut:
		return noCredit
	case before.whole:
		return fullCredit
	}
	known, err := h.o.Pages.KnownLines(ctx, c.access, done.Before.Text, done.After.Text, edit.Lines{From: before.from, To: before.to})
	if err != nil {
		return noCredit
	}
	return creditFor(known.From, known.To)
}

// describeConflict shows others' changes to the text to be overwritten, so
// that no second read is needed.
func (h *Handler) describeConflict(ctx context.Context, c *client, r *reply, t *tool, err error, conflict *wiki.ConflictError) {
	page := wiki.PageName(pageOrFile(conflict.Path))
	if conflict.Deleted {
		r.setHead("Nothing was saved: %s was deleted since you read it. create_page creates it again.", called(page))
		return
	}
	known, first := noCredit, 1
	var stale *edit.Conflict
	switch found := errors.As(err, &stale); {
	case found && stale.Lines.To == 0:
		r.setHead("Nothing was saved: what you replace in %s was renamed or removed since you read it. It is %s now; read_page shows its outline.", called(page), revision(conflict.TheirBlob, noCredit))
		return
	case found && stale.Read:
		known, first = creditFor(stale.Lines.From, stale.Lines.To), stale.Lines.From
	case found:
		first = stale.Lines.From
	case t.name == "replace_page": // only with a revision of the whole text
		known = fullCredit
	}
	diff, failed := h.o.Pages.CompactDiff(ctx, c.access, string(conflict.Base), string(conflict.Theirs), editContext, first)
	if failed != nil || !fits(diff, editTokens) {
		r.setHead("Nothing was saved: others changed many of the same lines of %s since you read it. Read it again: %s.", called(page), revision(conflict.TheirBlob, noCredit))
		return
	}
	r.setHead("Nothing was saved: others changed the same lines of %s since you read it. What they changed:", called(page))
	r.add("%s", pageText(page, true, diff))
	r.addTail("Send your text again, including their changes, with revision %s.", revision(conflict.TheirBlob, known))
}

// describeOutdated shows others' changes to a page or file that a call without a
// text would move, delete or replace.
func (h *Handler) describeOutdated(ctx context.Context, c *client, r *reply, t *tool, conflict *wiki.ConflictError) {
	name := called(pageOrFile(conflict.Path))
	_, isPage := wiki.PageOf(conflict.Path)
	if conflict.Deleted {
		r.setHead("Nothing was changed: %s was moved or deleted since you read it.", name)
		return
	}
	again := say("If this is still right, call %s again with revision %s.", toolName(t), revision(conflict.TheirBlob, noCredit))
	if !isPage {
		r.setHead("Nothing was changed: the file %s was replaced since you read it. read_attachment shows it.", name)
		r.tail = append(r.tail, again)
		return
	}
	diff, failed := h.o.Pages.CompactDiff(ctx, c.access, string(conflict.Base), string(conflict.Theirs), editContext, 1)
	if failed != nil || !fits(diff, editTokens) {
		r.setHead("Nothing was changed: others changed a lot of %s since you read it. Read it again.", name)
		r.tail = append(r.tail, again)
		return
	}
	r.setHead("Nothing was changed: others changed %s since you read it. What they changed:", name)
	r.add("%s", pageText(wiki.PageName(pageOrFile(conflict.Path)), true, diff))
	r.tail = append(r.tail, again)
}
