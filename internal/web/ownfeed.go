package web

import (
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/tenant"
	"robot.wtf/internal/wiki"
)

const (
	ownFeedPath  = "/app/feed"
	homeFeedPath = homeAccountPath + "/feed"

	ownFeedDays   = 14       // that a person's feed goes back
	ownFeedEvents = 200      // in a feed
	digestBytes   = 64 << 10 // of the texts in one day's entry; later events have only a title
)

// ownFeedAddress returns the address of the page about a person's feed or, with a secret,
// of the feed.
func (h *Handler) ownFeedAddress(secret string) string {
	path := ownFeedPath
	if h.o.Single {
		path = homeFeedPath
	}
	if secret != "" {
		path += "/" + secret
	}
	return h.o.Platform + path
}

// ownFeedPage lets a person choose the events in their feed.
type ownFeedPage struct {
	Frame
	failure
	Feed    *tenant.OwnFeed // nil if they have none
	Address string          // of the feed, "" if they have none
	Action  string          // of the forms
	Choices []eventChoice
}

// An eventChoice is a kind of event that people can be notified of.
type eventChoice struct {
	Kind  tenant.EventKind
	Label string
	On    bool
}

func (h *Handler) showOwnFeedPage(v *visit) error {
	if v.caller.Anonymous() && h.o.Single {
		return h.redirectToSSO(v, homeFeedPath, true)
	}
	if done, err := h.requireSignIn(v); done {
		return err
	}
	return h.renderOwnFeedPage(v, http.StatusOK, &ownFeedPage{})
}

func (h *Handler) renderOwnFeedPage(v *visit, status int, p *ownFeedPage) (err error) {
	p.Feed, err = h.o.Tenant.OwnFeed(v.ctx(), v.caller)
	if err != nil && !errors.Is(err, wiki.ErrNotFound) {
		return err
	}
	for _, k := range tenant.EventKinds {
		p.Choices = append(p.Choices, eventChoice{k.Kind, k.Label, p.Feed == nil || !slices.Contains(p.Feed.Without, string(k.Kind))})
	}
	if p.Feed != nil {
		p.Address = h.ownFeedAddress(h.o.Tenant.OwnFeedSecret(p.Feed))
	}
	p.Frame = h.frame(v, "Notifications")
	p.NoIndex, p.Action = true, strings.TrimPrefix(h.ownFeedAddress(""), h.o.Platform)
	v.w.Header().Set("Cache-Control", "no-store")
	return h.render(v, status, "ownfeed", p)
}

// changeOwnFeed stores what a person is notified of, gives their feed a new address, or
// removes it.
func (h *Handler) changeOwnFeed(v *visit) error {
	if done, err := h.requireSignIn(v); done {
		return err
	}
	form, err := h.readForm(v, smallForm, "action")
	if form == nil {
		return err
	}
	notice := "feedsaved"
	if err == nil {
		switch action := form.Get("action"); action {
		case "save", "renew":
			err = h.o.Tenant.SaveOwnFeed(v.ctx(), v.caller, unchosen(form), form.Get("pace") == "once", action == "renew")
		case "remove":
			notice, err = "feedgone", h.o.Tenant.RemoveOwnFeed(v.ctx(), v.caller)
		default:
			err = wiki.Problemf(wiki.ErrInvalid, "action", "This form couldn't be read. Open the page and try again from there.")
		}
	}
	if err == nil {
		return h.redirect(v, h.tell(v, h.ownFeedAddress(""), notice))
	}
	wrong, ok := h.formFailure(v, err)
	if !ok {
		return err
	}
	return h.renderOwnFeedPage(v, wrong.Status, &ownFeedPage{failure: wrong})
}

// unchosen lists the kinds of events without a tick in a form.
func unchosen(form url.Values) (list []tenant.EventKind) {
	for _, k := range tenant.EventKinds {
		if !slices.Contains(form["kind"], string(k.Kind)) {
			list = append(list, k.Kind)
		}
	}
	return list
}

// An ownEvent is something that a person is notified of.
type ownEvent struct {
	ID    string // stays the same
	Time  time.Time
	Title string
	URL   string
	By    string
	HTML  string // what changed, or ""
}

