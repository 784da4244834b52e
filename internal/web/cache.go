package web

import (
	"net/http"

	"github.com/maypok86/otter/v2"
)

// finishedKey is all that a finished page depends on. Nothing personal is in
// the page, so only what its readers may do is in the key.
type finishedKey struct {
	slug, path string
	seq        int64 // the wiki's head
	version    int64 // of its settings
	canEdit    bool
}

// A finishedPage is a page view, ready to be written.
type finishedPage struct {
	plain, gz []byte   // as an anonymous reader gets it
	slot, end int      // where plain holds the account
	etag      []string // header values, shared by all answers
	plainLen  []string
	gzLen     []string
}

// finishedPages keeps pages, bounded by their bytes.
type finishedPages struct {
	cache *otter.Cache[finishedKey, *finishedPage]
}

func newFinishedPages(bytes int64) (*finishedPages, error) {
	c, err := otter.New(&otter.Options[finishedKey, *finishedPage]{
		MaximumWeight: uint64(bytes),
		Weigher: func(k finishedKey, p *finishedPage) uint32 {
			return uint32(len(p.plain) + len(p.gz) + len(k.path) + 500)
		},
	})
	if err != nil {
		return nil, err
	}
	return &finishedPages{cache: c}, nil
}

// serveFinished answers from the cache, if it can.
func (h *Handler) serveFinished(w http.ResponseWriter, r *http.Request, slug string) bool {
	return false
}
