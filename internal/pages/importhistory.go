package pages

import (
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"unicode/utf8"

	"robot.wtf/internal/content"
	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/incoming"
	"robot.wtf/internal/wiki"
)

var errNoGit = wiki.Problemf(wiki.ErrStorage, "", "Repositories can't be imported: git isn't installed on this server. A zip of the files can.")

// runHistory makes a repository the wiki's history.
func (i *importRun) runHistory(ctx context.Context) error {
	if err := i.requireReplaceable(ctx); err != nil {
		return err
	}
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
	if l := i.limits(); int64(rest.Len())+plan.Bytes() > l.HistoryBytes {
		return &gitrepo.Refused{Reasons: []string{fmt.Sprintf("The repository has %d MB with its history. The limit of this wiki is %d MB.", (int64(rest.Len())+plan.Bytes())>>20, l.HistoryBytes>>20)}}
	}
	moved := ""
	if i.request.Moved {
		moved = received.Head
	}
	err = i.w.Import(ctx, plan, content.ImportData{
		Blobs: received.Objects, Rest: rest.Bytes(), Moved: moved,
		Progress: func(done, total int) { i.progress(ImportStep{What: "Writing", Done: done, Total: total}) },
	})
	if err != nil {
		return err
	}
	stats, err := i.w.Stats(ctx)
	if err != nil {
		return err
	}
	i.s.changed(i.a, stats.Files)
	hasHome, err := i.hasHome(ctx)
	if err != nil {
		return err
	}
	_, head := i.w.Head()
	i.result = ImportResult{
		History: true, Commits: plan.Commits(), Objects: len(plan.Objects()) + n, Pages: stats.Pages, Head: head,
		Left: received.Omitted, HasHome: hasHome,
	}
	for _, r := range plan.Renamed() {
		i.result.Renamed = append(i.result.Renamed, r.String())
	}
	return nil
}

// examineHistory previews the import of a history.
func (i *importRun) examineHistory(ctx context.Context) (*ImportPreview, error) {
	received, err := i.receive(ctx)
	if err != nil {
		return nil, err
	}
	i.progress(ImportStep{What: "Reading the history"})
	plan, err := i.plan(ctx, received)
	if err != nil {
		return nil, err
	}
	before, err := i.w.Stats(ctx)
	if err != nil {
		return nil, err
	}
	counted := plan.Stats()
	v := &ImportPreview{
		Kind: "a git repository", History: true, Commits: plan.Commits(), Pages: counted.Pages, Files: counted.Files - counted.Pages,
		Name: i.u.Name, Size: i.u.Size, After: counted, Limits: i.a.Site().Limits, Seeds: before.Files, Branches: received.Omitted,
	}
	i.describeVersions(v)
	for _, r := range plan.Renamed() {
		v.rename(r.From, r.To, "the wiki can't have that name, or another file has it")
	}
	return v, i.lookHistory(ctx, v)
}

// limits are those of the wiki. A move keeps every file that the history limit has room
// for: the operator vouches for the source.
func (i *importRun) limits() wiki.Limits {
	l := i.a.Site().Limits
	if i.request.Moved {
		l.Pages, l.Files, l.CurrentBytes, l.PageBytes, l.AttachmentBytes = math.MaxInt, math.MaxInt, math.MaxInt64, math.MaxInt64, math.MaxInt64
	}
	return l
}

// receive unpacks the upload into a repository of its own and verifies it, once.
// Limits that its files exceed are found before the repository is verified, which can
// take minutes.
func (i *importRun) receive(ctx context.Context) (*gitrepo.Received, error) {
	i.history = true
	received, err := i.unpackOnce(ctx)
	if err != nil {
		return nil, err
	}
	files, err := received.HeadFiles(ctx)
	if err != nil {
		return nil, err
	}
	if reasons := exceeded(files, i.limits()); len(reasons) > 0 {
		return nil, i.refuseHistory(reasons)
	}
	if err := i.checkOldFiles(ctx, received); err != nil {
		return nil, err
	}
	return received, i.verifyOnce(ctx)
}

