package web

import (
	"path"

	"robot.wtf/internal/limit"
	"robot.wtf/internal/wiki"
)

// chargeRateLimit charges the caller's and the wiki's rate limits for a visit, once
// the caller is known. An inaccessible wiki costs as much as a nonexistent one.
func (h *Handler) chargeRateLimit(v *visit) error {
	if h.o.Limits == nil {
		return nil
	}
	caller := limit.Address(v.r.RemoteAddr)
	if !v.caller.Anonymous() {
		caller = limit.Person(v.caller.User.DID)
	}
	return h.o.Limits.Take(limit.Request{
		Wiki: v.slug, Caller: caller, Member: v.a.Role() >= wiki.Viewer, Write: h.countsAsWrite(v),
	})
}

// countsAsWrite reports whether a request counts as a write: every POST except
// previews, drafts, comparisons and the like.
func (h *Handler) countsAsWrite(v *visit) bool {
	return !reads(v.r) && !v.light && !h.actions[path.Base(v.r.URL.Path)].light
}
