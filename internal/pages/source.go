package pages

import (
	"context"
	"errors"
	"strings"
	"time"

	"robot.wtf/internal/content"
	"robot.wtf/internal/edit"
	"robot.wtf/internal/wiki"
)

// A Source is the source of a page at a revision. Callers share it and must not
// change it.
type Source struct {
	*edit.Document
	Name    wiki.PageName
	File    wiki.File     // as of the revision asked for
	Old     bool          // not the newest revision
	Current string        // blob id of the newest revision, "" if the page is deleted
	Stored  wiki.Encoding // of the file, "" for UTF-8: saving converts it
	// Proposed says that the text is what the reader proposes, and Outdated that others
	// changed the same lines since.
	Proposed, Outdated bool
	head               string // the newest commit when it was read
}

func newSource(name wiki.PageName, file wiki.File, data []byte) *Source {
	return &Source{Document: edit.NewDocument(edit.Normalize(data)), Name: name, File: file}
}

func (src *Source) weight() uint32 { return uint32(500 + src.Size()) }

// Source reads a page like Page, without its front matter and tags. The newest
// revision is cached until the wiki changes. A caller who proposes changes reads their
// own proposals, which aren't cached.
func (s *Service) Source(ctx context.Context, a wiki.Access, name, revision string) (*Source, error) {
	if a.Caller().Proposes {
		if own, err := s.ownSource(ctx, a, name, revision); err != nil || own != nil {
			return own, err
		}
	}
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	_, head := w.Head() // the content read can be newer, never older
	key := authorKey("source", w, name)
	if c, ok := s.views.GetIfPresent(key); ok && revision == "" && c.(*Source).head == head {
		return c.(*Source), w.MayRead(c.(*Source).File.Blob)
	}
	p, err := s.read(ctx, w, a, name, revision)
	if err != nil {
		return nil, err
	}
	src := newSource(p.Name, p.File, p.Source)
	src.Old, src.Current, src.head, src.Stored = p.Old, p.Current, head, p.Stored
	if revision == "" {
		s.views.Set(key, src)
	}
	return src, nil
}

// Revision returns the blob id of a page's newest revision. It usually reads only
// memory.
func (s *Service) Revision(ctx context.Context, a wiki.Access, name wiki.PageName) (string, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return "", err
	}
	defer release()
	f, err := w.Find(ctx, name.File())
	if err == nil {
		err = w.MayRead(f.Blob)
	}
	return f.Blob, err
}

// RevisionAt returns the id of a page's newest commit at a time. ErrNotFound if the
// page didn't exist.
func (s *Service) RevisionAt(ctx context.Context, a wiki.Access, name string, t time.Time) (string, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return "", err
	}
	defer release()
	for before := int64(0); ; {
		_, list, err := s.history(ctx, w, a, name, before, 500)
		if err != nil {
			return "", err
		}
		for _, r := range list {
			if !r.Time.After(t) {
				return r.Commit, nil
			}
		}
		if len(list) < 500 {
			return "", wiki.Problemf(wiki.ErrNotFound, "at", "%q didn't exist on %s.", name, t.UTC().Format(time.DateOnly))
		}
		before = list[len(list)-1].Seq
	}
}

// SimilarNames lists pages whose names share words with a name, the most similar
// first.
func (s *Service) SimilarNames(ctx context.Context, a wiki.Access, name string, limit int) ([]wiki.PageName, error) {
	_, d, release, err := s.openDirectory(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	asked := nameWords(name)
	return d.similarTo(name, limit, func(page wiki.PageName) int { return sharedWords(asked, nameWords(string(page))) }), nil
}

// similarTo lists the pages with a score, the highest first, except the page of the
// given name.
func (d *directory) similarTo(name string, limit int, score func(wiki.PageName) int) []wiki.PageName {
	own := wiki.Key(strings.Trim(strings.TrimSuffix(name, ".md"), "/") + ".md")
	best := map[int][]wiki.PageName{}
	top := 0
	for _, p := range d.paths {
		page, ok := wiki.PageOf(p)
		if !ok || wiki.Key(p) == own {
			continue
		}
		if n := score(page); n > 0 {
			best[n] = append(best[n], page)
			top = max(top, n)
		}
	}
	var list []wiki.PageName
	for ; top > 0 && len(list) < limit; top-- {
		list = append(list, best[top]...)
	}
	return list[:min(len(list), limit)]
}

// sharedWords scores the words that two names have in common.
func sharedWords(a, b map[string]bool) (score int) {
	for w := range a {
		for other := range b {
			switch {
			case w == other:
				score += 3
			case len(w) > 3 && len(other) > 3 && (strings.HasPrefix(w, other) || strings.HasPrefix(other, w)):
				score += 2
			}
		}
	}
	return score
}

// nameWords returns the significant words of a page's name.
func nameWords(name string) map[string]bool {
	words := map[string]bool{}
	for _, w := range strings.FieldsFunc(wiki.Key(name), func(r rune) bool { return strings.ContainsRune("/_-.,() ", r) }) {
		if len(w) > 2 && w != "and" && w != "the" && w != "for" {
			words[w] = true
		}
	}
	return words
}

// lookupRenamed is lookup that also finds pages by a former name.
func (s *Service) lookupRenamed(ctx context.Context, w *content.Wiki, a wiki.Access, asked string) (wiki.PageName, wiki.File, error) {
	name, file, err := lookup(ctx, w, asked)
	if !errors.Is(err, wiki.ErrNotFound) {
		return name, file, err
	}
	if f, moved := findCurrent(ctx, w, name.File()); moved == nil {
		return foundPage(f, nil)
	}
	d, failed := s.directory(ctx, w, a)
	if failed != nil {
		return "", wiki.File{}, failed
	}
	return "", wiki.File{}, d.redirectOrMissing(asked)
}
