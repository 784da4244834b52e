package wiki

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
)

// LinkKind is the kind of a Link.
type LinkKind string

// The kinds of link.
const (
	LinkPage  LinkKind = "page"
	LinkEmbed LinkKind = "embed"
	LinkFile  LinkKind = "file"  // by the form of the link; the target can be a page all the same
	LinkTag   LinkKind = "tag"   // Target is a tag without "#", in lowercase
	LinkAlias LinkKind = "alias" // Target is another name of the page, from its front matter
)

// A Link is one outgoing link of a page as it is written, or one of its tags or
// aliases. Where it leads depends on the wiki's other pages; see package pages.
type Link struct {
	From    string // page name; set by package content
	Kind    LinkKind
	Address bool   // Target is the path of a Markdown or HTML link; otherwise that of a wikilink
	Target  string // decoded, without query and fragment
	Label   string // of a wikilink or an embedded page, the text after the bar: some tools write the target there
	Text    string // up to 200 characters of the text around it, for backlinks
}

// A LinkOrder says which side of the bar in a wikilink names the page.
type LinkOrder string

// The orders. The automatic one takes the side that leads somewhere, the first one if
// both do; with the others, the other side is always text.
const (
	AutomaticOrder LinkOrder = ""
	TargetFirst    LinkOrder = "target-first" // [[Page|text]], as in Obsidian and MediaWiki
	TextFirst      LinkOrder = "text-first"   // [[text|Page]], as in GitHub wikis and Gollum
)

// String returns the order's name, "automatic" for the zero value.
func (o LinkOrder) String() string { return cmp.Or(string(o), "automatic") }

// ParseLinkOrder parses the name of an order.
func ParseLinkOrder(name string) (LinkOrder, error) {
	for _, o := range []LinkOrder{AutomaticOrder, TargetFirst, TextFirst} {
		if name == o.String() {
			return o, nil
		}
	}
	return "", Problemf(ErrInvalid, "wikilinks", "%q is not an order of wikilinks: use automatic, target-first or text-first.", name)
}

// UnquotedLink returns [[Page]] for a wikilink without quotes in front matter, which
// YAML reads as a list in a list: of one value, or of texts if the name has commas.
func UnquotedLink(v any) (link string, ok bool) {
	outer, ok := v.([]any)
	if !ok || len(outer) != 1 {
		return "", false
	}
	inner, ok := outer[0].([]any)
	if !ok || len(inner) == 0 {
		return "", false
	}
	parts := make([]string, len(inner))
	for i, item := range inner {
		switch item.(type) {
		case string:
		case int64, uint64, float64:
			if len(inner) > 1 { // a row of numbers
				return "", false
			}
		default:
			return "", false
		}
		parts[i] = fmt.Sprint(item)
	}
	return "[[" + strings.Join(parts, ", ") + "]]", true
}

// Paths lists the paths, from the root and without ".md", that the link names by
// itself on page self, the first choice first. The first is the path of the page to
// create if the link leads nowhere. On page Design/VPS:
//
//	[[Other]]              from the root
//	[](/Design/Other)      from the root
//	[](Other), [](../O)    from the page's folder, as in a browser: Design/Other, O;
//	                       else below the page; else from the root, as in Obsidian
//	[](Other.md)           from the page's folder, as on GitHub; else from the root
//	[](f.png)              as [](Other)
//	[](./Other), [[./O]]   below the page, as in An Otter Wiki: Design/VPS/Other;
//	                       else from its folder
//	[](./Other.md)         from the page's folder
//	[[../Other]]           from the page's folder
func (l Link) Paths(self PageName) []string {
	var list []string
	add := func(folder, p string) {
		if p = path.Clean("/" + folder + "/" + p)[1:]; p != "" && !slices.Contains(list, p) {
			list = append(list, p)
		}
	}
	l, folder, below := l.WithoutVault(), self.Parent(), string(self)
	target, isPage := CutPageEnding(l.Target)
	isPage = isPage && l.Address && l.Kind != LinkFile
	rest, dot := strings.CutPrefix(target, "./")
	switch {
	case strings.HasPrefix(target, "/"):
		add("", target)
	case dot && isPage:
		add(folder, rest)
	case dot:
		add(below, rest)
		add(folder, rest)
	case !l.Address && climbs(target):
		add(folder, target)
	case !l.Address:
		add("", target)
	default:
		add(folder, target)
		if !isPage && strings.Trim(target, "./") != "" {
			add(below, target)
		}
		if !climbs(target) {
			add("", target)
		}
	}
	return list
}

