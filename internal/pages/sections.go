package pages

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"robot.wtf/internal/content"
	"robot.wtf/internal/markdown"
	"robot.wtf/internal/wiki"
)

// A Source is a page as programs read it: lines with "\n" at their ends (the
// last may lack it), numbered from 1, and the sections that they make. Callers
// share it and must not change it.
type Source struct {
	Name     wiki.PageName
	File     wiki.File // as of the revision asked for
	Old      bool      // not the newest revision
	Current  string    // blob id of the newest, "" if the page is deleted now
	Text     string
	sections func() []Section
	starts   []int  // offset of each line
	head     string // the commit at which it was the newest
}

func (src *Source) weight() uint32 { return uint32(500 + 2*len(src.Text) + 8*len(src.starts)) } // with its sections

// Source reads a page as Page does, without looking into it. The newest revision
// comes from the cache until the wiki changes.
func (s *Service) Source(ctx context.Context, a wiki.Access, name, revision string) (*Source, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	_, head := w.Head() // what is read may be newer, never older
	key := cacheKey{"source", w.Slug(), name}
	if c, ok := s.cache.GetIfPresent(key); ok && revision == "" && c.(*Source).head == head {
		return c.(*Source), w.MayRead(c.(*Source).File.Blob)
	}
	p, err := s.read(ctx, w, name, revision)
	if err != nil {
		return nil, err
	}
	src := newSource(plainLines(p.Source))
	src.Name, src.File, src.Old, src.Current, src.head = p.Name, p.File, p.Old, p.Current, head
	if revision == "" {
		s.cache.Set(key, src)
	}
	return src, nil
}

// RevisionAt is the id of the commit that was a page's newest at a time.
// ErrNotFound when the page is younger.
func (s *Service) RevisionAt(ctx context.Context, a wiki.Access, name string, t time.Time) (string, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return "", err
	}
	defer release()
	for before := int64(0); ; {
		_, list, err := s.history(ctx, w, name, before, 500)
		if err != nil {
			return "", err
		}
		for _, r := range list {
			if !r.Time.After(t) {
				return r.Commit, nil
			}
		}
		if len(list) < 500 {
			return "", wiki.Problemf(wiki.ErrNotFound, "at", "%q did not exist on %s.", name, t.UTC().Format(time.DateOnly))
		}
		before = list[len(list)-1].Seq
	}
}

func newSource(text string) *Source {
	src := &Source{Text: text, starts: []int{0}}
	src.sections = sync.OnceValue(func() []Section { return markdown.Sections([]byte(text)) })
	for i := range len(text) {
		if text[i] == '\n' && i+1 < len(text) {
			src.starts = append(src.starts, i+1)
		}
	}
	return src
}

// Lines is how many there are.
func (src *Source) Lines() int {
	if src.Text == "" {
		return 0
	}
	return len(src.starts)
}

// Sections are the page's, the lead first.
func (src *Source) Sections() []Section { return src.sections() }

// Slice is the text of some lines, both ends included.
func (src *Source) Slice(from, to int) string {
	begin, end := src.offset(from), src.offset(to+1)
	return src.Text[min(begin, end):end]
}

// offset is where a line begins; the text's end for a line after the last.
func (src *Source) offset(line int) int {
	switch {
	case line < 1:
		return 0
	case line > len(src.starts):
		return len(src.Text)
	}
	return src.starts[line-1]
}

// line is the number of the line in which an offset stands.
func (src *Source) line(offset int) int { return 1 + strings.Count(src.Text[:offset], "\n") }

// Section finds a section by its title, or by the last titles of its path:
// "B" or "A > B", in any case. ErrNotFound names what there is, ErrInvalid the
// candidates where several fit.
func (src *Source) Section(name string) (Section, error) {
	found := matches(src.Sections(), name)
	if len(found) == 1 {
		return found[0], nil
	}
	list := found
	if len(list) == 0 {
		list = src.Sections()
	}
	var titles []string
	for _, s := range list {
		if s.Level > 0 && len(titles) < 20 {
			titles = append(titles, fmt.Sprintf("%q (lines %d-%d)", strings.Join(s.Path, " > "), s.StartLine, s.DeepEnd))
		}
	}
	switch {
	case len(found) > 1:
		return Section{}, wiki.Problemf(wiki.ErrInvalid, "section", "%d sections are called %q: %s. Name the section with the one above it, as in \"A > B\".", len(found), name, strings.Join(titles, ", "))
	case len(titles) == 0:
		return Section{}, wiki.Problemf(wiki.ErrNotFound, "section", "The page has no headings.")
	}
	return Section{}, wiki.Problemf(wiki.ErrNotFound, "section", "There is no section %q. The page has %s.", name, strings.Join(titles, ", "))
}

