package vaults

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// A Rule says where a tool leads the links of a vault.
type Rule struct {
	resolve func(r *Rule, page string, l Reference) string
	byPath  map[string]string   // file by its path in lowercase
	byName  map[string][]string // files by the last part of their path in lowercase
	extra   map[string]string   // file by another name in lowercase: an alias, a title, an address
}

// Resolve returns the file to which a page's link leads, "" if the tool leaves the
// link dead. known is false if the tool leads it out of the vault, or if the answer
// depends on more than the vault's files.
func (r *Rule) Resolve(page string, l Reference) (file string, known bool) {
	if strings.ContainsAny(l.Target, "{}<>*\\") {
		return "", false // a template's
	}
	if p := path.Join("/", path.Dir(page), l.Target); !l.Wiki && strings.Contains(p, "/.") {
		return "", false // a hidden file
	}
	file = r.resolve(r, page, l)
	return file, file != outside
}

// outside is the answer for a link that leads out of the vault.
const outside = "\x00outside"

// NewRule returns a tool's rule for a vault of its files.
func NewRule(tool string, files map[string]string) (*Rule, error) {
	resolve := rules[tool]
	if resolve == nil {
		return nil, fmt.Errorf("vaults: no rule for %q", tool)
	}
	r := &Rule{resolve: resolve, byPath: map[string]string{}, byName: map[string][]string{}, extra: map[string]string{}}
	for p, text := range files {
		if strings.HasPrefix(p, ".") || strings.Contains(p, "/.") {
			continue
		}
		key := strings.ToLower(p)
		r.byPath[key] = p
		r.byName[path.Base(key)] = append(r.byName[path.Base(key)], p)
		switch tool {
		case "Logseq":
			r.addLogseq(p, text)
		case "Hugo":
			r.addHugo(p, text)
		}
	}
	for _, list := range r.byName {
		slices.Sort(list)
	}
	return r, nil
}

var rules = map[string]func(r *Rule, page string, l Reference) string{
	"Obsidian":          obsidianRule,
	"Foam":              foamRule,
	"Logseq":            logseqRule,
	"Dendron":           dendronRule,
	"GitHub wiki":       githubWikiRule,
	"Gollum":            gollumRule,
	"An Otter Wiki":     otterRule,
	"MkDocs":            mkdocsRule,
	"Docusaurus":        docusaurusRule,
	"mdBook":            mdBookRule,
	"Hugo":              hugoRule,
	"Notion":            repositoryRule,
	"GitHub repository": repositoryRule,
}

// fileAt returns the file with exactly a path in any case, or with that and ".md".
func (r *Rule) fileAt(p string) string {
	key := strings.ToLower(strings.TrimPrefix(path.Clean("/"+p), "/"))
	if f := r.byPath[key]; f != "" {
		return f
	}
	return r.byPath[key+".md"]
}

// exact is fileAt without ".md" and other cases.
func (r *Rule) exact(p string) string {
	if f := r.byPath[strings.ToLower(p)]; f == p {
		return f
	}
	return ""
}

// join is a path from the folder of a page, "" if it leads above the root.
func join(page, target string) string {
	if strings.HasPrefix(target, "/") {
		return strings.TrimPrefix(path.Clean(target), "/")
	}
	p := path.Join(path.Dir(page), target)
	if p == ".." || strings.HasPrefix(p, "../") {
		return ""
	}
	return p
}

func isRelative(target string) bool {
	return strings.HasPrefix(target, "./") || strings.HasPrefix(target, "../")
}