// WithoutVault returns a wikilink of Dendron's without its vault, which is a place
// elsewhere: [[dendron://vault/a.b]] names the page a.b.
func (l Link) WithoutVault() Link {
	if rest, ok := strings.CutPrefix(l.Target, "dendron://"); ok && !l.Address {
		if _, name, ok := strings.Cut(rest, "/"); ok && name != "" {
			l.Target = name
		}
	}
	return l
}

// climbs reports whether a path has a segment "..".
func climbs(p string) bool { return slices.Contains(strings.Split(p, "/"), "..") }

// ByName reports whether the link can lead to a page or file in any folder by its
// name or the end of its path.
func (l Link) ByName() bool {
	return l.Target != "" && !strings.HasPrefix(l.Target, "/") && !strings.HasPrefix(l.Target, "./") && !climbs(l.Target)
}

// Swapped returns the wikilink with text and target in the other order, and the
// fragment after the target. The target is empty if the fragment is one of the link's
// own page. It reports false for links that can't be read so, such as an image with
// options: [[x.png|alt=A view]].
func (l Link) Swapped() (swapped Link, fragment string, ok bool) {
	if l.Label == "" || l.Address || l.Kind != LinkPage && l.Kind != LinkEmbed && l.Kind != LinkFile || l.Kind == LinkFile && strings.Contains(l.Label, "=") {
		return Link{}, "", false
	}
	target, fragment, _ := strings.Cut(l.Label, "#")
	swapped = l
	swapped.Target, swapped.Label = strings.TrimSpace(target), ""
	fragment = strings.TrimSpace(fragment)
	return swapped, fragment, swapped.Target != "" || fragment != ""
}

// OfHTML returns the link to the page or folder from which a tool makes the HTML file
// that a link names: guide.html is made from guide.md, guide/index.html from
// guide/README.md. It reports false for other links.
func (l Link) OfHTML() (page Link, ok bool) {
	stem, ok := strings.CutSuffix(l.Target, ".html")
	if !ok || !l.Address || l.Kind != LinkFile || strings.HasSuffix(stem, "/") || stem == "" {
		return Link{}, false
	}
	l.Kind, l.Target = LinkPage, stem+".md"
	if path.Base(stem) == "index" {
		l.Target = path.Dir(stem)
	}
	return l, true
}

// FoldName returns the key by which links find a page or file: that of Key, with
// underscores for dashes.
func FoldName(name string) string { return strings.ReplaceAll(Key(name), "-", "_") }

// IndexNames are the names of the page that shows a folder, the first choice first.
// They say nothing by themselves, so no link finds them by their name alone.
var IndexNames = []string{"index", "readme", "_index"}

// IsIndexName reports whether a segment, without ".md", is one of IndexNames.
func IsIndexName(segment string) bool { return slices.Contains(IndexNames, FoldName(segment)) }

// LastSegment returns the last segment of a link's path, without ".md"; "." or ".."
// if it has none.
func LastSegment(p string) string {
	p, _ = CutPageEnding(p)
	return path.Base(path.Clean(p))
}

