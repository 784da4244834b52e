// Package search owns one wiki's index: its full text, its chunks and their
// vectors, and the queries over them. The index is derived: it lives in index.db
// beside the wiki's database, follows the wiki's commits by a cursor, and is
// rebuilt from the content when it is missing, damaged or of another version.
//
// Access control is left to package pages, and scheduling to the caller, which
// runs CatchUp after commits and RunEmbedder for the vectors.
//
// Invariants:
//
//   - Each wiki has its own file, connections and locks. Wikis share nothing
//     but the bounds on open files and memory, so no query can reach another
//     wiki's text.
//   - A query first catches up with the wiki's head, so a page is found by its
//     words as soon as its save is acknowledged. It is found by meaning later,
//     once its chunks have vectors.
//   - The index, queries and snippets use the same tokenizer and stemmer, so
//     every match can be marked. See tokenize and docs/adr/0004.
//   - Postings are our own tables, not FTS5 (docs/adr/0007).
package search

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"robot.wtf/internal/background"
	"robot.wtf/internal/budget"
	"robot.wtf/internal/content"
	"robot.wtf/internal/markdown"
	"robot.wtf/internal/sqlite"
	"robot.wtf/internal/timing"
	"robot.wtf/internal/wiki"
)

// Options configures a Service.
type Options struct {
	Dir        string // the directory wikis/, with one folder per slug; index.db is stored beside wiki.db
	Model      Model  // embeds texts; nil allows only keyword search
	CacheBytes int64  // bound on vectors in memory, 64 MiB if 0; idle ones are dropped earlier
	MaxOpen    int    // bound on open indexes, 200 if 0; idle ones are closed to make room
	// Relieve closes files that aren't in use, such as those of CloseIdle. It is called
	// when an index can't be opened because the process has too few file descriptors.
	// Can be nil.
	Relieve    func()
	Embedded   func()              // called whenever no text waits for a vector any more; nil for none
	Background *background.Workers // sets aside pages that it can't read; nil only recovers from panics
	Log        *slog.Logger        // logs rebuilt indexes and failures; nil discards them
}

// A Service answers queries on the indexes of all wikis. It is safe for
// concurrent use.
type Service struct {
	opts Options

	documents     *budget.Slots // pages being parsed, by wiki
	queue         *embedQueue
	activeQueries atomic.Int32 // queries in progress
	embedded      atomic.Uint64

	mu       sync.Mutex
	open     map[string]*index
	verified map[string]bool // slugs whose index needs no check when it is reopened
	uses     int64           // counts acquisitions, to find the least recently used index
	closed   bool
}

// New returns a Service. Indexes are opened when they are first used.
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
	return &Service{opts: o, documents: newDocumentSlots(), queue: newEmbedQueue(), open: map[string]*index{}, verified: map[string]bool{}}
}

// Close waits for running calls and closes all indexes.
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

// acquireIndex returns a wiki's index, which stays open until release is called.
func (s *Service) acquireIndex(slug string) (x *index, release func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, nil, errors.New("search: service is closed")
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

// closeIdleIndexes closes idle indexes beyond the limit, least recently used
// first. It requires s.mu.
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
		s.closeIndex(oldest)
	}
}

// closeIndex closes an index that isn't in use. It requires s.mu.
func (s *Service) closeIndex(x *index) {
	delete(s.open, x.slug)
	if err := x.close(); err != nil {
		s.opts.Log.Warn("closing index failed", "wiki", x.slug, "err", err)
	}
	if x.verified {
		s.verified[x.slug] = true
	}
}

// CloseIdle closes all indexes that aren't in use.
func (s *Service) CloseIdle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.open {
		if x.inUse == 0 {
			s.closeIndex(x)
		}
	}
}

func (s *Service) newIndex(slug string) *index {
	return &index{slug: slug, file: s.indexFile(slug), log: s.opts.Log, background: s.opts.Background, documents: s.documents, model: s.opts.Model, queue: s.queue, relieve: s.opts.Relieve}
}

func (s *Service) indexFile(slug string) string { return filepath.Join(s.opts.Dir, slug, "index.db") }

// A Query is a search request.
type Query struct {
	// Text as typed. Pages with all words come first, then, by words, those that lack
	// some, but no phrase and no prefix. A word also matches its other forms (stems), but
	// not longer words that start with it. The syntax:
	//
	//	"two words"              a phrase; the closing quote is optional at the end
	//	calib*                   words with this prefix of at least 2 letters
	//	-word -"a phrase" -tag:x exclusions
	//	frost OR ice             either; OR binds more tightly than a space
	//	tag:garden               pages with this tag
	//	path:Design              the page of this name and all pages below it
	//	path:Design/ path:Des*   only the pages below it; pages whose name has this prefix
	//	author:ada               pages that ada edited, under their current or a former name
	//	author:"Claude Code"     pages that this agent edited, for any person
	//	status:draft             pages with this value in their front matter, if any page
	//	                         has that key; see property.Equal
	//
	// A filter's value can be quoted. There are no syntax errors: anything that
	// isn't valid syntax is a word. Only 400 characters and 32 terms are read.
	Text string
	// Tag, Path and Author are filters with the same values as in Text. They apply
	// whatever Text is, even if it ends in an unclosed quote.
	Tag, Path, Author string

	Limit  int // 20 if 0, at most 100
	Offset int
	Mode   Mode // Hybrid if ""; always Keyword without a model
}

