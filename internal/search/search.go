// Package search owns one wiki's index: full text now. It lies in index.db
// beside the wiki's own database, follows the wiki's commits by a cursor, and
// can be deleted at any time: whatever is missing, damaged or of another
// version is built again from the content.
//
// Each wiki has its own file, its own connections and its own locks; nothing is
// shared between wikis, so no query can reach another one's text.
//
// Words are cut, folded and stemmed here, for the index, the query and the marks
// in a snippet alike, so these cannot disagree. Every character of a script that
// is written without blanks is a word, so a phrase of them finds any part of a
// sentence. The lists of words are ours too (docs/adr/0007): plain tables.
package search

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"

	"robot.wtf/internal/content"
	"robot.wtf/internal/markdown"
	"robot.wtf/internal/wiki"
)

// Options of a Service.
type Options struct {
	Dir        string       // the directory wikis/, one folder a slug; index.db lies beside wiki.db
	Model      Model        // embeds texts; without one there is keyword search alone
	CacheBytes int64        // of vectors in memory, 64 MB when 0; idle ones are dropped before
	MaxOpen    int          // open indexes, 200 when 0; an idle one is closed to make room
	Log        *slog.Logger // hears of indexes that had to be built anew; none when nil
}

// A Service answers queries on the indexes of all wikis. It is safe for
// concurrent use.
type Service struct {
	opts Options

	queue         *embedQueue
	activeQueries atomic.Int32 // queries that run

	mu       sync.Mutex
	open     map[string]*index
	verified map[string]bool // indexes that need no check when they are opened again
	uses     int64           // counts uses, to find the index that was not used for longest
	closed   bool
}

// New makes a Service. Indexes are opened when they are first used.
func New(o Options) *Service {
	if o.MaxOpen == 0 {
		o.MaxOpen = 200
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 64 << 20
	}
	return &Service{opts: o, queue: newEmbedQueue(), open: map[string]*index{}, verified: map[string]bool{}}
}

// Close waits for calls under way and closes all indexes.
func (s *Service) Close() error {
	s.mu.Lock()
	open := s.open
	s.open, s.closed = map[string]*index{}, true
	s.mu.Unlock()
	var errs []error
	for _, x := range open {
		errs = append(errs, x.close())
	}
	return errors.Join(errs...)
}

// index gives the index of a wiki, which is not closed before release.
func (s *Service) acquireIndex(slug string) (x *index, release func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, nil, errors.New("search: the service is closed")
	}
	x = s.open[slug]
	if x == nil {
		x = s.newIndex(slug)
		x.verified = s.verified[slug]
		s.open[slug] = x
	}
	s.uses++
	x.inUse, x.lastUse = x.inUse+1, s.uses
	s.closeIdleIndexes()
	return x, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		x.inUse--
		s.closeIdleIndexes()
	}, nil
}

// shrink closes the idle indexes beyond the bound, those first that were not
// used for longest.
func (s *Service) closeIdleIndexes() {
	for len(s.open) > s.opts.MaxOpen {
		var oldest *index
		for _, x := range s.open {
			if x.inUse == 0 && (oldest == nil || x.lastUse < oldest.lastUse) {
				oldest = x
			}
		}
		if oldest == nil {
			return
		}
		delete(s.open, oldest.slug)
		if err := oldest.close(); err != nil {
			s.opts.Log.Warn("search: close an index", "wiki", oldest.slug, "err", err)
		}
		if oldest.verified {
			s.verified[oldest.slug] = true
		}
	}
}

func (s *Service) newIndex(slug string) *index {
	return &index{slug: slug, file: s.indexFile(slug), log: s.opts.Log, model: s.opts.Model, queue: s.queue}
}

func (s *Service) indexFile(slug string) string { return filepath.Join(s.opts.Dir, slug, "index.db") }

// A Query is what somebody looks for.
type Query struct {
	// Text as typed. All words must be on the page; a word also finds its other
	// forms (stems), but not words that only begin with it. Understood are
	//
	//	"two words"              a phrase; closed by the end of the text as well
	//	calib*                   words that begin so, of 2 letters or more
	//	-word -"a phrase" -tag:x what must not be there
	//	frost OR ice             one of them; OR binds closer than the blank
	//	tag:garden               pages with this tag
	//	path:Design              the page of this name and all below it;
	//	path:Design/ path:Des*   those below, those whose name begins so
	//	author:ada               pages that ada edited, under this name or a former one of theirs
	//	author:"Claude Code"     pages that this agent edited, for whomever
	//
	// A filter's value may stand in quotes. There is no syntax error: what
	// cannot be read as syntax is a word. 200 characters and 20 terms are read.
	Text string
	// Tag, Path and Author are filters with values as in a text. They hold whatever
	// the text is, which may end in the middle of a quotation.
	Tag, Path, Author string

	Limit  int // 20 when 0, at most 100
	Offset int
	Mode   Mode // Hybrid when ""; Keyword where there is no model
}

