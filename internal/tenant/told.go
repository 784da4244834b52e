package tenant

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

// An EventKind is a kind of event that people can be notified of.
type EventKind string

// Kinds of events. A new one needs an entry in EventKinds, and a reader in package web.
const (
	EventWatched   EventKind = "watched"   // a watched page was changed
	EventProposals EventKind = "proposals" // an agent proposes changes that the person can accept
	EventLimits    EventKind = "limits"    // an own wiki is close to a limit
	EventService   EventKind = "service"   // the operator or the service did something to an own wiki
)

// EventKinds lists the kinds of events, with what people choose.
var EventKinds = []struct {
	Kind  EventKind
	Label string
}{
	{EventWatched, "Changes to pages that you watch, by others and by agents"},
	{EventProposals, "An agent proposes changes that you can accept"},
	{EventLimits, "A wiki of yours is close to one of its limits"},
	{EventService, "The operator or this service did something to a wiki of yours"},
}

// A Watch is a page that a member watches.
type Watch = store.Watch

// An OwnFeed is what a person chose to be notified of, and the feed that they read it in.
type OwnFeed = store.OwnFeed

// MaxWatched bounds the pages that a person watches in one wiki.
const MaxWatched = 100

var errWatchers = wiki.Problemf(wiki.ErrDenied, "", "Only members can watch pages of this wiki.")

// AddWatch makes the caller watch a page. seq is the wiki's newest commit; see
// pages.Service.Shareable.
func (s *Service) AddWatch(ctx context.Context, a wiki.Access, page wiki.PageName, seq int64) error {
	if a.Role() < wiki.Viewer || a.Caller().ReadOnly {
		return errWatchers
	}
	return s.store.AddWatch(ctx, Watch{Slug: a.Site().Slug, DID: a.Caller().User.DID, Page: string(page), Seq: seq}, MaxWatched)
}

// RemoveWatch ends a watch of the caller, by the name that it was made with.
func (s *Service) RemoveWatch(ctx context.Context, a wiki.Access, page string) error {
	if a.Role() < wiki.Viewer || a.Caller().ReadOnly {
		return errWatchers
	}
	err := s.store.RemoveWatch(ctx, a.Site().Slug, a.Caller().User.DID, page)
	if errors.Is(err, wiki.ErrNotFound) {
		return wiki.Problemf(wiki.ErrNotFound, "page", "You don't watch this page any more.")
	}
	return err
}

// Watches lists what the caller watches in a wiki.
func (s *Service) Watches(ctx context.Context, a wiki.Access) ([]Watch, error) {
	if a.Role() < wiki.Viewer {
		return nil, errWatchers
	}
	return s.store.Watches(ctx, a.Site().Slug, a.Caller().User.DID)
}

var errNoOwnFeed = wiki.Problemf(wiki.ErrNotFound, "", "This feed doesn't exist, or its address was changed. The person it belongs to finds the new one in their account.")

// OwnFeed returns the caller's feed. It fails with ErrNotFound if they have none.
func (s *Service) OwnFeed(ctx context.Context, c wiki.Caller) (*OwnFeed, error) {
	if c.Anonymous() {
		return nil, errNoOwnFeed
	}
	return s.store.OwnFeed(ctx, c.User.DID)
}

// SaveOwnFeed stores what the caller wants to be notified of, and creates their feed if
// they have none. With fresh, the feed gets a new address, and the former one ends.
func (s *Service) SaveOwnFeed(ctx context.Context, c wiki.Caller, without []EventKind, atOnce, fresh bool) error {
	f, err := s.OwnFeed(ctx, c)
	if errors.Is(err, wiki.ErrNotFound) && !c.Anonymous() {
		f, err, fresh = &OwnFeed{DID: c.User.DID}, nil, true
	}
	if err != nil {
		return err
	}
	if fresh {
		f.ID = strings.ToLower(rand.Text()[:secretIDLength])
	}
	f.AtOnce, f.Without = atOnce, nil
	for _, k := range EventKinds {
		if slices.Contains(without, k.Kind) {
			f.Without = append(f.Without, string(k.Kind))
		}
	}
	return s.store.SetOwnFeed(ctx, f)
}

// RemoveOwnFeed ends the caller's feed.
func (s *Service) RemoveOwnFeed(ctx context.Context, c wiki.Caller) error {
	if c.Anonymous() {
		return errNoOwnFeed
	}
	return s.store.RemoveOwnFeed(ctx, c.User.DID)
}

// OwnFeedSecret returns the secret in a feed's address, made like those of secret links.
func (s *Service) OwnFeedSecret(f *OwnFeed) string {
	mac := hmac.New(sha256.New, s.nameKey)
	mac.Write([]byte("own feed\x00" + f.ID))
	return f.ID + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:secretBytes])
}

// OpenOwnFeed returns the feed with a secret and the wikis that its person is a member of
// now, to read only.
// It fails with the same ErrNotFound for every secret that doesn't work.
func (s *Service) OpenOwnFeed(ctx context.Context, secret string) (*OwnFeed, []wiki.Access, error) {
	if len(secret) < secretIDLength {
		return nil, nil, errNoOwnFeed
	}
	id := secret[:secretIDLength]
	if !hmac.Equal([]byte(s.OwnFeedSecret(&OwnFeed{ID: id})), []byte(secret)) {
		return nil, nil, errNoOwnFeed
	}
	f, err := s.store.OwnFeedByID(ctx, id)
	if errors.Is(err, wiki.ErrNotFound) {
		return nil, nil, errNoOwnFeed
	}
	if err != nil {
		return nil, nil, err
	}
	sites, err := s.sitesOf(ctx, f.DID, true)
	if err != nil {
		return nil, nil, err
	}
	// A feed whose use can't be recorded still works, as on a full disk.
	if err := s.store.RecordOwnFeedUse(ctx, f); err != nil {
		s.log.WarnContext(ctx, "recording the use of a feed failed", "err", err)
	}
	return f, sites, nil
}

// A NearLimit is a limit that a wiki is close to.
type NearLimit struct {
	Name  string // "pages", "files", "bytes" or "history"
	Since time.Time
}

// nearLimit is the part of a limit from which a wiki is close to it, in percent.
const nearLimit = 90

// NearLimits lists the limits that a wiki is close to, for its owner. used has the same
// fields as limits.
func (s *Service) NearLimits(ctx context.Context, a wiki.Access, used wiki.Limits) ([]NearLimit, error) {
	if a.Role() != wiki.Owner {
		return nil, nil
	}
	max := a.Site().Limits
	var near []string
	for _, l := range []struct {
		name      string
		used, max int64
	}{
		{"pages", int64(used.Pages), int64(max.Pages)}, {"files", int64(used.Files), int64(max.Files)},
		{"bytes", used.CurrentBytes, max.CurrentBytes}, {"history", used.HistoryBytes, max.HistoryBytes},
	} {
		if l.max > 0 && l.used >= l.max/100*nearLimit+l.max%100*nearLimit/100 {
			near = append(near, l.name)
		}
	}
	since, err := s.store.NearLimits(ctx, a.Site().Slug, near)
	if err != nil {
		return nil, fmt.Errorf("tenant: %w", err)
	}
	list := make([]NearLimit, len(near))
	for i, name := range near {
		list[i] = NearLimit{name, since[name]}
	}
	return list, nil
}
