package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"robot.wtf/internal/backup"
	"robot.wtf/internal/content"
	"robot.wtf/internal/service"
	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

// A recoverHeader precedes a wiki's database on its way from a backup to the service,
// as one line of JSON.
type recoverHeader struct {
	Site store.Site
	Icon *store.SiteIcon // nil if the wiki has none
	Copy backup.WikiCopy
}

// oneWiki restores one wiki. This process reads the backup, because the service may
// have no permission to; the service checks and installs the database it receives.
func (c restoreCommand) oneWiki(ctx context.Context) (err error) {
	if _, err := os.Stat(filepath.Join(c.Data, "robot.db")); err != nil {
		return fmt.Errorf("--data: %s isn't a data directory, so a single wiki can't be restored into it; without --wiki everything is restored: %w", c.Data, err)
	}
	scratch, err := os.MkdirTemp("", "robot-restore-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	var r recoverHeader
	if r.Copy, err = c.fetch(ctx, scratch); err != nil {
		return err
	}
	if r.Site, r.Icon, err = siteIn(ctx, filepath.Join(scratch, "robot.db"), c.Wiki); err != nil {
		return err
	}
	file, err := os.Open(filepath.Join(scratch, "wiki.db"))
	if err != nil {
		return err
	}
	defer file.Close()
	head, err := json.Marshal(r)
	if err != nil {
		return err
	}
	args := url.Values{"wiki": {c.Wiki}, "replace": {strconv.FormatBool(c.Replace)}}
	return operate(ctx, c.Data, "recover", args, io.MultiReader(strings.NewReader(string(head)+"\n"), file), os.Stdout)
}

func (c restoreCommand) fetch(ctx context.Context, scratch string) (_ backup.WikiCopy, err error) {
	m, err := c.moment()
	if err != nil {
		return backup.WikiCopy{}, err
	}
	identities, err := c.read()
	if err != nil {
		return backup.WikiCopy{}, err
	}
	r, err := openBackups(ctx, c.Dir, false)
	if err != nil {
		return backup.WikiCopy{}, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return r.RestoreWiki(ctx, m, c.Wiki, scratch, identities)
}

// siteIn reads a wiki and its members from a copy of a platform database, possibly of
// an older version.
func siteIn(ctx context.Context, file, slug string) (store.Site, *store.SiteIcon, error) {
	db, err := store.Open(ctx, file, time.Now)
	if err != nil {
		return store.Site{}, nil, err
	}
	defer db.Close()
	site, err := db.Site(ctx, slug)
	if err != nil {
		return store.Site{}, nil, err
	}
	icon, err := db.SiteIcon(ctx, slug)
	if errors.Is(err, wiki.ErrNotFound) {
		return *site, nil, nil
	}
	return *site, &icon, err
}

// recoverWiki is the operation of oneWiki.
func recoverWiki(ctx context.Context, s *service.Service, args url.Values, in io.Reader, out io.Writer) error {
	slug := args.Get("wiki")
	from := bufio.NewReaderSize(in, 1<<20)
	line, err := from.ReadSlice('\n')
	if err != nil {
		return fmt.Errorf("read header: %w", err)
	}
	var r recoverHeader
	if err := json.Unmarshal(line, &r); err != nil {
		return fmt.Errorf("read header: %w", err)
	}
	if r.Site.Slug != slug {
		return fmt.Errorf("received wiki %q, want %q", r.Site.Slug, slug)
	}
	if args.Get("replace") != "true" {
		if err := checkReplaceable(ctx, s, slug, r.Copy); err != nil {
			return err
		}
	}
	// All or nothing, even if the caller goes away.
	ctx = context.WithoutCancel(ctx)
	row, err := s.Tenant.Reinstate(ctx, wiki.Caller{Operator: true}, r.Site)
	if err != nil {
		return err
	}
	facts, aside, err := s.Content.Replace(ctx, slug, from, func(w *content.Wiki) error { return reapplyTakedowns(ctx, s, w) })
	if err != nil {
		if row.Undo != nil {
			err = errors.Join(err, row.Undo(ctx))
		}
		return err
	}
	if row.Added && r.Icon != nil {
		if err := s.Store.SetSiteIcon(ctx, store.Operator, slug, *r.Icon); err != nil {
			return err
		}
	}
	// Derived data moved aside with the directory; drop cached state. The audit
	// entry invalidates cached pages.
	err = s.Forget(ctx, slug)
	if err := errors.Join(err, s.Store.AuditSiteChange(ctx, slug, "site.recover", "as of "+r.Copy.Taken.UTC().Format("2006-01-02 15:04")+" UTC")); err != nil {
		return err
	}
	s.Committed(slug, facts.Seq)
	fmt.Fprintf(out, "%s is restored from %s, as of %s: %d files, %d commits, the head is %s\n",
		slug, r.Copy.Snapshot, r.Copy.Taken.UTC().Format(time.RFC3339), facts.Files, facts.Commits, facts.Head)
	for _, text := range r.Copy.Behind {
		fmt.Fprintf(out, "WARNING: %s\n", text)
	}
	if row.Added {
		fmt.Fprintln(out, "its settings and members are from the backup; create tokens and connect agents again")
	}
	if err := warnOfErasures(ctx, s, slug, r.Copy.Taken, out); err != nil {
		return err
	}
	for _, did := range row.Left {
		fmt.Fprintf(out, "note: %s was a member but no longer has an account here\n", did)
	}
	if aside != "" {
		fmt.Fprintf(out, "the old data is in %s: delete it when you no longer need it\n", aside)
	}
	return nil
}

// warnOfErasures lists what owners have erased or stopped vouching for since a copy
// was taken: the copy still has it, and there is no record of the text.
func warnOfErasures(ctx context.Context, s *service.Service, slug string, taken time.Time, out io.Writer) error {
	events, err := s.Store.AuditAll(ctx, slug, math.MaxInt32)
	for _, e := range events {
		if e.Action == "import.unvouch" && e.Time.After(taken) {
			fmt.Fprintf(out, "WARNING: on %s somebody stopped vouching for imported text, for which this copy may still have their word: ask the owner to look at Imports in the settings\n", e.Time.UTC().Format("2006-01-02 15:04"))
		}
		if e.Action == "history.erase" && e.Time.After(taken) {
			fmt.Fprintf(out, "WARNING: on %s something was erased from the history, which this copy contains again: ask the owner to erase it once more\n", e.Time.UTC().Format("2006-01-02 15:04"))
		}
	}
	return err
}

// checkReplaceable refuses to replace an existing database.
func checkReplaceable(ctx context.Context, s *service.Service, slug string, c backup.WikiCopy) error {
	if !s.Content.Exists(slug) { // the service may still have it open, though
		return nil
	}
	w, release, err := s.Content.Open(ctx, slug)
	const how = "nothing was changed. To replace it and move the old data aside, add --replace"
	if err != nil {
		return fmt.Errorf("%s has a database that can't be opened (%w); %s", slug, err, how)
	}
	defer release()
	seq, _ := w.Head()
	newest := "none"
	if list, err := w.Log(ctx, content.LogFilter{Limit: 1}); err != nil {
		newest = fmt.Sprintf("unreadable (%v)", err)
	} else if len(list) > 0 {
		newest = "of " + list[0].Time.UTC().Format(time.RFC3339)
	}
	return fmt.Errorf("%s has a database, with %d commits, the newest %s; the copy of %s has %d; %s",
		slug, seq, newest, c.Taken.UTC().Format(time.RFC3339), c.Facts.Seq, how)
}

// reapplyTakedowns makes a copy's takedowns match the audit log: a restore neither
// undoes a later takedown nor brings back one that was lifted.
func reapplyTakedowns(ctx context.Context, s *service.Service, w *content.Wiki) error {
	events, err := s.Store.AuditAll(ctx, w.Slug(), math.MaxInt32) // newest first
	if err != nil {
		return err
	}
	last := map[string]store.Event{}
	for _, e := range events {
		if e.Actor != store.Operator || e.Action != "page.withhold" && e.Action != "page.release" {
			continue
		}
		file, why, _ := strings.Cut(e.Detail, ": ")
		if _, ok := last[file]; !ok {
			e.Detail = why
			last[file] = e
		}
	}
	for _, file := range slices.Sorted(maps.Keys(last)) {
		if last[file].Action == "page.withhold" {
			err = w.TakeDown(ctx, file, last[file].Detail)
		} else {
			err = w.LiftTakedown(ctx, file)
		}
		if err != nil && !errors.Is(err, wiki.ErrNotFound) { // the copy may be older than the page
			return err
		}
	}
	return nil
}