// obsidianRule: see obsidian.
func obsidianRule(r *Rule, page string, l Reference) string {
	target := l.Target
	switch {
	case l.HTML:
		return outside
	case l.Wiki:
		if target = l.First; target == "" {
			return outside // within the page
		}
	}
	if isRelative(target) {
		return r.fileAt(join(page, target))
	}
	target = strings.ToLower(target)
	if rooted, ok := strings.CutPrefix(target, "/"); ok {
		return r.fileAt(rooted)
	}
	candidates := r.byName[path.Base(target)]
	if candidates == nil {
		target += ".md"
		candidates = r.byName[path.Base(target)]
	}
	var near, far []string
	for _, c := range candidates {
		key := strings.ToLower(c)
		switch {
		case key == target:
			return c
		case !strings.HasSuffix(key, "/"+target):
		case path.Dir(page) == "." || strings.HasPrefix(c, path.Dir(page)+"/"):
			near = append(near, c)
		default:
			far = append(far, c)
		}
	}
	byLength := func(a, b string) int { return len(a) - len(b) }
	slices.SortStableFunc(near, byLength)
	slices.SortStableFunc(far, byLength)
	return first(append(near, far...))
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// foamRule: see foam.
func foamRule(r *Rule, page string, l Reference) string {
	if !l.Wiki {
		return repositoryRule(r, page, l)
	}
	target := strings.ToLower(l.First)
	switch {
	case target == "":
		return outside
	case isRelative(target), strings.HasPrefix(target, "/"):
		return r.fileAt(join(page, target))
	}
	for _, name := range []string{target + ".md", target} {
		for _, c := range r.byName[path.Base(name)] {
			if key := strings.ToLower(c); key == name || strings.HasSuffix(key, "/"+name) {
				return c
			}
		}
	}
	for _, index := range []string{"index.md", "readme.md"} { // a folder
		for _, c := range r.byName[index] {
			if key := strings.ToLower(path.Dir(c)); key == target || strings.HasSuffix(key, "/"+target) {
				return c
			}
		}
	}
	return ""
}

var (
	logseqProperty = regexp.MustCompile(`(?m)^[-\s]*(alias|title)::\s*(.+)$`)
	logseqDay      = regexp.MustCompile(`^journals/(\d{4})_(\d\d)_(\d\d)\.md$`)
)

// addLogseq adds a page's name, title and aliases.
func (r *Rule) addLogseq(p, text string) {
	if !strings.HasSuffix(p, ".md") {
		return
	}
	name := strings.NewReplacer("___", "/", "%2F", "/", "%3A", ":", "%3F", "?").Replace(bare(p))
	r.extra[strings.ToLower(name)] = p
	for _, m := range logseqProperty.FindAllStringSubmatch(text, -1) {
		for a := range strings.SplitSeq(m[2], ",") {
			if a = strings.ToLower(strings.Trim(strings.TrimSpace(a), "[]")); a != "" && r.extra[a] == "" {
				r.extra[a] = p
			}
		}
	}
	if m := logseqDay.FindStringSubmatch(p); m != nil {
		r.extra[strings.ToLower(logseqDate(m[1], m[2], m[3]))] = p
	}
}

// logseqDate is the title of a day's page.
func logseqDate(year, month, day string) string {
	months := strings.Fields("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec")
	var m, d int
	_, _ = fmt.Sscan(strings.TrimPrefix(month, "0"), &m)
	_, _ = fmt.Sscan(strings.TrimPrefix(day, "0"), &d)
	suffix := "th"
	if d/10 != 1 {
		switch d % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return fmt.Sprintf("%s %d%s, %s", months[max(0, min(m-1, 11))], d, suffix, year)
}

// logseqRule: see logseq.
func logseqRule(r *Rule, page string, l Reference) string {
	if l.Wiki {
		return r.extra[strings.ToLower(l.First)]
	}
	return r.fileAt(join(page, l.Target))
}

// dendronRule: see dendron.
func dendronRule(r *Rule, page string, l Reference) string {
	if !l.Wiki {
		if f := r.fileAt(join(page, l.Target)); f != "" {
			return f
		}
		return r.fileAt(l.Target)
	}
	target := l.First
	if strings.Contains(l.Target, "|") {
		target = l.Second
	}
	if strings.HasPrefix(target, "dendron://") {
		target = path.Base(target)
	}
	if target == "" {
		return outside
	}
	return r.byPath[strings.ToLower(target)+".md"]
}

// githubWikiRule: see githubWiki.
func githubWikiRule(r *Rule, page string, l Reference) string {
	target := l.Target
	switch {
	case l.Wiki && l.Second != "" && !strings.Contains(l.Second, "="):
		target = l.Second
	case l.Wiki:
		target = l.First
	case strings.HasPrefix(target, "/"):
		return outside
	}
	if target == "" {
		return outside
	}
	target = strings.TrimPrefix(path.Clean("/"+strings.TrimPrefix(target, "../wiki/")), "/")
	if f := r.byPath[strings.ToLower(target)]; f != "" {
		return f
	}
	if strings.Contains(l.Target, "../") || strings.Contains(target, "/") {
		return outside // not an address of a page
	}
	dashed := strings.ToLower(strings.ReplaceAll(target, " ", "-"))
	return first(r.byName[strings.TrimSuffix(dashed, ".md")+".md"])
}

// gollumRule: see gollum.
func gollumRule(r *Rule, page string, l Reference) string {
	target := l.Target
	if l.Wiki {
		target = l.First
		if l.Second != "" && !strings.Contains(l.Second, "=") {
			target = l.Second
		}
	}
	if target == "" {
		return outside
	}
	return r.fileAt(join(page, target))
}

// otterRoute matches addresses that are no page's: actions, attachments of a page by
// their own address, and the program's files.
var otterRoute = regexp.MustCompile(`^/-/|^/static/|/a/[^/]+$|/(?:source|history|edit|blame|attachments)$`)

// otterRule: see otterWiki.
func otterRule(r *Rule, page string, l Reference) string {
	target := l.Target
	switch {
	case l.Wiki:
		if target = l.First; strings.Contains(l.Target, "|") {
			target = l.Second
		}
		if target == "" {
			return outside
		}
		return r.fileAt(target)
	case otterRoute.MatchString(target):
		return outside
	case strings.HasPrefix(target, "./"):
		return r.fileAt(noExt(page) + "/" + target)
	}
	return r.fileAt(join(page, target))
}

// repositoryRule: see repository.
func repositoryRule(r *Rule, page string, l Reference) string {
	p := join(page, l.Target)
	if l.Wiki || l.Target == "" || p == "" {
		return outside
	}
	if f := r.exact(strings.TrimSuffix(p, "/")); f != "" {
		return f
	}
	for _, index := range []string{"/README.md", "/readme.md", "/Readme.md"} {
		if f := r.exact(path.Clean(p) + index); f != "" {
			return f
		}
	}
	return r.folder(p)
}

// folder is outside if a path is one of a folder, which has no page.
func (r *Rule) folder(p string) string {
	prefix := strings.ToLower(path.Clean(p)) + "/"
	for f := range r.byPath {
		if p == "." || strings.HasPrefix(f, prefix) {
			return outside
		}
	}
	return ""
}

// mkdocsRule: see mkdocs.
func mkdocsRule(r *Rule, page string, l Reference) string {
	p := join(page, l.Target)
	if f := r.exact(p); f != "" {
		return f
	}
	if f := r.exact("docs" + l.Target); strings.HasPrefix(l.Target, "/") && f != "" {
		return f
	}
	if !strings.HasSuffix(l.Target, ".md") {
		return outside // an address of the site
	}
	return ""
}

// mdBookRule: see mdBook.
func mdBookRule(r *Rule, page string, l Reference) string {
	p := join(page, l.Target)
	if f := r.exact(p); f != "" {
		return f
	}
	stem, isPage := strings.CutSuffix(p, ".html")
	if !isPage {
		return r.folder(p)
	}
	if f := r.exact(stem + ".md"); f != "" {
		return f
	}
	if dir, ok := strings.CutSuffix(stem, "index"); ok {
		return r.exact(dir + "README.md")
	}
	return ""
}

// docusaurusRule: see docusaurus.
func docusaurusRule(r *Rule, page string, l Reference) string {
	target := l.Target
	if site, ok := strings.CutPrefix(target, "@site/"); ok {
		return r.exact(site)
	}
	for _, p := range []string{join(page, target), "docs/" + target, strings.TrimPrefix(target, "/docs/"), strings.TrimPrefix(target, "/")} {
		if f := r.exact(p); f != "" {
			return f
		}
	}
	if strings.HasPrefix(target, "/") {
		if f := r.exact("static" + target); f != "" {
			return f
		}
	}
	for _, p := range []string{join(page, target), strings.TrimPrefix(target, "/"), strings.TrimPrefix(target, "/docs/")} {
		for _, ending := range []string{".md", ".mdx", "/index.md", "/README.md", "/" + path.Base(p) + ".md"} {
			if f := r.exact(strings.TrimSuffix(p, "/") + ending); f != "" {
				return f
			}
		}
	}
	if strings.HasPrefix(target, "/") || !strings.HasSuffix(target, ".md") {
		return outside // an address of the site
	}
	return ""
}

var hugoAliases = regexp.MustCompile(`(?s)\naliases:\s*\[?(.*?)(?:\]|\n[a-z]|\n---)`)

// addHugo adds a page's addresses.
func (r *Rule) addHugo(p, text string) {
	if !strings.HasSuffix(p, ".md") {
		return
	}
	r.extra[hugoAddress(p)] = p
	if m := hugoAliases.FindStringSubmatch(text); m != nil {
		for _, a := range strings.FieldsFunc(m[1], func(r rune) bool { return strings.ContainsRune(" ,\n\"'[]", r) }) {
			if key := strings.Trim(strings.ToLower(a), "/"); strings.HasPrefix(a, "/") && r.extra[key] == "" {
				r.extra[key] = p
			}
		}
	}
}

// hugoAddress is the address of a page's file, without slashes at its ends.
func hugoAddress(p string) string {
	p = strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(p, "content/"), ".md"))
	for _, index := range []string{"_index", "index"} {
		if path.Base(p) == index {
			p = path.Dir(p)
		}
	}
	return strings.Trim(p, "./")
}

