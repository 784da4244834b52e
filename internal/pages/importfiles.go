package pages

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"robot.wtf/internal/content"
	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/incoming"
	"robot.wtf/internal/wiki"
)

// maxFilesImport bounds the bytes of one import of files, which a single commit
// holds in memory.
const maxFilesImport = 256 << 20

// A filesPlan is an import of files into a wiki as it is now: which files it writes,
// and under which names.
type filesPlan struct {
	run     *importRun
	source  incoming.Source
	seeds   map[string]string // blobs of the wiki's initial pages, which make room; nil if it has others
	files   []arriving
	dropped []string // initial pages that no imported one replaces
	moved   bool     // some links need another target
	places  *places
	before  *names // of the names in the source
	now     *directory
	after   *names            // in the wiki, once imported
	placed  *names            // with those of files that are left out
	to      map[string]string // path in the wiki by name in the source
	preview *ImportPreview
}

// An arriving file is a file of an import.
type arriving struct {
	incoming.File
	to     string
	mine   wiki.File // the wiki's file of that name, without its author; zero if there is none
	base   string    // its blob
	choice Decision
}

// planFiles decides where the files of a source go. It reads names and sizes, not
// texts, except of files whose names are taken.
func (i *importRun) planFiles(ctx context.Context, source incoming.Source) (*filesPlan, error) {
	listing, err := source.List(ctx)
	if err != nil {
		return nil, err
	}
	if i.request.Into, err = ImportFolder(i.request.Into); err != nil {
		return nil, err
	}
	p := &filesPlan{run: i, source: source, to: map[string]string{}, preview: &ImportPreview{
		Notes: listing.Notes, Name: i.u.Name, Size: i.u.Size, Kind: listing.Kind, About: listing.About, Into: i.request.Into, Without: i.request.Without,
	}}
	_, p.preview.Repository = source.(*repositorySource)
	if p.now, err = i.s.directory(ctx, i.w, i.a); err != nil {
		return nil, err
	}
	if i.request.Into == "" {
		if p.seeds, err = i.seeds(ctx); err != nil {
			return nil, err
		}
	}
	p.preview.sumFolders(listing.Files)
	p.choose(listing.Files)
	if err := p.place(ctx); err != nil {
		return nil, err
	}
	p.link(listing.Files)
	if err := p.checkLimits(ctx); err != nil || len(p.preview.Problems) > 0 {
		return p, err
	}
	if err := p.decide(ctx); err != nil {
		return nil, err
	}
	p.finish()
	return p, p.checkLimits(ctx)
}

// seeds returns the blobs of the wiki's initial pages by path, nil if somebody has
// written in the wiki. It checks that again after reading them, so that an import
// replaces nothing else.
func (i *importRun) seeds(ctx context.Context) (map[string]string, error) {
	if only, err := i.w.HasOnlySeeds(ctx); err != nil || !only {
		return nil, err
	}
	files, err := i.w.List(ctx, "")
	if err != nil {
		return nil, err
	}
	if only, err := i.w.HasOnlySeeds(ctx); err != nil || !only {
		return nil, err
	}
	blobs := map[string]string{}
	for _, f := range files {
		blobs[f.Path] = f.Blob
	}
	return blobs, nil
}

// ImportFolder checks the folder that an import goes into, "" for the root. It fails
// with a Problem about the field "into".
func ImportFolder(asked string) (string, error) {
	asked = strings.Trim(strings.TrimSpace(asked), "/")
	if asked == "" {
		return "", nil
	}
	name, err := wiki.ParsePageName(asked)
	return string(name), aboutFieldOrNil(err, "into")
}

// choose picks the files to import: not those in folders to leave out, and not those
// that are larger than a file can be.
func (p *filesPlan) choose(files []incoming.File) {
	limits := p.run.a.Site().Limits
	for _, f := range files {
		limit := limits.AttachmentBytes
		if f.IsPage() {
			limit = limits.PageBytes
		}
		switch {
		case slices.Contains(p.run.request.Without, importTop(f.Path)):
			p.preview.WithoutFiles++
		case f.Size > limit:
			p.preview.Leave(f.From, 1, fmt.Sprintf("it is %s, and the limit is %s", formatBytes(f.Size), formatBytes(limit)))
		default:
			p.files = append(p.files, arriving{File: f})
		}
	}
}

