package api

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"robot.wtf/internal/edit"
	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

// maxCommitBody bounds the JSON of a commit of several pages.
const maxCommitBody = 16 << 20

// A commitBody is a commit of several pages, all or none.
type commitBody struct {
	Message string       `json:"commit_message"`
	DryRun  bool         `json:"dry_run"`
	Edits   []commitEdit `json:"edits"`
}

// A commitEdit is one edit; Op is a pages.StepKind or an edit.Op.
type commitEdit struct {
	Op       string  `json:"op"`
	Path     string  `json:"path"`
	Revision string  `json:"revision"`
	Old      string  `json:"old"`
	Section  string  `json:"section"`
	Text     *string `json:"text"`
	All      bool    `json:"all"`
	To       string  `json:"to"`
}

type commitAnswer struct {
	Commit    string          `json:"commit"` // "" for a dry run
	Unchanged bool            `json:"unchanged"`
	DryRun    bool            `json:"dry_run"`
	Pages     []committedPage `json:"pages"`
	Updated   []wiki.PageName `json:"updated_pages"` // whose links follow a move
	changedLinks
}

type committedPage struct {
	Kind     wiki.ChangeKind `json:"kind"` // "" if the page already was in that state
	Path     wiki.PageName   `json:"path"`
	From     wiki.PageName   `json:"from,omitempty"`
	Revision string          `json:"revision"` // "" after a deletion
	Merged   bool            `json:"merged"`
	KeptKeys []string        `json:"kept_keys,omitempty"` // front matter that has another value on a page merged into this one
	Content  *string         `json:"content,omitempty"`   // of a dry run
}

func (h *Handler) postCommit(c *call) error {
	var body commitBody
	raw, err := h.readText(c, maxCommitBody, &body)
	if err != nil {
		return err
	}
	set := pages.ChangeSet{DryRun: body.DryRun, Steps: make([]pages.Step, len(body.Edits))}
	for i, e := range body.Edits {
		if set.Steps[i], err = e.step(i); err != nil {
			return err
		}
	}
	if set.Write, err = c.writeOptions(body.Message, raw); err != nil {
		return err
	}
	done, err := h.o.Pages.Change(c.Context(), c.access, set)
	if err != nil {
		return err
	}
	if done.Replayed {
		c.w.Header().Set("Idempotency-Replayed", "true")
	}
	out := describeCommit(done, body.DryRun)
	out.changedLinks = h.linksOfCommit(c, set, done)
	return c.respond(http.StatusOK, out)
}

// linksOfCommit describes the links that lead elsewhere since a commit, or would after a
// dry run.
func (h *Handler) linksOfCommit(c *call, set pages.ChangeSet, done pages.ChangeSetResult) changedLinks {
	switch {
	case done.Unchanged:
		return changedLinks{}
	case set.DryRun:
		return newChangedLinks(done.Deletion, done.Taken)
	}
	var deletion pages.Deletion
	var taken []pages.Diverted
	var err error
	if set.Has(pages.StepDelete) {
		deletion, err = h.o.Pages.Deletion(c.Context(), c.access, done.Commit)
		h.warnLinks(c, err)
	}
	if set.Has(pages.StepCreate) || set.Has(pages.StepMoveSection) {
		taken, err = h.o.Pages.Creation(c.Context(), c.access, done.Commit)
		h.warnLinks(c, err)
	}
	return newChangedLinks(deletion, taken)
}

// step checks an edit, the i-th of a commit, and converts it.
func (e commitEdit) step(i int) (pages.Step, error) {
	field := "edits[" + strconv.Itoa(i) + "]"
	if e.Path == "" {
		return pages.Step{}, wiki.Problemf(wiki.ErrInvalid, field, `Edit %d needs "path", the name of a page.`, i+1)
	}
	step := pages.Step{Name: e.Path, Base: e.Revision, To: e.To}
	text := ""
	if e.Text != nil {
		text = *e.Text
	}
	switch e.Op {
	case "move", "delete", "merge":
		step.Kind = pages.StepKind(e.Op)
		return step, nil
	case "move_section":
		step.Kind, step.Edit = pages.StepMoveSection, edit.Edit{Section: e.Section, Text: text}
		return step, nil
	case "create":
		step.Kind, step.Text = pages.StepCreate, []byte(text)
	default:
		step.Kind = pages.StepEdit
		step.Edit = edit.Edit{Op: edit.Op(e.Op), Old: e.Old, Section: e.Section, Text: text, All: e.All}
	}
	if e.Text == nil {
		return pages.Step{}, wiki.Problemf(wiki.ErrInvalid, field, `Edit %d needs "text".`, i+1)
	}
	return step, nil
}

func describeCommit(done pages.ChangeSetResult, dryRun bool) commitAnswer {
	out := commitAnswer{Commit: done.Commit, Unchanged: done.Unchanged, DryRun: dryRun, Pages: make([]committedPage, len(done.Pages)), Updated: notNil(done.Relinked)}
	for i, p := range done.Pages {
		out.Pages[i] = committedPage{Kind: p.Kind, Path: p.Name, Revision: p.Revision, Merged: p.Merged, KeptKeys: p.Lost}
		if p.Kind == wiki.Moved {
			out.Pages[i].From = p.From
		}
		if dryRun && p.After != nil {
			out.Pages[i].Content = &p.After.Text
		}
	}
	return out
}

// A failedEdit is why an edit of a commit failed.
type failedEdit struct {
	Edit   int    `json:"edit"` // index in the request
	Path   string `json:"path"`
	Status int    `json:"status"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
	Field  string `json:"field,omitempty"`
	*conflict
}

// describeFailedEdits returns the problem for a commit with failed edits: that of
// the first one, with all of them.
func describeFailedEdits(list []failedEdit) problem {
	first := list[0]
	p := problem{Type: "about:blank", Status: first.Status, Code: first.Code, Field: first.Field, conflict: first.conflict, Errors: list}
	p.Detail = fmt.Sprintf("Nothing was changed. Edit %d (%s): %s", first.Edit+1, first.Path, first.Detail)
	if more := len(list) - 1; more > 0 {
		p.Detail += fmt.Sprintf(" %d more failed.", more)
	}
	return p
}

// failedEdits describes all failures of a commit of several pages; nil for other
// errors.
func failedEdits(err error) []failedEdit {
	var set *pages.ChangeSetError
	if !errors.As(err, &set) {
		return nil
	}
	list := make([]failedEdit, len(set.Steps))
	for i, s := range set.Steps {
		p := describeProblem(s.Err)
		list[i] = failedEdit{s.Step, s.Name, p.Status, p.Code, p.Detail, p.Field, p.conflict}
	}
	return list
}
