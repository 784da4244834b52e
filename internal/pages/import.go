package pages

import (
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"robot.wtf/internal/content"
	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/wiki"
)

// An Upload is an uploaded repository, a git bundle or a zip, in a file. It must
// be closed.
type Upload struct {
	dir     string // holds the file and its extracted content
	size    int64
	receipt *receipt // nil once closed
}

// Close removes the upload's files. Only then can its wiki upload another.
func (u *Upload) Close() error {
	err := os.RemoveAll(u.dir)
	if u.receipt != nil {
		u.receipt.close()
		u.receipt = nil
	}
	return err
}

func (u *Upload) path(name string) string { return filepath.Join(u.dir, name) }

// Receive stores an upload for Import: a git bundle, or a zip of a repository. It
// doesn't examine it. It reads nothing if the wiki can't import, or has an upload
// already, or if there are as many uploads or as little room as the service
// allows. A slow upload makes room for another wiki that waits (see yieldRate). To do
// so while a read of in is blocked, Receive calls interrupt, which makes that read
// return and can be nil.
func (s *Service) Receive(ctx context.Context, a wiki.Access, in io.Reader, interrupt func()) (*Upload, error) {
	w, release, err := s.openImport(ctx, a)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := requireOnlySeeds(ctx, w); err != nil {
		return nil, err
	}
	slot, err := s.uploads.acquire(ctx, w.Slug(), interrupt)
	if err != nil {
		return nil, err
	}
	u := &Upload{receipt: slot}
	err = s.store(u, receiptReader{in, slot}, a.Site().Limits.HistoryBytes)
	if err == nil {
		err = slot.finish()
	}
	if err != nil {
		return nil, errors.Join(err, u.Close())
	}
	return u, nil
}

// errNoRoom is the error of an import without enough free space on disk.
func errNoRoom() error {
	return wiki.Problemf(wiki.ErrStorage, "file", "There isn't enough free disk space for this import. Nothing was changed. Try again later, or tell the operator.")
}

// A roomWriter writes a file as long as the disk has room. It asks for the room
// again after each part of it.
type roomWriter struct {
	room func() (int64, error)
	file *os.File
	left int64 // bytes until it asks again
}

const roomStep = 8 << 20

func (r *roomWriter) Write(data []byte) (int, error) {
	if r.left < int64(len(data)) {
		room, err := r.room()
		if err != nil {
			return 0, err
		}
		if room < int64(len(data)) {
			return 0, errNoRoom()
		}
		r.left = max(int64(len(data)), min(room, roomStep))
	}
	n, err := r.file.Write(data)
	r.left -= int64(n)
	return n, err
}

// openImport opens the wiki for a caller with the right to replace its content.
func (s *Service) openImport(ctx context.Context, a wiki.Access) (*content.Wiki, func(), error) {
	if err := a.Allow(wiki.Configure); err != nil {
		return nil, nil, err
	}
	if s.mirror == nil {
		return nil, nil, wiki.Problemf(wiki.ErrStorage, "", "Importing isn't available: git isn't installed on this server.")
	}
	return s.open(ctx, a, wiki.Configure)
}

// CanImport reports whether a repository can be imported: the wiki has only its
// seed pages, and git is installed.
func (s *Service) CanImport(ctx context.Context, a wiki.Access) (bool, error) {
	w, release, err := s.open(ctx, a, wiki.Configure)
	if err != nil {
		return false, err
	}
	defer release()
	if s.mirror == nil {
		return false, nil
	}
	return w.HasOnlySeeds(ctx)
}

// ImportProblems returns the reasons why an import was rejected, nil for other
// errors.
func ImportProblems(err error) []string {
	var refused *gitrepo.Refused
	if errors.As(err, &refused) {
		return refused.Reasons
	}
	return nil
}

func requireOnlySeeds(ctx context.Context, w *content.Wiki) error {
	onlySeeds, err := w.HasOnlySeeds(ctx)
	if err == nil && !onlySeeds {
		err = content.ErrHasEdits
	}
	return err
}

