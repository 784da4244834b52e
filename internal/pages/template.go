package pages

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"robot.wtf/internal/content"
	"robot.wtf/internal/edit"
	"robot.wtf/internal/wiki"
)

// templateFolder holds the pages that new pages can start from.
const templateFolder = "Templates/"

// templateContent is the place in a template for the text of the new page.
const templateContent = "{{content}}"

// maxListedTemplates bounds the templates that an error names.
const maxListedTemplates = 20

// fromTemplate returns the text of a new page that starts from a template. It
// refuses one with any text by people who aren't members: the new page would be
// the caller's, and so would their words.
func (s *Service) fromTemplate(ctx context.Context, w *content.Wiki, a wiki.Access, page wiki.PageName, r SaveRequest) ([]byte, error) {
	name := strings.Trim(r.Template, "/")
	if !strings.HasPrefix(wiki.Key(name), wiki.Key(templateFolder)) {
		name = templateFolder + name
	}
	found, file, err := lookupBy(ctx, w.Find, name)
	if errors.Is(err, wiki.ErrNotFound) || errors.Is(err, wiki.ErrInvalid) {
		return nil, s.noTemplate(ctx, w, a, r.Template)
	}
	if err != nil {
		return nil, err
	}
	if file, err = w.Lookup(ctx, file.Path); err != nil { // with the commit, which Find leaves out
		return nil, err
	}
	foreign, err := s.hasForeignText(ctx, w, a, r.Member, file)
	if err != nil {
		return nil, err
	}
	if foreign {
		return nil, wiki.Problemf(wiki.ErrInvalid, "template", "%q has text by people who aren't members of this wiki. A member must rewrite it before pages can start from it.", found)
	}
	text, err := w.Blob(ctx, file.Blob)
	if err != nil {
		return nil, err
	}
	fill := templateValues{
		"{{date}}", s.now().UTC().Format(time.DateOnly),
		"{{title}}", page.Title(),
		"{{author}}", a.Caller().User.AuthorName(),
		templateContent, strings.Trim(edit.Normalize(r.Text), "\n"),
	}
	return fill.expand(ctx, w, edit.Normalize(text), a.Site().Limits)
}

// hasForeignText reports whether any of a page's current text is by people who
// aren't members.
func (s *Service) hasForeignText(ctx context.Context, w *content.Wiki, a wiki.Access, member func(did string) bool, file wiki.File) (bool, error) {
	f, err := s.strangers(ctx, w, a, member)
	if err != nil || !f.any {
		return err != nil, err
	}
	return f.pageFile(ctx, file, false)
}

// templateValues are the places in a template, each followed by its value. The
// last one is the place of the new page's own text.
type templateValues []string

// expand fills a template in a single pass, so that a value can't have places of
// its own. A text without a place becomes a block at the end.
func (v templateValues) expand(ctx context.Context, w *content.Wiki, template string, limits wiki.Limits) ([]byte, error) {
	size := int64(len(template))
	for i := 0; i < len(v); i += 2 {
		size += int64(strings.Count(template, v[i])) * int64(len(v[i+1])-len(v[i]))
	}
	if limits.PageBytes > 0 && size > limits.PageBytes {
		return nil, wiki.Problemf(wiki.ErrTooLarge, "template", "This page is too large with its template. The limit is %s.", formatBytes(limits.PageBytes))
	}
	text, added := strings.NewReplacer(v...).Replace(template), v[len(v)-1]
	if strings.Contains(template, templateContent) || strings.TrimSpace(added) == "" {
		return []byte(text), nil
	}
	release, err := w.AcquireCompare(ctx, len(text)+len(added))
	if err != nil {
		return nil, err
	}
	defer release()
	doc := edit.NewDocument(text)
	done, err := edit.Apply(doc, edit.Basis{Base: doc}, edit.Edit{Op: edit.Append, Text: "\n" + added})
	if err != nil {
		return nil, aboutField(err, "content")
	}
	return []byte(done.Text), nil
}

// templates lists the pages that new pages can start from.
func (d *directory) templates() []wiki.PageName {
	var list []wiki.PageName
	for i, file := range d.paths {
		if page, ok := wiki.PageOf(file); ok && strings.HasPrefix(d.keys[i], wiki.Key(templateFolder)) {
			list = append(list, page)
		}
	}
	return list
}

// noTemplate is the error of an unknown template. It names those that exist.
func (s *Service) noTemplate(ctx context.Context, w *content.Wiki, a wiki.Access, name string) error {
	d, err := s.directory(ctx, w, a)
	if err != nil {
		return err
	}
	list := d.templates()
	if len(list) == 0 {
		return wiki.Problemf(wiki.ErrNotFound, "template", "This wiki has no templates. Any page below %s is one, for example %sMeeting.", wiki.Own(templateFolder), wiki.Own(templateFolder))
	}
	shown := list[:min(len(list), maxListedTemplates)]
	format, args := "There is no template %q. There are: %s", []any{name, shown[0]}
	for _, page := range shown[1:] {
		format, args = format+", %s", append(args, page)
	}
	if more := len(list) - len(shown); more > 0 {
		format += fmt.Sprintf(" and %d more below %s", more, templateFolder)
	}
	return wiki.Problemf(wiki.ErrNotFound, "template", format+".", args...)
}
