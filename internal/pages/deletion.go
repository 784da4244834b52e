package pages

import (
	"context"
	"slices"
	"strings"

	"robot.wtf/internal/markdown"
	"robot.wtf/internal/wiki"
)

// A Deletion is what the deletion of pages or attachments leaves behind.
type Deletion struct {
	Pages  []wiki.PageName // deleted pages
	Files  []string        // paths of deleted attachments
	Below  []wiki.PageName // pages below the deleted ones, which are still there
	Broken []wiki.PageName // pages with links to something that was deleted
	Dead   int             // those links

	Diverted []Diverted // links to it that lead elsewhere now
}

func (done *Deletion) isEmpty() bool { return len(done.Pages)+len(done.Files) == 0 }

// Deletion reports what a commit deleted, as far as it is still missing.
func (s *Service) Deletion(ctx context.Context, a wiki.Access, commit string) (Deletion, error) {
	w, d, release, err := s.openDirectory(ctx, a, wiki.Read)
	if err != nil {
		return Deletion{}, err
	}
	defer release()
	c, err := w.CommitByID(ctx, commit)
	if err != nil {
		return Deletion{}, err
	}
	var paths []string
	for _, ch := range c.Changes {
		if ch.Kind != wiki.Deleted || wiki.Hidden(ch.Path) {
			continue
		}
		if d.movedTo(ch.Path) == "" { // otherwise it was merged into another page
			paths = append(paths, ch.Path)
		}
	}
	done, gone := d.describeDeleted(paths)
	if done.isEmpty() {
		return done, nil
	}
	links, err := w.LinksByKey(ctx, keysOf(gone))
	d.addLinks(&done, gone, links)
	return done, err
}

