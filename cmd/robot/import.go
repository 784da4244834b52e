package main

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"robot.wtf/internal/gitremote"
	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/pages"
	"robot.wtf/internal/service"
	"robot.wtf/internal/wiki"
)

// importCommand imports pages into a wiki.
type importCommand struct {
	Wiki    string   `required:"" placeholder:"SLUG" help:"Wiki to import into."`
	Into    string   `placeholder:"FOLDER" help:"Folder of the wiki to import into."`
	Without []string `placeholder:"FOLDER" help:"Top folder of SOURCE to leave out. Can be repeated."`
	Clashes string   `enum:"mine,theirs,both" default:"mine" help:"What to keep if a name is taken: mine (the file of the wiki), theirs or both (${default})."`
	Files   bool     `help:"Import only the newest files of a repository, without its history."`
	History bool     `help:"Import all versions of a MediaWiki export, each as a commit by its author, into a wiki that has only its initial pages."`
	Vouch   bool     `help:"Vouch for the pages: agents then read them as a member's words."`
	DryRun  bool     `help:"Print what would happen, and change nothing."`
	Data    string   `required:"" env:"ROBOT_DATA" placeholder:"DIR" type:"path" help:"Data directory."`
	Source  string   `arg:"" help:"Folder or zip of Markdown; an XML export of MediaWiki, also as .gz or .bz2, or zipped with its pictures; or a repository: a directory, a git bundle, a zip, or the https address of a public one. An account export counts as the repository of the wiki that its person owns. A repository becomes the history of a wiki that has only its initial pages."`
}

// Run imports the source, in the running service if there is one.
func (c importCommand) Run(ctx context.Context) (err error) {
	args := url.Values{
		"wiki": {c.Wiki}, "into": {c.Into}, "without": c.Without, "clashes": {c.Clashes}, "name": {filepath.Base(c.Source)},
		"files": {strconv.FormatBool(c.Files)}, "history": {strconv.FormatBool(c.History)}, "vouch": {strconv.FormatBool(c.Vouch)}, "dry-run": {strconv.FormatBool(c.DryRun)},
	}
	if gitremote.IsAddress(c.Source) {
		args.Set("address", c.Source)
		return operate(ctx, c.Data, "import", args, strings.NewReader(""), os.Stdout)
	}
	source, err := openSource(ctx, c.Source, !c.Files)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	return operate(ctx, c.Data, "import", args, onlyReader{source}, os.Stdout)
}

// openSource opens a file, or packs a directory: as a bundle if it is a repository
// and history is wanted, else as a zip. The service itself may have no permission to
// read it.
func openSource(ctx context.Context, path string, history bool) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return os.Open(path)
	}
	scratch, err := os.MkdirTemp("", "robot-import-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(scratch) // the open file stays until it is closed
	packed, err := os.Create(filepath.Join(scratch, "packed"))
	if err != nil {
		return nil, err
	}
	if history && isRepository(path) {
		err = bundleDirectory(ctx, path, scratch, packed)
	} else {
		err = zipDirectory(path, packed)
	}
	if err == nil {
		_, err = packed.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, packed.Close())
	}
	return packed, nil
}

// isRepository reports whether a directory is a git repository or a working tree.
func isRepository(dir string) bool {
	for _, head := range []string{filepath.Join(dir, ".git"), filepath.Join(dir, "HEAD")} {
		if _, err := os.Stat(head); err == nil {
			return true
		}
	}
	return false
}

func bundleDirectory(ctx context.Context, dir, scratch string, out io.Writer) error {
	git, err := gitrepo.Find()
	if err != nil {
		return err
	}
	return git.Bundle(ctx, dir, scratch, out)
}

