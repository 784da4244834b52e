package main

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"robot.wtf/internal/keyfile"
	"robot.wtf/internal/wiki"
)

// Find is the tenant's directory: whatever this service finds people with.
func (s *service) Find(ctx context.Context, name string) (wiki.User, error) {
	if s.people == nil {
		return wiki.User{}, wiki.Problemf(wiki.ErrInvalid, "handle", "People cannot be looked up at the moment.")
	}
	return s.people.Find(ctx, name)
}

// seededPeople is the directory of a development service.
type seededPeople struct{}

// Find takes a username, a handle or a DID.
func (seededPeople) Find(_ context.Context, name string) (wiki.User, error) {
	name = strings.ToLower(strings.TrimPrefix(strings.TrimSpace(name), "@"))
	for _, u := range people() {
		if name == u.Username || name == u.Handle || name == u.DID {
			return wiki.User{DID: u.DID, Handle: u.Handle, Name: u.Name}, nil
		}
	}
	return wiki.User{}, wiki.Problemf(wiki.ErrNotFound, "handle", "Nobody answers to %q. In development there are only the people one can sign in as.", name)
}

// nameKey reads the key that former names are kept with, and makes it at the
// first start. It is never changed: with another one nobody would get their
// former name back.
func nameKey(dir string) ([]byte, error) { return keyfile.Secret(filepath.Join(dir, "names.key"), 32) }

// sweepEvery is how long something may live past its grace.
const sweepEvery = 10 * time.Minute

// A sweeper purges what was deleted a week ago, and what has run out.
type sweeper struct {
	ended  sync.WaitGroup
	cancel context.CancelFunc
}

type sweepable interface {
	// Sweep may be called at any time; what fails is tried again by the next.
	Sweep(ctx context.Context) error
}

func startSweeper(log *slog.Logger, rooms ...sweepable) *sweeper {
	ctx, cancel := context.WithCancel(context.Background())
	s := &sweeper{cancel: cancel}
	s.ended.Go(func() {
		for tick := time.Tick(sweepEvery); ; {
			select {
			case <-ctx.Done():
				return
			case <-tick:
				for _, room := range rooms {
					if err := room.Sweep(ctx); err != nil && ctx.Err() == nil {
						log.Error("sweep", "err", err)
					}
				}
			}
		}
	})
	return s
}

func (s *sweeper) stop() {
	if s != nil {
		s.cancel()
		s.ended.Wait()
	}
}