// keysOf returns the keys of links that can lead to files.
func keysOf(files []string) []string {
	var keys []string
	for _, f := range files {
		keys = append(keys, wiki.PageKeys(f, nil)...)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// describeDeleted describes the deletion of files, as far as the names lack them, apart
// from links. It also returns the files.
func (n *names) describeDeleted(paths []string) (done Deletion, gone []string) {
	for _, p := range paths {
		if n.byKey[wiki.Key(p)] != "" {
			continue
		}
		gone = append(gone, p)
		page, ok := wiki.PageOf(p)
		if !ok {
			done.Files = append(done.Files, p)
			continue
		}
		done.Pages = append(done.Pages, page)
		done.Below = append(done.Below, pageNames(n.below(string(page)))...)
	}
	slices.Sort(done.Below)
	done.Below = slices.Compact(done.Below)
	return done, gone
}

// addLinks compares where links lead with and without files that were deleted. It adds
// the pages whose links lead nowhere now, and the links that lead to another file.
func (n *names) addLinks(done *Deletion, gone []string, links []wiki.Link) {
	before := n.after([]nameChange{{come: gone}}, nil, nil)
	before.former = n.former
	for _, l := range links {
		file, ok := n.page(l.From)
		self, _ := wiki.PageOf(file)
		was := before.lead(self, l)
		if !ok || !slices.Contains(gone, was.file) {
			continue
		}
		if now := n.lead(self, l); now.file != "" {
			done.Diverted = addDiverted(done.Diverted, was.file, now.file)
			continue
		}
		done.Dead++
		if !slices.Contains(done.Broken, self) {
			done.Broken = append(done.Broken, self)
		}
	}
}

// Creation lists the links that lead to what a commit created, as far as it is still
// there, and led elsewhere before. They aren't rewritten: they may mean the new page.
func (s *Service) Creation(ctx context.Context, a wiki.Access, commit string) ([]Diverted, error) {
	w, d, release, err := s.openDirectory(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	c, err := w.CommitByID(ctx, commit)
	if err != nil {
		return nil, err
	}
	var created, keys []string
	for _, ch := range c.Changes {
		if ch.Kind == wiki.Added && d.byKey[wiki.Key(ch.Path)] == ch.Path {
			created = append(created, ch.Path)
			keys = append(keys, wiki.PageKeys(ch.Path, d.aliases[ch.Path])...)
		}
	}
	if len(created) == 0 {
		return nil, nil
	}
	slices.Sort(keys)
	links, err := w.LinksByKey(ctx, slices.Compact(keys))
	return d.takenBy(created, d.after([]nameChange{{gone: created}}, nil, d.left), links), err
}

// takenBy compares where links lead with files that were created and before, without
// them.
func (n *names) takenBy(created []string, before *names, links []wiki.Link) (list []Diverted) {
	for _, l := range links {
		file, ok := n.page(l.From)
		self, _ := wiki.PageOf(file)
		now := n.lead(self, l)
		if !ok || !slices.Contains(created, now.file) || slices.Contains(created, file) {
			continue
		}
		if was := before.lead(self, l); was.file != "" {
			list = addDiverted(list, was.file, now.file)
		}
	}
	return list
}

// A Diverted is a number of links that lead elsewhere since a file was created or
// deleted.
type Diverted struct {
	From, To string // paths of files
	Links    int
}

func addDiverted(list []Diverted, from, to string) []Diverted {
	for i := range list {
		if list[i].From == from && list[i].To == to {
			list[i].Links++
			return list
		}
	}
	return append(list, Diverted{From: from, To: to, Links: 1})
}

// deletion reports what the plan deletes, after edits has been called.
func (p *changePlan) deletion(ctx context.Context) (Deletion, error) {
	paths := slices.Clone(p.files)
	for _, pg := range p.order {
		if pg.deleted && pg.into == nil {
			paths = append(paths, pg.file.Path)
		}
	}
	if len(paths) == 0 {
		return Deletion{}, nil
	}
	d := p.namesAfter()
	done, gone := d.describeDeleted(paths)
	links, err := p.linksAfter(ctx, keysOf(gone))
	d.addLinks(&done, gone, links)
	return done, err
}

// creation lists the links that the plan's new pages take over, after edits has been
// called.
func (p *changePlan) creation(ctx context.Context) ([]Diverted, error) {
	created := p.created()
	if len(created) == 0 {
		return nil, nil
	}
	links, err := p.linksAfter(ctx, keysOf(created))
	return p.namesAfter().takenBy(created, p.names.names, links), err
}

// created lists the files of the plan's new pages.
func (p *changePlan) created() (list []string) {
	for _, pg := range p.order {
		if pg.isNew() {
			list = append(list, pg.file.Path)
		}
	}
	return list
}

// namesAfter returns the names as the plan leaves them.
func (p *changePlan) namesAfter() *names { return p.moves.after(p.created()) }

// linksAfter lists links with the keys, as the plan leaves them, and all links of pages
// that it writes. Those of other pages can have targets of before a move.
func (p *changePlan) linksAfter(ctx context.Context, keys []string) ([]wiki.Link, error) {
	before, err := p.w.LinksByKey(ctx, keys)
	if err != nil {
		return nil, err
	}
	var links []wiki.Link
	for _, l := range before {
		file, _ := p.names.page(l.From)
		if pg := p.byFile[file]; pg != nil && (pg.deleted || pg.written != nil) {
			continue
		}
		if to := p.moves.to[file]; to != "" {
			l.From = strings.TrimSuffix(to, ".md")
		}
		links = append(links, l)
	}
	for _, pg := range p.order {
		if pg.deleted || pg.written == nil {
			continue
		}
		written, err := p.linksOf(ctx, pg)
		if err != nil {
			return nil, err
		}
		links = append(links, written...)
	}
	return links, nil
}

// linksOf lists the links in the new text of a page.
func (p *changePlan) linksOf(ctx context.Context, pg *planned) ([]wiki.Link, error) {
	release, err := p.w.AcquireLarge(ctx, len(pg.written))
	if err != nil {
		return nil, err
	}
	defer release()
	links := markdown.ExtractFacts(pg.name, pg.written).Links
	for i := range links {
		links[i].From = string(pg.name)
	}
	return slices.DeleteFunc(links, func(l wiki.Link) bool { return l.Kind == wiki.LinkTag || l.Kind == wiki.LinkAlias }), nil
}