// zipDirectory zips the regular files of a directory. Hidden folders, whose files no
// wiki shows, stay out.
func zipDirectory(dir string, out io.Writer) error {
	z := zip.NewWriter(out)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != dir && strings.HasPrefix(d.Name(), ".") && d.Name() != ".obsidian":
			return fs.SkipDir
		case !d.Type().IsRegular():
			return nil
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		return zipFile(z, path, filepath.ToSlash(name))
	})
	return errors.Join(err, z.Close())
}

func zipFile(z *zip.Writer, path, name string) error {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	file, err := z.CreateHeader(&zip.FileHeader{Name: "source/" + name, Method: zip.Deflate}) // the folder is dropped again
	if err == nil {
		_, err = io.Copy(file, in)
	}
	return err
}

// onlyReader hides Close from an HTTP client that sends a file.
type onlyReader struct{ io.Reader }

// importWiki is the operation of importCommand.
func importWiki(ctx context.Context, s *service.Service, args url.Values, in io.Reader, out io.Writer) error {
	a, err := asImporter(ctx, s, args.Get("wiki"))
	if err != nil {
		return err
	}
	return importAs(ctx, s, a, args, in, out)
}

// importAs imports in the name of a caller: the author of the commits that the import
// adds.
func importAs(ctx context.Context, s *service.Service, a wiki.Access, args url.Values, in io.Reader, out io.Writer) error {
	files := args.Get("files") == "true"
	r := pages.ImportRequest{Into: args.Get("into"), Without: args["without"], AsFolder: files, FilesOnly: files, Versions: args.Get("history") == "true", Own: args.Get("vouch") == "true"}
	progress := progressPrinter{out: out}
	u, err := receiveSource(ctx, s, a, args, r, in, progress.print)
	if err != nil {
		return userError(err)
	}
	defer u.Close()
	preview, err := s.Pages.Examine(ctx, a, u, r, progress.print)
	if err != nil {
		return userError(err)
	}
	printPreview(out, preview)
	if len(preview.Problems) > 0 {
		return fmt.Errorf("nothing was imported:\n  %s", strings.Join(preview.Problems, "\n  "))
	}
	if args.Get("dry-run") == "true" {
		fmt.Fprintln(out, "nothing was changed (--dry-run)")
		return nil
	}
	r.Wikilinks, r.Choices = preview.Wikilinks, map[string]pages.Choice{}
	for _, c := range preview.Clashes {
		r.Choices[c.Path] = pages.Choice{Decision: pages.Decision(args.Get("clashes")), Revision: c.Mine.Blob}
	}
	return importFrom(ctx, s, a, r, u, out)
}

// receiveSource stores the source of an import: the input, or the repository at an address.
func receiveSource(ctx context.Context, s *service.Service, a wiki.Access, args url.Values, r pages.ImportRequest, in io.Reader, progress func(pages.ImportStep)) (*pages.Upload, error) {
	if address := args.Get("address"); address != "" {
		return s.Pages.ReceiveRemote(ctx, a, address, r, progress)
	}
	u, err := s.Pages.Receive(ctx, a, in, nil)
	if err == nil {
		u.Name = wiki.VisibleName(args.Get("name"))
	}
	return u, err
}

