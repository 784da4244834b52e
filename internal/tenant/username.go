package tenant

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"

	"robot.wtf/internal/limit"
	"robot.wtf/internal/wiki"
)

// CheckUsername returns nil if a person could take a username, or else the
// Problem that Create would return.
func (s *Service) CheckUsername(ctx context.Context, person wiki.User, slug string) error {
	if err := wiki.CheckSlug(slug); err != nil {
		return err
	}
	if err := s.checkOwnName(ctx, person, slug); err != nil {
		return err
	}
	taken := wiki.Problemf(wiki.ErrExists, "username", "%q is taken. Choose another.", slug)
	holder, err := s.store.UserByName(ctx, slug)
	switch {
	case err == nil && holder.DID != person.DID:
		return taken
	case err != nil && !errors.Is(err, wiki.ErrNotFound):
		return fmt.Errorf("tenant: check username: %w", err)
	}
	site, err := s.store.Site(ctx, slug)
	switch {
	case err == nil && site.OwnerDID != person.DID:
		return taken
	case err != nil && !errors.Is(err, wiki.ErrNotFound):
		return fmt.Errorf("tenant: check username: %w", err)
	}
	switch err := s.store.CheckFormer(ctx, slug, s.holderHash(person.DID)); {
	case errors.Is(err, wiki.ErrExists):
		return taken
	case err != nil:
		return fmt.Errorf("tenant: check username: %w", err)
	}
	return nil
}

// checkOwnName refuses another name for a person's first wiki while their own username is
// free.
func (s *Service) checkOwnName(ctx context.Context, person wiki.User, slug string) error {
	if person.Username == "" || person.Username == slug {
		return nil
	}
	another, err := s.needsAnotherName(ctx, person)
	if err != nil || another {
		return err
	}
	return wiki.Problemf(wiki.ErrInvalid, "username", "Your wiki has the same name as you: %q.", person.Username)
}

// needsAnotherName reports whether a wiki of a person needs another name than
// its owner: it isn't their first one, or somebody else owns the wiki with their name.
func (s *Service) needsAnotherName(ctx context.Context, person wiki.User) (bool, error) {
	site, err := s.store.Site(ctx, person.Username)
	if errors.Is(err, wiki.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("tenant: check username: %w", err)
	}
	return s.maxWikis > 1 || site.OwnerDID != person.DID, nil
}

// ProposeUsername returns an available username: the person's current one,
// the first label of their handle that can be a name, or a similar one if that is taken,
// reserved or too short. It returns "" if it finds none.
func (s *Service) ProposeUsername(ctx context.Context, person wiki.User) (string, error) {
	if person.Username != "" {
		another, err := s.needsAnotherName(ctx, person)
		if err != nil || another {
			return "", err // only they know what the wiki is about
		}
		return person.Username, nil
	}
	for _, slug := range usernameProposals(person.Handle) {
		err := s.CheckUsername(ctx, person, slug)
		var problem *wiki.Problem
		if err == nil {
			return slug, nil
		}
		if !errors.As(err, &problem) {
			return "", err
		}
	}
	return "", nil // they have to choose one
}

const maxUsername = 30

// genericLabels say nothing about the person whose handle begins with them.
var genericLabels = []string{"www", "blog", "home", "hello", "mail", "social", "web", "site", "bsky", "about", "self"}

// usernameBase returns the first label of a handle that can be a name: no generic or
// very short one, as in me.ada.example.org. Labels of the domain count unless it gives
// handles to many people.
func usernameBase(handle string) string {
	if handle == wiki.InvalidHandle {
		return "writer"
	}
	domain := limit.Domain(handle)
	own := strings.TrimSuffix(strings.TrimSuffix(handle, domain), ".")
	if !limit.IsRegistry(handle) || own == "" {
		name, _, _ := strings.Cut(domain, ".")
		own = strings.TrimPrefix(own+"."+name, ".")
	}
	labels := strings.Split(own, ".")
	for _, label := range labels {
		if name := asciiLabel(label); len(name) >= 3 && !slices.Contains(genericLabels, name) {
			return name
		}
	}
	return cmp.Or(asciiLabel(labels[0]), "writer")
}

// asciiLabel returns a label of a host name without accents, decoded if it is
// internationalized (RFC 5891), or "" if it has letters of other scripts.
func asciiLabel(label string) string {
	label, err := idna.ToUnicode(label)
	if err != nil {
		return ""
	}
	plain := strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, norm.NFKD.String(label))
	if strings.ContainsFunc(plain, func(r rune) bool { return r > unicode.MaxASCII }) {
		return ""
	}
	return plain
}

// usernameProposals returns usernames to try, best first.
func usernameProposals(handle string) []string {
	base := usernameBase(strings.ToLower(handle))
	trim := func(s string, room int) string { return strings.Trim(s[:min(len(s), maxUsername-room)], "-") }
	list := []string{trim(base, 0), trim(base, 5) + "-wiki", trim(base, 6) + "-notes"}
	for n := 2; n < 20; n++ {
		suffix := fmt.Sprintf("-%d", n)
		list = append(list, trim(base, len(suffix))+suffix)
	}
	for range 5 {
		list = append(list, trim(base, 7)+fmt.Sprintf("-%06d", rand.IntN(1_000_000)))
	}
	return list
}
