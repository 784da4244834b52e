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
	w     *content.Wiki
	names *directory
	self  wiki.PageName
	files map[string]string // addresses of the draft's files by key, in a preview
	// pictureSize finds the size of an image by its blob; nil if it doesn't matter.
	pictureSize func(ctx context.Context, blob string) (pictureSize, error)
	lists       pageLists
	answers     []answer
	failed      error // the first failed read; the rendering isn't cached
}

func (s *Service) newResolver(w *content.Wiki, d *directory, self wiki.PageName) *resolver {
	return &resolver{w: w, names: d, self: self, pictureSize: s.pictureSizes(w), lists: pageLists{s: s, since: d.seq}}
}

// An answer is the resolution of one link.
type answer struct {
	link     wiki.Link
	fragment string
	got      markdown.Target // without Source
	blob     string          // of an embedded page, or of an image
}

// Resolve implements markdown.Resolver.
func (r *resolver) Resolve(ctx context.Context, l wiki.Link, fragment string) markdown.Target {
	a, source := r.answer(ctx, l, fragment, true)
	r.answers = append(r.answers, a)
	a.got.Source = source
	return a.got
}

// stillValid reports whether all answers would be the same now. If the names are the
// same, only embedded pages, images and tables can have changed, and of those only the
// changed files; nil means that any can have changed.
func (r *resolver) stillValid(ctx context.Context, answers []answer, sameNames bool, changed map[string]bool) bool {
	for _, old := range answers {
		if old.link.Kind == linkQuery {
			if !r.sameRows(ctx, old, sameNames, changed) {
				return false
			}
			continue
		}
		if old.link.Kind == linkTable {
			canDiffer := !sameNames || changed == nil || changed[r.tablePath(old.link)]
			if canDiffer && r.tableFile(ctx, old.link).Blob != old.blob {
				return false
			}
			continue
		}
		isListing := old.link.Kind == linkListing || old.link.Kind == linkFiles
		if sameNames && (isListing || old.blob == "" || changed != nil && !changed[r.names.lead(r.self, old.link).file]) {
			continue
		}
		if isListing {
			if !r.names.sameListing(old) {
				return false
			}
			continue
		}
		if now, _ := r.answer(ctx, old.link, old.fragment, false); now != old {
			return false
		}
	}
	return r.failed == nil
}

func (r *resolver) answer(ctx context.Context, l wiki.Link, fragment string, read bool) (answer, string) {
	a := answer{link: l, fragment: fragment}
	to := r.names.lead(r.self, l)
	if to.swapped {
		a.got.Swapped, a.got.Fragment = true, to.fragment
		fragment = to.fragment
		l, _, _ = l.Swapped()
	}
	file := to.file
	if file == "" {
		if kept, ok := r.draftFile(r.names.naming(l)); ok {
			a.got = kept
			return a, ""
		}
		a.got.URL = r.missing(r.names.naming(l))
		return a, ""
	}
	a.got.Exists = true
	name, isPage := wiki.PageOf(file)
	if !isPage {
		a.got.URL = wiki.PathURL(file)
		if a.got.Image = imageByName(file); a.got.Image {
			a.blob = r.describePicture(ctx, file, &a.got)
		}
		return a, ""
	}
	a.got.Name = name
	a.got.URL = name.URL()
	if fragment != "" {
		a.got.URL += markdown.Anchor(fragment)
	}
	if l.Kind != wiki.LinkEmbed {
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
	return a, markdown.Excerpt(pageText(source), embedFragment(l, fragment))
}

func (r *resolver) fail(err error) {
	if r.failed == nil {
		r.failed = err
	}
}

// missing returns the URL of a red link, where its target can be created or uploaded.
func (r *resolver) missing(l wiki.Link) string {
	paths := l.Paths(r.self)
	if len(paths) == 0 {
		return "/"
	}
	target := paths[0]
	if l.Kind == wiki.LinkFile || l.Kind == wiki.LinkEmbed && markdown.LooksLikeFile(target) {
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

// embedFragment is the heading of an embed. Dendron adds where the excerpt begins and
// ends below it: ![[dendron://vault/a.b#heading,1:#*]].
func embedFragment(l wiki.Link, fragment string) string {
	if strings.HasPrefix(l.Target, "dendron://") {
		fragment, _, _ = strings.Cut(fragment, ":")
		fragment, _, _ = strings.Cut(fragment, ",")
	}
	return fragment
}
