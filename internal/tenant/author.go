package tenant

import (
	"context"
	"errors"
	"fmt"

	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

// Gone reports whether the account of a commit's author was deleted: it is not
// known here any more.
func (s *Service) Gone(ctx context.Context, a wiki.Author) bool {
	if a.DID == "" || a.Imported {
		return false
	}
	_, err := s.store.User(ctx, a.DID)
	return errors.Is(err, wiki.ErrNotFound)
}

// Called is how the person who made a commit is called on pages. The commit
// itself keeps the name of who is gone: its id demands it.
func (s *Service) Called(ctx context.Context, a wiki.Author) string {
	switch {
	case s.Gone(ctx, a):
		return "deleted account"
	case a.Username == "":
		return "somebody"
	}
	return a.Username
}

// Byline says who made a commit in words: the agent and for whom, or the
// person. What an import says of its authors is marked as such.
func (s *Service) Byline(ctx context.Context, a wiki.Author) string {
	line := s.Called(ctx, a)
	if a.Agent != "" {
		line = a.Agent + " for " + line
	}
	if a.Imported {
		line += " (imported)"
	}
	return line
}

// Author is the person who made a commit, as they are known today. Of what is
// imported, and of who is gone, there is a name and no more.
func (s *Service) Author(ctx context.Context, a wiki.Author) wiki.User {
	if a.DID != "" && !a.Imported {
		if u, err := s.store.User(ctx, a.DID); err == nil {
			return u
		}
	}
	return wiki.User{Name: s.Called(ctx, a)}
}

// Avatar finds a person's picture by its id.
func (s *Service) Avatar(ctx context.Context, id string) (store.Avatar, error) {
	f, err := s.store.Avatar(ctx, id)
	if err != nil {
		return f, fmt.Errorf("tenant: %w", err)
	}
	return f, nil
}