func (s *Service) store(u *Upload, in io.Reader, max int64) (err error) {
	if room, err := s.content.ScratchRoom(); err != nil || room == 0 {
		return cmp.Or(err, errNoRoom())
	}
	if u.dir, err = s.content.MkdirTemp("import-"); err != nil {
		return err
	}
	f, err := os.Create(u.path("upload"))
	if err != nil {
		return err
	}
	defer f.Close()
	u.size, err = io.Copy(&roomWriter{room: s.content.ScratchRoom, file: f}, io.LimitReader(in, max+1))
	if err != nil {
		return err
	}
	if u.size > max {
		return wiki.Problemf(wiki.ErrTooLarge, "file", "This repository is too large. The limit is %d MB.", max>>20)
	}
	return f.Close()
}

// An ImportStep is the progress of an import.
type ImportStep struct {
	What        string // "Checking every object"
	Done, Total int    // 0 if unknown
}

// An ImportResult is the result of an import.
type ImportResult struct {
	Commits, Objects int
	Pages            int
	Head             string
	Left             []string // branches and tags that were left out
	Renamed          []string // "old -> new": names that clashed, or had no address
	HasHome          bool     // there is a page to show at /
}

// Import makes an uploaded repository the history of a wiki that has only its
// seed pages, and keeps every object. *gitrepo.Refused lists the reasons why it
// can't be imported. A failed import changes nothing. trusted accepts the commits'
// authors as they are; only the operator can set it. progress may be nil. One
// import runs at a time.
func (s *Service) Import(ctx context.Context, a wiki.Access, u *Upload, trusted bool, progress func(ImportStep)) (ImportResult, error) {
	w, release, err := s.openImport(ctx, a)
	if err != nil {
		return ImportResult{}, err
	}
	defer release()
	if progress == nil {
		progress = func(ImportStep) {}
	}
	if trusted && !a.Caller().Operator {
		return ImportResult{}, wiki.Problemf(wiki.ErrDenied, "", "Only the operator can mark the authors of an import as trusted.")
	}
	ctx, cancel := s.mirror.Context(ctx)
	defer cancel()
	done, ok := s.imports.TryAcquire(w.Slug())
	if !ok {
		progress(ImportStep{What: "Waiting for another import to finish"})
		if done, err = s.imports.Acquire(ctx, w.Slug()); err != nil {
			return ImportResult{}, err
		}
	}
	defer done()
	i := importRun{s: s, w: w, a: a, u: u, trusted: trusted, progress: progress}
	if err := i.run(ctx); err != nil {
		return ImportResult{}, fmt.Errorf("pages: import into %s: %w", w.Slug(), err)
	}
	return i.result, nil
}

// An importRun is one import in progress.
type importRun struct {
	s        *Service
	w        *content.Wiki
	a        wiki.Access
	u        *Upload
	trusted  bool
	progress func(ImportStep)
	result   ImportResult
}

func (i *importRun) run(ctx context.Context) error {
	if err := requireOnlySeeds(ctx, i.w); err != nil {
		return err
	}
	i.progress(ImportStep{What: "Checking every object"})
	received, err := i.receive(ctx)
	if err != nil {
		return err
	}
	i.progress(ImportStep{What: "Reading the history"})
	plan, err := i.plan(ctx, received)
	if err != nil {
		return err
	}
	var rest bytes.Buffer
	n, err := received.PackMissing(ctx, plan.Objects(), &rest)
	if err != nil {
		return err
	}
	if l := i.a.Site().Limits; int64(rest.Len())+plan.Bytes() > l.HistoryBytes {
		return &gitrepo.Refused{Reasons: []string{fmt.Sprintf("The repository has %d MB with its history. The limit of this wiki is %d MB.", (int64(rest.Len())+plan.Bytes())>>20, l.HistoryBytes>>20)}}
	}
	err = i.w.Import(ctx, plan, content.ImportData{
		Blobs: received.Objects, Rest: rest.Bytes(),
		Progress: func(done, total int) { i.progress(ImportStep{"Writing", done, total}) },
	})
	if err != nil {
		return err
	}
	stats, err := i.w.Stats(ctx)
	if err != nil {
		return err
	}
	i.s.changed(i.a, stats.Files)
	d, err := i.s.directory(ctx, i.w)
	if err != nil {
		return err
	}
	_, hasHome := d.page(d.home(i.a.Site()))
	_, head := i.w.Head()
	i.result = ImportResult{
		Commits: plan.Commits(), Objects: len(plan.Objects()) + n, Pages: stats.Pages, Head: head,
		Left: received.Omitted, Renamed: plan.Renamed(), HasHome: hasHome,
	}
	return nil
}

