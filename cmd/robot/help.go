package main

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/service"
	"robot.wtf/internal/tenant"
	"robot.wtf/internal/wiki"
)

//go:embed help
var helpFiles embed.FS

// updateHelp updates the help wiki. Nothing about it keeps the service from starting:
// a damaged one is made again, and other failures raise an alarm.
func updateHelp(ctx context.Context, s *service.Service, host string, log *slog.Logger) {
	err := writeHelp(ctx, s, host)
	if errors.Is(err, wiki.ErrDamaged) || errors.Is(err, wiki.ErrNotFound) {
		log.Error("help wiki is damaged: making it again", "err", err)
		err = remakeHelp(ctx, s, host, log)
	}
	if err != nil && ctx.Err() == nil {
		s.NoteProblem("help", fmt.Sprintf("The help wiki couldn't be updated at the start, so it may be out of date or missing: %v.", err))
	}
}

// remakeHelp makes the help wiki again. The damaged files are kept.
func remakeHelp(ctx context.Context, s *service.Service, host string, log *slog.Logger) error {
	if err := s.Forget(ctx, wiki.HelpSlug); err != nil {
		log.Warn("removing derived data of the help wiki failed", "err", err)
	}
	aside, err := s.Content.Renew(ctx, wiki.HelpSlug)
	if err != nil {
		return fmt.Errorf("help: %w", err)
	}
	log.Info("damaged help wiki was moved aside", "dir", aside)
	return writeHelp(ctx, s, host)
}

// writeHelp updates the help wiki to the pages of this binary, help/*.md. It saves
// pages that differ and deletes those that are gone, so its history is that of the
// service. Nobody can sign in as its owner, whose DID is the platform's host.
func writeHelp(ctx context.Context, s *service.Service, host string) error {
	a, err := openHelpWiki(ctx, s, host)
	if err != nil {
		return fmt.Errorf("help: %w", err)
	}
	files, err := fs.Glob(helpFiles, "help/*.md")
	if err != nil {
		return fmt.Errorf("help: %w", err)
	}
	ours := map[wiki.PageName]bool{}
	for _, file := range files {
		name := wiki.PageName(strings.TrimSuffix(strings.TrimPrefix(file, "help/"), ".md"))
		ours[name] = true
		if err := writeHelpPage(ctx, s, a, name, file); err != nil {
			return fmt.Errorf("help: %s: %w", name, err)
		}
	}
	there, err := s.Pages.List(ctx, a, pages.ListFilter{})
	if err != nil {
		return fmt.Errorf("help: %w", err)
	}
	for _, page := range there {
		if ours[page.Name] {
			continue
		}
		_, err := s.Pages.Delete(ctx, a, pages.DeleteRequest{Name: string(page.Name), Precondition: pages.Precondition{Base: page.Revision}})
		if err != nil {
			return fmt.Errorf("help: delete %s: %w", page.Name, err)
		}
	}
	return nil
}

// openHelpWiki finds or creates the help wiki, and returns its owner's access.
func openHelpWiki(ctx context.Context, s *service.Service, host string) (wiki.Access, error) {
	owner := wiki.User{DID: "did:web:" + host, Username: wiki.HelpSlug, Name: host}
	site, err := s.Store.Site(ctx, wiki.HelpSlug)
	switch {
	case err == nil:
		owner = wiki.User{DID: site.OwnerDID, Username: wiki.HelpSlug, Name: host}
		if err := s.Tenant.ReviveHelp(ctx); err != nil {
			return wiki.Access{}, err
		}
	case !errors.Is(err, wiki.ErrNotFound):
		return wiki.Access{}, err
	default:
		if s.Content.Exists(wiki.HelpSlug) { // files whose row was lost
			if _, err := s.Content.SetAside(ctx, wiki.HelpSlug); err != nil {
				return wiki.Access{}, err
			}
		}
		if _, err := s.Tenant.CreateHelp(ctx, owner); err != nil {
			return wiki.Access{}, err
		}
	}
	a, err := s.Tenant.Resolve(ctx, wiki.HelpSlug, wiki.Caller{User: owner})
	if err != nil || a.Site().Public {
		return a, err
	}
	return a, s.Tenant.Configure(ctx, a, tenant.Settings{Title: "Help", Description: "How to use this service.", Public: true})
}

// fillHelp fills in the limits of this service.
func fillHelp(text []byte, s *service.Service) []byte {
	l, wikis := s.Tenant.Limits()
	mb := func(n int64) string { return fmt.Sprintf("%d MB", n>>20) }
	return []byte(strings.NewReplacer(
		"WIKIS per person", fmt.Sprintf("%d per person", wikis), "PAGES per wiki", fmt.Sprintf("%d per wiki", l.Pages), "FILES per wiki", fmt.Sprintf("%d per wiki", l.Files),
		"MEMBERS collaborators", fmt.Sprintf("%d collaborators", l.Members), "CURRENT MB", mb(l.CurrentBytes), "HISTORY MB", mb(l.HistoryBytes),
	).Replace(string(text)))
}

func writeHelpPage(ctx context.Context, s *service.Service, a wiki.Access, name wiki.PageName, file string) error {
	text, err := helpFiles.ReadFile(file)
	if err != nil {
		return err
	}
	text = fillHelp(text, s)
	r := pages.SaveRequest{Name: string(name), Text: text, Exact: true, Write: pages.Write{Message: "Update to this version's help"}}
	now, err := s.Pages.Page(ctx, a, r.Name, "")
	switch {
	case errors.Is(err, wiki.ErrNotFound):
		r.Create = true
	case err != nil:
		return err
	case bytes.Equal(now.Source, text):
		return nil
	default:
		r.Base = now.File.Blob
	}
	_, err = s.Pages.Save(ctx, a, r)
	return err
}
