package pages

import (
	"cmp"
	"iter"
	"path"
	"strings"

	"robot.wtf/internal/wiki"
)

// A lead is where a link leads.
type lead struct {
	file     string // path, "" if nowhere
	choice   int    // index of the link's path that names it
	byName   bool   // found by its name or the end of its path, in whatever folder
	folder   bool   // the link names the folder that the file shows
	former   bool   // the link has a former path of the file
	swapped  bool   // the wikilink has its target after the bar
	fragment string // of a swapped link
	others   int    // further files that are as near
}

// lead finds where a link on page self leads:
//
//  1. the paths that it names by itself (wiki.Link.Paths), which may have dashes,
//     spaces or underscores for each other, or name a folder with an index page
//  2. the file that had one of these paths before it was moved
//  3. by its name or the end of its path, as in Obsidian: in the page's folder, in the
//     nearest folder above, then anywhere below the page's folder, then anywhere
//  4. a page with that alias
//  5. as a tool's address: from the root of a website's sources (rooted), the day of a
//     journal, "./" in a GitHub wiki (onlyNamed)
//
// A README or index is never found by its name alone, and nothing is by a path with
// "../". Of files that are equally near, the one with the shortest path is taken. A
// wikilink has its target on the side of the bar that the wiki's order says; if that is
// automatic, a target that leads nowhere may be after the bar.
//
// It never leads to hidden files, which aren't among the names, and its cost doesn't
// depend on their number.
func (n *names) lead(self wiki.PageName, l wiki.Link) lead {
	swapped, fragment, ok := l.Swapped()
	if !ok || n.order == wiki.TargetFirst {
		return n.leadOnce(self, l)
	}
	if n.order == wiki.TextFirst {
		return n.leadSwapped(self, swapped, fragment)
	}
	first := n.leadOnce(self, l)
	if first.file != "" || swapped.Target == "" {
		return first
	}
	if to := n.leadSwapped(self, swapped, fragment); to.file != "" {
		return to
	}
	return first
}

// leadSwapped finds where the text after a link's bar leads.
func (n *names) leadSwapped(self wiki.PageName, swapped wiki.Link, fragment string) lead {
	to := lead{file: n.byKey[self.Key()]}
	if swapped.Target != "" {
		to = n.leadOnce(self, swapped)
	}
	to.swapped, to.fragment = true, fragment
	return to
}

// naming returns the link with its target where the wiki's order says that it is, for
// a link that leads nowhere.
func (n *names) naming(l wiki.Link) wiki.Link {
	if swapped, _, ok := l.Swapped(); ok && n.order == wiki.TextFirst {
		return swapped
	}
	return l
}

// ordered returns the names with another order of wikilinks.
func (n *names) ordered(order wiki.LinkOrder) *names {
	if n.order == order {
		return n
	}
	next := *n
	next.order, next.generation = order, new(generation)
	return &next
}

func (n *names) leadOnce(self wiki.PageName, l wiki.Link) lead {
	l = l.WithoutVault()
	if file := n.byKey[wiki.Key(l.Target+".md")]; file != "" && !l.Address && l.ByName() {
		return lead{file: file} // its name can end in ".markdown"
	}
	paths := l.Paths(self)
	isFile := l.Kind == wiki.LinkFile || l.Kind == wiki.LinkEmbed
	for i, p := range paths {
		if file := n.named(p); file != "" {
			return lead{file: file, choice: i}
		}
	}
	if file, ok := n.file(string(self) + "/" + l.Target); ok && isFile && !l.Address {
		return lead{file: file, byName: true} // an attachment of the page
	}
	if page, ok := l.OfHTML(); ok {
		for _, p := range page.Paths(self) {
			if file, ok := n.page(p); ok {
				return lead{file: file}
			}
			if file := n.shownBy(p); file != "" {
				return lead{file: file, folder: true}
			}
		}
	}
	if l.Address {
		for _, p := range paths {
			if file := n.shownBy(p); file != "" {
				return lead{file: file, folder: true}
			}
		}
	}
	for _, p := range paths {
		for _, key := range []string{wiki.Key(p + ".md"), wiki.Key(p)} {
			if file := n.former[key]; file != "" {
				return lead{file: file, former: true}
			}
		}
	}
	if file := n.rooted(self, l); file != "" {
		return lead{file: file, byName: true}
	}
	if !l.ByName() {
		file := n.onlyNamed(l)
		return lead{file: file, byName: file != ""}
	}
	return n.leadByName(self, l)
}

// Hugo publishes the pages in contentRoot at the root of a site, and Hugo and Docusaurus
// the files in staticRoot.
const (
	contentRoot = "content"
	staticRoot  = "static"
)

