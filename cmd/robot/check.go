package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"robot.wtf/internal/content"
	"robot.wtf/internal/service"
)

type checkCommand struct {
	Wiki string `arg:"" optional:"" help:"Only this wiki."`
	dataFlag
}

// Run checks wikis' databases.
func (c checkCommand) Run(ctx context.Context) error {
	return c.run(ctx, "check", url.Values{"wiki": {c.Wiki}})
}

// checkWikis reads every blob and commit of the wikis, in copies of their databases, so
// that nobody waits. It goes on after a failure.
func checkWikis(ctx context.Context, s *service.Service, args url.Values, _ io.Reader, out io.Writer) error {
	slugs := []string{args.Get("wiki")}
	if slugs[0] == "" {
		slugs = nil
		sites, err := s.Store.AllSites(ctx)
		if err != nil {
			return err
		}
		for _, site := range sites {
			slugs = append(slugs, site.Slug)
		}
	} else if _, err := asOperator(ctx, s, slugs[0]); err != nil {
		return err
	}
	dir, err := s.Content.MkdirTemp("check-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	failed := 0
	for _, slug := range slugs {
		facts, err := checkCopy(ctx, s, slug, filepath.Join(dir, "wiki.db"))
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			failed++
			fmt.Fprintf(out, "%s: %s\n", slug, printable(strings.TrimPrefix(err.Error(), "content: check "+slug+": ")))
		default:
			fmt.Fprintf(out, "%s: ok, %d files, %d commits, %d blobs\n", slug, facts.Files, facts.Commits, facts.Blobs)
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d wikis are damaged: robot restore --wiki NAME --replace restores one from the last backup", failed, len(slugs))
	}
	return nil
}

// checkCopy copies a wiki's database as of one moment, and checks the copy.
func checkCopy(ctx context.Context, s *service.Service, slug, to string) (content.Facts, error) {
	defer os.Remove(to)
	if !s.Content.Exists(slug) {
		return content.Facts{}, errors.New("its database is missing")
	}
	if err := s.Content.Copy(ctx, slug, to); err != nil {
		return content.Facts{}, err
	}
	return content.CheckFile(ctx, to, slug)
}

type drainCommand struct {
	Undo bool `help:"Make /ready succeed again."`
	dataFlag
}

// Run makes /ready fail, so that proxies send no more requests.
func (c drainCommand) Run(ctx context.Context) error {
	return c.run(ctx, "drain", url.Values{"undo": {fmt.Sprint(c.Undo)}})
}

func drain(_ context.Context, s *service.Service, args url.Values, _ io.Reader, out io.Writer) error {
	undo := args.Get("undo") == "true"
	if !s.Drain(!undo) {
		return errors.New("no service is running on this directory")
	}
	text := "/ready now answers 503, so a proxy that checks it sends no more requests. Requests that still arrive are answered. robot admin drain --undo takes this back"
	if undo {
		text = "/ready answers 200 again"
	}
	_, err := fmt.Fprintln(out, text)
	return err
}