// printPreview prints what an import will do.
func printPreview(out io.Writer, p *pages.ImportPreview) {
	fmt.Fprintf(out, "%s: %s, %s; afterwards %d of %d pages and %d of %d MB\n",
		p.Kind, countOf(p.Pages, "page"), countOf(p.Files, "other file"), p.After.Pages, p.Limits.Pages, p.After.CurrentBytes>>20, p.Limits.CurrentBytes>>20)
	if p.Repository {
		fmt.Fprintln(out, "only the newest files are imported, without the history")
	}
	if p.Links+p.Pictures > 0 {
		fmt.Fprintf(out, "links that work: %d of %d; images found: %d of %d\n", p.LinksLead, p.Links, p.PicsShow, p.Pictures)
	}
	if p.Wikilinks != "" {
		fmt.Fprintf(out, "wikilinks have the text first, as in [[text|Page]]; the wiki's setting becomes %s\n", p.Wikilinks)
	} else if p.TextFirst > 0 {
		fmt.Fprintf(out, "note: %s would only work with the text first, as in [[text|Page]]; the wiki's setting stays, because it has pages of its own\n", countOf(p.TextFirst, "wikilink"))
	}
	for _, c := range p.Clashes {
		fmt.Fprintf(out, "name taken: %s\n", c.Path)
	}
	if p.About != "" {
		fmt.Fprintln(out, p.About)
	}
	if p.OlderRevisions > 0 {
		fmt.Fprintf(out, "left out: %s (only the newest text of each page is imported)\n", countOf(p.OlderRevisions, "older revision"))
	}
	for _, r := range p.Renamed {
		fmt.Fprintf(out, "renamed: %s -> %s (%s)\n", r.From, r.To, r.Why)
	}
	for _, n := range p.Converted {
		fmt.Fprintf(out, "converted: %s (%s)\n", n.Path, n.Why)
	}
	for _, n := range p.Left {
		fmt.Fprintf(out, "left out: %s (%s: %s)\n", n.Path, countOf(n.Files, "file"), n.Why)
	}
	if p.Same > 0 {
		fmt.Fprintf(out, "already in the wiki: %s\n", countOf(p.Same, "file"))
	}
}

// countOf returns a number with its noun, such as "1 page" or "2 pages".
func countOf(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
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

// importFrom imports an upload and prints its progress.
func importFrom(ctx context.Context, s *service.Service, a wiki.Access, request pages.ImportRequest, u *pages.Upload, out io.Writer) error {
	progress := progressPrinter{out: out}
	r, err := s.Pages.Import(ctx, a, u, request, progress.print)
	if err == nil && request.Wikilinks != "" {
		err = s.Tenant.ChooseWikilinks(ctx, a, request.Wikilinks)
	}
	if err != nil {
		return userError(err)
	}
	if request.Own {
		if err := s.Tenant.RecordVouching(ctx, a, r.Head, false); err != nil {
			return err
		}
	}
	if !r.History {
		fmt.Fprintf(out, "%s: %s and %s imported; the commit is %s\n", a.Site().Slug, countOf(r.Pages, "page"), countOf(r.Files, "other file"), r.Head)
	} else {
		fmt.Fprintf(out, "%s: %s and %s imported, %s; the head is %s\n", a.Site().Slug, countOf(r.Commits, "commit"), countOf(r.Objects, "object"), countOf(r.Pages, "page"), r.Head)
		for _, name := range r.Renamed {
			fmt.Fprintf(out, "renamed, because its name has no address here or clashes with another: %s\n", name)
		}
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
	if s.What == p.what && time.Since(p.at) < time.Second && (s.Done < s.Total || s.Note != "") {
		return
	}
	p.what, p.at = s.What, time.Now()
	if s.Total > 0 {
		fmt.Fprintf(p.out, "%s: %d of %d\n", s.What, s.Done, s.Total)
		return
	}
	if s.Note != "" {
		fmt.Fprintf(p.out, "%s: %s\n", s.What, s.Note)
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
	source, err := openSource(ctx, r.path, true)
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
		return restoreFrom(ctx, s, a, args.Get("trusted") != "", in, out)
	}
	if err != nil {
		return err
	}
	err = restoreFrom(ctx, s, a, args.Get("trusted") != "", in, out)
	if s.Exports != nil {
		s.Exports.Forget(slug)
	}
	return errors.Join(err, settle(context.WithoutCancel(ctx), err == nil))
}

// restoreFrom imports a repository as a wiki's history.
func restoreFrom(ctx context.Context, s *service.Service, a wiki.Access, trusted bool, in io.Reader, out io.Writer) error {
	u, err := s.Pages.Receive(ctx, a, in, nil)
	if err != nil {
		return userError(err)
	}
	defer u.Close()
	return importFrom(ctx, s, a, pages.ImportRequest{Trusted: trusted}, u, out)
}
