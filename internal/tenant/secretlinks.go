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

	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

// A SecretLink is an unlisted address for people without an account: of a wiki's feed, for
// feed readers, or of one page. It has the rights of the member who made it, to read only,
// and ends with their membership.
type SecretLink = store.SecretLink

// Bounds on the links of a person in one wiki.
const (
	MaxFeedLinks = 10
	MaxPageLinks = 50
)

// errNoLink has one text for every link that doesn't work, so that nobody learns about
// wikis, members and pages from it.
var errNoLink = wiki.Problemf(wiki.ErrNotFound, "", "This link doesn't work, or it was revoked. Ask the person who sent it for a new one.")

// NewFeedLink makes an address for the feeds of a wiki, for any member.
func (s *Service) NewFeedLink(ctx context.Context, a wiki.Access) (*SecretLink, error) {
	if a.Role() < wiki.Viewer || a.Caller().ReadOnly {
		return nil, wiki.Problemf(wiki.ErrDenied, "link", "Only members can have a feed address.")
	}
	return s.addSecretLink(ctx, a, &SecretLink{}, MaxFeedLinks)
}

func (s *Service) addSecretLink(ctx context.Context, a wiki.Access, l *SecretLink, max int) (*SecretLink, error) {
	l.ID, l.Slug, l.DID = strings.ToLower(rand.Text()[:secretIDLength]), a.Site().Slug, a.Caller().User.DID
	if err := s.store.AddSecretLink(ctx, l, max); err != nil {
		return nil, fmt.Errorf("tenant: %w", err)
	}
	return l, nil
}

// SecretLinks lists the caller's links in a wiki, newest first.
func (s *Service) SecretLinks(ctx context.Context, a wiki.Access) ([]*SecretLink, error) {
	if a.Role() < wiki.Viewer {
		return nil, nil
	}
	list, err := s.store.SecretLinks(ctx, a.Site().Slug, a.Caller().User.DID)
	if err != nil {
		return nil, fmt.Errorf("tenant: %w", err)
	}
	return list, nil
}

// RevokeSecretLink ends one of the caller's links, or anybody's if the caller owns the
// wiki. It fails with ErrNotFound if there is none.
func (s *Service) RevokeSecretLink(ctx context.Context, a wiki.Access, id string) error {
	if a.Role() < wiki.Viewer || a.Caller().ReadOnly {
		return wiki.Problemf(wiki.ErrDenied, "link", "Only members can revoke links.")
	}
	did := a.Caller().User.DID
	if a.Can(wiki.Configure) {
		did = ""
	}
	err := s.store.RevokeSecretLink(ctx, actor(a), a.Site().Slug, did, id)
	if errors.Is(err, wiki.ErrNotFound) {
		return wiki.Problemf(wiki.ErrNotFound, "link", "This link was revoked before.")
	}
	return err
}

const (
	secretIDLength = 16 // letters and digits
	secretBytes    = 16 // of the code that proves that this service made it
)

// Secret returns a link's secret: its id and a code made with the service's key. So the
// database has none, and the link's maker can see it again.
func (s *Service) Secret(l *SecretLink) string {
	mac := hmac.New(sha256.New, s.nameKey)
	mac.Write([]byte("secret link\x00" + l.ID)) // holderHash hashes DIDs with the same key; none begins with this
	return l.ID + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:secretBytes])
}

// OpenFeedLink returns the access that a feed link gives: the reading rights of its maker
// now. It fails with the same ErrNotFound for every link that doesn't work.
func (s *Service) OpenFeedLink(ctx context.Context, slug, secret string) (wiki.Access, error) {
	l, a, err := s.openSecretLink(ctx, slug, secret)
	if err == nil && l.Page != "" {
		err = errNoLink
	}
	if err != nil {
		return wiki.Access{}, err
	}
	return a, nil
}

func (s *Service) openSecretLink(ctx context.Context, slug, secret string) (*SecretLink, wiki.Access, error) {
	if len(secret) < secretIDLength {
		return nil, wiki.Access{}, errNoLink
	}
	id := secret[:secretIDLength]
	if !hmac.Equal([]byte(s.Secret(&SecretLink{ID: id})), []byte(secret)) {
		return nil, wiki.Access{}, errNoLink
	}
	l, err := s.store.SecretLink(ctx, id)
	if err == nil && l.Slug != slug {
		err = wiki.ErrNotFound
	}
	var a wiki.Access
	if err == nil {
		a, err = s.resolveMaker(ctx, l)
	}
	if errors.Is(err, wiki.ErrNotFound) || errors.Is(err, wiki.ErrSuspended) {
		err = errNoLink
	}
	if err != nil {
		return nil, wiki.Access{}, err
	}
	// A link that can't be recorded still works, as on a full disk.
	if err := s.store.RecordSecretLinkUse(ctx, l); err != nil {
		s.log.WarnContext(ctx, "recording the use of a secret link failed", "err", err)
	}
	return l, a, nil
}

// resolveMaker returns what a link's maker can read. To share a page, they must still be
// able to edit it.
func (s *Service) resolveMaker(ctx context.Context, l *SecretLink) (wiki.Access, error) {
	maker, err := s.store.User(ctx, l.DID)
	if err != nil {
		return wiki.Access{}, err
	}
	a, err := s.Resolve(ctx, l.Slug, wiki.Caller{User: maker, Wiki: l.Slug, ReadOnly: true})
	needed := wiki.Viewer
	if l.Page != "" {
		needed = wiki.Editor
	}
	if err == nil && a.Role() < needed {
		err = wiki.ErrNotFound
	}
	return a, err
}

// NewPageLink makes a link to one page, for an editor. page and seq identify it; see
// pages.Service.Shareable.
func (s *Service) NewPageLink(ctx context.Context, a wiki.Access, page wiki.PageName, seq int64) (*SecretLink, error) {
	if err := a.Allow(wiki.Edit); err != nil {
		return nil, err
	}
	return s.addSecretLink(ctx, a, &SecretLink{Page: string(page), Seq: seq}, MaxPageLinks)
}

// PageLinks lists the links to single pages that all members made, for editors, newest
// first.
func (s *Service) PageLinks(ctx context.Context, a wiki.Access) ([]*SecretLink, error) {
	if !a.Can(wiki.Edit) {
		return nil, nil
	}
	list, err := s.store.SecretLinks(ctx, a.Site().Slug, "")
	if err != nil {
		return nil, fmt.Errorf("tenant: %w", err)
	}
	return slices.DeleteFunc(list, func(l *SecretLink) bool { return l.Page == "" }), nil
}

// OpenPageLink returns a link to one page, and access with the reading rights that its
// maker has now. Callers must show nothing but that page. It fails with the same
// ErrNotFound for every link that doesn't work.
func (s *Service) OpenPageLink(ctx context.Context, slug, secret string) (*SecretLink, wiki.Access, error) {
	l, a, err := s.openSecretLink(ctx, slug, secret)
	if err == nil && l.Page == "" {
		return nil, wiki.Access{}, errNoLink
	}
	return l, a, err
}

// NoLink is the error for a link whose page is gone: the same as for any other that
// doesn't work.
func NoLink(err error) error {
	if errors.Is(err, wiki.ErrNotFound) {
		return errNoLink
	}
	return err
}