// checkOldFiles refuses a history with a file that was too large in an older commit,
// before the repository is verified. It looks for its commit only if there is any object
// of that size; it can also be in a branch that was merged without it. Only Verify
// judges a repository that can't be read.
func (i *importRun) checkOldFiles(ctx context.Context, received *gitrepo.Received) error {
	if larger, err := received.HasLarger(ctx, i.limits().AttachmentBytes); err != nil || !larger {
		return ctx.Err()
	}
	_, err := i.plan(ctx, received)
	if errors.As(err, new(*gitrepo.Refused)) {
		return err
	}
	return ctx.Err()
}

// refuseHistory refuses a repository that exceeds limits, and says what its owner can
// do.
func (i *importRun) refuseHistory(reasons []string) error {
	return &gitrepo.Refused{Reasons: append(reasons, "Remove files in a new commit, import only its newest files into a folder, where you can leave some out, ask the operator for higher limits, or run “robot home” yourself, where “robot admin quota” sets them.")}
}

// checkGlance refuses a repository that becomes the wiki's history if a glance at it
// shows that it exceeds a limit. Unpacking and verifying it can take minutes.
func (i *importRun) checkGlance(g gitrepo.Glance) error {
	l := i.limits()
	reasons := exceeded(g.Files, l)
	if g.Commits > content.MaxImportCommits {
		reasons = append(reasons, fmt.Sprintf("The history has more than %d commits, which is the limit.", content.MaxImportCommits))
	}
	if g.Linear && g.Largest.Size > l.AttachmentBytes && len(reasons) == 0 {
		reasons = append(reasons, fmt.Sprintf("The history has a file of %s%s; a file can be at most %s, also in older versions. Remove it from the history, such as with git filter-repo.", formatBytes(g.Largest.Size), inParentheses(g.Largest.Path), formatBytes(l.AttachmentBytes)))
	}
	if len(reasons) > 0 {
		return i.refuseHistory(reasons)
	}
	return nil
}

func inParentheses(name string) string {
	if name == "" {
		return ""
	}
	return " (" + wiki.VisibleName(name) + ")"
}

// exceeded lists the limits that the files of a commit exceed.
func exceeded(files []gitrepo.TreeFile, l wiki.Limits) (reasons []string) {
	pages, bytes := 0, int64(0)
	for _, f := range files {
		limit, what := l.AttachmentBytes, "file"
		if to, _ := wiki.ReachablePath(f.Path); isText(to) && f.IsRegular() {
			limit, what = l.PageBytes, "page"
			pages++
		}
		bytes += f.Size
		if f.Size > limit && len(reasons) < maxReasons {
			reasons = append(reasons, fmt.Sprintf("%s is %s; a %s can be at most %s", f.Path, formatBytes(f.Size), what, formatBytes(limit)))
		}
	}
	if pages > l.Pages {
		reasons = append(reasons, fmt.Sprintf("The repository has %d pages; this wiki can have at most %d.", pages, l.Pages))
	}
	if len(files) > l.Files {
		reasons = append(reasons, fmt.Sprintf("The repository has %d files; this wiki can have at most %d pages and files.", len(files), l.Files))
	}
	if bytes > l.CurrentBytes {
		reasons = append(reasons, fmt.Sprintf("The files are %s together; in this wiki they can be at most %s.", formatBytes(bytes), formatBytes(l.CurrentBytes)))
	}
	return reasons
}

// maxReasons bounds a list of reasons.
const maxReasons = 50

// unpackOnce unpacks the upload's repository, unless that is done.
func (i *importRun) unpackOnce(ctx context.Context) (*gitrepo.Received, error) {
	if i.s.mirror == nil {
		return nil, errNoGit
	}
	if i.u.received == nil {
		i.progress(ImportStep{What: "Unpacking the repository"})
		received, err := i.unpack(ctx)
		if err != nil {
			return nil, err
		}
		i.u.received = received
	}
	return i.u.received, nil
}

// verifyOnce verifies the unpacked repository, unless that is done.
func (i *importRun) verifyOnce(ctx context.Context) error {
	if i.u.verified {
		return nil
	}
	i.progress(ImportStep{What: "Checking every object"})
	err := i.u.received.Verify(ctx)
	i.u.verified = err == nil
	return err
}

