// Package pages implements all uses of a wiki's content: reading, saving,
// renaming, deleting, history, search. The front ends call it and nothing below
// it.
//
// Each method takes the caller's wiki.Access and enforces it: without the
// required right it fails with ErrDenied.
package pages

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"robot.wtf/internal/budget"
	"robot.wtf/internal/content"
	"robot.wtf/internal/export"
	"robot.wtf/internal/gitremote"
	"robot.wtf/internal/markdown"
	"robot.wtf/internal/raster"
	"robot.wtf/internal/search"
	"robot.wtf/internal/wiki"
)

// Options configures a Service.
type Options struct {
	Content    *content.Pool
	Search     *search.Service
	Markdown   *markdown.Renderer
	Mirror     *export.Mirror    // nil without git: cloning and importing are disabled
	Remotes    *gitremote.Client // fetches repositories to import; needed with Mirror
	CacheBytes int64             // size of the cache for names, links and lists of wikis; 0 means 64 MiB
	ViewBytes  int64             // size of the cache for views of single files; 0 means 64 MiB
	// Changed is called after each commit of a caller, with the number of files
	// that it changed, and after an import. It can be nil.
	Changed func(a wiki.Access, files int)
	Now     func() time.Time
	Timer   func() time.Time // measures how long work takes; default time.Now. In tests it stands still
	Log     *slog.Logger
}

// A Service serves all wikis.
type Service struct {
	content  *content.Pool
	search   *search.Service
	markdown *markdown.Renderer
	mirror   *export.Mirror
	remotes  *gitremote.Client
	changed  func(a wiki.Access, files int)
	now      func() time.Time
	timer    func() time.Time
	log      *slog.Logger
	cache    *budget.Cache[cacheKey, cached] // names, links and lists of whole wikis
	views    *budget.Cache[cacheKey, cached] // bodies, authors and pictures of single files
	// forgotten counts the calls of forget.
	forgotten atomic.Uint64
	pictures  *raster.Encoder
	greps     *budget.Slots
	queries   *budget.Slots // by front matter
	erasures  *budget.Slots // one per wiki at a time
	imports   *budget.Slots // one import at a time
	uploads   *receipts     // repositories on disk, uploaded or being imported
	files     *budget.Slots // bytes of attachments being received
	exports   exportSlots
}

// New returns a Service.
func New(o Options) *Service {
	if o.CacheBytes <= 0 {
		o.CacheBytes = 64 << 20
	}
	if o.ViewBytes <= 0 {
		o.ViewBytes = 64 << 20
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Timer == nil {
		o.Timer = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Changed == nil {
		o.Changed = func(wiki.Access, int) {}
	}
	return &Service{
		content:  o.Content,
		changed:  o.Changed,
		search:   o.Search,
		markdown: o.Markdown,
		mirror:   o.Mirror,
		remotes:  o.Remotes,
		now:      o.Now,
		timer:    o.Timer,
		log:      o.Log,
		pictures: raster.NewEncoder(pictureLimitsOf(o.Content.Turns())),
		greps:    budget.NewSlots(maxGreps, 1),
		queries:  budget.NewSlots(maxQueries, 1),
		erasures: budget.NewSlots(2, 1),
		imports:  budget.NewSlots(1, 1),
		uploads:  newReceipts(),
		files:    budget.NewSlots(maxFiles, maxWikiFiles),
		exports:  newExportSlots(),
		cache:    newCache(o.CacheBytes),
		views:    newCache(o.ViewBytes),
	}
}

func newCache(bytes int64) *budget.Cache[cacheKey, cached] {
	return budget.NewCache(bytes, bytes/2,
		func(k cacheKey, _ cached) string { return k.slug },
		func(k cacheKey, c cached) int64 { return int64(k.weight()) + int64(c.weight()) })
}

// A cacheKey names a cached value: a directory, source, rendered body, thumbnail.
type cacheKey struct{ kind, slug, id string }

type cached interface{ weight() uint32 } // bytes

func (k cacheKey) weight() uint32 { return uint32(100 + len(k.slug) + len(k.id)) }

// open checks the access and opens the wiki. The caller must release it.
func (s *Service) open(ctx context.Context, a wiki.Access, action wiki.Action) (*content.Wiki, func(), error) {
	if err := a.Allow(action); err != nil {
		return nil, nil, err
	}
	w, release, err := s.content.Open(ctx, a.Site().Slug)
	if err != nil {
		return nil, nil, fmt.Errorf("pages: open %s: %w", a.Site().Slug, s.existing(a, err))
	}
	return w, release, nil
}

// existing turns a failure to find a wiki's database into damage: an Access proves
// that the wiki exists.
func (s *Service) existing(a wiki.Access, err error) error {
	if errors.Is(err, wiki.ErrNotFound) {
		return s.content.NoteMissing(a.Site().Slug)
	}
	return err
}

// Exists reports whether the wiki has a database, even a damaged one.
func (s *Service) Exists(a wiki.Access) bool {
	return a.Allow(wiki.Read) == nil && s.content.Exists(a.Site().Slug)
}

// openDirectory is open that also returns the wiki's directory.
func (s *Service) openDirectory(ctx context.Context, a wiki.Access, action wiki.Action) (*content.Wiki, *directory, func(), error) {
	w, release, err := s.open(ctx, a, action)
	if err != nil {
		return nil, nil, nil, err
	}
	d, err := s.directory(ctx, w, a)
	if err != nil {
		release()
		return nil, nil, nil, err
	}
	return w, d, release, nil
}

// Head returns the number of the wiki's newest commit. It usually reads only memory.
func (s *Service) Head(ctx context.Context, a wiki.Access) (int64, error) {
	if err := a.Allow(wiki.Read); err != nil {
		return 0, err
	}
	if seq, _, ok := s.content.Head(a.Site().Slug); ok {
		return seq, nil
	}
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return 0, err
	}
	defer release()
	seq, _ := w.Head()
	return seq, nil
}

// Stats returns the wiki's sizes.
func (s *Service) Stats(ctx context.Context, a wiki.Access) (Stats, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return Stats{}, err
	}
	defer release()
	return w.Stats(ctx)
}