// showOwnFeed serves a person's feed to readers with its address.
func (h *Handler) showOwnFeed(v *visit) error {
	setSecretHeaders(v.w.Header())
	secret := v.param("secret")
	f, sites, err := h.o.Tenant.OpenOwnFeed(v.ctx(), secret)
	if err != nil {
		return err
	}
	events, err := h.readOwnEvents(v, f, sites)
	if err != nil {
		return err
	}
	entries := events
	if !f.AtOnce {
		entries = digests(events, h.o.Now(), h.ownFeedAddress(""))
	}
	return h.writeXML(v, "application/atom+xml; charset=utf-8", h.ownAtom(f, entries, h.ownFeedAddress(secret)))
}

// readOwnEvents reads the events of the last days that a person chose, newest first.
func (h *Handler) readOwnEvents(v *visit, f *tenant.OwnFeed, sites []wiki.Access) ([]ownEvent, error) {
	now := h.o.Now()
	since := now.AddDate(0, 0, -ownFeedDays).UTC().Truncate(24 * time.Hour) // whole days, so that a digest never shrinks
	var events []ownEvent
	for _, k := range tenant.EventKinds {
		if slices.Contains(f.Without, string(k.Kind)) {
			continue
		}
		list, err := h.readEvents(v, k.Kind, f.DID, sites, since)
		if err != nil {
			return nil, err
		}
		events = append(events, list...)
	}
	events = slices.DeleteFunc(events, func(e ownEvent) bool { return e.Time.Before(since) })
	slices.SortStableFunc(events, func(a, b ownEvent) int { return b.Time.Compare(a.Time) })
	return events[:min(len(events), ownFeedEvents)], nil
}

// readEvents reads the events of one kind.
func (h *Handler) readEvents(v *visit, kind tenant.EventKind, did string, sites []wiki.Access, since time.Time) (events []ownEvent, err error) {
	if kind == tenant.EventService {
		return h.serviceEvents(v, did)
	}
	read := map[tenant.EventKind]func(*visit, wiki.Access, time.Time) ([]ownEvent, error){
		tenant.EventWatched: h.watchedEvents, tenant.EventProposals: h.proposalEvents, tenant.EventLimits: h.limitEvents,
	}[kind]
	for _, a := range sites {
		list, err := read(v, a, since)
		if errors.Is(err, wiki.ErrStorage) {
			h.o.Log.WarnContext(v.ctx(), "a wiki is missing in a feed", "wiki", a.Site().Slug, "err", err)
			continue // one wiki's damage is that wiki's alone
		}
		if err != nil {
			return nil, err
		}
		events = append(events, list...)
	}
	return events, nil
}

// serviceEvents are the notices of the dashboard.
func (h *Handler) serviceEvents(v *visit, did string) ([]ownEvent, error) {
	notices, err := h.o.Tenant.Notices(v.ctx(), did)
	if err != nil {
		return nil, err
	}
	events := make([]ownEvent, len(notices))
	for i, n := range notices {
		id := fmt.Sprintf("%s#notice-%d", h.o.Platform, n.Time.UnixMilli())
		events[i] = ownEvent{ID: id, Time: n.Time, Title: n.Text, URL: h.o.Platform + "/app/", By: h.o.Name}
		if h.o.Single {
			events[i].URL = h.o.Platform + "/"
		}
	}
	return events, nil
}

// watchedEvents are the changes to the pages of a wiki that a person watches.
func (h *Handler) watchedEvents(v *visit, a wiki.Access, since time.Time) ([]ownEvent, error) {
	watches, err := h.o.Tenant.Watches(v.ctx(), a)
	if err != nil || len(watches) == 0 {
		return nil, err
	}
	watched := make([]pages.SharedPage, len(watches))
	for i, w := range watches {
		watched[i] = watchedBy(w)
	}
	f := feed{}
	if f.commits, err = h.o.Pages.WatchedChanges(v.ctx(), a, watched, since); err != nil {
		return nil, err
	}
	f.commits = f.commits[:min(len(f.commits), ownFeedEvents)]
	if f.texts, err = h.o.Pages.ChangedTexts(v.ctx(), a, f.commits, ""); err != nil {
		return nil, err
	}
	origin := h.o.Session.Home(v.ctx(), a.Site().Slug)
	events := make([]ownEvent, len(f.commits))
	for i, c := range f.commits {
		link := origin + "/-/commit/" + c.ID
		events[i] = ownEvent{link, c.Time, a.Site().Name() + ": " + feedTitle(c), link, h.byline(c.Author), f.changedHTML(origin, i)}
	}
	return events, nil
}

