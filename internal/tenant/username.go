package tenant

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"robot.wtf/internal/wiki"
)

// CheckUsername returns nil when a person could call themselves and their wiki
// so, else the Problem that Create would answer.
func (s *Service) CheckUsername(ctx context.Context, person wiki.User, slug string) error {
	if err := wiki.CheckSlug(slug); err != nil {
		return err
	}
	if person.Username != "" && person.Username != slug {
		return wiki.Problemf(wiki.ErrInvalid, "username", "Your wiki is called as you are: %q.", person.Username)
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
	switch err := s.store.CheckFormer(ctx, slug, s.holder(person.DID)); {
	case errors.Is(err, wiki.ErrExists):
		return taken
	case err != nil:
		return fmt.Errorf("tenant: check username: %w", err)
	}
	return nil
}

// ProposeUsername gives a username that is free: the one the person has, the
// first label of their handle, or one near it where that is taken, reserved or
// short.
func (s *Service) ProposeUsername(ctx context.Context, person wiki.User) (string, error) {
	if person.Username != "" {
		return person.Username, nil
	}
	for _, slug := range proposals(person.Handle) {
		err := s.CheckUsername(ctx, person, slug)
		var problem *wiki.Problem
		if err == nil {
			return slug, nil
		}
		if !errors.As(err, &problem) {
			return "", err
		}
	}
	return "", nil // they will think of one
}

const maxSlug = 30

// proposals are usernames to try, best first.
func proposals(handle string) []string {
	base, _, _ := strings.Cut(strings.ToLower(handle), ".")
	if handle == wiki.InvalidHandle {
		base = "writer"
	}
	if strings.HasPrefix(base, "xn--") { // an international name: its letters are gone
		base = "writer-" + base[len("xn--"):]
	}
	trim := func(s string, room int) string { return strings.Trim(s[:min(len(s), maxSlug-room)], "-") }
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
