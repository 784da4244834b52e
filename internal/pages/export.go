package pages

import (
	"archive/zip"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/flate"

	"robot.wtf/internal/budget"
	"robot.wtf/internal/content"
	"robot.wtf/internal/site"
	"robot.wtf/internal/wiki"
)

// An ExportFormat is a form in which a whole wiki can be taken elsewhere.
type ExportFormat string

// The formats. Hidden files are only in a bundle, as in a clone; drafts, members and
// settings are in none.
const (
	ExportBundle   ExportFormat = "bundle"   // a git bundle with the whole history
	ExportMarkdown ExportFormat = "markdown" // a zip of the current files
	ExportSite     ExportFormat = "site"     // a zip of a static website
)

// exportFormats are the formats with the endings of their files.
var exportFormats = map[ExportFormat]string{ExportBundle: ".bundle", ExportMarkdown: "-markdown.zip", ExportSite: "-site.zip"}

// ParseExportFormat parses the name of a format.
func ParseExportFormat(name string) (ExportFormat, error) {
	f := ExportFormat(name)
	if _, ok := exportFormats[f]; !ok {
		return "", wiki.Problemf(wiki.ErrNotFound, "format", "There's no export format %q. The formats are bundle, markdown and site.", name)
	}
	return f, nil
}

// FileName returns the name of the file of a wiki's export.
func (f ExportFormat) FileName(slug string) string { return slug + exportFormats[f] }

// MIME returns the media type of the format.
func (f ExportFormat) MIME() string {
	if f == ExportBundle {
		return "application/x-git-bundle"
	}
	return "application/zip"
}

// An ExportRequest asks for an export. Only sites use more than the format.
type ExportRequest struct {
	Format ExportFormat
	Origin string                      // of the wiki's host
	Byline func(a wiki.Author) string  // names an author
	Assets func() (site.Assets, error) // the service's files that sites have copies of
}

// SiteAssets are the service's files that sites have copies of.
type SiteAssets = site.Assets

// Bounds of exports. Making one keeps a processor busy, sending one takes disk space.
const (
	// maxExports is how many exports are made at a time. A wiki has one. Together they
	// use one processor.
	maxExports = 3
	// maxDownloads is how many exports members receive at a time, and as many
	// strangers; maxWikiDownloads is the share of one wiki.
	maxDownloads, maxWikiDownloads = 12, 3
	// maxExportWait is how long an export waits for others.
	maxExportWait = 20 * time.Second
	// maxExportTime is how long making an export may take.
	maxExportTime = 20 * time.Minute
	// maxExportBytes is the largest export.
	maxExportBytes = 4 << 30
)

// exportSlots are the bounds of all exports, by wiki.
type exportSlots struct {
	making           *budget.Slots
	processor        *budget.Slots // to make an export, for 20 ms at a time
	members, readers *budget.Slots // downloads
	time             time.Duration // to make one
}

func newExportSlots() exportSlots {
	return exportSlots{
		making: budget.NewSlots(maxExports, 1), processor: budget.NewSlots(1, 1),
		members: budget.NewSlots(maxDownloads, maxWikiDownloads), readers: budget.NewSlots(maxDownloads, maxWikiDownloads),
		time: maxExportTime,
	}
}

// An Export is a wiki being exported. It is made into a file as fast as the wiki's
// share of the machine allows, however slowly it is read. It must be closed.
type Export struct {
	*spool
	stop func() // idempotent
}

// Close ends the export and removes its file. It is idempotent.
func (e *Export) Close() { e.stop() }

