package pages

import (
	"context"
	"hash/maphash"
	"slices"

	"robot.wtf/internal/content"
	"robot.wtf/internal/wiki"
)

// A State identifies everything that the Views of a wiki's current pages depend on,
// except its settings.
type State struct {
	seq       int64
	head      string // commit id
	related   uint64 // of the vectors
	forgotten uint64 // takedowns and erasures
}

// State returns the state of a wiki. It usually reads only memory.
func (s *Service) State(ctx context.Context, a wiki.Access) (State, error) {
	if err := a.Allow(wiki.Read); err != nil {
		return State{}, err
	}
	slug := a.Site().Slug
	now := State{related: s.search.VectorVersion(slug), forgotten: s.forgotten.Load()}
	var ok bool
	if now.seq, now.head, ok = s.content.Head(slug); ok {
		return now, nil
	}
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return State{}, err
	}
	defer release()
	now.seq, now.head = w.Head()
	return now, nil
}

// A Basis is what the View of a current page was made from.
type Basis struct {
	name    wiki.PageName
	file    wiki.File
	names   *generation
	answers []answer // of the links in the body
	from    []string // files of the pages that link here, in the order of Backlinks
	links   uint64   // hash of Backlinks
	related []wiki.PageName
	below   int
	sidebar string // blob that orders the page tree, or ""
}

// Name returns the page's name.
func (b *Basis) Name() wiki.PageName { return b.name }

// Weight is the memory that a basis takes in bytes, without strings that it shares.
func (b *Basis) Weight() int { return 300 + 250*len(b.answers) + 16*(len(b.from)+len(b.related)) }

// newBasis returns the basis of a view.
func newBasis(d *directory, v *View, rendered *body) *Basis {
	b := &Basis{name: v.Name, file: v.File, names: d.generation, answers: rendered.answers, related: v.Related, below: v.Below}
	b.from, b.links = linkBasis(d, v.Backlinks)
	return b
}

var linkSeed = maphash.MakeSeed()

func linkBasis(d *directory, links []Backlink) (from []string, hash uint64) {
	var h maphash.Hash
	h.SetSeed(linkSeed)
	for _, l := range links {
		file, _ := d.page(string(l.Name))
		from = append(from, file)
		h.WriteString(file)
		h.WriteByte(0)
		h.WriteString(l.Text)
		h.WriteByte(0)
	}
	return from, h.Sum64()
}

// IsCurrent reports whether View would return the same as in an earlier state, and
// whether the wiki's names are the same, and with them the page tree and the home page.
// After saves of other pages it usually reads only memory.
func (s *Service) IsCurrent(ctx context.Context, a wiki.Access, b *Basis, since State) (same, sameNames bool, err error) {
	w, d, release, err := s.openDirectory(ctx, a, wiki.Read)
	if err != nil {
		return false, false, err
	}
	defer release()
	sameNames = b.names == d.generation
	if since.forgotten != s.forgotten.Load() {
		return false, sameNames, nil
	}
	changed, linked, known := d.changesSince(since.head)
	if !known || !sameNames {
		changed = nil // anything can have changed
	}
	for _, unchanged := range []func() (bool, error){
		func() (bool, error) { return b.hasFile(ctx, w, changed) },
		func() (bool, error) {
			return s.newResolver(w, d, b.name).stillValid(ctx, b.answers, sameNames, changed), nil
		},
		func() (bool, error) { return b.hasLinks(ctx, w, d, changed, linked) },
		func() (bool, error) { return b.hasSidebar(ctx, w, d, changed) },
		func() (bool, error) { return sameNames || d.countBelow(b.name) == b.below, nil },
		func() (bool, error) { return slices.Equal(s.related(ctx, w, d, b.name, b.from), b.related), nil },
	} {
		if same, err := unchanged(); !same || err != nil {
			return false, sameNames, err
		}
	}
	return true, sameNames, nil
}

// hasFile reports whether the page's file is still the same.
func (b *Basis) hasFile(ctx context.Context, w *content.Wiki, changed map[string]bool) (bool, error) {
	if changed != nil && !changed[b.file.Path] {
		return true, nil
	}
	f, err := w.Lookup(ctx, b.file.Path)
	return f == b.file, err
}

// hasLinks reports whether the same pages link to the page. linked are the files that
// changed pages link to now.
func (b *Basis) hasLinks(ctx context.Context, w *content.Wiki, d *directory, changed, linked map[string]bool) (bool, error) {
	if changed != nil && !linked[b.file.Path] && !slices.ContainsFunc(b.from, func(file string) bool { return changed[file] }) {
		return true, nil
	}
	links, err := d.linksTo(ctx, w, b.file.Path)
	if err != nil {
		return false, err
	}
	_, hash := linkBasis(d, backlinks(d, b.name, links))
	return hash == b.links, nil
}

// A headStep is how a wiki changed between the heads of two directories.
type headStep struct {
	from   string          // head before, a commit id
	files  map[string]bool // that changed, by path
	linked map[string]bool // files that the changed pages link to after the step
}

// Bounds on the steps that a directory remembers.
const (
	maxSteps     = 32
	maxStepFiles = 50
)

// stepsAfter returns the steps of the next directory: those of d, and the changes since.
// It returns none, so that nothing counts as known, if there are too many changes.
func (d *directory) stepsAfter(ctx context.Context, w *content.Wiki, next *names, changes []content.NameChange) ([]headStep, error) {
	s := headStep{from: d.head, files: map[string]bool{}, linked: map[string]bool{}}
	for _, c := range changes {
		if s.files[c.Path] = true; c.From != "" {
			s.files[c.From] = true
		}
	}
	if len(s.files) > maxStepFiles {
		return nil, nil
	}
	for file := range s.files {
		self, isPage := wiki.PageOf(file)
		if !isPage {
			continue
		}
		links, err := w.LinksFrom(ctx, self)
		if err != nil {
			return nil, err
		}
		for _, l := range links {
			if to := next.lead(self, l); to.file != "" {
				s.linked[to.file] = true
			}
		}
	}
	return append(slices.Clone(d.steps[max(0, len(d.steps)-maxSteps+1):]), s), nil
}

// changesSince returns the files that changed since a head, and those that changed pages
// link to; false if they aren't known.
func (d *directory) changesSince(head string) (files, linked map[string]bool, ok bool) {
	files, linked = map[string]bool{}, map[string]bool{}
	if head == d.head {
		return files, linked, true
	}
	at := slices.IndexFunc(d.steps, func(s headStep) bool { return s.from == head })
	if at < 0 {
		return nil, nil, false
	}
	for _, s := range d.steps[at:] {
		for f := range s.files {
			files[f] = true
		}
		for f := range s.linked {
			linked[f] = true
		}
	}
	return files, linked, true
}
