package mcpserver

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
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

// repeatWindow is for how long the same request, by its id and what it says, is
// a repetition of the network's and not another one: clients count their ids
// from 1 each time that they start.
const repeatWindow = 10 * time.Minute

// write is what each change carries. Where a request is known by the state that
// it starts from, which is then made part of the key, its id does not matter.
func write(c *client, t string, a arguments) pages.Write {
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
		fmt.Fprintf(sum, "%s %d %s\n", name, len(a[name]), a[name])
	}
	w.IdempotencyKey = "mcp " + hex.EncodeToString(sum.Sum(nil))
	w.IdempotencyHash = w.IdempotencyKey
	return w
}

func (h *Handler) createPage(ctx ctx, c *client, a arguments) (*reply, error) {
	path, err := a.needed("path")
	if err != nil {
		return nil, err
	}
	req := pages.SaveRequest{
		Write: write(c, "create_page", a), Name: path, Text: []byte(a.text("content")),
		Precondition: pages.Precondition{Create: true, Strict: true},
	}
	done, err := h.o.Pages.Save(ctx, c.access, req)
	if errors.Is(err, wiki.ErrPrecondition) {
		return nil, h.exists(ctx, c, path, a.text("content"))
	}
	if err != nil {
		return nil, err
	}
	r := &reply{}
	verb := "Created"
	if done.Replayed {
		verb = "Already created"
	}
	r.headf("%s %s @%s, commit %s, %s%s", verb, done.Name, short(done.Revision), short(done.Commit), c.origin, done.Name.URL())
	names, meant, err := h.o.Pages.PossibleDuplicates(ctx, c.access, string(done.Name), a.text("content"), 5)
	if err == nil && len(meant) > 0 {
		r.then("Pages that may be about the same: %s", joined(meant))
	}
	if err == nil && len(names) > 0 {
		r.then("Pages with similar names: %s", joined(names))
	}
	return r, nil
}

// exists says of a page that was to be created that it is there.
func (h *Handler) exists(ctx ctx, c *client, path, content string) error {
	src, err := h.o.Pages.Source(ctx, c.access, path, "")
	if err != nil {
		return wiki.Problemf(wiki.ErrExists, "", "There is a page called %q already.", path)
	}
	if strings.TrimRight(src.Text, "\n") == strings.TrimRight(content, "\n") {
		return wiki.Problemf(wiki.ErrExists, "", "%s @%s exists already, with this very text.", src.Name, short(src.File.Blob))
	}
	return wiki.Problemf(wiki.ErrExists, "", "%s @%s exists already (%s chars). Read it, then edit_page, or choose another path.", src.Name, short(src.File.Blob)+mark(0, 0), thousands(chars(src.Text)))
}

func (h *Handler) editPage(ctx ctx, c *client, a arguments) (*reply, error) {
	path, err := a.needed("path")
	if err != nil {
		return nil, err
	}
	base, from, to, marked, err := parseMark(a.text("revision"))
	if err != nil {
		return nil, err
	}
	req := pages.EditRequest{Write: write(c, "edit_page", a), Name: path, Base: base, DryRun: a.truth("dry_run")}
	if marked {
		req.Seen = &edit.Lines{From: from, To: to}
	}
	if req.Edits, err = edits(a); err != nil {
		return nil, err
	}
	done, err := h.o.Pages.ApplyEdits(ctx, c.access, req)
	if err != nil {
		return nil, err
	}
	return h.edited(done, req), nil
}

var editMembers = []string{"op", "old", "section", "text", "all"}

// edits reads the edits of a call; one may stand in its parameters.
func edits(a arguments) ([]edit.Edit, error) {
	if a["edits"] == nil {
		one := map[string]json.RawMessage{}
		for _, name := range editMembers {
			if a[name] != nil {
				one[name] = a[name]
			}
		}
		if len(one) == 0 {
			return nil, wiki.Problemf(wiki.ErrInvalid, "edits", `edit_page needs "edits": [{op, old, section, text, all}].`)
		}
		raw, err := json.Marshal(one)
		if err != nil {
			return nil, err
		}
		a = arguments{"edits": raw}
	}
	list, err := a.objects("edits", editMembers...)
	if err != nil {
		return nil, err
	}
	out := make([]edit.Edit, len(list))
	for i, e := range list {
		op := e.text("op")
		if op == "" && e["old"] != nil {
			op = "replace"
		}
		out[i] = edit.Edit{Op: edit.Op(op), Old: e.text("old"), Section: e.text("section"), Text: e.text("text"), All: e.truth("all")}
	}
	return out, nil
}

