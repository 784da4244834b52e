package pages

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"robot.wtf/internal/markdown"
	"robot.wtf/internal/wiki"
)

const taskPage = "\ufeff---\r\ntags: [a]\r\n---\r\n# Jobs\r\n\r\n- [ ] Replace the **bearing**\r\n- [X] Oil it\n" +
	"  - [ ] nested \r\n\r\n> * [ ] in a quote\n\n> [!note] Title\n> 1. [x] in a callout\n\n::: info\n- [\t] in a box\n:::\n\n![[Other]]\n\n" +
	"```\n- [ ] code\n```\n\nText - [ ] no task\n\n- [/] going on\n- [ ] no final newline"

// tick ticks the task with a text, as it is in a revision.
func (w *world) tick(name, revision, text string, done bool) (Ticked, error) {
	w.t.Helper()
	p, err := w.Page(w.t.Context(), w.owner, name, revision)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, task := range markdown.Tasks(p.Name, p.Source) {
		if task.Text == text {
			return w.Tick(w.t.Context(), w.editor, TickRequest{Name: name, Revision: p.File.Blob, Line: task.Line, Done: done, Member: func(string) bool { return true }})
		}
	}
	w.t.Fatalf("%s has no task %q", name, text)
	return Ticked{}, nil
}

func TestTickChangesOneByte(t *testing.T) {
	w := newWorld(t)
	w.put("Other", "- [ ] elsewhere\n")
	w.put("Jobs", taskPage)
	tasks := markdown.Tasks("Jobs", []byte(taskPage))
	if len(tasks) != 7 {
		t.Fatalf("%d tasks: %+v", len(tasks), tasks)
	}
	v, err := w.View(w.t.Context(), w.reader, "Jobs", "")
	if err != nil || v.Tasks != len(tasks) {
		t.Fatalf("the view has %d tasks (%v), want %d", v.Tasks, err, len(tasks))
	}
	for _, task := range tasks {
		before := w.text("Jobs")
		done, err := w.tick("Jobs", "", task.Text, !task.Done)
		if err != nil || done.Unchanged || done.Line != task.Line {
			t.Fatalf("tick %q: %+v, %v", task.Text, done, err)
		}
		want, box := []byte(before), byte('x')
		if task.Done {
			box = ' '
		}
		want[task.Offset] = box
		if got := w.text("Jobs"); got != string(want) {
			t.Errorf("after %q the page is\n%q, want\n%q", task.Text, got, want)
		}
	}
	history, err := w.History(w.t.Context(), w.owner, "Jobs", 0, 20)
	if err != nil {
		t.Fatal(err)
	}
	var messages []string
	for _, r := range history {
		messages = append(messages, r.Message)
	}
	all := strings.Join(messages, "\n")
	for _, want := range []string{"Done: Replace the bearing", "Not done: Oil it", "Not done: in a callout", "Done: in a box"} {
		if !strings.Contains(all, want) {
			t.Errorf("no message %q in\n%s", want, all)
		}
	}
	if w.text("Other") != "- [ ] elsewhere\n" {
		t.Error("the embedded page changed")
	}
}

func TestTickFollowsTheTask(t *testing.T) {
	w := newWorld(t)
	old := w.put("Jobs", "- [ ] one\n- [ ] two\n- [ ] two\n- [ ] three\n").Revision
	w.put("Jobs", "New first line.\n\n- [x] one\n- [ ] two\n- [ ] two\n- [ ] three, changed\n")
	done, err := w.Tick(w.t.Context(), w.editor, TickRequest{Name: "Jobs", Revision: old, Line: 3, Done: true})
	if err != nil || done.Line != 5 {
		t.Fatalf("%+v, %v", done, err)
	}
	if done, err := w.tick("Jobs", old, "one", true); err != nil || !done.Unchanged {
		t.Errorf("a task that is already done: %+v, %v", done, err)
	}
	if done, err := w.tick("Jobs", old, "one", false); err != nil || done.Unchanged {
		t.Errorf("clearing a box ticked since: %+v, %v", done, err)
	}
	if _, err := w.tick("Jobs", old, "three", true); !errors.Is(err, wiki.ErrConflict) || !strings.Contains(err.Error(), `"three"`) {
		t.Errorf("a changed task: %v", err)
	}
	if want := "New first line.\n\n- [ ] one\n- [ ] two\n- [x] two\n- [ ] three, changed\n"; w.text("Jobs") != want {
		t.Errorf("the page is %q", w.text("Jobs"))
	}
	for _, line := range []int{0, 5, -1} {
		if _, err := w.Tick(w.t.Context(), w.editor, TickRequest{Name: "Jobs", Revision: old, Line: line, Done: true}); !errors.Is(err, wiki.ErrInvalid) {
			t.Errorf("line %d: %v", line, err)
		}
	}
	if _, err := w.Tick(w.t.Context(), w.viewer, TickRequest{Name: "Jobs", Revision: old, Line: 1, Done: true}); !errors.Is(err, wiki.ErrDenied) {
		t.Errorf("a viewer: %v", err)
	}
}

func TestTickAtTheSameTime(t *testing.T) {
	w := newWorld(t)
	old := w.put("Jobs", strings.Repeat("- [ ] job\n", 12)).Revision
	var wait sync.WaitGroup
	for line := 1; line <= 12; line++ {
		wait.Go(func() {
			if _, err := w.Tick(w.t.Context(), w.editor, TickRequest{Name: "Jobs", Revision: old, Line: line, Done: true}); err != nil {
				t.Errorf("line %d: %v", line, err)
			}
		})
	}
	wait.Wait()
	if got := w.text("Jobs"); got != strings.Repeat("- [x] job\n", 12) {
		t.Errorf("the page is\n%s", got)
	}
}

func TestTickKeepsTheDraft(t *testing.T) {
	w := newWorld(t)
	old := w.put("Jobs", "- [ ] one\n").Revision
	if err := w.SaveDraft(w.t.Context(), w.editor, "Jobs", []byte("- [ ] one\n\nmore\n"), "", old); err != nil {
		t.Fatal(err)
	}
	if _, err := w.tick("Jobs", old, "one", true); err != nil {
		t.Fatal(err)
	}
	if form, err := w.Edit(w.t.Context(), w.editor, "Jobs", ""); err != nil || form.Draft == nil {
		t.Errorf("the draft is gone (%v)", err)
	}
}

func TestTickRefusesOtherEncodings(t *testing.T) {
	w := newWorld(t)
	open, release, err := w.open(w.t.Context(), w.owner, wiki.Edit)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	latin := []byte("- [ ] caf\xe9\n")
	if _, err := findTask(w.t.Context(), open, "Jobs", latin, latin, 1); !errors.Is(err, wiki.ErrInvalid) || !strings.Contains(err.Error(), "Windows-1252") {
		t.Errorf("%v", err)
	}
}