// receive unpacks the upload into a repository of its own and verifies it.
func (i *importRun) receive(ctx context.Context) (*gitrepo.Received, error) {
	f, err := os.Open(i.u.path("upload"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	git, max := i.s.mirror.Git(), 2*i.a.Site().Limits.HistoryBytes
	if room, err := i.s.content.ScratchRoom(); err != nil || room < min(max, 3*i.u.size) {
		return nil, cmp.Or(err, errNoRoom())
	}
	archive, err := zip.NewReader(f, i.u.size)
	if err != nil { // not a zip
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
		return git.Receive(ctx, i.u.path("received.git"), f, max)
	}
	if err := i.unzip(archive, max); err != nil {
		return nil, err
	}
	bundle, err := os.Create(i.u.path("bundle"))
	if err != nil {
		return nil, err
	}
	defer bundle.Close()
	if err := git.Bundle(ctx, i.u.path("unzipped"), i.u.dir, bundle); err != nil {
		return nil, err
	}
	if _, err := bundle.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return git.Receive(ctx, i.u.path("received.git"), bundle, max)
}

// unzip extracts a zip, which can be far larger than the upload, as long as the
// disk has room. Half of the room is for the repository made from it.
func (i *importRun) unzip(archive *zip.Reader, max int64) error {
	room, err := i.s.content.ScratchRoom()
	if err != nil {
		return err
	}
	err = gitrepo.Unzip(archive, i.u.path("unzipped"), min(max, room/2))
	if err != nil && room/2 < max && errors.Is(err, gitrepo.ErrUnzippedSize) {
		return errNoRoom()
	}
	return err
}

func (i *importRun) plan(ctx context.Context, r *gitrepo.Received) (*content.Import, error) {
	commits, err := r.Mainline(ctx)
	if err != nil {
		return nil, err
	}
	// Commits made by this software record moves.
	var here, elsewhere []gitrepo.RawCommit
	for _, c := range commits {
		if content.MadeHere(c) {
			here = append(here, c)
		} else {
			elsewhere = append(elsewhere, c)
		}
	}
	diffs, err := r.Diffs(ctx, here, false)
	if err != nil {
		return nil, err
	}
	others, err := r.Diffs(ctx, elsewhere, true)
	if err != nil {
		return nil, err
	}
	all := make(map[string][]gitrepo.Diff, len(diffs)+len(others))
	var blobs []string
	seen := map[string]bool{}
	for _, some := range []map[string][]gitrepo.Diff{diffs, others} {
		for id, list := range some {
			all[id] = list
			for _, d := range list {
				if d.New != "" && d.NewMode != gitrepo.ModeGitlink && !seen[d.New] {
					seen[d.New] = true
					blobs = append(blobs, d.New)
				}
			}
		}
	}
	sizes, packed, err := r.Sizes(ctx, blobs)
	if err != nil {
		return nil, err
	}
	return content.PlanImport(content.ImportSource{
		Commits: commits, Diffs: all, Sizes: sizes, Packed: packed, Tags: r.Tags, Author: i.a.Caller(), Limits: i.a.Site().Limits, Trusted: i.trusted,
	})
}