// A Hit is a page that matches a query.
type Hit struct {
	Page    wiki.PageName
	Score   float64   // higher is better; comparable only within one result
	Section           // the best match
	More    []Section // at most 4 others that matched nearly as well
	Blob    string    // the indexed revision

	ByWords, ByMeaning bool     // how it was found
	Missing            []string // typed words that it lacks, if it was found by words
}

// A Section is a matching part of a page.
type Section struct {
	Heading string // "" for the lead, or if only the page's name matched
	Line    int    // line of the heading in the source, from 1; 0 if unknown
	Snippet []Span // about 200 characters of the section's text
}

// URL returns the address of the best matching section on its wiki's host.
func (h Hit) URL() string { return h.Section.URL(h.Page) }

// URL returns the section's address on its wiki's host.
func (s Section) URL(page wiki.PageName) string {
	if s.Heading == "" {
		return page.URL()
	}
	return page.URL() + markdown.Anchor(s.Heading)
}

// Whole is how many pages have all words, in Keyword mode.
func (r Results) Whole() int { return r.Total - r.Partial }

// A Span is a piece of a snippet. Hit marks a match.
type Span struct {
	Text string
	Hit  bool
}

// Loosened reports how a query without matches was relaxed.
type Loosened string

// The ways to relax a query, each tried if the previous one finds nothing.
const (
	AsAsked    Loosened = ""
	Beginnings Loosened = "beginnings" // words also match as prefixes
	AnyWord    Loosened = "any"        // one matching word is enough
)

// Results is the outcome of a query.
type Results struct {
	Hits     []Hit
	Total    int      // matching pages, before Limit and Offset
	Partial  int      // of these, pages that lack a word and so come last, in Keyword mode
	ByWords  int      // pages found by their words; all of them in Keyword mode
	Words    []string // the search terms as typed, without filters
	Ignored  []string // messages about parts of the query that were ignored
	Loosened Loosened // how the words were relaxed if nothing matched all of them
	Mode     Mode     // the mode that was used
	Waiting  int      // sections of this wiki without a vector, which aren't found by meaning yet
}

// maxOffset is more than any wiki has pages.
const maxOffset = 1 << 30

// Search catches up with the wiki's head, then runs a query. A page is found by
// its words as soon as its save is acknowledged, and by meaning once its chunks
// are embedded. Pages are ordered by score; a page whose name was typed comes
// first. A query with only filters lists pages by name. An empty query finds
// nothing. Without a model, without words to compare, or with words that the model
// doesn't understand, the mode is Keyword.
func (s *Service) Search(ctx context.Context, w *content.Wiki, q Query) (Results, error) {
	defer timing.Measure(ctx, timing.Index)()
	s.activeQueries.Add(1)
	defer s.activeQueries.Add(-1)
	x, release, err := s.acquireIndex(w.Slug())
	if err != nil {
		return Results{}, err
	}
	defer release()
	asked, err := x.parseQuery(ctx, w, q.Text)
	if err != nil {
		return Results{}, fmt.Errorf("search: read query %q in %s: %w", q.Text, w.Slug(), err)
	}
	asked.addFilters(q)
	if q.Limit <= 0 {
		q.Limit = 20
	}
	q.Limit, q.Offset = min(q.Limit, 100), min(max(q.Offset, 0), maxOffset)
	if q.Mode == "" {
		q.Mode = Hybrid
	}
	if s.opts.Model == nil || len(asked.groups) == 0 || !understands(s.opts.Model, asked.queryText()) {
		q.Mode = Keyword
	}
	var vector []float32
	if q.Mode != Keyword {
		if vector, err = s.embedQuery(asked); err != nil {
			return Results{}, fmt.Errorf("search: embed query: %w", err)
		}
	}
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
		return Results{}, fmt.Errorf("search: query %q in %s: %w", q.Text, w.Slug(), sqlite.StorageError(err))
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

// parseQuery parses a query's text, which can name keys of the front matter.
func (x *index) parseQuery(ctx context.Context, w *content.Wiki, text string) (p parsedQuery, err error) {
	if !strings.Contains(text, ":") {
		return parseQuery(text, nil), nil
	}
	err = x.withCurrentDB(ctx, w, func(*sql.DB) error {
		var failed error
		p = parseQuery(text, func(key string) bool {
			has, err := x.hasProperty(ctx, key)
			failed = cmp.Or(failed, err)
			return has
		})
		return failed
	})
	p.isKey = nil
	return p, err
}

// CatchUp indexes all commits up to the wiki's head. It is cheap if there are
// none. Callers run it after each commit, but nothing is lost without it:
// queries catch up as well.
func (s *Service) CatchUp(ctx context.Context, w *content.Wiki) error {
	defer timing.Measure(ctx, timing.Index)()
	x, release, err := s.acquireIndex(w.Slug())
	if err != nil {
		return err
	}
	defer release()
	if err := x.retryRebuilt(func() error { return x.catchUp(ctx, w) }); err != nil {
		return fmt.Errorf("search: catch up %s: %w", w.Slug(), sqlite.StorageError(err))
	}
	return nil
}

// Reset drops the contents of a wiki's index; the next use rebuilds it. Queries
// that start after Reset returns don't see the old contents.
func (s *Service) Reset(slug string) error {
	x, release, err := s.acquireIndex(slug)
	if err != nil {
		return err
	}
	defer release()
	s.queue.setBacklog(slug, 0)
	if err := x.reset(); err != nil {
		return fmt.Errorf("search: reset the index of %s: %w", slug, sqlite.StorageError(err))
	}
	return nil
}

// Remove deletes the index of a deleted wiki. It does nothing if there is none.
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
		return fmt.Errorf("search: remove the index of %s: %w", slug, sqlite.StorageError(err))
	}
	return nil
}