// Keys returns the keys by which backlinks find the link, which is on page self. A
// link that leads to a page or file, now or after any change of other pages, has one
// of the page's PageKeys.
func (l Link) Keys(self PageName) []string {
	if l.Kind == LinkTag || l.Kind == LinkAlias {
		return nil
	}
	keys := l.keys(self)
	if swapped, _, ok := l.Swapped(); ok && swapped.Target != "" {
		keys = append(keys, swapped.keys(self)...)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

func (l Link) keys(self PageName) []string {
	if page, ok := l.OfHTML(); ok {
		l.Address = false // only once
		l.Target = strings.TrimPrefix(l.Target, "./")
		return append(l.keys(self), page.keys(self)...)
	}
	last := LastSegment(l.Target)
	if !IsIndexName(last) && strings.Trim(last, "./") != "" {
		return []string{FoldName(last)}
	}
	paths := l.Paths(self)
	if l.ByName() { // in the page's folder
		target, _ := CutPageEnding(l.Target)
		paths = append(paths, path.Join(self.Parent(), target))
	}
	var keys []string
	for _, p := range paths {
		keys = append(keys, "/"+FoldName(p))
	}
	if above := LastSegment(path.Dir(path.Clean(l.Target))); IsIndexName(last) && strings.Trim(above, "./") != "" {
		keys = append(keys, FoldName(above+"/"+last))
	}
	return keys
}

// PageKeys returns the keys of links that can lead to a file.
func PageKeys(file string, aliases []string) []string {
	name := strings.TrimSuffix(file, ".md")
	folder, last := path.Split(name)
	folder = strings.TrimSuffix(folder, "/")
	keys := []string{"/" + FoldName(name)}
	if IsIndexName(last) {
		keys = append(keys, "/"+FoldName(folder), FoldName(path.Base(folder)), FoldName(path.Base(folder)+"/"+last))
	} else {
		keys = append(keys, FoldName(last))
		if cut, ok := CutPageEnding(last); ok { // "a.markdown.md" is called "a.markdown"
			keys = append(keys, FoldName(cut))
		}
	}
	for _, a := range aliases {
		keys = append(keys, FoldName(LastSegment(a)))
	}
	if key := journalKey(folder, last); key != "" {
		keys = append(keys, key)
	}
	return keys
}

// RelativePath returns the path from a folder to a path, both from the root.
func RelativePath(folder, to string) string {
	up := ""
	for folder != "" && !strings.HasPrefix(to, folder+"/") {
		up += "../"
		if folder = path.Dir(folder); folder == "." {
			folder = ""
		}
	}
	if folder == "" {
		return up + to
	}
	return up + to[len(folder)+1:]
}

// Spellings lists targets with which the link, on page self, may lead to a path from
// the root (without ".md"), those most like the present one first. byName prefers a
// name alone, or the end of the path. The caller must check where each leads.
func (l Link) Spellings(self PageName, to string, byName bool) []string {
	target, isPage := CutPageEnding(l.Target)
	var list []string
	add := func(p string) {
		if isPage {
			p += ".md"
		} else if strings.HasSuffix(target, "/") {
			p += "/"
		}
		for _, p := range l.inStyle(p) {
			if !slices.Contains(list, p) {
				list = append(list, p)
			}
		}
	}
	switch {
	case strings.HasPrefix(target, "/"):
		for at := range strings.Split(to, "/") {
			if byName {
				add("/" + lastSegments(to, strings.Count(strings.Trim(target, "/"), "/")+1+at))
			}
		}
		add("/" + to)
	case strings.HasPrefix(target, "./"):
		if !isPage || !l.Address {
			add("./" + RelativePath(string(self), to))
		}
		add("./" + RelativePath(self.Parent(), to))
	case climbs(target):
		add(RelativePath(self.Parent(), to))
	case byName:
		for at := range strings.Split(to, "/") {
			add(lastSegments(to, strings.Count(strings.Trim(target, "/"), "/")+1+at))
		}
	case l.Address:
		add(RelativePath(self.Parent(), to))
	}
	if l.Address {
		add("/" + to)
		return list
	}
	add(to)
	add("/" + to)
	return list
}

// lastSegments returns the last n segments of a path, or all if there are fewer.
func lastSegments(p string, n int) string {
	parts := strings.Split(p, "/")
	return strings.Join(parts[max(0, len(parts)-n):], "/")
}

// inStyle spells a path with dashes or spaces for underscores, if the link has such.
func (l Link) inStyle(p string) []string {
	spaces, dashes, underscores := strings.Contains(l.Target, " "), strings.Contains(l.Target, "-"), strings.Contains(l.Target, "_")
	switch {
	case spaces || !l.Address && !dashes && !underscores:
		return []string{strings.ReplaceAll(p, "_", " "), p}
	case dashes && !underscores:
		return []string{p, strings.ReplaceAll(p, "_", "-")}
	}
	return []string{p}
}