// matches are the sections that a name fits: one with exactly this title goes
// before those whose title differs in case, and those before a path.
func matches(list []Section, name string) []Section {
	name = strings.TrimSpace(name)
	if bare := strings.TrimLeft(name, "#"); bare != name && strings.HasPrefix(bare, " ") {
		name = strings.TrimSpace(bare) // as the heading is written
	}
	var path []string
	for part := range strings.SplitSeq(name, ">") {
		path = append(path, sectionKey(part))
	}
	key := sectionKey(name)
	var exact, same, below []Section
	for _, s := range list {
		if s.Level == 0 {
			continue
		}
		title := s.Path[len(s.Path)-1]
		switch {
		case title == name:
			exact = append(exact, s)
		case sectionKey(title) == key:
			same = append(same, s)
		case endsWith(s.Path, path):
			below = append(below, s)
		}
	}
	for _, found := range [][]Section{exact, same, below} {
		if len(found) > 0 {
			return found
		}
	}
	return nil
}

func sectionKey(title string) string { return wiki.Key(strings.Join(strings.Fields(title), " ")) }

func endsWith(path, end []string) bool {
	if len(end) > len(path) {
		return false
	}
	for i, title := range path[len(path)-len(end):] {
		if sectionKey(title) != end[i] {
			return false
		}
	}
	return true
}

// Similar lists pages whose names have words of a name, those with most first.
func (s *Service) Similar(ctx context.Context, a wiki.Access, name string, limit int) ([]wiki.PageName, error) {
	_, d, release, err := s.openDirectory(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	return d.similar(name, limit), nil
}

func (d *directory) similar(name string, limit int) []wiki.PageName {
	own := wiki.Key(strings.Trim(strings.TrimSuffix(name, ".md"), "/") + ".md")
	asked := nameWords(name)
	best := map[int][]wiki.PageName{}
	top := 0
	for _, p := range d.paths {
		page, ok := wiki.PageOf(p)
		if !ok || wiki.Key(p) == own {
			continue
		}
		score := 0
		for w := range nameWords(string(page)) {
			for other := range asked {
				switch {
				case w == other:
					score += 3
				case len(w) > 3 && len(other) > 3 && (strings.HasPrefix(w, other) || strings.HasPrefix(other, w)):
					score += 2
				}
			}
		}
		if score > 0 {
			best[score] = append(best[score], page)
			top = max(top, score)
		}
	}
	var list []wiki.PageName
	for ; top > 0 && len(list) < limit; top-- {
		list = append(list, best[top]...)
	}
	return list[:min(len(list), limit)]
}

// nameWords are the words of a page's name that say something.
func nameWords(name string) map[string]bool {
	words := map[string]bool{}
	for _, w := range strings.FieldsFunc(wiki.Key(name), func(r rune) bool { return strings.ContainsRune("/_-.,() ", r) }) {
		if len(w) > 2 && w != "and" && w != "the" && w != "for" {
			words[w] = true
		}
	}
	return words
}

// followed finds the page that a writer means, under the name it has now.
func (s *Service) followed(ctx context.Context, w *content.Wiki, asked string) (wiki.PageName, wiki.File, error) {
	name, file, err := lookup(ctx, w, asked)
	if !errors.Is(err, wiki.ErrNotFound) {
		return name, file, err
	}
	if f, moved := current(ctx, w, name.File()); moved == nil {
		return found(f, nil)
	}
	d, failed := s.directory(ctx, w)
	if failed != nil {
		return "", wiki.File{}, failed
	}
	return "", wiki.File{}, d.former(ctx, w, asked)
}
