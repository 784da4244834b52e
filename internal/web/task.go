package web

import (
	"html/template"
	"strconv"
	"strings"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

// taskForm is the id of the form with a page's tasks; their boxes are its buttons.
const taskForm = "tasks"

// makeTickable makes the tasks of a page tickable for its editors. The
// rendered body is shared with readers, so the boxes are replaced here.
func (p *pageView) makeTickable() {
	if p.View.Tasks == 0 || !p.CanEdit || p.View.Old || p.View.Stored != "" {
		return
	}
	p.Tickable = true
	tickable := func(html template.HTML) template.HTML { return pages.Tickable(html, taskForm) }
	if p.Parts == nil {
		p.View.Body = tickable(p.View.Body)
	}
	for i := range p.Parts {
		p.Parts[i].HTML = tickable(p.Parts[i].HTML)
	}
}

// tickTask ticks a task or clears its box.
func (h *Handler) tickTask(v *visit) error {
	form, err := h.readForm(v, smallForm, "page", "revision", "task")
	if err != nil {
		return h.failTask(v, err)
	}
	line, state, _ := strings.Cut(form.Get("task"), " ")
	number, err := strconv.Atoi(line)
	if err != nil || state != "done" && state != "open" {
		return h.failTask(v, wiki.Problemf(wiki.ErrInvalid, "task", "The field %q must be a line and a state, such as %q.", "task", "12 done"))
	}
	ticked, err := h.o.Pages.Tick(v.ctx(), v.a, pages.TickRequest{
		Name: form.Get("page"), Revision: form.Get("revision"), Line: number, Done: state == "done",
		Member: func(did string) bool { return h.o.Tenant.IsMember(v.ctx(), v.a, did) },
	})
	if err != nil {
		return h.failTask(v, err)
	}
	if wantsJSON(v.r) {
		return h.writeJSON(v, 200, map[string]bool{"done": state == "done"})
	}
	return h.redirect(v, ticked.Name.URL()+pages.TaskAnchor(ticked.Line))
}

func (h *Handler) failTask(v *visit, err error) error {
	if wantsJSON(v.r) {
		return h.writeJSONFailure(v, err)
	}
	return err
}
