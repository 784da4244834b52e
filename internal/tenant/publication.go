package tenant

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"robot.wtf/internal/wiki"
)

// publicationPattern matches the AT-URI of a publication: its account's DID, and the
// record's key (atproto.com/specs/record-key).
var publicationPattern = regexp.MustCompile(`^at://(did:(?:plc|web):[a-zA-Z0-9.:_-]{1,200})/site\.standard\.publication/([a-zA-Z0-9._:~-]{1,512})$`)

// Publish connects a wiki with its owner's publication, given by its AT-URI, or
// disconnects it (""). The record must be the owner's and name the wiki's origin. Errors
// for the owner are Problems.
func (s *Service) Publish(ctx context.Context, a wiki.Access, uri, origin string) error {
	if err := a.Allow(wiki.Configure); err != nil {
		return err
	}
	if uri = strings.TrimSpace(uri); uri != "" {
		if err := s.checkPublication(ctx, a, uri, origin); err != nil {
			return err
		}
	}
	if err := s.store.SetPublication(ctx, actor(a), a.Site().Slug, uri); err != nil {
		return fmt.Errorf("tenant: publish: %w", err)
	}
	return nil
}

func (s *Service) checkPublication(ctx context.Context, a wiki.Access, uri, origin string) error {
	problem := func(format string, args ...any) error {
		return wiki.Problemf(wiki.ErrInvalid, "publication", format, args...)
	}
	parts := publicationPattern.FindStringSubmatch(uri)
	switch {
	case parts == nil:
		return problem("Enter the AT-URI of a publication, such as at://did:plc:…/%s/self.", PublicationCollection)
	case parts[1] != a.Site().OwnerDID:
		return problem("This publication belongs to another account. Enter one of the account that owns this wiki.")
	case s.people == nil:
		return wiki.Problemf(wiki.ErrUnavailable, "publication", "Records can't be read right now. Try again in a few minutes.")
	}
	address, err := s.people.Publication(ctx, a.Caller().User.DID, parts[1], parts[2])
	var known *wiki.Problem
	switch {
	case errors.As(err, &known):
		return problem("%s", known.Message)
	case err != nil:
		return fmt.Errorf("tenant: publish: %w", err)
	case strings.TrimSuffix(address, "/") != origin:
		return problem("That publication has the address “%.200s”. Change its url to %s with the tool that wrote it, then connect it again.", address, origin)
	}
	return nil
}

// Publication returns the AT-URI of a public wiki's publication. It fails with
// ErrNotFound if the wiki has none, isn't public or doesn't exist.
func (s *Service) Publication(ctx context.Context, slug string) (string, error) {
	row, err := s.store.Site(ctx, slug)
	switch {
	case err != nil:
		return "", fmt.Errorf("tenant: publication: %w", err)
	case row.Publication == "" || !row.Public || !row.PurgeAt.IsZero() || !row.Suspended.IsZero():
		return "", wiki.ErrNotFound
	}
	return row.Publication, nil
}
