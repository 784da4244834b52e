package pages

import (
	"archive/zip"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"robot.wtf/internal/background"
	"robot.wtf/internal/content"
	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/incoming"
	"robot.wtf/internal/wiki"
)

// An Upload is a file to import: a zip of Markdown, a git bundle, or a zip of a
// repository. It must be closed.
type Upload struct {
	Name     string // of the file on the sender's machine, or of the repository, or ""
	Size     int64
	dir      string            // holds the file and its extracted content
	receipt  *receipt          // nil once closed
	received *gitrepo.Received // the upload's repository, once it is unpacked
	verified bool
	shallow  bool              // a bundle of a commit without its history
	versions *incoming.Listing // of an export that became the repository
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

// Pause says that the upload waits for its owner's decision. If another wiki needs
// its place, expire is called, which must not block and should lead to Close.
func (u *Upload) Pause(expire func()) { u.receipt.pause(expire) }

// Resume says that the upload is at work again. It reports false if the upload has
// to make room, and will be closed.
func (u *Upload) Resume() bool { return u.receipt.resume() }

func (u *Upload) path(name string) string { return filepath.Join(u.dir, name) }

// Receive stores an upload for Import: a zip of Markdown, a git bundle, or a zip of a
// repository. It doesn't examine it. It reads nothing if the wiki has an upload
// already, or if there are as many uploads or as little room as the service
// allows. A slow upload makes room for another wiki that waits (see yieldRate). To do
// so while a read of in is blocked, Receive calls interrupt, which makes that read
// return and can be nil.
func (s *Service) Receive(ctx context.Context, a wiki.Access, in io.Reader, interrupt func()) (*Upload, error) {
	w, release, err := s.open(ctx, a, wiki.Configure)
	if err != nil {
		return nil, err
	}
	defer release()
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

// ReceiveFolder is Receive for the files of a folder, which next returns one by one
// with their paths, and then io.EOF. It stores them as a zip.
func (s *Service) ReceiveFolder(ctx context.Context, a wiki.Access, next func() (path string, content io.Reader, err error), interrupt func()) (*Upload, error) {
	folder := ""
	u, err := s.receiveWritten(ctx, a, func(out io.Writer) (err error) {
		folder, err = zipFolder(out, next)
		return err
	}, interrupt)
	if err != nil {
		return nil, err
	}
	u.Name = folder
	return u, nil
}

// receiveWritten is Receive for a file that write writes, from when the wiki has its
// place. If that fails or has to make room, interrupt makes write return.
func (s *Service) receiveWritten(ctx context.Context, a wiki.Access, write func(out io.Writer) error, interrupt func()) (*Upload, error) {
	in, out := io.Pipe()
	var writing *background.Call[error] // nil until Receive reads
	u, err := s.Receive(ctx, a, readerFunc(func(buf []byte) (int, error) {
		if writing == nil {
			writing = background.Start(func() (err error) {
				defer func() { out.CloseWithError(err) }()
				return write(out)
			})
		}
		return in.Read(buf)
	}), interrupt)
	in.CloseWithError(errUploadEnded)
	if u == nil && interrupt != nil {
		interrupt()
	}
	var failed error
	if writing != nil {
		failed = writing.Wait()
	}
	switch {
	case u == nil:
		return nil, err
	case failed != nil:
		return nil, errors.Join(failed, u.Close())
	}
	return u, nil
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(buf []byte) (int, error) { return f(buf) }

var errUploadEnded = errors.New("pages: the upload has ended")

// zipFolder writes files to a zip, and returns the name of the folder that they are
// in.
func zipFolder(out io.Writer, next func() (string, io.Reader, error)) (folder string, err error) {
	z := zip.NewWriter(out)
	for n := 0; ; n++ {
		name, content, err := next()
		if errors.Is(err, io.EOF) {
			return folder, z.Close()
		}
		if err != nil {
			return "", err
		}
		if n >= incoming.MaxEntries {
			return "", wiki.Problemf(wiki.ErrTooLarge, "file", "This folder has more than %d files. Import a part of it.", incoming.MaxEntries)
		}
		if n == 0 {
			folder, _, _ = strings.Cut(name, "/")
		}
		file, err := z.CreateHeader(&zip.FileHeader{Name: strings.ToValidUTF8(name, "_"), Method: zip.Store})
		if err != nil {
			return "", err
		}
		if _, err := io.Copy(file, content); err != nil {
			return "", err
		}
	}
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

// IsFresh reports whether the wiki has only its seed pages. A repository can then
// become its history, and imported pages replace them.
func (s *Service) IsFresh(ctx context.Context, a wiki.Access) (bool, error) {
	w, release, err := s.open(ctx, a, wiki.Configure)
	if err != nil {
		return false, err
	}
	defer release()
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

// requireReplaceable refuses a history for a wiki that somebody has written in.
func (i *importRun) requireReplaceable(ctx context.Context) error {
	check := i.w.HasOnlySeeds
	if i.request.Moved {
		check = i.w.IsReplaceable
	}
	ok, err := check(ctx)
	if err == nil && !ok {
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
	u.Size, err = io.Copy(&roomWriter{room: s.content.ScratchRoom, file: f}, io.LimitReader(in, max+1))
	if err != nil {
		return err
	}
	if u.Size > max {
		return wiki.Problemf(wiki.ErrTooLarge, "file", "This repository is too large. The limit is %d MB.", max>>20)
	}
	return f.Close()
}

// An ImportStep is the progress of an import.
type ImportStep struct {
	What        string // "Checking every object"
	Done, Total int    // 0 if unknown
	Note        string // "1.2 MB", if the total is unknown
}

// An ImportResult is the result of an import.
type ImportResult struct {
	History          bool // a repository became the wiki's history
	Commits, Objects int
	Pages, Files     int // written; of a repository, all pages
	Head             string
	Left             []string // branches and tags that were left out
	Renamed          []string // "old -> new": names that clashed, or had no address
	HasHome          bool     // there is a page to show at /
}

// Examine says what Import would do with an upload. Limits that it would exceed are
// found before anything is read that takes time, and listed as Problems. Errors are
// those of Import.
func (s *Service) Examine(ctx context.Context, a wiki.Access, u *Upload, r ImportRequest, progress func(ImportStep)) (*ImportPreview, error) {
	var preview *ImportPreview
	err := s.withImport(ctx, a, u, r, progress, func(ctx context.Context, i *importRun) (err error) {
		preview, err = i.examine(ctx)
		return err
	})
	return preview, err
}

// Import imports an upload. A zip of Markdown becomes one commit. A repository
// becomes the history of a wiki that has only its seed pages, and keeps every object.
// *gitrepo.Refused lists the reasons why it can't be imported. A failed import
// changes nothing. progress may be nil. One import runs at a time.
func (s *Service) Import(ctx context.Context, a wiki.Access, u *Upload, r ImportRequest, progress func(ImportStep)) (ImportResult, error) {
	var result ImportResult
	err := s.withImport(ctx, a, u, r, progress, func(ctx context.Context, i *importRun) error {
		done, err := i.wait(ctx)
		if err != nil {
			return err
		}
		defer done()
		err = i.run(ctx)
		result = i.result
		return err
	})
	return result, err
}

// maxImportTime bounds an import, and the look at it before.
const maxImportTime = 15 * time.Minute

// withImport calls f with an import that ends with the service, or when its time is
// up.
func (s *Service) withImport(ctx context.Context, a wiki.Access, u *Upload, r ImportRequest, progress func(ImportStep), f func(context.Context, *importRun) error) error {
	w, release, err := s.open(ctx, a, wiki.Configure)
	if err != nil {
		return err
	}
	defer release()
	if progress == nil {
		progress = func(ImportStep) {}
	}
	if r.Trusted && !a.Caller().Operator {
		return wiki.Problemf(wiki.ErrDenied, "", "Only the operator can mark the authors of an import as trusted.")
	}
	if (r.Moved || r.Authors != nil) && !a.Caller().Operator {
		return wiki.Problemf(wiki.ErrDenied, "", "Only the operator can move a wiki here from another service.")
	}
	if s.mirror != nil {
		var cancel context.CancelFunc
		ctx, cancel = s.mirror.Context(ctx)
		defer cancel()
	}
	timed, cancel := context.WithTimeout(ctx, maxImportTime)
	defer cancel()
	err = f(timed, &importRun{s: s, w: w, a: a, u: u, request: r, progress: progress})
	if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		err = errImportTime
	}
	if err != nil {
		return fmt.Errorf("pages: import into %s: %w", w.Slug(), err)
	}
	return nil
}

var errImportTime = wiki.Problemf(wiki.ErrTooLarge, "file", "Nothing was imported: it took too long. Leave out a part, such as old branches or large files, and try again, or ask the operator to import it.")

// An importRun is one import in progress.
type importRun struct {
	s        *Service
	w        *content.Wiki
	a        wiki.Access
	u        *Upload
	request  ImportRequest
	progress func(ImportStep)
	history  bool // a repository becomes the wiki's history
	result   ImportResult
}

// wait waits until no other import runs.
func (i *importRun) wait(ctx context.Context) (done func(), err error) {
	done, ok := i.s.imports.TryAcquire(i.w.Slug())
	if !ok {
		i.progress(ImportStep{What: "Waiting for another import to finish"})
		return i.s.imports.Acquire(ctx, i.w.Slug())
	}
	return done, nil
}

func (i *importRun) count(what string) func(done, total int) {
	return func(done, total int) {
		if done%20 == 0 {
			i.progress(ImportStep{What: what, Done: done, Total: total})
		}
	}
}

// openSource opens the upload as a source of files; nil if it is a repository that
// becomes the wiki's history, or an export whose versions do.
func (i *importRun) openSource(ctx context.Context) (incoming.Source, error) {
	if i.request.Versions && i.u.versions != nil {
		return nil, nil
	}
	source, err := i.openUpload(ctx)
	if u, ok := source.(*uploaded); ok && err == nil && i.request.Versions {
		if history, ok := u.Source.(incoming.HistorySource); ok {
			err := i.receiveVersions(ctx, history)
			return nil, errors.Join(err, u.Close())
		}
	}
	return source, err
}

func (i *importRun) openUpload(ctx context.Context) (incoming.Source, error) {
	f, err := os.Open(i.u.path("upload"))
	if err != nil {
		return nil, err
	}
	archive, err := incoming.ReadDirectory(f, i.u.Size)
	if err != nil && !errors.As(err, new(*wiki.Problem)) { // no zip
		if source, err := i.openExport(f); err == nil || !errors.Is(err, incoming.ErrNotExport) {
			return source, err
		}
	}
	account := false
	if err == nil {
		account, err = i.u.unpackAccount(archive, i.w.Slug())
	}
	switch {
	case errors.As(err, new(*wiki.Problem)), account && err != nil:
		return nil, errors.Join(err, f.Close())
	case err != nil, account, !i.request.AsFolder && gitrepo.IsRepository(archive): // no zip, or one of a repository
		if err := f.Close(); err != nil {
			return nil, err
		}
		return i.openRepository(ctx)
	}
	z, err := i.openZip(archive)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &uploaded{z, f}, nil
}

// openZip opens a zip of an export with its pictures, or of Markdown.
func (i *importRun) openZip(archive *zip.Reader) (incoming.Source, error) {
	options, err := i.sourceOptions()
	if err != nil {
		return nil, err
	}
	export, err := incoming.OpenExportZip(archive, options)
	if !errors.Is(err, incoming.ErrNotExport) {
		return export, err
	}
	return incoming.OpenZip(archive, options)
}

// openExport opens an export of MediaWiki. It fails with incoming.ErrNotExport if the
// file isn't one.
func (i *importRun) openExport(f *os.File) (incoming.Source, error) {
	options, err := i.sourceOptions()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	export, err := incoming.OpenExport(f, i.u.Size, options)
	if errors.Is(err, incoming.ErrNotExport) {
		return nil, err
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &uploaded{export, f}, nil
}

// sourceOptions returns the bounds of a source, and makes the directory that it unpacks
// files into.
func (i *importRun) sourceOptions() (incoming.Options, error) {
	dir := i.u.path("parts")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return incoming.Options{}, err
	}
	room, err := i.s.content.ScratchRoom()
	limits := i.a.Site().Limits
	o := incoming.Options{Dir: dir, Versions: i.request.Versions, Max: limits.HistoryBytes, Pages: limits.Pages, Bytes: limits.CurrentBytes}
	if room < o.Max {
		o.Max, o.Full = room, errNoRoom()
	}
	return o, err
}

// openRepository opens a repository as a source of files; nil if it becomes the
// wiki's history, as it does in a new wiki.
func (i *importRun) openRepository(ctx context.Context) (incoming.Source, error) {
	onlySeeds, err := i.w.HasOnlySeeds(ctx)
	if err != nil || i.request.Moved || onlySeeds && i.request.keepsHistory() && !i.u.shallow {
		return nil, err
	}
	if i.s.mirror == nil {
		return nil, errNoGit
	}
	return &repositorySource{run: i}, nil
}

// An uploaded source closes its file.
type uploaded struct {
	incoming.Source
	file *os.File
}

func (u *uploaded) Close() error { return errors.Join(u.Source.Close(), u.file.Close()) }

// examine previews the import.
func (i *importRun) examine(ctx context.Context) (preview *ImportPreview, err error) {
	i.progress(ImportStep{What: "Reading file names"})
	source, err := i.openSource(ctx)
	if err != nil {
		return nil, err
	}
	if source == nil {
		return i.examineHistory(ctx)
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	p, err := i.planFiles(ctx, source)
	if err != nil {
		return nil, err
	}
	if len(p.preview.Problems) == 0 {
		err = p.look(ctx)
	}
	return p.preview, err
}

func (i *importRun) run(ctx context.Context) (err error) {
	source, err := i.openSource(ctx)
	if err != nil {
		return err
	}
	if source == nil {
		return i.runHistory(ctx)
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	return i.runFiles(ctx, source)
}

// runFiles imports files in one commit.
func (i *importRun) runFiles(ctx context.Context, source incoming.Source) error {
	i.progress(ImportStep{What: "Reading file names"})
	p, err := i.planFiles(ctx, source)
	if err != nil {
		return err
	}
	if len(p.preview.Problems) > 0 {
		return &gitrepo.Refused{Reasons: p.preview.Problems}
	}
	edits, err := p.edits(ctx, i.count("Reading the files"))
	if err != nil {
		return err
	}
	if len(edits) == 0 {
		return wiki.Problemf(wiki.ErrInvalid, "file", "Nothing was imported: the wiki already has all of it, or keeps its own pages where names clash.")
	}
	i.progress(ImportStep{What: "Writing the pages"})
	author, from := i.a.Caller(), i.origin()
	author.Agent, author.Grant, author.Client = "", "", wiki.ImportClient
	saved, err := i.s.commit(ctx, i.w, i.a, Write{}, content.Request{
		Author: author, Edits: edits, Import: &from,
		Message: commitMessage("", "Import %s%s", plural(p.preview.Pages, "page"), fromFile(i.u.Name)),
	})
	if err != nil {
		return changedMeanwhile(err)
	}
	i.result = ImportResult{Commits: 1, Pages: p.preview.Pages, Files: p.preview.Files, Head: saved.Commit}
	for _, r := range p.preview.Renamed {
		i.result.Renamed = append(i.result.Renamed, r.From+" -> "+r.To)
	}
	i.result.HasHome, err = i.hasHome(ctx)
	return err
}

// hasHome reports whether the wiki has a page to show at /.
func (i *importRun) hasHome(ctx context.Context) (bool, error) {
	d, err := i.s.directory(ctx, i.w, i.a)
	if err != nil {
		return false, err
	}
	_, found := d.page(d.home(i.a.Site()))
	return found, nil
}

// changedMeanwhile explains why a planned commit doesn't fit the wiki any more.
func changedMeanwhile(err error) error {
	if errors.Is(err, wiki.ErrPrecondition) || errors.Is(err, wiki.ErrConflict) {
		return wiki.Problemf(wiki.ErrPrecondition, "file", "Nothing was imported: somebody changed a page that this import would replace. Import again to see a new preview.")
	}
	return err
}

func fromFile(name string) string {
	if name == "" {
		return ""
	}
	return " from " + name
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
