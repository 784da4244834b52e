package pages

import (
	"bytes"
	"context"
	"errors"
	"maps"

	"robot.wtf/internal/markdown"
	"robot.wtf/internal/wiki"
)

// A LinkCount counts the links of imported pages.
type LinkCount struct {
	Links, LinksLead   int
	Pictures, PicsShow int
	Dead               []DeadLink // at most maxPreview
}

// A DeadLink is a link to a page or picture that isn't there.
type DeadLink struct{ Page, Target string }

// DeadLinks is the number of links and pictures that lead nowhere.
func (c *LinkCount) DeadLinks() int { return c.Links - c.LinksLead + c.Pictures - c.PicsShow }

// add counts a link of an imported page.
func (c *LinkCount) add(page, target string, leads bool) {
	if imageByName(target) {
		c.Pictures++
		c.PicsShow += boolToInt(leads)
	} else {
		c.Links++
		c.LinksLead += boolToInt(leads)
	}
	if !leads && len(c.Dead) < maxPreview {
		c.Dead = append(c.Dead, DeadLink{page, target})
	}
}

// A survey counts the links of an import, and finds the order of its wikilinks.
type survey struct {
	names, textFirst *names
	now, swapped     LinkCount // with the names' order, and with the text first
	page, text       int       // wikilinks that lead somewhere by that side only
	isWiki           bool      // it has the frames of a GitHub wiki or Gollum
	tags             map[string]bool
}

func newSurvey(n *names) *survey {
	return &survey{
		names: n, textFirst: n.ordered(wiki.TextFirst), tags: map[string]bool{},
		isWiki: n.byKey["_sidebar.md"] == "_Sidebar.md" || n.byKey["_footer.md"] == "_Footer.md",
	}
}

// add counts the links and tags of a page that the import calls from.
func (s *survey) add(from string, self wiki.PageName, source []byte) {
	for _, l := range markdown.ExtractFacts(self, source).Links {
		switch l.Kind {
		case wiki.LinkTag:
			s.tags[l.Target] = true
		case wiki.LinkAlias:
		default:
			s.addLink(from, self, l)
		}
	}
}

func (s *survey) addLink(from string, self wiki.PageName, l wiki.Link) {
	s.now.add(from, s.names.naming(l).Target, s.names.lead(self, l).file != "")
	s.swapped.add(from, s.textFirst.naming(l).Target, s.textFirst.lead(self, l).file != "")
	if swapped, _, ok := l.Swapped(); ok && swapped.Target != "" {
		page, text := s.names.leadOnce(self, l).file != "", s.names.leadOnce(self, swapped).file != ""
		s.page += boolToInt(page && !text)
		s.text += boolToInt(text && !page)
	}
}

// order returns the order that the wiki should have, the present one unless the import
// clearly has its text first.
func (s *survey) order() wiki.LinkOrder {
	const few = 3 // they can be accidents
	if s.names.order == wiki.AutomaticOrder && (s.text >= few && s.text >= 4*s.page || s.isWiki && s.text > s.page) {
		return wiki.TextFirst
	}
	return s.names.order
}

// report writes the counts into a preview. newOrder says that the wiki can get another
// order of wikilinks: it has no links yet.
func (s *survey) report(v *ImportPreview, newOrder bool) {
	v.LinkCount, v.Tags = s.now, len(s.tags)
	if order := s.order(); order != s.names.order {
		v.TextFirst = s.text
		if newOrder {
			v.Wikilinks, v.LinkCount = order, s.swapped
		}
	}
}

// A pageReader calls visit with each page of an import: what the import calls it, its
// path in the wiki, and its text. step says why.
type pageReader func(step string, visit func(from, to string, data []byte)) error

// surveyPages surveys pages that come to a wiki, which has the paths then and had the
// aliases before. It reads the pages twice, because links can lead to aliases in any.
func surveyPages(paths []string, aliases map[string][]string, order wiki.LinkOrder, each pageReader) (*survey, error) {
	aliases = maps.Clone(aliases)
	err := each("Reading the pages' other names", func(_, to string, data []byte) {
		aliases[to] = aliasesIn(to, data)
	})
	if err != nil {
		return nil, err
	}
	found := newSurvey(newNames(paths, aliases, nil).ordered(order))
	err = each("Following the links", func(from, to string, data []byte) {
		name, _ := wiki.PageOf(to)
		found.add(from, name, data)
	})
	return found, err
}

// aliasesIn lists the other names that a page has in its front matter. It parses only
// pages that can have some.
func aliasesIn(file string, source []byte) (list []string) {
	if !bytes.Contains(source, []byte("alias")) && !bytes.Contains(source, []byte("title::")) {
		return nil
	}
	name, _ := wiki.PageOf(file)
	for _, l := range markdown.ExtractFacts(name, source).Links {
		if l.Kind == wiki.LinkAlias {
			list = append(list, l.Target)
		}
	}
	return list
}

// look follows the links and collects the tags of everything that is imported.
func (p *filesPlan) look(ctx context.Context) error {
	turn, err := p.run.s.content.Turns().TakeTurn(ctx, p.run.w.Slug())
	if err != nil {
		return err
	}
	defer turn.End()
	found, err := surveyPages(p.after.paths, p.now.aliases, p.now.order, func(step string, visit func(from, to string, data []byte)) error {
		progress := p.run.count(step)
		for n, f := range p.files {
			progress(n, len(p.files))
			if !isText(f.to) || f.choice == KeepMine {
				continue
			}
			if err := turn.Check(ctx); err != nil {
				return err
			}
			data, err := p.read(ctx, f)
			if err != nil {
				return err
			}
			visit(f.From, f.to, data)
		}
		return nil
	})
	if err == nil {
		found.report(p.preview, p.seeds != nil)
	}
	return err
}

// lookHistory follows the links of the newest files of a repository.
func (i *importRun) lookHistory(ctx context.Context, v *ImportPreview) (err error) {
	turn, err := i.s.content.Turns().TakeTurn(ctx, i.w.Slug())
	if err != nil {
		return err
	}
	defer turn.End()
	source := &repositorySource{run: i}
	defer func() { err = errors.Join(err, source.Close()) }()
	listing, err := source.List(ctx)
	if err != nil {
		return err
	}
	var paths []string
	for _, f := range listing.Files {
		paths = append(paths, f.Path)
	}
	found, err := surveyPages(paths, map[string][]string{}, i.a.Site().Wikilinks, func(step string, visit func(from, to string, data []byte)) error {
		progress := i.count(step)
		for n, f := range listing.Files {
			progress(n, len(listing.Files))
			if !f.IsPage() {
				continue
			}
			data, err := source.Read(ctx, f)
			if err == nil {
				err = turn.Check(ctx)
			}
			if err != nil {
				return err
			}
			visit(f.From, f.Path, data)
		}
		return nil
	})
	if err == nil {
		found.report(v, true)
	}
	return err
}
