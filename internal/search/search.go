// Package search owns one wiki's index: full text now. The index follows the
// wiki's commits by a cursor and can be deleted at any time.
package search

import (
	"context"

	"robot.wtf/internal/content"
	"robot.wtf/internal/wiki"
)

// Options of a Service.
type Options struct {
	Dir     string // the directory wikis/, one folder a slug; index.db lies beside wiki.db
	MaxOpen int    // open indexes, 200 when 0
}

// A Service answers queries on the indexes of all wikis.
type Service struct{}

// New makes a Service.
func New(o Options) *Service { panic("contract") }

// Close closes all indexes.
func (s *Service) Close() error { panic("contract") }

// A Query is what somebody looks for.
type Query struct {
	// Text as typed: words, "phrases", prefix*, -word, tag:x path:Folder/ author:ada.
	// Never a syntax error: what cannot be read as syntax is a word.
	Text   string
	Limit  int // 20 when 0, at most 100
	Offset int
}

// A Hit is one page found.
type Hit struct {
	Page    wiki.PageName
	Score   float64 // higher is better; comparable within one answer only
	Heading string  // section that matched best, "" for the lead or the name
	Line    int     // in the source, from 1; 0 unknown
	Snippet []Span
	Blob    string // the revision that was indexed
}

// A Span is a piece of a snippet; Hit spans matched.
type Span struct {
	Text string
	Hit  bool
}

// Results of a query.
type Results struct {
	Hits    []Hit
	Total   int      // pages that match
	Words   []string // what was looked for, after filters were taken out
	Ignored []string // filters that were not understood, in plain words
}

// Search brings the index up to the wiki's head, then answers: a page is found
// as soon as its save is acknowledged.
func (s *Service) Search(ctx context.Context, w *content.Wiki, q Query) (Results, error) {
	panic("contract")
}

// Complete lists page names as they are typed: by prefix of a segment, then
// anywhere, then by letters in order; best first.
func (s *Service) Complete(ctx context.Context, w *content.Wiki, typed string, limit int) ([]wiki.PageName, error) {
	panic("contract")
}

// CatchUp brings the index up to the wiki's head. It is cheap when nothing is
// new, and what the nudge after a commit calls.
func (s *Service) CatchUp(ctx context.Context, w *content.Wiki) error { panic("contract") }

// Remove deletes the index of a wiki.
func (s *Service) Remove(ctx context.Context, slug string) error { panic("contract") }