func (i *importRun) unpack(ctx context.Context) (*gitrepo.Received, error) {
	f, err := os.Open(i.u.path("upload"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	git, max := i.s.mirror.Git(), 2*i.a.Site().Limits.HistoryBytes
	if room, err := i.s.content.ScratchRoom(); err != nil || room < min(max, 3*i.u.Size) {
		return nil, cmp.Or(err, errNoRoom())
	}
	archive, err := incoming.ReadDirectory(f, i.u.Size)
	if errors.As(err, new(*wiki.Problem)) {
		return nil, err
	}
	if err != nil { // not a zip
		glance, err := gitrepo.GlanceAtBundle(f)
		if err == nil && i.history {
			err = i.checkGlance(glance)
		}
		if err != nil {
			return nil, err
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
		if i.u.shallow {
			return git.UnpackNewest(ctx, i.u.path("received.git"), f, max)
		}
		return git.Unpack(ctx, i.u.path("received.git"), f, max)
	}
	if err := i.unzip(archive, max); err != nil {
		return nil, err
	}
	if i.history {
		glance, err := gitrepo.GlanceAtDirectory(i.u.path("unzipped"))
		if err == nil {
			err = i.checkGlance(glance)
		}
		if err != nil {
			return nil, err
		}
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
	return git.Unpack(ctx, i.u.path("received.git"), bundle, max)
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
		Commits: commits, Diffs: all, Sizes: sizes, Packed: packed, Tags: r.Tags, Author: i.a.Caller(), Limits: i.limits(), Origin: i.origin(), Trusted: i.request.Trusted, Authors: i.request.Authors,
	})
}

// A repositorySource takes the files of a repository's newest commit, without its
// history. It implements incoming.Source.
type repositorySource struct {
	run    *importRun
	reader *gitrepo.ObjectReader // nil until the first read
}

// List lists the files that a wiki can show.
func (r *repositorySource) List(ctx context.Context) (*incoming.Listing, error) {
	files, err := r.files(ctx)
	if err != nil {
		return nil, err
	}
	l := &incoming.Listing{Kind: "a git repository"}
	for _, f := range files {
		switch {
		case !utf8.ValidString(f.Path):
			l.Leave(f.Path, 1, "its name isn't UTF-8")
		case f.Mode == gitrepo.ModeGitlink:
			l.Leave(f.Path, 1, "it is a submodule")
		case !f.IsRegular():
			l.Leave(f.Path, 1, "it is a symbolic link")
		case wiki.Hidden(f.Path):
			l.Leave(f.Path, 1, "its name begins with a dot")
		default:
			l.Files = append(l.Files, incoming.File{Path: f.Path, From: f.Path, Size: f.Size, Blob: f.ID})
		}
	}
	l.Settle()
	return l, nil
}

// files lists the files of the newest commit. If a glance at a bundle shows them, it is
// unpacked only when its files are read, so that limits are found before.
func (r *repositorySource) files(ctx context.Context) ([]gitrepo.TreeFile, error) {
	if r.run.u.received == nil {
		f, err := os.Open(r.run.u.path("upload"))
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if glance, err := gitrepo.GlanceAtBundle(f); err == nil && glance.Complete {
			return glance.Files, nil
		}
	}
	received, err := r.run.unpackOnce(ctx)
	if err != nil {
		return nil, err
	}
	return received.HeadFiles(ctx)
}

// Read returns a file's content.
func (r *repositorySource) Read(ctx context.Context, f incoming.File) ([]byte, error) {
	if r.reader == nil {
		received, err := r.run.unpackOnce(ctx)
		if err == nil {
			err = r.run.verifyOnce(ctx)
		}
		if err != nil {
			return nil, err
		}
		r.reader = received.Reader(ctx)
	}
	return r.reader.Read(f.Blob)
}

// Close ends reading.
func (r *repositorySource) Close() error {
	if r.reader == nil {
		return nil
	}
	return r.reader.Close()
}
