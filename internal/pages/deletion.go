package pages

import (
	"context"
	"slices"
	"strings"

	"robot.wtf/internal/content"
	"robot.wtf/internal/markdown"
	"robot.wtf/internal/wiki"
)

// A Deletion is what the deletion of pages or attachments leaves behind.
type Deletion struct {
	Pages  []wiki.PageName // deleted pages
	Files  []string        // paths of deleted attachments
	Below  []wiki.PageName // pages below the deleted ones, which are still there
	Broken []wiki.PageName // pages with links to something that was deleted
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
		if to, err := d.movedTo(ctx, w, ch.Path); err != nil || to != "" { // merged into another page
			if err != nil {
				return Deletion{}, err
			}
			continue
		}
		paths = append(paths, ch.Path)
	}
	done, gone := d.describeDeleted(paths)
	if done.isEmpty() {
		return done, nil
	}
	links, err := allLinks(ctx, w)
	done.Broken = d.linksInto(gone, links)
	return done, err
}

func allLinks(ctx context.Context, w *content.Wiki) ([]wiki.Link, error) {
	return w.AllLinks(ctx, wiki.LinkPage, wiki.LinkEmbed, wiki.LinkFile)
}

// describeDeleted describes the deletion of files, as far as the directory lacks them,
// apart from links. It also returns their keys, those of pages with and without ".md".
func (d *directory) describeDeleted(paths []string) (done Deletion, gone map[string]bool) {
	gone = map[string]bool{}
	for _, p := range paths {
		if d.byKey[wiki.Key(p)] != "" {
			continue
		}
		gone[wiki.Key(p)] = true
		page, ok := wiki.PageOf(p)
		if !ok {
			done.Files = append(done.Files, p)
			continue
		}
		gone[wiki.Key(string(page))] = true
		done.Pages = append(done.Pages, page)
		done.Below = append(done.Below, pageNames(d.below(string(page)))...)
	}
	slices.Sort(done.Below)
	done.Below = slices.Compact(done.Below)
	return done, gone
}

// linksInto lists the pages whose links lead to missing files of the given keys.
func (d *directory) linksInto(missing map[string]bool, links []wiki.Link) []wiki.PageName {
	var list []wiki.PageName
	for _, l := range links {
		file, ok := d.page(l.From)
		if !ok || !missing[wiki.Key(strings.Trim(l.Target, "/"))] {
			continue
		}
		self, _ := wiki.PageOf(file)
		if _, there := d.resolve(self, l.Target); !there && !slices.Contains(list, self) {
			list = append(list, self)
		}
	}
	return list
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
	links, err := p.linksAfter(ctx)
	done.Broken = d.linksInto(gone, links)
	return done, err
}

// namesAfter returns the directory as the plan leaves it.
func (p *changePlan) namesAfter() *directory {
	var paths []string
	for _, path := range p.names.paths {
		if to := p.moves.to[path]; to != "" {
			paths = append(paths, to)
		} else if !p.moves.free[path] {
			paths = append(paths, path)
		}
	}
	for _, pg := range p.order {
		if pg.isNew() {
			paths = append(paths, pg.file.Path)
		}
	}
	slices.Sort(paths)
	return newDirectory("", paths)
}

// linksAfter lists the wiki's links as the plan leaves them. Those of pages that it
// doesn't write can have targets of before a move.
func (p *changePlan) linksAfter(ctx context.Context) ([]wiki.Link, error) {
	before, err := allLinks(ctx, p.w)
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
	return slices.DeleteFunc(links, func(l wiki.Link) bool { return l.Kind == wiki.LinkTag }), nil
}