// proposalEvents say what agents propose in a wiki, without its text, to people who can
// decide on it.
func (h *Handler) proposalEvents(v *visit, a wiki.Access, _ time.Time) ([]ownEvent, error) {
	sets, err := h.o.Pages.WaitingProposals(v.ctx(), a)
	if err != nil {
		return nil, err
	}
	origin := h.o.Session.Home(v.ctx(), a.Site().Slug)
	events := make([]ownEvent, len(sets))
	for i, set := range sets {
		link := origin + proposalsPath + "/" + url.PathEscape(set.Grant)
		by, what := h.byline(set.Author), "a change to 1 page"
		if n := len(set.Files); n > 1 {
			what = fmt.Sprintf("changes to %d pages", n)
		}
		events[i] = ownEvent{fmt.Sprintf("%s#%d", link, set.Start.UnixMilli()), set.Start, a.Site().Name() + ": " + by + " proposes " + what, link, by, ""}
	}
	return events, nil
}

// limitEvents are the limits that a person's own wiki is close to.
func (h *Handler) limitEvents(v *visit, a wiki.Access, _ time.Time) ([]ownEvent, error) {
	if a.Role() != wiki.Owner {
		return nil, nil
	}
	stats, err := h.o.Pages.Stats(v.ctx(), a)
	if err != nil {
		return nil, err
	}
	near, err := h.o.Tenant.NearLimits(v.ctx(), a, wiki.Limits{Pages: stats.Pages, Files: stats.Files, CurrentBytes: stats.CurrentBytes, HistoryBytes: stats.HistoryBytes})
	if err != nil {
		return nil, err
	}
	texts := map[string]string{
		"pages": "more than 90% of the pages that it can have", "files": "more than 90% of the files that it can have",
		"bytes": "more than 90% of its space", "history": "more than 90% of the space for its history",
	}
	origin := h.o.Session.Home(v.ctx(), a.Site().Slug)
	events := make([]ownEvent, len(near))
	for i, n := range near {
		link := origin + "/-/settings#limits"
		events[i] = ownEvent{fmt.Sprintf("%s-%s-%d", link, n.Name, n.Since.UnixMilli()), n.Since, a.Site().Name() + " has " + texts[n.Name] + ".", link, h.o.Name, ""}
	}
	return events, nil
}

// digests combines the events of each day that is over, in UTC, into one. Their ids begin
// with base.
func digests(events []ownEvent, now time.Time, base string) []ownEvent {
	today := now.UTC().Truncate(24 * time.Hour)
	var list []ownEvent
	for len(events) > 0 {
		day := events[0].Time.UTC().Truncate(24 * time.Hour)
		n := slices.IndexFunc(events, func(e ownEvent) bool { return e.Time.Before(day) })
		if n < 0 {
			n = len(events)
		}
		if day.Before(today) {
			list = append(list, digest(day, events[:n], base))
		}
		events = events[n:]
	}
	return list
}

// digest is the entry of one day.
func digest(day time.Time, events []ownEvent, base string) ownEvent {
	var b strings.Builder
	for _, e := range events {
		b.WriteString(`<h2><a href="` + html.EscapeString(e.URL) + `">` + html.EscapeString(xmlText(e.Title)) + "</a></h2>\n<p>" + html.EscapeString(xmlText(e.By)) + "</p>\n")
		if b.Len()+len(e.HTML) <= digestBytes {
			b.WriteString(e.HTML)
		}
	}
	title := "1 notification"
	if len(events) > 1 {
		title = fmt.Sprintf("%d notifications", len(events))
	}
	return ownEvent{
		ID: base + "#" + day.Format(time.DateOnly), Time: day.Add(24 * time.Hour), URL: base,
		Title: title + " on " + day.Format("Monday, 2 January 2006"), HTML: b.String(),
	}
}

// ownAtom returns a person's feed for the address self.
func (h *Handler) ownAtom(f *tenant.OwnFeed, entries []ownEvent, self string) atomFeed {
	out := atomFeed{
		ID: h.ownFeedAddress("") + "#" + f.DID, Title: "Notifications from " + h.o.Name, Updated: f.Created.UTC().Format(time.RFC3339),
		Links: []atomLink{{"self", self}, {"alternate", h.ownFeedAddress("")}},
	}
	for i, e := range entries {
		at := e.Time.UTC().Format(time.RFC3339)
		if i == 0 {
			out.Updated = at
		}
		by := e.By
		if by == "" {
			by = h.o.Name
		}
		out.Entries = append(out.Entries, atomEntry{
			ID: e.ID, Title: xmlText(e.Title), Updated: at, Author: xmlText(by), Link: atomLink{"alternate", e.URL}, Summary: xmlText(e.Title), Content: atomText{"html", e.HTML},
		})
	}
	return out
}