// StartExport starts to export a wiki. Reading fails with what went wrong: before the
// first byte, if a wiki can't be exported. ErrUnavailable if others take too long.
func (s *Service) StartExport(ctx context.Context, a wiki.Access, r ExportRequest) (*Export, error) {
	w, closeWiki, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	slots, pause := s.exports.readers, exportSlice
	if a.Role() >= wiki.Viewer || a.Caller().Operator {
		slots, pause = s.exports.members, 0
	}
	leave, err := waitForExport(ctx, slots, w.Slug())
	if err != nil {
		closeWiki()
		return nil, err
	}
	file, err := newSpool(s.content)
	if err != nil {
		leave()
		closeWiki()
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	run := exportRun{s: s, w: w, a: a, pause: pause, out: bufio.NewWriterSize(file, 256<<10), written: file.size}
	making := file.fill(func() error { return run.make(ctx, r) })
	return &Export{spool: file, stop: sync.OnceFunc(func() {
		cancel()
		<-making
		file.close()
		leave()
		closeWiki()
	})}, nil
}

// waitForExport waits for a slot.
func waitForExport(ctx context.Context, slots *budget.Slots, slug string) (release func(), err error) {
	wait, cancel := context.WithTimeout(ctx, maxExportWait)
	defer cancel()
	release, err = slots.Acquire(wait, slug)
	if err != nil && ctx.Err() == nil {
		return nil, wiki.Problemf(wiki.ErrUnavailable, "", "Too many exports of this wiki are running. Wait until they are done, then try again.")
	}
	return release, err
}

// An exportSize is the size of the last export of a wiki in one format.
type exportSize struct {
	bytes int64
	head  string // commit id
}

func (exportSize) weight() uint32 { return 100 }

func exportSizeKey(slug string, f ExportFormat) cacheKey {
	return cacheKey{"exportsize", slug, string(f)}
}

// An ExportSize says how large a download is.
type ExportSize struct {
	Bytes int64 // 0 if it isn't known
	About bool  // the wiki has changed since, or it is an estimate
}

// ExportSizes returns the sizes of a wiki's exports by format: those of the last ones. A
// bundle that wasn't made yet is estimated by the history, which is compressed, too.
func (s *Service) ExportSizes(ctx context.Context, a wiki.Access) (map[ExportFormat]ExportSize, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	stats, err := w.Stats(ctx)
	if err != nil {
		return nil, err
	}
	sizes := map[ExportFormat]ExportSize{ExportBundle: {stats.HistoryBytes, true}}
	_, head := w.Head()
	for f := range exportFormats {
		if c, ok := s.cache.GetIfPresent(exportSizeKey(w.Slug(), f)); ok {
			last := c.(*exportSize)
			sizes[f] = ExportSize{last.bytes, last.head != head}
		}
	}
	return sizes, nil
}

// An exportRun makes one export.
type exportRun struct {
	s   *Service
	w   *content.Wiki
	a   wiki.Access
	out *bufio.Writer

	written func() int64 // bytes so far

	turn, processor *budget.Turn  // of the wiki, and of all exports
	began           time.Time     // of the current slice
	pause           time.Duration // between slices: strangers' exports use half a processor
	zip             *zip.Writer
	folder          string   // of all entries of the zip
	notes           []string // for the person, at the end
}

func (x *exportRun) make(ctx context.Context, r ExportRequest) error {
	release, err := waitForExport(ctx, x.s.exports.making, x.w.Slug())
	if err != nil {
		return err
	}
	defer release()
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, x.s.exports.time)
	defer cancel()
	switch r.Format {
	case ExportMarkdown:
		err = x.archive(ctx, x.markdown)
	case ExportSite:
		// Lists of pages show what the index has, also if it can't catch up.
		_ = x.s.search.CatchUp(ctx, x.w)
		err = x.archive(ctx, func(ctx context.Context) error { return x.site(ctx, r) })
	default:
		err = x.bundle(ctx)
	}
	if err == nil {
		err = x.out.Flush()
	}
	if err == nil {
		_, head := x.w.Head()
		x.s.cache.Set(exportSizeKey(x.w.Slug(), r.Format), &exportSize{x.written(), head})
	}
	if err != nil && ctx.Err() != nil && caller.Err() == nil {
		err = wiki.Problemf(wiki.ErrUnavailable, "", "Making this export took too long, so it was stopped. Clone the wiki instead, or try again later.")
	}
	if err != nil {
		return fmt.Errorf("pages: export %s as %s: %w", x.w.Slug(), r.Format, err)
	}
	return nil
}

// bundle writes what a clone has.
func (x *exportRun) bundle(ctx context.Context) error {
	repo, leave, err := x.s.Repository(ctx, x.a)
	if err != nil {
		return err
	}
	err = repo.WriteBundle(ctx, x.out)
	leave(err != nil && ctx.Err() == nil)
	return err
}

