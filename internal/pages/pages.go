// Package pages is every use of a wiki's content: reading, saving, renaming,
// deleting, looking back, finding. The four doors call nothing else.
//
// Each method takes the caller's wiki.Access and enforces it; a method fails
// with an error of kind ErrDenied where the access does not allow it.
package pages

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/maypok86/otter/v2"
	"golang.org/x/sync/semaphore"

	"robot.wtf/internal/content"
	"robot.wtf/internal/export"
	"robot.wtf/internal/markdown"
	"robot.wtf/internal/raster"
	"robot.wtf/internal/search"
	"robot.wtf/internal/wiki"
)

// Options of a Service.
type Options struct {
	Content    *content.Pool
	Search     *search.Service
	Markdown   *markdown.Renderer
	Mirror     *export.Mirror // nil without git: cloning and importing are disabled
	CacheBytes int64          // bound of the rendered bodies kept, 64 MiB when 0
	Now        func() time.Time
	Log        *slog.Logger
}

// A Service answers for all wikis.
type Service struct {
	content  *content.Pool
	search   *search.Service
	markdown *markdown.Renderer
	mirror   *export.Mirror
	now      func() time.Time
	log      *slog.Logger
	cache    *otter.Cache[cacheKey, cached]
	pictures *raster.Encoder
	compared *semaphore.Weighted // bytes of the texts being compared at one time
	imports  *semaphore.Weighted // one import at a time
}

// New makes a Service.
func New(o Options) *Service {
	if o.CacheBytes <= 0 {
		o.CacheBytes = 64 << 20
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{
		content:  o.Content,
		search:   o.Search,
		markdown: o.Markdown,
		mirror:   o.Mirror,
		now:      o.Now,
		log:      o.Log,
		pictures: raster.NewEncoder(maxPixels),
		compared: semaphore.NewWeighted(maxDiffBytes),
		imports:  semaphore.NewWeighted(1),
		cache: otter.Must(&otter.Options[cacheKey, cached]{
			MaximumWeight: uint64(o.CacheBytes),
			Weigher:       func(k cacheKey, c cached) uint32 { return k.weight() + c.weight() },
		}),
	}
}

// What the cache holds: directories, sources, rendered bodies, thumbnails.
type cacheKey struct{ kind, slug, id string }

type cached interface{ weight() uint32 } // bytes

func (k cacheKey) weight() uint32 { return uint32(100 + len(k.slug) + len(k.id)) }

// open checks the access and opens the wiki; the caller must release it.
func (s *Service) open(ctx context.Context, a wiki.Access, action wiki.Action) (*content.Wiki, func(), error) {
	if err := a.Allow(action); err != nil {
		return nil, nil, err
	}
	w, release, err := s.content.Open(ctx, a.Site().Slug)
	if err != nil {
		return nil, nil, fmt.Errorf("pages: open %s: %w", a.Site().Slug, err)
	}
	return w, release, nil
}

// openDirectory opens the wiki as open does, with the names of its head.
func (s *Service) openDirectory(ctx context.Context, a wiki.Access, action wiki.Action) (*content.Wiki, *directory, func(), error) {
	w, release, err := s.open(ctx, a, action)
	if err != nil {
		return nil, nil, nil, err
	}
	d, err := s.directory(ctx, w)
	if err != nil {
		release()
		return nil, nil, nil, err
	}
	return w, d, release, nil
}

// Head is the number of the wiki's newest commit: what finished pages are
// cached by. It reads memory.
func (s *Service) Head(ctx context.Context, a wiki.Access) (int64, error) {
	if err := a.Allow(wiki.Read); err != nil {
		return 0, err
	}
	if seq, ok := s.content.Head(a.Site().Slug); ok {
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

// Stats are the wiki's sizes.
func (s *Service) Stats(ctx context.Context, a wiki.Access) (Stats, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return Stats{}, err
	}
	defer release()
	return w.Stats(ctx)
}

// lookup finds the current page of a name of any spelling. Where there is none
// it returns the name that a new page would get, with ErrNotFound; a name that
// cannot be is ErrInvalid.
func lookup(ctx context.Context, w *content.Wiki, name string) (wiki.PageName, wiki.File, error) {
	return lookupBy(ctx, w.Lookup, name)
}

func lookupBy(ctx context.Context, find func(ctx context.Context, path string) (wiki.File, error), name string) (wiki.PageName, wiki.File, error) {
	parsed, invalid := wiki.ParsePageName(name)
	if invalid == nil {
		f, err := find(ctx, parsed.File())
		if !errors.Is(err, wiki.ErrNotFound) {
			return found(f, err)
		}
	}
	// Imported pages may have names that nobody could give a page here.
	if raw := strings.TrimSuffix(strings.Trim(name, "/"), ".md") + ".md"; sound(raw) && wiki.Key(raw) != parsed.Key() {
		f, err := find(ctx, raw)
		if !errors.Is(err, wiki.ErrNotFound) {
			return found(f, err)
		}
	}
	if invalid != nil {
		return "", wiki.File{}, invalid
	}
	return parsed, wiki.File{}, noPage(parsed)
}

func found(f wiki.File, err error) (wiki.PageName, wiki.File, error) {
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
	return wiki.Problemf(wiki.ErrNotFound, "path", "There is no page called %q.", name)
}

// sound reports a path that a current file could have and be served by.
func sound(p string) bool {
	return utf8.ValidString(p) && !wiki.Hidden(p) && strings.IndexFunc(p, unicode.IsControl) < 0
}

// message is the writer's, or one made for the purpose.
func message(given, format string, args ...any) string {
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
