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
	return h.o.Limits.Take(h.limitRequest(v))
}

// chargeMoreWrites charges a visit that has made several commits for all but the
// first.
func (h *Handler) chargeMoreWrites(v *visit, commits int) {
	h.o.Limits.Owe(h.limitRequest(v), commits-1)
}

func (h *Handler) limitRequest(v *visit) limit.Request {
	who := v.caller
	if who.Anonymous() && len(v.r.Header["Cookie"]) > 0 { // an open route, such as an avatar
		who = h.o.Session.Browser(v.r)
	}
	caller := limit.Address(v.r.RemoteAddr)
	if !who.Anonymous() {
		caller = limit.Person(who.User.DID)
	}
	return limit.Request{Wiki: v.slug, Caller: caller, Member: v.a.Role() >= wiki.Viewer, Write: h.countsAsWrite(v)}
}

// countsAsWrite reports whether a request counts as a write: every POST except
// previews, drafts, comparisons and the like.
func (h *Handler) countsAsWrite(v *visit) bool {
	return !reads(v.r) && !v.light && !h.actions[path.Base(v.r.URL.Path)].light
}