// A Hit is one page found.
type Hit struct {
	Page    wiki.PageName
	Score   float64   // higher is better; comparable within one answer only
	Section           // that matched best
	More    []Section // up to 4 others that matched nearly as well
	Blob    string    // the revision that was indexed

	ByWords, ByMeaning bool // what it was found by
}

// A Section is a part of a page that matched.
type Section struct {
	Heading string // "" for the lead or the name
	Line    int    // of the heading in the source, from 1; 0 unknown
	Snippet []Span // about 200 characters of the section's text
}

// URL is the address of the section that matched best, on its wiki's host.
func (h Hit) URL() string { return h.Section.URL(h.Page) }

// URL is the section's address on its wiki's host.
func (s Section) URL(page wiki.PageName) string {
	if s.Heading == "" {
		return page.URL()
	}
	return page.URL() + markdown.Anchor(s.Heading)
}

// A Span is a piece of a snippet; Hit spans matched.
type Span struct {
	Text string
	Hit  bool
}

// Loosened says how a query was read when no page matched as it was asked.
type Loosened string

// The ways of loosening a query, each tried when the one before found nothing.
const (
	AsAsked    Loosened = ""
	Beginnings Loosened = "beginnings" // its words were taken as beginnings of words
	AnyWord    Loosened = "any"        // pages that have at least one of the words
)

// Results of a query.
type Results struct {
	Hits     []Hit
	Total    int      // pages that match
	Words    []string // what was looked for, after filters were taken out
	Ignored  []string // what was not understood, in plain words
	Loosened Loosened // when nothing matched all that was asked, by words
	Mode     Mode     // what was compared
	Waiting  int      // sections of this wiki that have no vector yet, and are not found by meaning
}

// Search brings the index up to the wiki's head, then answers: a page is found
// by its words as soon as its save is acknowledged, and by its meaning when its
// sections have been embedded. Pages are ordered by score, one whose name is what
// was asked for before all others; a query of filters alone lists pages by name.
// A query without anything to look for finds nothing.
func (s *Service) Search(ctx context.Context, w *content.Wiki, q Query) (Results, error) {
	s.activeQueries.Add(1)
	defer s.activeQueries.Add(-1)
	asked := parseQuery(q.Text)
	asked.addFilters(q)
	if q.Limit <= 0 {
		q.Limit = 20
	}
	q.Limit, q.Offset = min(q.Limit, 100), max(q.Offset, 0)
	if q.Mode == "" {
		q.Mode = Hybrid
	}
	if s.opts.Model == nil || len(asked.groups) == 0 {
		q.Mode = Keyword
	}
	var vector []float32
	var err error
	if q.Mode != Keyword {
		if vector, err = s.embedQuery(asked); err != nil {
			return Results{}, fmt.Errorf("search: %w", err)
		}
	}
	x, release, err := s.acquireIndex(w.Slug())
	if err != nil {
		return Results{}, err
	}
	defer release()
	var found Results
	err = x.withCurrentDB(ctx, w, func(db *sql.DB) error {
		if q.Mode == Keyword {
			found, err = x.keywordSearch(ctx, db, asked, q.Limit, q.Offset)
		} else {
			found, err = x.vectorSearch(ctx, db, asked, q.Mode, vector, q.Limit, q.Offset)
		}
		return err
	})
	if err != nil {
		return Results{}, fmt.Errorf("search: find %q in %s: %w", q.Text, w.Slug(), err)
	}
	found.Mode = q.Mode
	if s.opts.Model != nil {
		found.Waiting = s.queue.backlogOf(w.Slug())
	}
	if q.Mode != Keyword {
		s.trimVectors(x)
	}
	return found, nil
}

// CatchUp brings the index up to the wiki's head. It is cheap when nothing is
// new, and what the nudge after a commit calls.
func (s *Service) CatchUp(ctx context.Context, w *content.Wiki) error {
	x, release, err := s.acquireIndex(w.Slug())
	if err != nil {
		return err
	}
	defer release()
	if err := x.retryRebuilt(func() error { return x.catchUp(ctx, w) }); err != nil {
		return fmt.Errorf("search: catch up with %s: %w", w.Slug(), err)
	}
	return nil
}

// Reset drops what the index of a wiki holds; the next to need it builds it anew.
// No query that begins afterwards sees what was there before.
func (s *Service) Reset(slug string) error {
	x, release, err := s.acquireIndex(slug)
	if err != nil {
		return err
	}
	defer release()
	s.queue.setBacklog(slug, 0)
	if err := x.reset(); err != nil {
		return fmt.Errorf("search: reset the index of %s: %w", slug, err)
	}
	return nil
}

// Remove deletes the index of a wiki that is no more, whether or not there is
// one.
func (s *Service) Remove(ctx context.Context, slug string) error {
	if err := wiki.CheckHost(slug); err != nil {
		return err
	}
	s.mu.Lock()
	x := s.open[slug]
	delete(s.open, slug)
	delete(s.verified, slug)
	s.mu.Unlock()
	s.queue.setBacklog(slug, 0)
	if x == nil {
		x = s.newIndex(slug)
	}
	if err := x.delete(); err != nil {
		return fmt.Errorf("search: remove the index of %s: %w", slug, err)
	}
	return nil
}
