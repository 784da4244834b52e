package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

// FindHome returns the slug of the only wiki of a locked data directory, "" if it has
// none yet. Of several wikis, it returns the one that name names, or fails.
func FindHome(ctx context.Context, data, name string) (slug string, err error) {
	file := filepath.Join(data, "robot.db")
	if _, err := os.Lstat(file); errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	db, err := store.Open(ctx, file, time.Now)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	sites, err := db.AllSites(ctx)
	if err != nil {
		return "", err
	}
	var slugs []string
	for _, site := range sites {
		if site.Slug == name {
			return name, nil
		}
		if site.Slug != wiki.HelpSlug {
			slugs = append(slugs, site.Slug)
		}
	}
	switch len(slugs) {
	case 0:
		return "", nil
	case 1:
		return slugs[0], nil
	}
	return "", fmt.Errorf("%s has %d wikis (%s): choose one with --name", data, len(slugs), strings.Join(slugs, ", "))
}

// HomeSlug returns the slug of the only wiki, "" for a service with any number.
func (s *Service) HomeSlug() string { return s.o.Config.Wiki }

// HomeOwner returns the owner's access to the only wiki, and whether the wiki is
// still empty. It creates the wiki and its owner if needed.
func (s *Service) HomeOwner(ctx context.Context, title string) (a wiki.Access, empty bool, err error) {
	slug := s.o.Config.Wiki
	site, err := s.Store.Site(ctx, slug)
	switch {
	case err == nil && !site.PurgeAt.IsZero():
		return a, false, fmt.Errorf("the wiki %s is being deleted: restore it where it was deleted, or choose another data directory", slug)
	case err == nil && !s.Content.Exists(slug) && time.Since(site.Created) > 24*time.Hour:
		return a, false, fmt.Errorf("the files of %s are missing: restore a backup", slug)
	case err == nil && !s.Content.Exists(slug): // a start that was interrupted
		_, err = s.Tenant.Create(ctx, wiki.User{DID: site.OwnerDID, Username: slug, Handle: slug}, slug)
	case errors.Is(err, wiki.ErrNotFound):
		err = s.Tenant.CreateHome(ctx, slug, title)
	}
	if err != nil {
		return a, false, err
	}
	if site, err = s.Store.Site(ctx, slug); err != nil {
		return a, false, err
	}
	owner, err := s.Store.User(ctx, site.OwnerDID)
	if err != nil {
		return a, false, err
	}
	if a, err = s.Tenant.Resolve(ctx, slug, wiki.Caller{User: owner}); err != nil {
		return a, false, err
	}
	seq, err := s.Pages.Head(ctx, a)
	if errors.Is(err, wiki.ErrDamaged) { // the rest is served, and commands can repair it
		s.NoteProblem("wiki", fmt.Sprintf("The wiki can't be read: %v.", err))
		return a, false, nil
	}
	return a, seq == 0, err
}
