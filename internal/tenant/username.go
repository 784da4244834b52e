package tenant

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"robot.wtf/internal/wiki"
)

// CheckUsername returns nil if a person could take a username, or else the
// Problem that Create would return.
func (s *Service) CheckUsername(ctx context.Context, person wiki.User, slug string) error {
	if err := wiki.CheckSlug(slug); err != nil {
		return err
	}
	if person.Username != "" && person.Username != slug {
		return wiki.Problemf(wiki.ErrInvalid, "username", "Your wiki has the same name as you: %q.", person.Username)
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

// ProposeUsername returns an available username: the person's current one,
// the first label of their handle, or a similar one if that is taken,
// reserved or too short. It returns "" if it finds none.
func (s *Service) ProposeUsername(ctx context.Context, person wiki.User) (string, error) {
	if person.Username != "" {
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

// usernameProposals returns usernames to try, best first.
func usernameProposals(handle string) []string {
	base, _, _ := strings.Cut(strings.ToLower(handle), ".")
	if handle == wiki.InvalidHandle {
		base = "writer"
	}
	if strings.HasPrefix(base, "xn--") { // an internationalized name, encoded
		base = "writer-" + base[len("xn--"):]
	}
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
