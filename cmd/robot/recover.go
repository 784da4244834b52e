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

// A recovered is what goes ahead of a wiki's database on its way from a backup
// to the service, as one line of JSON.
type recovered struct {
	Site store.Site
	Copy backup.WikiCopy
}

// oneWiki restores one wiki: this process reads the backup, for the service may
// not; the service checks what it is sent and puts it in its place.
func (c restoreCommand) oneWiki(ctx context.Context) (err error) {
	if _, err := os.Stat(filepath.Join(c.Data, "robot.db")); err != nil {
		return fmt.Errorf("--data: %s is no data directory of a service, which one wiki could be restored to; without --wiki all is restored: %w", c.Data, err)
	}
	scratch, err := os.MkdirTemp("", "robot-restore-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	var r recovered
	if r.Copy, err = c.fetch(ctx, scratch); err != nil {
		return err
	}
	if r.Site, err = siteIn(ctx, filepath.Join(scratch, "robot.db"), c.Wiki); err != nil {
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
	r, err := backup.Open(ctx, c.Dir, false, time.Now, plainLog())
	if err != nil {
		return backup.WikiCopy{}, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return r.RestoreWiki(ctx, c.Snapshot, c.Wiki, scratch)
}

// siteIn reads a wiki's row with its members from a copy of a platform's
// database, which may be of an older version.
func siteIn(ctx context.Context, file, slug string) (store.Site, error) {
	db, err := store.Open(ctx, file, time.Now)
	if err != nil {
		return store.Site{}, err
	}
	defer db.Close()
	site, err := db.Site(ctx, slug)
	if err != nil {
		return store.Site{}, err
	}
	return *site, nil
}

// recoverWiki is the operation of oneWiki.
func recoverWiki(ctx context.Context, s *service.Service, args url.Values, in io.Reader, out io.Writer) error {
	slug := args.Get("wiki")
	from := bufio.NewReaderSize(in, 1<<20)
	line, err := from.ReadSlice('\n')
	if err != nil {
		return fmt.Errorf("what comes in: %w", err)
	}
	var r recovered
	if err := json.Unmarshal(line, &r); err != nil {
		return fmt.Errorf("what comes in: %w", err)
	}
	if r.Site.Slug != slug {
		return fmt.Errorf("what comes in is %q, not %q", r.Site.Slug, slug)
	}
	if args.Get("replace") != "true" {
		if err := checkReplaceable(ctx, s, slug, r.Copy); err != nil {
			return err
		}
	}
	// All of it or nothing, also if who asked goes away.
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
	// What was derived went aside with the directory; this ends its use, and the
	// entry of the audit log that of finished pages.
	err = s.Forget(ctx, slug)
	if err := errors.Join(err, s.Store.OperatorEvent(ctx, slug, "site.recover", "as of "+r.Copy.Taken.UTC().Format("2006-01-02 15:04")+" UTC")); err != nil {
		return err
	}
	s.Committed(slug, facts.Seq)
	fmt.Fprintf(out, "%s is restored from %s, as of %s: %d files, %d commits, the head is %s\n",
		slug, r.Copy.Snapshot, r.Copy.Taken.UTC().Format(time.RFC3339), facts.Files, facts.Commits, facts.Head)
	if row.Added {
		fmt.Fprintln(out, "its settings and members are those of the backup; tokens and agents have to be connected anew")
	}
	for _, did := range row.Left {
		fmt.Fprintf(out, "note: %s was a member, and has no account here any more\n", did)
	}
	if aside != "" {
		fmt.Fprintf(out, "what it had is in %s: remove it when nobody needs it\n", aside)
	}
	return nil
}

// checkReplaceable refuses to replace a database that is there.
func checkReplaceable(ctx context.Context, s *service.Service, slug string, c backup.WikiCopy) error {
	if !s.Content.Exists(slug) { // though the service may still have it open
		return nil
	}
	w, release, err := s.Content.Open(ctx, slug)
	const how = "nothing was changed. With --replace the copy takes its place, and what the wiki has is set aside"
	if err != nil {
		return fmt.Errorf("%s has a database, which cannot be opened (%w); %s", slug, err, how)
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

// reapplyTakedowns brings a copy's takedowns to what the audit log says: none that
// came after the backup is undone by it, and none that was put back returns.
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
