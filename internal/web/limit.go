package web

import (
	"path"

	"robot.wtf/internal/limit"
	"robot.wtf/internal/wiki"
)

// chargeRateLimit takes what a visit costs of the caller's and the wiki's rate limits,
// once it is known who is calling. A wiki that is out of reach costs as much as
// one that does not exist.
func (h *Handler) chargeRateLimit(v *visit) error {
	if h.o.Limits == nil {
		return nil
	}
	who := limit.Address(v.r.RemoteAddr)
	if !v.caller.Anonymous() {
		who = limit.Person(v.caller.User.DID)
	}
	return h.o.Limits.Take(limit.Request{
		Wiki: v.slug, Caller: who, Member: v.a.Role() >= wiki.Viewer, Write: h.countsAsWrite(v),
	})
}

// countsAsWrite reports whether a request counts as a write: what is sent does, but
// for the previews, drafts and comparisons of those who are still thinking.
func (h *Handler) countsAsWrite(v *visit) bool {
	return !reads(v.r) && !v.light && !h.actions[path.Base(v.r.URL.Path)].light
}
