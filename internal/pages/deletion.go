package pages

import (
	"context"
	"slices"
	"strings"

	"robot.wtf/internal/content"
	"robot.wtf/internal/wiki"
)

// A Deletion is what a commit that deleted pages or attachments left behind.
type Deletion struct {
	Pages  []wiki.PageName // deleted pages
	Files  []string        // paths of deleted attachments
	Below  []wiki.PageName // pages below the deleted ones, which are still there
	Broken []wiki.PageName // pages with links to something that was deleted
}

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
	var done Deletion
	gone := map[string]bool{} // keys, of pages with and without ".md"
	for _, ch := range c.Changes {
		if ch.Kind != wiki.Deleted || wiki.Hidden(ch.Path) || d.byKey[wiki.Key(ch.Path)] != "" {
			continue
		}
		if to, err := d.movedTo(ctx, w, ch.Path); err != nil || to != "" { // merged into another page
			if err != nil {
				return Deletion{}, err
			}
			continue
		}
		gone[wiki.Key(ch.Path)] = true
		page, ok := wiki.PageOf(ch.Path)
		if !ok {
			done.Files = append(done.Files, ch.Path)
			continue
		}
		gone[wiki.Key(string(page))] = true
		done.Pages = append(done.Pages, page)
		done.Below = append(done.Below, pageNames(d.below(string(page)))...)
	}
	slices.Sort(done.Below)
	done.Below = slices.Compact(done.Below)
	done.Broken, err = d.linksInto(ctx, w, gone)
	return done, err
}

// linksInto lists the pages whose links lead to missing files of the given keys.
func (d *directory) linksInto(ctx context.Context, w *content.Wiki, missing map[string]bool) ([]wiki.PageName, error) {
	if len(missing) == 0 {
		return nil, nil
	}
	links, err := w.AllLinks(ctx, wiki.LinkPage, wiki.LinkEmbed, wiki.LinkFile)
	if err != nil {
		return nil, err
	}
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
	return list, nil
}