// archive writes a zip. write works in turns with others; it must call check often.
func (x *exportRun) archive(ctx context.Context, write func(ctx context.Context) error) error {
	var err error
	if x.turn, err = x.s.content.Turns().TakeTurn(ctx, x.w.Slug()); err != nil {
		return err
	}
	defer x.turn.End()
	if x.processor, err = x.s.exports.processor.TakeTurn(ctx, x.w.Slug()); err != nil {
		return err
	}
	defer x.processor.End()
	x.began = time.Now()
	x.zip, x.folder = zip.NewWriter(x.out), x.w.Slug()+"/"
	var compressor *flate.Writer // there is one entry at a time
	x.zip.RegisterCompressor(zip.Deflate, func(out io.Writer) (_ io.WriteCloser, err error) {
		if compressor != nil {
			compressor.Reset(out)
			return compressor, nil
		}
		compressor, err = flate.NewWriter(out, 3)
		return compressor, err
	})
	if err := write(ctx); err != nil {
		return err
	}
	return x.zip.Close()
}

// exportSlice is how long an export works before others get their turn.
const exportSlice = 20 * time.Millisecond

// check lets others have the processor, and the wiki's texts, from time to time. While
// the export waits for its wiki's turn, it doesn't hold the processor.
func (x *exportRun) check(ctx context.Context) error {
	if err := ctx.Err(); err != nil || time.Since(x.began) < exportSlice {
		return err
	}
	x.processor.End()
	x.turn.End()
	select {
	case <-time.After(x.pause):
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := x.turn.Check(ctx); err != nil {
		return err
	}
	err := x.processor.Check(ctx)
	x.began = time.Now()
	return err
}

// markdown writes the current files, byte for byte, in a folder named after the
// wiki. Files whose names some systems can't hold are renamed, and links to them too.
func (x *exportRun) markdown(ctx context.Context) error {
	d, err := x.s.directory(ctx, x.w, x.a)
	if err != nil {
		return err
	}
	files, err := x.w.List(ctx, "")
	if err != nil {
		return err
	}
	names, err := x.vaultNames(ctx, d, files)
	if err != nil {
		return err
	}
	for _, f := range files {
		data, err := x.read(ctx, f)
		if err != nil {
			return err
		}
		if data == nil {
			continue
		}
		name, isPage := wiki.PageOf(f.Path)
		if isPage && names.changed {
			links := respelling{before: d.names, now: names.now, self: name, moved: func(file string) string { return names.to[file] }, exact: true}
			links.newSelf, _ = wiki.PageOf(names.to[f.Path])
			data, _ = links.source(data)
		}
		if err := x.add(ctx, names.to[f.Path], f.Modified, data); err != nil {
			return err
		}
	}
	taken := make(map[string]bool, len(names.to))
	for _, to := range names.to {
		taken[wiki.Key(to)] = true
	}
	return x.writeNotes(ctx, func(name string) bool { return taken[wiki.Key(name)] })
}

// read reads a current file; nil if it can't be shown.
func (x *exportRun) read(ctx context.Context, f wiki.File) ([]byte, error) {
	if err := x.check(ctx); err != nil {
		return nil, err
	}
	data, err := x.w.Blob(ctx, f.Blob)
	switch {
	case errors.Is(err, wiki.ErrTakenDown):
		x.notes = append(x.notes, f.Path+" is left out: it can't be shown, for legal reasons.")
		return nil, nil
	case errors.Is(err, wiki.ErrNotFound): // erased from the history since the list was read
		x.notes = append(x.notes, f.Path+" is left out: it was deleted while the export was made.")
		return nil, nil
	case err == nil && data == nil:
		return []byte{}, nil
	}
	return data, err
}

// A nameMap maps the paths of a wiki to those in an export.
type nameMap struct {
	to      map[string]string
	changed bool
	now     *names // those of the export
}

// vaultNames chooses names for the files that every system can hold. To Obsidian, a
// space isn't an underscore, so names are spelled with spaces if links spell them so.
func (x *exportRun) vaultNames(ctx context.Context, d *directory, files []wiki.File) (nameMap, error) {
	links, err := x.w.AllLinks(ctx, wiki.LinkPage, wiki.LinkEmbed, wiki.LinkFile)
	if err != nil && !errors.Is(err, wiki.ErrDamaged) {
		return nameMap{}, err
	}
	spaced := d.spacedNames(links)
	spelled := make([]string, len(files))
	for i, f := range files {
		spelled[i] = spaced.spell(f.Path)
	}
	portable := site.Portable(spelled)
	names := nameMap{to: make(map[string]string, len(files))}
	aliases := map[string][]string{}
	for i, f := range files {
		to := portable[spelled[i]]
		names.to[f.Path] = to
		names.changed = names.changed || to != f.Path
		aliases[to] = d.aliases[f.Path]
		if to != spelled[i] {
			x.notes = append(x.notes, f.Path+" is named "+to+" here, because some systems can't store that name. Links to it were changed.")
		}
	}
	names.now = newNames(slices.Sorted(maps.Values(names.to)), aliases, nil).ordered(d.order)
	return names, nil
}

// spacedNames are the names of pages and folders that a link writes with spaces, by
// the key of their path.
type spacedNames map[string]bool

func (d *directory) spacedNames(links []wiki.Link) spacedNames {
	spaced := spacedNames{}
	for _, l := range links {
		if !strings.Contains(l.Target, " ") {
			continue
		}
		self, _ := wiki.PageOf(l.From + ".md")
		file := d.lead(self, l).file
		if file == "" {
			continue
		}
		at := file
		if name, isPage := wiki.PageOf(file); isPage {
			at = string(name)
		}
		written := strings.TrimSuffix(l.Target, ".md")
		for ; at != "." && written != "."; at, written = path.Dir(at), path.Dir(written) {
			if strings.Contains(path.Base(written), " ") && strings.Contains(path.Base(at), "_") {
				spaced[wiki.Key(at)] = true
			}
		}
	}
	return spaced
}

// spell spells a path with spaces where links do.
func (s spacedNames) spell(p string) string {
	if len(s) == 0 {
		return p
	}
	stem, ext := p, ""
	if name, isPage := wiki.PageOf(p); isPage {
		stem, ext = string(name), p[len(name):]
	}
	segments := strings.Split(stem, "/")
	for at, i := stem, len(segments)-1; at != "."; at, i = path.Dir(at), i-1 {
		if s[wiki.Key(at)] {
			segments[i] = wiki.Title(segments[i])
		}
	}
	return strings.Join(segments, "/") + ext
}

// notesName is the file of an export that lists what differs from the wiki.
const notesName = "Export notes.txt"

// writeNotes adds the notes to the zip, if there are any.
func (x *exportRun) writeNotes(ctx context.Context, taken func(name string) bool) error {
	if len(x.notes) == 0 {
		return nil
	}
	name := notesName
	for i := 2; taken(name); i++ {
		name = fmt.Sprintf("Export notes %d.txt", i)
	}
	text := fmt.Sprintf("Exported from the wiki %s. These files differ from the wiki's:\r\n\r\n%s\r\n", x.w.Slug(), strings.Join(x.notes, "\r\n"))
	return x.add(ctx, name, x.s.now(), []byte(text))
}

// packedTypes are the types of files that no compression makes smaller.
var packedTypes = strings.Fields(".7z .avif .bz2 .docx .epub .flac .gif .gz .heic .jpeg .jpg .m4a .mp3 .mp4 .odt .ogg .pdf .png .pptx .webm .webp .woff2 .xlsx .xz .zip .zst")

// add adds a file to the zip.
func (x *exportRun) add(ctx context.Context, name string, modified time.Time, data []byte) error {
	header := &zip.FileHeader{Name: x.folder + name, Method: zip.Deflate, Modified: modified.UTC()}
	header.SetMode(0o644)
	if ext := strings.ToLower(path.Ext(name)); len(data) < 64 || slices.Contains(packedTypes, ext) {
		header.Method = zip.Store
	}
	entry, err := x.zip.CreateHeader(header)
	for err == nil && len(data) > 0 {
		part := data[:min(len(data), 256<<10)]
		data = data[len(part):]
		if _, err = entry.Write(part); err == nil {
			err = x.check(ctx)
		}
	}
	if err != nil {
		return fmt.Errorf("add %s: %w", name, err)
	}
	return nil
}