// hugoRule: see hugo.
func hugoRule(r *Rule, page string, l Reference) string {
	target := l.Target
	if f := r.exact(join(page, target)); f != "" {
		return f
	}
	key := strings.ToLower(strings.TrimSuffix(target, ".md"))
	if l.Hugo {
		return r.hugoShortcode(page, key)
	}
	var tries []string
	if strings.HasPrefix(target, "/") {
		tries = []string{key}
	} else {
		base := "/" + hugoAddress(page)
		tries = []string{path.Join(base, key), path.Join(path.Dir(base), key)}
		if strings.HasSuffix(bare(page), "index") {
			tries = tries[:1]
		}
	}
	for _, p := range tries {
		if f := r.extra[strings.Trim(path.Clean(p), "/")]; f != "" {
			return f
		}
	}
	if strings.HasPrefix(target, "/") && path.Ext(target) != "" && path.Ext(target) != ".md" {
		return outside // of the static files
	}
	return ""
}

// hugoShortcode finds the page of a shortcode from the page's folder, from the root, or
// the only one of that name.
func (r *Rule) hugoShortcode(page, key string) string {
	folder := path.Dir(strings.ToLower(strings.TrimPrefix(page, "content/")))
	if strings.HasPrefix(key, "/") {
		folder = ""
	}
	if f := r.extra[strings.Trim(path.Join("/", folder, strings.TrimSuffix(key, "_index")), "/")]; f != "" {
		return f
	}
	if f := r.extra[strings.Trim(strings.TrimSuffix(key, "_index"), "/")]; f != "" {
		return f
	}
	if same := r.byName[path.Base(key)+".md"]; len(same) == 1 && !strings.Contains(key, "/") {
		return same[0]
	}
	return ""
}
