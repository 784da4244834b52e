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

// A resolver finds the targets of one page's links for one rendering, and
// remembers its answers.
type resolver struct {
	w       *content.Wiki
	names   *directory
	self    wiki.PageName
	answers []answer
	former  int   // names looked up that may once have been a page's
	failed  error // the first read that failed: its rendering is not kept
}

// An answer is what one link got.
type answer struct {
	kind             wiki.LinkKind
	target, fragment string
	got              markdown.Target // without Source
	blob             string          // of an embed's source
}

// Resolve implements markdown.Resolver.
func (r *resolver) Resolve(ctx context.Context, kind wiki.LinkKind, target, fragment string) markdown.Target {
	a, source := r.answer(ctx, kind, target, fragment, true)
	r.answers = append(r.answers, a)
	a.got.Source = source
	return a.got
}

// holds reports whether all answers would be given again.
func (r *resolver) holds(ctx context.Context, answers []answer) bool {
	for _, old := range answers {
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
		return a, "" // empty, in the page that may be shown
	}
	if err != nil {
		r.fail(err)
		return a, ""
	}
	return a, section(source, fragment)
}

func (r *resolver) fail(err error) {
	if r.failed == nil {
		r.failed = err
	}
}

// maxFormer bounds the statements that red links cost: a page may have
// thousands. Those beyond it are red even if they lead to a former name.
const maxFormer = 50

// movedTo finds a target under the name that it was moved to.
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

// missing is where a red link leads: to making what it names.
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

// section cuts a page's source to the section of a heading, subsections
// included; the whole page without one, and nothing where it is missing.
func section(source []byte, heading string) string {
	if heading == "" {
		return string(source)
	}
	want := sameHeading(heading)
	for _, s := range markdown.Sections(source) {
		if len(s.Path) == 0 || sameHeading(s.Path[len(s.Path)-1]) != want {
			continue
		}
		lines := strings.SplitAfter(string(source), "\n")
		return strings.Join(lines[min(s.StartLine-1, len(lines)):min(s.DeepEnd, len(lines))], "")
	}
	return ""
}

// sameHeading makes equal what a fragment and a heading may differ in.
func sameHeading(text string) string {
	return strings.Join(strings.FieldsFunc(wiki.Key(text), func(r rune) bool { return r == '_' || r == '-' }), " ")
}