// rooted finds the file of an address from the root of a website whose sources are in
// a folder around the page, by its path or alias: from content/a.md, /guide/ is
// content/guide.md. In Docusaurus, "@site" is the folder above.
func (n *names) rooted(self wiki.PageName, l wiki.Link) string {
	target, inSite := strings.CutPrefix(l.Target, "@site/")
	if !l.Address || !inSite && !strings.HasPrefix(target, "/") || strings.Trim(target, "./") == "" {
		return ""
	}
	p, _ := wiki.CutPageEnding(strings.Trim(path.Clean("/"+target), "/"))
	for dir := range upwards(self.Parent()) {
		isRoot := wiki.Key(path.Base(dir)) == contentRoot
		if isRoot && !inSite || dir == "" && inSite {
			if file := cmp.Or(n.named(dir+p), n.shownBy(dir+p)); file != "" {
				return file
			}
		}
		if file, ok := n.file(dir + staticRoot + "/" + p); ok && !inSite {
			return file
		}
	}
	for _, alias := range []string{"/" + p, "/" + p + "/"} {
		if pages := n.byAlias[wiki.FoldName(alias)]; len(pages) == 1 {
			return pages[0]
		}
	}
	return ""
}

// onlyNamed finds the only page of a name for [text](./Page), which in a GitHub wiki
// leads to the page in whatever folder.
func (n *names) onlyNamed(l wiki.Link) string {
	name, ok := strings.CutPrefix(l.Target, "./")
	if !ok || !l.Address || l.Kind != wiki.LinkPage || strings.ContainsAny(name, "/.") {
		return ""
	}
	if list := n.bySegment[wiki.FoldName(name)]; len(list) == 1 && isText(list[0]) && !wiki.IsIndexName(name) {
		return list[0]
	}
	return ""
}

func (n *names) leadByName(self wiki.PageName, l wiki.Link) lead {
	target, _ := wiki.CutPageEnding(l.Target)
	target = path.Clean(target)
	if file, others := n.nearest(self, target); file != "" {
		return lead{file: file, byName: true, others: others}
	}
	if pages := n.byAlias[wiki.FoldName(target)]; len(pages) > 0 {
		file, others := nearestOf(self, pages)
		return lead{file: file, byName: true, others: others}
	}
	if day, ok := wiki.JournalPath(l.Target); ok {
		if file, others := n.nearest(self, day); file != "" {
			return lead{file: file, byName: true, others: others}
		}
	}
	if wiki.IsIndexName(target) {
		return lead{}
	}
	fold := wiki.FoldName(target)
	for dir := range upwards(wiki.FoldName(self.Parent())) {
		if file := n.shownBy(dir + fold); file != "" {
			return lead{file: file, folder: true, byName: dir != ""}
		}
	}
	return lead{}
}

// upwards yields a folder and those above it, each with a slash at its end, then "".
func upwards(folder string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for ; folder != "" && folder != "."; folder = path.Dir(folder) {
			if !yield(folder + "/") {
				return
			}
		}
		yield("")
	}
}

// named finds the file with a path, or with one that differs in dashes for spaces. A
// file goes before a page of that name.
func (n *names) named(p string) string {
	if file, ok := n.file(p); ok {
		return file
	}
	if file, ok := n.page(p); ok {
		return file
	}
	if same := n.byFold[wiki.FoldName(p)]; len(same) > 0 {
		return same[0]
	}
	return ""
}

// shownBy finds the page that shows a folder.
func (n *names) shownBy(dir string) string {
	key, fold := wiki.Key(dir), wiki.FoldName(dir)
	for _, name := range wiki.IndexNames {
		if file, ok := n.byKey[key+"/"+name+".md"]; ok {
			return file
		}
	}
	for _, name := range wiki.IndexNames {
		if same := n.byFold[fold+"/"+name]; len(same) > 0 {
			return same[0]
		}
	}
	return ""
}

// nearest finds the file whose path ends in a target, the nearest to a page, and the
// number of others that are as near.
func (n *names) nearest(self wiki.PageName, target string) (string, int) {
	fold := wiki.FoldName(target)
	for dir := range upwards(wiki.FoldName(self.Parent())) {
		if same := n.byFold[dir+fold]; len(same) > 0 {
			return same[0], 0
		}
		if wiki.IsIndexName(target) {
			return "", 0
		}
	}
	var list []string
	end := "/" + fold
	for _, p := range firstCandidates(n.bySegment[wiki.FoldName(path.Base(target))]) {
		if strings.HasSuffix("/"+wiki.FoldName(strings.TrimSuffix(p, ".md")), end) {
			list = append(list, p)
		}
	}
	return nearestOf(self, list)
}

// maxCandidates bounds the files of one name that are compared, the shortest paths
// first.
const maxCandidates = 200

func firstCandidates(list []string) []string { return list[:min(len(list), maxCandidates)] }

// nearestOf picks from candidates, the shortest path first: one below the page's folder
// if there is any. It also returns the number of others.
func nearestOf(self wiki.PageName, list []string) (string, int) {
	if len(list) == 0 {
		return "", 0
	}
	if folder := self.Parent(); folder != "" {
		prefix := wiki.Key(folder) + "/"
		var below []string
		for _, p := range firstCandidates(list) {
			if strings.HasPrefix(wiki.Key(p), prefix) {
				below = append(below, p)
			}
		}
		if len(below) > 0 {
			list = below
		}
	}
	return list[0], len(list) - 1
}