const (
	editContext  = 2      // lines around a change
	maxEditShown = 12_000 // characters of what changed
)

// edited says what edits came to.
func (h *Handler) edited(done pages.EditResult, req pages.EditRequest) *reply {
	r := &reply{}
	if done.Unchanged || done.Replayed && done.After == nil {
		r.headf("%s @%s: already applied, nothing changed", done.Name, short(done.Revision))
		return r
	}
	diff := pages.CompactDiff(done.Before.Text, done.After.Text, editContext, 1)
	cut := len(diff) > maxEditShown
	if cut {
		diff = clip(diff, maxEditShown)
	}
	switch {
	case req.DryRun:
		r.headf("%s would change; nothing was saved", done.Name)
	case done.Replayed:
		r.headf("%s @%s: already applied by this request, commit %s", done.Name, short(done.Revision)+mark(0, 0), short(done.Commit))
		return r
	default:
		r.headf("Edited %s @%s, commit %s", done.Name, short(done.Revision)+h.seen(done, req, cut), short(done.Commit))
	}
	if done.Merged {
		r.head += ", merged with what others changed since " + short(req.Base)
	}
	for i, already := range done.Already {
		if already {
			r.head += fmt.Sprintf("; edit %d was applied already", i+1)
		}
	}
	r.about(done.Name)
	r.past = true // lines that are gone are shown as well
	r.body.WriteString(diff)
	return r
}

// seen marks the new revision with what its writer knows of it: all where they
// had read all, since what changed is shown; else the lines they had read and
// those of the change, if they hang together.
func (h *Handler) seen(done pages.EditResult, req pages.EditRequest, cut bool) string {
	if cut {
		return mark(0, 0)
	}
	if req.Base != "" && req.Seen == nil {
		return ""
	}
	first, last, grown := changedLines(done.Before.Text, done.After.Text)
	if req.Base == "" {
		return mark(first, last)
	}
	from, to := req.Seen.From, req.Seen.To
	switch {
	case to == 0:
		return mark(first, last)
	case last < from+grown: // before what was read
		return mark(from+grown, to+grown)
	case first > to:
		return mark(from, to)
	}
	return mark(min(from, first), max(to+grown, last))
}

// changedLines are the lines of a new text from the first that differs from the
// old to the last, and by how many there are more.
func changedLines(old, now string) (first, last, grown int) {
	a, b := strings.Split(old, "\n"), strings.Split(now, "\n")
	for first < len(a) && first < len(b) && a[first] == b[first] {
		first++
	}
	end := 0
	for end < len(a)-first && end < len(b)-first && a[len(a)-1-end] == b[len(b)-1-end] {
		end++
	}
	return first + 1, max(first+1, len(b)-end), len(b) - len(a)
}

// conflicted says what others changed in what was to be overwritten, so that no
// second read is needed.
func (h *Handler) conflicted(ctx ctx, c *client, r *reply, t *tool, err error, met *wiki.ConflictError) {
	name := pageOrFile(met.Path)
	if met.Deleted {
		r.headf("Nothing was saved: %s was deleted since you read it. create_page makes it anew.", name)
		return
	}
	rev, first := short(met.TheirBlob), 1
	var stale *edit.Conflict
	if errors.As(err, &stale) {
		rev, first = rev+mark(stale.Lines.From, stale.Lines.To), max(stale.Lines.From, 1)
		if stale.Lines.To == 0 {
			r.headf("Nothing was saved: what you replace in %s was renamed or removed since you read it. It is @%s now; read_page shows its outline.", name, rev)
			return
		}
	}
	diff := pages.CompactDiff(string(met.Base), string(met.Theirs), editContext, first)
	if len(diff) > maxEditShown {
		r.headf("Nothing was saved: others changed %s in the same places since you read it, and much. Read it again: @%s~0.", name, short(met.TheirBlob))
		return
	}
	r.headf("Nothing was saved: others changed the same lines of %s since you read it. What they changed:", name)
	r.about(wiki.PageName(name))
	r.past = true
	r.body.WriteString(diff)
	r.then("Send your text again with their changes in it, and revision %s.", rev)
}
