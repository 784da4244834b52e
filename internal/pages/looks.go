package pages

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"regexp"
	"slices"
	"strings"

	"robot.wtf/internal/markdown"
	"robot.wtf/internal/raster"
	"robot.wtf/internal/wiki"
)

// iconSize is the size of a wiki's icon, in pixels of its longer side.
const iconSize = 128

// MakeIcon re-encodes an image as a wiki's icon, within the bounds of all images. It
// calls read when it is the wiki's turn.
func (s *Service) MakeIcon(ctx context.Context, a wiki.Access, read func(context.Context) ([]byte, error)) (raster.Picture, error) {
	if err := a.Allow(wiki.Configure); err != nil {
		return raster.Picture{}, err
	}
	picture, err := s.pictures.Fit(ctx, a.Site().Slug, iconSize, read)
	if errors.Is(err, wiki.ErrInvalid) {
		err = wiki.Problemf(wiki.ErrInvalid, "icon", "This file isn't an image that can be read. Choose a PNG, JPEG, GIF or WebP.")
	}
	return picture, err
}

// AccentStyle returns the stylesheet of an accent color, which comes after app.css.
func AccentStyle(accent string) []byte {
	light, dark := wiki.AccentShades(accent, false), wiki.AccentShades(accent, true)
	return fmt.Appendf(nil, "@layer tokens{:root{--accent:light-dark(%s,%s);--on-accent:light-dark(%s,%s);--tint:light-dark(%s,%s)}}\n",
		light.Accent, dark.Accent, light.OnAccent, dark.OnAccent, light.Tint, dark.Tint)
}

// CheckFooter fails with a Problem if a footer's Markdown has more than text and links.
func (s *Service) CheckFooter(ctx context.Context, a wiki.Access, text string) error {
	if err := a.Allow(wiki.Configure); err != nil {
		return err
	}
	_, err := s.renderFooter(ctx, a.Site(), text)
	return err
}

// A footer is the rendered footer of a wiki.
type footer template.HTML

func (f footer) weight() uint32 { return uint32(len(f)) }

// Footer returns the footer that the wiki's settings put below its pages. One that can't
// be rendered is left out; provisional says that another try can succeed.
func (s *Service) Footer(ctx context.Context, a wiki.Access) (html template.HTML, provisional bool) {
	site := a.Site()
	if site.Footer == "" || !a.Can(wiki.Read) {
		return "", false
	}
	key := cacheKey{"footer", site.Slug, string(site.Wikilinks) + "\x00" + site.Footer}
	if c, ok := s.views.GetIfPresent(key); ok {
		return template.HTML(c.(footer)), false
	}
	html, err := s.renderFooter(ctx, site, site.Footer)
	if ctx.Err() != nil || errors.Is(err, wiki.ErrUnavailable) {
		return "", true
	}
	s.views.Set(key, footer(html)) // also "" after a failure that would repeat
	return html, false
}

var footerTag = regexp.MustCompile(`<([a-z0-9]+)( id=| [^>]* id=)?`)

// footerTags are the elements that a footer can have. The rest can't be told from the
// page's, or isn't for each page.
var footerTags = []string{"p", "br", "a", "em", "strong", "b", "i", "s", "del", "code", "sub", "sup", "small", "span", "bdi", "ul", "li"}

func (s *Service) renderFooter(ctx context.Context, site wiki.Site, text string) (template.HTML, error) {
	if strings.TrimSpace(text) == "" {
		return "", nil
	}
	page, err := s.markdown.Render(ctx, site.Slug, "Footer", []byte(text), footerResolver{site.Wikilinks})
	if err != nil {
		return "", err
	}
	for _, tag := range footerTag.FindAllStringSubmatch(string(page.HTML), -1) {
		if !slices.Contains(footerTags, tag[1]) || tag[2] != "" {
			return "", wiki.Problemf(wiki.ErrInvalid, "footer", "A footer can have text, lists and links, but no headings, pictures, tables or notes. Put those on a page, and link it.")
		}
	}
	return page.HTML, nil
}

// A footerResolver takes links as addresses from the wiki's root, whether or not the pages
// exist, so that a footer depends on nothing but its text.
type footerResolver struct{ order wiki.LinkOrder }

// Resolve implements markdown.Resolver.
func (r footerResolver) Resolve(_ context.Context, l wiki.Link, fragment string) markdown.Target {
	swapped := false
	if other, f, ok := l.Swapped(); ok && r.order == wiki.TextFirst {
		l, fragment, swapped = other, f, true
	}
	path := strings.TrimSuffix(strings.TrimPrefix(l.Target, "/"), ".md")
	if name, err := wiki.ParsePageName(path); err == nil {
		path = string(name)
	}
	t := markdown.Target{URL: wiki.PathURL(path), Exists: true, Swapped: swapped, Fragment: fragment}
	if fragment != "" {
		t.URL += markdown.Anchor(fragment)
	}
	return t
}
