package pages

import (
	"context"
	"errors"
	"path"
	"strings"

	"robot.wtf/internal/content"
	"robot.wtf/internal/markdown"
	"robot.wtf/internal/wiki"
)

// A resolver finds the targets of one page's links for one rendering and records
// them.
type resolver struct {
	w       *content.Wiki
	names   *directory
	self    wiki.PageName
	answers []answer
	former  int   // look-ups of possible former names
	failed  error // the first failed read; the rendering isn't cached
}

// An answer is the resolution of one link.
type answer struct {
	kind             wiki.LinkKind
	target, fragment string
	got              markdown.Target // without Source
	blob             string          // of an embedded page
}

// Resolve implements markdown.Resolver.
func (r *resolver) Resolve(ctx context.Context, kind wiki.LinkKind, target, fragment string) markdown.Target {
	a, source := r.answer(ctx, kind, target, fragment, true)
	r.answers = append(r.answers, a)
	a.got.Source = source
	return a.got
}

// stillValid reports whether all answers would be the same now.
func (r *resolver) stillValid(ctx context.Context, answers []answer) bool {
	for _, old := range answers {
		if old.kind == linkListing {
			below := wiki.PageName(old.target)
			list, _ := r.names.matching(below, old.fragment)
			if listingAnswer(below, old.fragment, list) != old {
				return false
			}
			continue
		}
		if now, _ := r.answer(ctx, old.kind, old.target, old.fragment, false); now != old {
			return false
		}
	}
	return r.failed == nil
}

func (r *resolver) answer(ctx context.Context, kind wiki.LinkKind, target, fragment string, read bool) (answer, string) {
	a := answer{kind: kind, target: target, fragment: fragment}
	file, ok := r.names.resolve(r.self, target)
	if !ok {
		var err error
		if file, err = r.movedTo(ctx, target); err != nil {
			r.fail(err)
		}
	}
	if file == "" {
		a.got.URL = r.missing(kind, target)
		return a, ""
	}
	a.got.Exists = true
	name, isPage := wiki.PageOf(file)
	if !isPage {
		a.got.URL = wiki.PathURL(file)
		a.got.Image = imageByName(file)
		return a, ""
	}
	a.got.Name = name
	a.got.URL = name.URL()
	if fragment != "" {
		a.got.URL += markdown.Anchor(fragment)
	}
	if kind != wiki.LinkEmbed {
		return a, ""
	}
	f, err := r.w.Lookup(ctx, file)
	if err != nil {
		r.fail(err)
		return a, ""
	}
	a.blob = f.Blob
	if !read {
		return a, ""
	}
	source, err := r.w.Blob(ctx, f.Blob)
	if errors.Is(err, wiki.ErrTakenDown) {
		return a, "" // the embedding page is shown without it
	}
	if err != nil {
		r.fail(err)
		return a, ""
	}
	return a, markdown.Excerpt(pageText(source), fragment)
}

func (r *resolver) fail(err error) {
	if r.failed == nil {
		r.failed = err
	}
}

// maxFormer bounds the statements for red links: a page can contain
// thousands. Further links are red even if the target is a former name.
const maxFormer = 50

// movedTo finds a target by a former name.
func (r *resolver) movedTo(ctx context.Context, target string) (string, error) {
	name, err := wiki.ParsePageName(target)
	if r.former++; err != nil || r.former > maxFormer {
		return "", nil
	}
	to, err := r.names.movedTo(ctx, r.w, name.File())
	if err != nil || to != "" || path.Ext(target) == "" {
		return to, err
	}
	return r.names.movedTo(ctx, r.w, target)
}

// missing returns the URL of a red link, where its target can be created.
func (r *resolver) missing(kind wiki.LinkKind, target string) string {
	if kind == wiki.LinkFile {
		owner := r.self
		if file, ok := r.names.page(path.Dir(target)); ok {
			owner, _ = wiki.PageOf(file)
		}
		return owner.URL() + "/attachments"
	}
	if name, err := wiki.ParsePageName(target); err == nil {
		return name.URL() + "/edit"
	}
	return wiki.PathURL(strings.Trim(target, "/"))
}
