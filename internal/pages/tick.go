package pages

import (
	"bytes"
	"context"
	"errors"
	"html/template"

	"robot.wtf/internal/content"
	"robot.wtf/internal/markdown"
	"robot.wtf/internal/merge"
	"robot.wtf/internal/wiki"
)

// A TickRequest ticks a task of a page, or clears its box.
type TickRequest struct {
	Name     string
	Revision string // that the caller saw
	Line     int    // of the task in that revision
	Done     bool   // the state to set
	// Member reports whether a person is a member. Only if members alone wrote the page does the
	// commit's message quote the task, because a message counts as its author's words.
	Member func(did string) bool
}

// Ticked is the result of a TickRequest.
type Ticked struct {
	Saved
	Line int // of the task in the page as it is now
}

// Tick changes the character in the brackets of one task, and no other byte of the
// page. If the page has changed since the revision, it follows the line of the task,
// whether or not its box was ticked meanwhile. If the line was changed in another way,
// it fails with ErrConflict. It keeps the caller's draft.
func (s *Service) Tick(ctx context.Context, a wiki.Access, r TickRequest) (Ticked, error) {
	w, release, err := s.open(ctx, a, wiki.Edit)
	if err != nil {
		return Ticked{}, err
	}
	defer release()
	for range maxEditTries {
		done, err := s.tickOnce(ctx, w, a, r)
		if !errors.Is(err, errOutdated) {
			return done, err
		}
	}
	return Ticked{}, wiki.Problemf(wiki.ErrConflict, "", "Others are changing the page at the same time. Try again in a moment.")
}

func (s *Service) tickOnce(ctx context.Context, w *content.Wiki, a wiki.Access, r TickRequest) (Ticked, error) {
	name, file, err := s.lookupRenamed(ctx, w, a, r.Name)
	if err != nil {
		return Ticked{}, err
	}
	_, seen, err := readRevision(ctx, w, file.Path, r.Revision)
	if err != nil {
		return Ticked{}, err
	}
	now, err := w.Blob(ctx, file.Blob)
	if err != nil {
		return Ticked{}, err
	}
	task, err := findTask(ctx, w, name, seen, now, r.Line)
	if err != nil {
		return Ticked{}, err
	}
	done := Ticked{Saved: Saved{Name: name, Path: file.Path, Revision: file.Blob, Commit: file.Commit, Unchanged: true}, Line: task.Line}
	if task.Done == r.Done {
		return done, nil
	}
	text, verb := bytes.Clone(now), "Not done"
	text[task.Offset] = ' '
	if r.Done {
		text[task.Offset], verb = 'x', "Done"
	}
	quoted, err := s.quoted(ctx, a, r, name, task)
	if err != nil {
		return Ticked{}, err
	}
	done.Saved, err = s.commit(ctx, w, a, Write{}, content.Request{
		Message: commitMessage("", "%s: %s", verb, quoted),
		Edits:   []content.Edit{{Op: content.Put, Path: file.Path, Data: text, Base: file.Blob, Strict: true}},
	})
	return done, markOutdated(err)
}

// quoted returns how the message of a tick names the task.
func (s *Service) quoted(ctx context.Context, a wiki.Access, r TickRequest, page wiki.PageName, task markdown.Task) (string, error) {
	foreign, err := s.Foreign(ctx, a, r.Member, []*Words{{Page: page}})
	if err != nil || foreign[0] {
		return shortTask(""), err
	}
	return shortTask(task.Text), nil
}

// findTask finds the task on a line of the text that the caller saw in the current
// text.
func findTask(ctx context.Context, w *content.Wiki, name wiki.PageName, seen, now []byte, line int) (markdown.Task, error) {
	release, err := w.AcquireCompare(ctx, len(seen)+len(now))
	if err != nil {
		return markdown.Task{}, err
	}
	defer release()
	if _, encoding := wiki.DecodeText(now); encoding != "" {
		return markdown.Task{}, wiki.Problemf(wiki.ErrInvalid, "task", "This page is stored as %s. Convert it to UTF-8, then tick the task.", encoding)
	}
	before := markdown.Tasks(name, seen)
	task := taskAt(before, line)
	if task == nil {
		return markdown.Task{}, wiki.Problemf(wiki.ErrInvalid, "task", "There's no task on line %d. Open the page again.", line)
	}
	if bytes.Equal(seen, now) {
		return *task, nil
	}
	after := markdown.Tasks(name, now)
	for i, from := range merge.Origins(clearBoxes(seen, before), clearBoxes(now, after)) {
		if from != line {
			continue
		}
		if found := taskAt(after, i+1); found != nil {
			return *found, nil
		}
	}
	return markdown.Task{}, wiki.Problemf(wiki.ErrConflict, "task", "Someone has changed the task %q since you opened the page. Read it again, then tick it.", shortTask(task.Text))
}

func taskAt(tasks []markdown.Task, line int) *markdown.Task {
	for i := range tasks {
		if tasks[i].Line == line {
			return &tasks[i]
		}
	}
	return nil
}

// clearBoxes returns a text with empty boxes, so that a comparison ignores their state.
func clearBoxes(text []byte, tasks []markdown.Task) []byte {
	text = bytes.Clone(text)
	for _, t := range tasks {
		text[t.Offset] = ' '
	}
	return text
}

// shortTask returns the text of a task as it fits into a line of a message.
func shortTask(text string) string {
	const most = 100
	if r := []rune(text); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	if text == "" {
		return "a task"
	}
	return text
}

// Tickable returns rendered HTML with tickable boxes; see markdown.Tickable.
func Tickable(html template.HTML, form string) template.HTML { return markdown.Tickable(html, form) }

// TaskAnchor is the fragment of the task on a line of a page.
func TaskAnchor(line int) string { return markdown.TaskAnchor(line) }