// lookup finds the current page by its name in any spelling. If there is none, it
// returns the name of a new page and ErrNotFound. ErrInvalid for impossible names.
func lookup(ctx context.Context, w *content.Wiki, name string) (wiki.PageName, wiki.File, error) {
	return lookupBy(ctx, w.Lookup, name)
}

func lookupBy(ctx context.Context, find func(ctx context.Context, path string) (wiki.File, error), name string) (wiki.PageName, wiki.File, error) {
	parsed, invalid := wiki.ParsePageName(name)
	if invalid == nil {
		f, err := find(ctx, parsed.File())
		if !errors.Is(err, wiki.ErrNotFound) {
			return foundPage(f, err)
		}
	}
	// Imported pages can have names that couldn't be created here.
	if raw := strings.TrimSuffix(strings.Trim(name, "/"), ".md") + ".md"; isServable(raw) && wiki.Key(raw) != parsed.Key() {
		f, err := find(ctx, raw)
		if !errors.Is(err, wiki.ErrNotFound) {
			return foundPage(f, err)
		}
	}
	if invalid != nil {
		return "", wiki.File{}, invalid
	}
	return parsed, wiki.File{}, noPage(parsed)
}

func foundPage(f wiki.File, err error) (wiki.PageName, wiki.File, error) {
	if err != nil {
		return "", wiki.File{}, err
	}
	name, ok := wiki.PageOf(f.Path)
	if !ok {
		return "", wiki.File{}, noPage(wiki.PageName(f.Path))
	}
	return name, f, nil
}

func noPage(name wiki.PageName) error {
	return wiki.Problemf(wiki.ErrNotFound, "path", "There's no page called %q.", name)
}

// isServable reports whether a current file can have the path and be served.
func isServable(p string) bool {
	return utf8.ValidString(p) && !wiki.Hidden(p) && strings.IndexFunc(p, unicode.IsControl) < 0
}

// titleOf is the name of a page, or of a file and its page, as people read it:
// "Garden/Cold Frame", "plan.png of Garden".
func titleOf(file string) string {
	if page, ok := wiki.PageOf(file); ok {
		return wiki.Title(string(page))
	}
	if dir := path.Dir(file); dir != "." {
		return path.Base(file) + " of " + wiki.Title(dir)
	}
	return file
}

// commitMessage returns the writer's message, or a default.
func commitMessage(given, format string, args ...any) string {
	clean := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(given, "\uFFFD"))
	if clean = strings.TrimSpace(clean); clean == "" {
		return fmt.Sprintf(format, args...)
	}
	if len(clean) > maxMessage {
		clean = strings.ToValidUTF8(clean[:maxMessage], "") + "…"
	}
	return clean
}

const maxMessage = 4000 // bytes of a commit message
