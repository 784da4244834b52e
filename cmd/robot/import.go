package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/pages"
	"robot.wtf/internal/service"
	"robot.wtf/internal/wiki"
)

// importCommand imports a repository as a wiki's history.
type importCommand struct {
	Wiki   string `required:"" placeholder:"SLUG" help:"Wiki to import into. It must be new, with nothing but its initial pages."`
	Data   string `required:"" env:"ROBOT_DATA" placeholder:"DIR" type:"path" help:"Data directory."`
	Source string `arg:"" type:"path" help:"Repository: a directory, a git bundle, or a zip of a repository."`
}

// Run imports the source, in the running service if there is one.
func (c importCommand) Run(ctx context.Context) (err error) {
	source, err := openSource(ctx, c.Source)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	return operate(ctx, c.Data, "import", url.Values{"wiki": {c.Wiki}}, onlyReader{source}, os.Stdout)
}

// openSource opens a bundle or a zip, or bundles a directory. The service itself may
// have no permission to read it.
func openSource(ctx context.Context, path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return os.Open(path)
	}
	git, err := gitrepo.Find()
	if err != nil {
		return nil, err
	}
	scratch, err := os.MkdirTemp("", "robot-import-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(scratch) // the open file stays until it is closed
	bundle, err := os.Create(filepath.Join(scratch, "bundle"))
	if err != nil {
		return nil, err
	}
	err = git.Bundle(ctx, path, scratch, bundle)
	if err == nil {
		_, err = bundle.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, bundle.Close())
	}
	return bundle, nil
}

// onlyReader hides Close from an HTTP client that sends a file.
type onlyReader struct{ io.Reader }

// importWiki is the operation of importCommand.
func importWiki(ctx context.Context, s *service.Service, args url.Values, in io.Reader, out io.Writer) error {
	a, err := asImporter(ctx, s, args.Get("wiki"))
	if err != nil {
		return err
	}
	return importFrom(ctx, s, a, false, in, out)
}

// asImporter returns the operator's access to a wiki, with its owner as the author.
func asImporter(ctx context.Context, s *service.Service, slug string) (wiki.Access, error) {
	a, err := asOperator(ctx, s, slug)
	if err != nil {
		return a, err
	}
	owner := wiki.User{DID: a.Site().OwnerDID, Username: a.Site().OwnerName}
	return s.Tenant.Resolve(ctx, slug, wiki.Caller{User: owner, Client: "operator", Operator: true})
}

// importFrom imports a repository from in and prints its progress.
func importFrom(ctx context.Context, s *service.Service, a wiki.Access, trusted bool, in io.Reader, out io.Writer) error {
	u, err := s.Pages.Receive(ctx, a, in, nil)
	if err != nil {
		return userError(err)
	}
	defer u.Close()
	progress := progressPrinter{out: out}
	r, err := s.Pages.Import(ctx, a, u, trusted, progress.print)
	if err != nil {
		return userError(err)
	}
	fmt.Fprintf(out, "%s: %d commits and %d objects imported, %d pages; the head is %s\n", a.Site().Slug, r.Commits, r.Objects, r.Pages, r.Head)
	for _, name := range r.Renamed {
		fmt.Fprintf(out, "renamed, because its name has no address here or clashes with another: %s\n", name)
	}
	if len(r.Left) > 0 {
		fmt.Fprintf(out, "left out, because the main branch doesn't contain them: %s\n", strings.Join(r.Left, ", "))
	}
	if !r.HasHome {
		fmt.Fprintln(out, "note: no page is named Home or README; choose a home page in the wiki's settings")
	}
	return nil
}

// userError reduces an error to its message for the user, if it has one.
func userError(err error) error {
	var refused *gitrepo.Refused
	if errors.As(err, &refused) {
		return fmt.Errorf("nothing was imported:\n  %s", strings.Join(refused.Reasons, "\n  "))
	}
	var problem *wiki.Problem
	if errors.As(err, &problem) {
		return errors.New(problem.Message)
	}
	return err
}

// A progressPrinter prints the steps of an import, each kind at most once a second.
type progressPrinter struct {
	out  io.Writer
	what string
	at   time.Time
}

func (p *progressPrinter) print(s pages.ImportStep) {
	if s.What == p.what && (time.Since(p.at) < time.Second && s.Done < s.Total) {
		return
	}
	p.what, p.at = s.What, time.Now()
	if s.Total > 0 {
		fmt.Fprintf(p.out, "%s: %d of %d\n", s.What, s.Done, s.Total)
		return
	}
	fmt.Fprintln(p.out, s.What)
}

// repoOf is the repository of one wiki.
type repoOf struct{ slug, path string }

// findRepos finds the repositories of wikis in a directory: exports
// (SLUG/repo.git), clones (SLUG, SLUG.git) and bundles (SLUG.bundle).
func findRepos(dir string) ([]repoOf, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var list []repoOf
	for _, d := range entries {
		path := filepath.Join(dir, d.Name())
		slug := strings.TrimSuffix(strings.TrimSuffix(d.Name(), ".git"), ".bundle")
		if wiki.CheckHost(slug) != nil {
			continue
		}
		if _, err := os.Stat(filepath.Join(path, "repo.git")); err == nil {
			path = filepath.Join(path, "repo.git")
		}
		list = append(list, repoOf{slug, path})
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("--from-repos: no repositories in %s: want SLUG/repo.git, SLUG, SLUG.git or SLUG.bundle", dir)
	}
	slices.SortFunc(list, func(a, b repoOf) int { return strings.Compare(a.slug, b.slug) })
	return list, nil
}

// restoreRepos rebuilds lost databases of wikis.
func restoreRepos(ctx context.Context, data, dir string, trusted bool) error {
	repos, err := findRepos(dir)
	if err != nil {
		return err
	}
	failed := 0
	for _, r := range repos {
		if err := restoreRepo(ctx, data, r, trusted); err != nil {
			failed++
			fmt.Fprintf(os.Stderr, "%s: %v\n", r.slug, err)
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d wikis weren't restored", failed, len(repos))
	}
	return nil
}

func restoreRepo(ctx context.Context, data string, r repoOf, trusted bool) error {
	source, err := openSource(ctx, r.path)
	if err != nil {
		return err
	}
	defer source.Close()
	args := url.Values{"wiki": {r.slug}}
	if trusted {
		args.Set("trusted", "yes")
	}
	return operate(ctx, data, "restore-wiki", args, onlyReader{source}, os.Stdout)
}

// restoreWiki is the operation of restoreRepos.
func restoreWiki(ctx context.Context, s *service.Service, args url.Values, in io.Reader, out io.Writer) (err error) {
	slug := args.Get("wiki")
	a, err := asImporter(ctx, s, slug)
	if err != nil {
		return err
	}
	settle, err := s.Content.Recreate(ctx, slug)
	if errors.Is(err, wiki.ErrExists) {
		w, release, err := s.Content.Open(ctx, slug)
		if err != nil {
			return fmt.Errorf("its database exists and can't be read (%w): move %s away and try again", err, filepath.Join("wikis", slug, "wiki.db"))
		}
		defer release()
		if seq, _ := w.Head(); seq > 0 {
			_, err := fmt.Fprintf(out, "%s: already has content, nothing to do\n", slug)
			return err
		}
		return importFrom(ctx, s, a, args.Get("trusted") != "", in, out)
	}
	if err != nil {
		return err
	}
	err = importFrom(ctx, s, a, args.Get("trusted") != "", in, out)
	if s.Exports != nil {
		s.Exports.Forget(slug)
	}
	return errors.Join(err, settle(context.WithoutCancel(ctx), err == nil))
}
