package web

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

const trashShown = 50 // deleted pages per page of the trash

// trashPage lists deleted pages by day.
type trashPage struct {
	Frame
	Days  []day[pages.DeletedPage]
	Older string // address of the next page, "" on the last
}

func (h *Handler) showTrash(v *visit) error {
	from := pages.TrashPlace{Seq: beforeSeq(v), Path: v.query("path")}
	list, next, err := h.o.Pages.Trash(v.ctx(), v.a, from, trashShown)
	if err != nil {
		return err
	}
	p := &trashPage{Frame: h.frame(v, "Deleted pages")}
	p.NoIndex = true
	if next != (pages.TrashPlace{}) {
		p.Older = "/-/trash?" + url.Values{"before": {strconv.FormatInt(next.Seq, 10)}, "path": {next.Path}}.Encode()
	}
	p.Days = groupByDay(list, h.o.Now(), func(d pages.DeletedPage) time.Time { return d.Time })
	return h.render(v, http.StatusOK, "trash", p)
}

// findDeletion returns the deletion of a page that is gone, or nil.
func (h *Handler) findDeletion(v *visit, name wiki.PageName) *wiki.Revision {
	history, err := h.o.Pages.History(v.ctx(), v.a, string(name), 0, 1)
	if err != nil || len(history) == 0 || history[0].Kind != wiki.Deleted {
		return nil
	}
	return &history[0]
}