// decide settles names that the wiki has already, apart from those of initial pages,
// which make room: the same content needs nothing, and for others it takes the owner's
// choice.
func (p *filesPlan) decide(ctx context.Context) error {
	turn, err := p.run.s.content.Turns().TakeTurn(ctx, p.run.w.Slug())
	if err != nil {
		return err
	}
	defer turn.End()
	for n := range p.files {
		f := &p.files[n]
		if f.mine.Path == "" || p.seeds != nil {
			continue
		}
		same, err := p.isSame(ctx, *f)
		if err == nil {
			err = turn.Check(ctx)
		}
		if err == nil && !same {
			err = p.clash(ctx, f)
		}
		if err != nil {
			return err
		}
		if same {
			f.to = f.mine.Path
			p.preview.Same++
		}
	}
	return nil
}

// isSame reports whether the wiki's file would stay as it is.
func (p *filesPlan) isSame(ctx context.Context, f arriving) (bool, error) {
	if (!p.moved || !isText(f.to)) && !f.Estimated && (f.Size != f.mine.Size || f.Blob != "") {
		return f.Blob == f.mine.Blob, nil
	}
	data, err := p.read(ctx, f)
	return err == nil && gitrepo.ObjectID("blob", data) == f.mine.Blob, err
}

// clash records a taken name, and applies the choice made for it.
func (p *filesPlan) clash(ctx context.Context, f *arriving) error {
	mine, err := p.run.w.Lookup(ctx, f.mine.Path) // with its author
	if err != nil {
		return err
	}
	chosen := p.run.request.Choices[mine.Path]
	f.choice, f.base = cmp.Or(chosen.Decision, KeepMine), mine.Blob
	if chosen.Revision != "" {
		f.base = chosen.Revision
	}
	other := p.places.free.Find(f.to, func(key string) bool { return p.places.isTaken(key, isText(f.to)) })
	p.preview.Clashes = append(p.preview.Clashes, Clash{Path: mine.Path, Mine: mine, TheirSize: f.Size, Both: other, Decision: f.choice})
	if f.choice == KeepBoth {
		f.to, f.mine, f.base = other, wiki.File{}, content.BaseNone
		p.places.coming[wiki.Key(other)] = true
		return nil
	}
	f.to = mine.Path
	return nil
}

// dropSeeds lists the initial pages that no imported one replaces.
func (p *filesPlan) dropSeeds() {
	if p.seeds == nil {
		return
	}
	replaced := map[string]bool{}
	for _, f := range p.files {
		replaced[f.mine.Path] = true
	}
	for _, name := range p.now.paths {
		if !replaced[name] {
			p.dropped = append(p.dropped, name)
		}
	}
	p.preview.Seeds = len(p.now.paths)
}

// link prepares to follow links: where the names in the source lead.
func (p *filesPlan) link(files []incoming.File) {
	var from []string
	for _, f := range files { // also those that are left out, and can follow later
		from = append(from, f.From)
		p.to[f.From] = path.Join(p.run.request.Into, f.Path)
	}
	slices.Sort(from)
	p.before = newNames(from, nil, nil).ordered(p.order())
	p.aim()
}

// aim records where each file goes, and the names in the wiki afterwards. It runs
// before names that are taken are compared, and once more when they are settled.
func (p *filesPlan) aim() {
	var names []string
	for _, name := range p.now.paths {
		if !slices.Contains(p.dropped, name) {
			names = append(names, name)
		}
	}
	for _, f := range p.files {
		p.to[f.From] = f.to
		p.moved = p.moved || wiki.Key(f.From) != wiki.Key(f.to)
		if f.mine.Path == "" {
			names = append(names, f.to)
		}
	}
	slices.Sort(names)
	p.after = newNames(names, nil, nil).ordered(p.order())
	for _, to := range p.to { // also of files that are left out
		names = append(names, to)
	}
	slices.Sort(names)
	p.placed = newNames(slices.Compact(names), nil, nil).ordered(p.order())
}

// order is the order of wikilinks that the wiki will have.
func (p *filesPlan) order() wiki.LinkOrder { return cmp.Or(p.now.order, p.run.request.Wikilinks) }

