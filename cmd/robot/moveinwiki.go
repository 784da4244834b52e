package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"robot.wtf/internal/content"
	"robot.wtf/internal/original"
	"robot.wtf/internal/pages"
	"robot.wtf/internal/service"
	"robot.wtf/internal/wiki"
)

// moveInState is the operation that prints, as JSON, how far each wiki is moved.
func moveInState(ctx context.Context, s *service.Service, _ url.Values, _ io.Reader, out io.Writer) error {
	slugs, err := s.Store.MovedSlugs(ctx)
	if err != nil {
		return err
	}
	state := map[string]movedState{}
	for _, slug := range slugs {
		if err := s.Content.Create(ctx, slug); err != nil && !errors.Is(err, wiki.ErrExists) { // a killed move may not have
			return err
		}
		w, release, err := s.Content.Open(ctx, slug)
		if err != nil {
			return err
		}
		_, now := w.Head()
		origin, err := w.MoveState(ctx)
		seeds, failed := w.HasOnlySeeds(ctx)
		release()
		if err := errors.Join(err, failed); err != nil {
			return err
		}
		state[slug] = movedState{Head: origin.Head, Now: now, Edited: origin.Edited || origin.Head == "" && !seeds}
	}
	return json.NewEncoder(out).Encode(state)
}

// moveInWiki is the operation that moves a wiki's history.
func moveInWiki(ctx context.Context, s *service.Service, args url.Values, in io.Reader, out io.Writer) error {
	a, err := asImporter(ctx, s, args.Get("wiki"))
	if err != nil {
		return err
	}
	reader := bufio.NewReader(in)
	line, err := reader.ReadBytes('\n')
	if err != nil {
		return err
	}
	var history movedHistory
	if err := json.Unmarshal(line, &history); err != nil {
		return err
	}
	u, err := s.Pages.Receive(ctx, a, reader, nil)
	if err != nil {
		return userError(err)
	}
	defer u.Close()
	u.Name = "the former service"
	r, err := s.Pages.Import(ctx, a, u, pages.ImportRequest{Moved: true, Own: args.Get("vouch") == "true", Authors: movedAuthors(ctx, s, history.Handles)}, nil)
	if err != nil {
		return userError(err)
	}
	fmt.Fprintf(out, "%s: %s, %s\n", a.Site().Slug, countOf(r.Commits, "commit"), countOf(r.Pages, "page"))
	for _, name := range r.Renamed {
		fmt.Fprintf(out, "  renamed: %s\n", printable(name))
	}
	if len(r.Left) > 0 {
		fmt.Fprintf(out, "  left out, because the main branch doesn't contain them: %s\n", printable(strings.Join(r.Left, ", ")))
	}
	return nil
}

// programs are the authors that the original used for everything that wasn't done in
// a browser, by email.
var programs = map[string]bool{"claude-mcp@otterwiki.local": true, "mcp@robot.wtf": true, "@system": true}

// movedAuthors returns who wrote a commit of the original: it wrote people's handles
// as their emails. It didn't say for whom an agent worked.
func movedAuthors(ctx context.Context, s *service.Service, handles map[string]string) func(name, email string) (wiki.Author, bool) {
	return func(name, email string) (wiki.Author, bool) {
		if programs[strings.ToLower(email)] {
			return wiki.Author{Agent: name, Imported: true}, true
		}
		handle, ok := strings.CutPrefix(strings.ToLower(email), "@")
		did := handles[handle]
		if !ok {
			did = email
		}
		u, err := s.Store.User(ctx, did)
		if err != nil || did == "" {
			return wiki.Author{}, false
		}
		return wiki.Author{Username: cmp.Or(u.Username, name, handle), DID: u.DID}, true
	}
}

// moveInFinish is the operation that moves drafts and fits limits, and prints what
// each wiki has.
func moveInFinish(ctx context.Context, s *service.Service, _ url.Values, in io.Reader, out io.Writer) error {
	var plan moveInPlan
	if err := json.NewDecoder(in).Decode(&plan); err != nil {
		return err
	}
	for _, w := range plan.Wikis {
		slug := plan.name(w)
		if _, err := s.Store.MovedRow(ctx, slug); w.Problem != "" || errors.Is(err, wiki.ErrNotFound) {
			continue
		} else if err != nil {
			return err
		}
		if err := finishWiki(ctx, s, w, slug, out); err != nil {
			return err
		}
	}
	return nil
}

func finishWiki(ctx context.Context, s *service.Service, w original.Wiki, slug string, out io.Writer) error {
	a, err := asOperator(ctx, s, slug)
	if err != nil {
		return err
	}
	into, release, err := s.Content.Open(ctx, slug)
	if err != nil {
		return err
	}
	defer release()
	origin, err := into.MoveState(ctx)
	if err != nil || origin.Head == "" || origin.Edited {
		return err
	}
	if err := moveDrafts(ctx, s, w, slug); err != nil {
		return err
	}
	files, err := into.List(ctx, "")
	if err != nil {
		return err
	}
	stats, err := into.Stats(ctx)
	if err != nil {
		return err
	}
	has := wiki.Limits{Pages: stats.Pages, Files: stats.Files, CurrentBytes: stats.CurrentBytes}
	for _, f := range files {
		largest := &has.AttachmentBytes
		if _, page := wiki.PageOf(f.Path); page {
			largest = &has.PageBytes
		}
		*largest = max(*largest, f.Size)
	}
	if l := a.Site().Limits; has.Pages > l.Pages || has.Files > l.Files || has.CurrentBytes > l.CurrentBytes || has.PageBytes > l.PageBytes || has.AttachmentBytes > l.AttachmentBytes {
		fmt.Fprintf(out, "%s: exceeds limits, which are raised to what it has\n", slug)
	}
	whole, broken, err := countLinks(ctx, s, a)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: %s, %s MB; links to a page: %d, to none: %d\n", slug, countOf(stats.Pages, "page"), megabytes(stats.CurrentBytes), whole, broken)
	return s.Tenant.FitLimits(ctx, a, has)
}

// countLinks counts the links between a wiki's pages, and those that lead nowhere.
func countLinks(ctx context.Context, s *service.Service, a wiki.Access) (whole, broken int, err error) {
	hubs, err := s.Pages.LinkReport(ctx, a, pages.Hubs, "")
	if err != nil {
		return 0, 0, err
	}
	for _, page := range hubs {
		whole += page.Count
	}
	rows, err := s.Pages.LinkReport(ctx, a, pages.Broken, "")
	return whole, len(rows), err
}

// moveDrafts adds drafts whose authors are known, unless they have one of that page.
func moveDrafts(ctx context.Context, s *service.Service, w original.Wiki, slug string) error {
	into, release, err := s.Content.Open(ctx, slug)
	if err != nil {
		return err
	}
	defer release()
	for _, d := range w.Drafts {
		name, err := wiki.ParsePageName(d.Page)
		if err != nil || d.DID == "" {
			continue
		}
		_, err = into.Draft(ctx, d.DID, name.File())
		if !errors.Is(err, wiki.ErrNotFound) {
			if err != nil {
				return err
			}
			continue
		}
		if err := into.SaveDraft(ctx, d.DID, content.Draft{Path: name.File(), Text: []byte(d.Text), Base: baseOf(ctx, into, name)}); err != nil {
			return err
		}
	}
	return nil
}

// baseOf returns the blob that a page has now, or "".
func baseOf(ctx context.Context, w *content.Wiki, name wiki.PageName) string {
	f, err := w.Lookup(ctx, name.File())
	if err != nil {
		return ""
	}
	return f.Blob
}
