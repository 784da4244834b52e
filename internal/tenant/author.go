package tenant

import (
	"context"
	"errors"
	"fmt"

	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

// AuthorDeleted reports whether the account of a commit's author has been
// deleted.
func (s *Service) AuthorDeleted(ctx context.Context, a wiki.Author) bool {
	if a.DID == "" || a.Imported {
		return false
	}
	_, err := s.store.User(ctx, a.DID)
	return errors.Is(err, wiki.ErrNotFound)
}

// AuthorName is the name that pages show for a commit's author. The commit
// itself keeps its author's name even after the account is deleted, because
// its id depends on it.
func (s *Service) AuthorName(ctx context.Context, a wiki.Author) string {
	switch {
	case s.AuthorDeleted(ctx, a):
		return "deleted account"
	case a.Username == "":
		return "unknown user"
	}
	return a.Username
}

// Byline describes a commit's author: the person, or the agent and the
// person it acted for, if that is known. Authors of imported commits are marked as imported, with the source.
func (s *Service) Byline(ctx context.Context, a wiki.Author) string {
	line := s.AuthorName(ctx, a)
	switch {
	case a.Agent != "" && a.Username == "": // a service that was moved here didn't record whom it worked for
		line = a.Agent
	case a.Agent != "":
		line = a.Agent + " for " + line
	}
	switch {
	case a.Imported && a.Source != "":
		line += " (imported from " + a.Source + ")"
	case a.Imported:
		line += " (imported)"
	}
	return line
}

// Author returns the current user behind a commit. For imported commits and
// deleted accounts it returns only a name.
func (s *Service) Author(ctx context.Context, a wiki.Author) wiki.User {
	if a.DID != "" && !a.Imported {
		if u, err := s.store.User(ctx, a.DID); err == nil {
			return u
		}
	}
	return wiki.User{Name: s.AuthorName(ctx, a)}
}

// Avatar returns an avatar by its id.
func (s *Service) Avatar(ctx context.Context, id string) (store.Avatar, error) {
	f, err := s.store.Avatar(ctx, id)
	if err != nil {
		return f, fmt.Errorf("tenant: %w", err)
	}
	return f, nil
}