// finish records the final names, once all are settled.
func (p *filesPlan) finish() {
	p.aim()
	for _, f := range p.files {
		if f.Why != "" {
			p.preview.rename(f.From, f.to, f.Why)
		}
	}
}

// checkLimits compares the wiki after the import with its limits. Those that it
// would exceed are listed as Problems of the preview.
func (p *filesPlan) checkLimits(ctx context.Context) error {
	before, err := p.run.w.Stats(ctx)
	if err != nil {
		return err
	}
	v, l := p.preview, p.run.a.Site().Limits
	v.Pages, v.Files, v.Largest, v.Limits = 0, 0, 0, l
	after, size := before, int64(0)
	for _, name := range p.dropped {
		f, err := p.run.w.Find(ctx, name)
		if err != nil {
			return err
		}
		after.CurrentBytes -= f.Size
		after.Files--
		after.Pages -= boolToInt(isText(name))
	}
	for _, f := range p.files {
		if f.choice == KeepMine {
			continue
		}
		if f.mine.Path != "" {
			after.CurrentBytes -= f.mine.Size
			after.Files--
			after.Pages -= boolToInt(isText(f.mine.Path))
		}
		v.add(f)
		after.Files++
		after.Pages += boolToInt(isText(f.to))
		after.CurrentBytes += f.Size
		after.HistoryBytes += f.stored()
		size += f.Size
	}
	v.After = after
	v.checkLimits(before, after, l)
	if size > maxFilesImport {
		v.Problems = append(v.Problems, fmt.Sprintf("These files are %s. At most %s can be imported at a time. Leave out a folder, and import it afterwards.", formatBytes(size), formatBytes(maxFilesImport)))
	}
	return nil
}

// usualCompression is how much text shrinks at most when it is compressed, but for
// extremes. A larger number than the usual one refuses nothing that fits.
const usualCompression = 8

// stored estimates how many bytes the file takes in the history, which is compressed,
// and rather less than more.
func (f arriving) stored() int64 {
	switch {
	case f.Compressed > 0:
		return min(f.Compressed, f.Size)
	case isCompressed(f.to):
		return f.Size
	}
	return f.Size / usualCompression
}

// isCompressed reports files whose format is compressed already.
func isCompressed(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".png", ".jpg", ".jpeg", ".gif", ".webp", ".avif", ".zip", ".gz", ".bz2", ".7z", ".mp3", ".mp4", ".m4a", ".ogg", ".webm", ".mov", ".pdf", ".docx", ".xlsx", ".pptx", ".epub":
		return true
	}
	return false
}

// read returns a file's content for the wiki: as in the source, with links to files
// that have another name here.
func (p *filesPlan) read(ctx context.Context, f arriving) ([]byte, error) {
	data, err := p.source.Read(ctx, f.File)
	if err != nil {
		return nil, err
	}
	name, page := wiki.PageOf(f.to)
	if !page || !p.moved {
		return data, nil
	}
	from := wiki.PageName(strings.TrimSuffix(f.From, path.Ext(f.From)))
	links := respelling{before: p.before, now: p.placed, self: from, newSelf: name, moved: func(file string) string { return p.to[file] }}
	data, _ = links.source(data)
	return data, nil
}

// edits reads everything that the import writes.
func (p *filesPlan) edits(ctx context.Context, progress func(done, total int)) ([]content.Edit, error) {
	turn, err := p.run.s.content.Turns().TakeTurn(ctx, p.run.w.Slug())
	if err != nil {
		return nil, err
	}
	defer turn.End()
	edits := make([]content.Edit, 0, len(p.files)+len(p.dropped))
	for _, name := range p.dropped {
		edits = append(edits, content.Edit{Op: content.Delete, Path: name, Base: p.seeds[name]})
	}
	for n, f := range p.files {
		progress(n, len(p.files))
		if f.choice == KeepMine {
			continue
		}
		if err := turn.Check(ctx); err != nil {
			return nil, err
		}
		data, err := p.read(ctx, f)
		if err != nil {
			return nil, err
		}
		edits = append(edits, content.Edit{Op: content.Put, Path: f.to, Data: nonNil(data), Base: f.base, Strict: true})
	}
	return edits, nil
}
