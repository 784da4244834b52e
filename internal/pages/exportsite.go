package pages

import (
	"context"
	"errors"
	"strings"
	"time"

	"robot.wtf/internal/markdown"
	"robot.wtf/internal/site"
	"robot.wtf/internal/wiki"
)

// A siteRun writes a static website.
type siteRun struct {
	*exportRun
	names *directory
	files map[string]wiki.File
	site  *site.Site
}

// site writes the current pages as a website of static files, with the attachments.
func (x *exportRun) site(ctx context.Context, r ExportRequest) error {
	d, err := x.s.directory(ctx, x.w, x.a)
	if err != nil {
		return err
	}
	run := siteRun{exportRun: x, names: d, files: map[string]wiki.File{}}
	listed, attachments, err := run.plan(ctx, r)
	if err != nil {
		return err
	}
	home := d.home(x.a.Site())
	if strings.HasPrefix(home, "/") { // an address instead of a page
		home = ""
	}
	o := site.Options{Name: x.a.Site().Name(), Origin: r.Origin, Home: wiki.PageName(home), Lang: x.a.Site().Lang, Made: x.s.now(), Emit: func(name string, modified time.Time, data []byte) error {
		return x.add(ctx, name, modified, data)
	}}
	o.Footer, _ = x.s.Footer(ctx, x.a)
	if o.Assets, err = r.Assets(); err != nil {
		return err
	}
	run.site, err = site.New(o, listed, attachments, func(p string) ([]byte, error) { return x.read(ctx, run.files[p]) })
	if err != nil {
		return err
	}
	return run.write(ctx, listed, attachments)
}

// plan lists the files that can be shown.
func (x *siteRun) plan(ctx context.Context, r ExportRequest) (listed []site.Page, attachments []string, err error) {
	files, err := x.w.List(ctx, "")
	if err != nil {
		return nil, nil, err
	}
	links, err := x.w.AllLinks(ctx)
	if err != nil && !errors.Is(err, wiki.ErrDamaged) {
		return nil, nil, err
	}
	g := x.names.graph(links)
	for _, f := range files {
		if errors.Is(x.w.MayRead(f.Blob), wiki.ErrTakenDown) {
			x.notes = append(x.notes, f.Path+" is left out: it can't be shown, for legal reasons.")
			continue
		}
		x.files[f.Path] = f
		name, isPage := wiki.PageOf(f.Path)
		if !isPage {
			attachments = append(attachments, f.Path)
			continue
		}
		listed = append(listed, site.Page{
			Name: name, Path: f.Path, Modified: f.Modified, Tags: g.tags[f.Path], From: pageNames(g.from[f.Path]),
			By: r.Byline(f.Author), Agent: f.Author.IsAgent(),
			Unlisted: wiki.IsFrame(f.Path),
		})
	}
	return listed, attachments, nil
}

func (x *siteRun) write(ctx context.Context, listed []site.Page, attachments []string) error {
	for _, p := range listed {
		c, err := x.render(ctx, p.Name, x.files[p.Path])
		if err != nil {
			return err
		}
		if err := x.site.WritePage(p.Path, c); err != nil {
			return err
		}
	}
	for _, p := range attachments {
		data, err := x.read(ctx, x.files[p])
		if err != nil {
			return err
		}
		if data == nil {
			continue
		}
		if to := x.site.FileName(p); to != p {
			x.notes = append(x.notes, p+" is named "+to+" here, because some systems can't store that name, or because it could run a script.")
		}
		if err := x.site.WriteFile(p, x.files[p].Modified, data); err != nil {
			return err
		}
	}
	partial, err := x.site.Finish()
	if err != nil {
		return err
	}
	if partial {
		x.notes = append(x.notes, "There is too much text for the search index, so some pages are found only by title and tags.")
	}
	return x.writeNotes(ctx, x.site.HasFile)
}

// render renders a page as it is shown by the service. The run holds the wiki's turn.
func (x *siteRun) render(ctx context.Context, name wiki.PageName, f wiki.File) (site.Content, error) {
	source, err := x.read(ctx, f)
	if err != nil {
		return site.Content{}, err
	}
	if source == nil { // it was taken down or erased meanwhile
		return site.Content{Title: name.Title(), Notices: []string{"This page can't be shown."}}, nil
	}
	v := View{Page: Page{Name: name, File: f, Source: source}}
	page, err := x.body(ctx, &v.Page)
	if err := v.setRendered(page, x.a.Site().Lang, err); err != nil {
		return site.Content{}, err
	}
	c := site.Content{Title: v.Title, Lang: v.Lang, RightToLeft: v.RightToLeft(), Body: v.Body, Source: string(source), Notices: v.Notices}
	for _, h := range v.Headings {
		c.Headings = append(c.Headings, site.Heading{Level: h.Level, ID: h.ID, Text: h.Text})
	}
	for _, p := range v.Properties {
		c.Props = append(c.Props, site.Prop{Key: p.Key, Values: p.Values})
	}
	return c, nil
}

// body is Service.rendered for a run that holds the wiki's turn. It fills no cache, so
// that an export doesn't displace what readers use.
func (x *siteRun) body(ctx context.Context, p *Page) (*markdown.Page, error) {
	r := x.s.newResolver(x.w, x.names, p.Name)
	r.pictureSize, r.lists.since, r.lists.holdsTurn = nil, 0, true
	if b, ok := x.s.cachedBody(ctx, r, p); ok {
		return b.page, nil
	}
	return x.s.renderUnlessSlow(p, r, func() (*markdown.Page, error) {
		return x.s.markdown.Render(ctx, x.w.Slug(), p.Name, p.Source, r)
	})
}
