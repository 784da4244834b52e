package wiki

import (
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// MaxNameBytes bounds a page name or file path.
const MaxNameBytes = 200

// A PageName is the path of a page without ".md", as its file is spelled:
// "Design/VPS_Architecture". Only ParsePageName and PageOf make one.
type PageName string

// Actions are the suffixes that act on a page, and so cannot end a page name.
// They match in exactly this case: "Project/History" is a page.
var Actions = []string{
	"view", "edit", "save", "preview", "draft", "history", "diff", "blame", "source",
	"rename", "delete", "attachments", "attachment", "inline_attachment", "a", "t",
}

// reservedFirst are the first segments that are not pages, in exactly this case.
var reservedFirst = []string{
	"-", "api", "mcp", "repo.git", ".well-known", "authorize", "token", "register",
	"robots.txt", "sitemap.xml", "llms.txt", "llms-full.txt", "static", "favicon.ico",
}

// ParsePageName makes a page name from what a person or a program wrote:
// normalised to NFC, each blank an underscore, without blanks around segments,
// slashes around the whole and ".md" at its end. What it returns it returns
// again. It fails with a Problem of kind ErrInvalid, field "path", that says
// why.
//
// Underscores stay as they are, several in a row and at either end too:
// imported files keep their spelling, and must be found by it.
func ParsePageName(text string) (PageName, error) {
	name := strings.Trim(strings.TrimSpace(norm.NFC.String(text)), "/")
	segments := strings.Split(name, "/")
	for i, s := range segments {
		s = strings.TrimSpace(s)
		for i == len(segments)-1 && strings.HasSuffix(s, ".md") {
			s = strings.TrimSpace(strings.TrimSuffix(s, ".md"))
		}
		segments[i] = strings.Map(underscore, s)
	}
	name = strings.Join(segments, "/")
	if err := checkPath(text, name); err != nil {
		return "", err
	}
	last := segments[len(segments)-1]
	switch {
	case slices.Contains(reservedFirst, segments[0]):
		return "", Problemf(ErrInvalid, "path", "A page name cannot begin with %q, which the wiki uses itself.", segments[0])
	case slices.Contains(Actions, last):
		return "", Problemf(ErrInvalid, "path", "A page name cannot end in %q, which is an action on pages. %q with a capital works.", last, capital(last))
	}
	for i, s := range segments {
		switch {
		case i < len(segments)-1 && slices.Contains(Actions, s):
			return "", Problemf(ErrInvalid, "path", "A folder cannot be called %q, which is an action on pages. %q with a capital works.", s, capital(s))
		case strings.Trim(s, "_") == "":
			return "", Problemf(ErrInvalid, "path", "A name cannot be made of blanks alone.")
		}
	}
	if len(name)+len(".md") > MaxNameBytes {
		return "", Problemf(ErrInvalid, "path", "That name is too long: a page name may have %d bytes.", MaxNameBytes-3)
	}
	return PageName(name), nil
}

// ParseFilePath checks the path of an attachment; its spelling is kept but for
// NFC. Attachments do not end in ".md": those are pages.
func ParseFilePath(text string) (string, error) {
	name := strings.Trim(norm.NFC.String(text), "/")
	if err := checkPath(text, name); err != nil {
		return "", err
	}
	if strings.EqualFold(path.Ext(name), ".md") {
		return "", Problemf(ErrInvalid, "filename", "An attachment cannot end in .md: that would be a page.")
	}
	segments := strings.Split(name, "/")
	if slices.Contains(reservedFirst, segments[0]) {
		return "", Problemf(ErrInvalid, "filename", "A file cannot begin with %q, which the wiki uses itself.", segments[0])
	}
	for _, s := range segments {
		if slices.Contains(Actions, s) {
			return "", Problemf(ErrInvalid, "filename", "A file or its folder cannot be called %q, which is an action on pages.", s)
		}
	}
	if len(name) > MaxNameBytes {
		return "", Problemf(ErrInvalid, "filename", "That name is too long: it may have %d bytes.", MaxNameBytes)
	}
	return name, nil
}

func checkPath(asked, name string) error {
	bad := func(format string, args ...any) error { return Problemf(ErrInvalid, "path", format, args...) }
	switch {
	case name == "":
		return bad("A page needs a name.")
	case !utf8.ValidString(asked):
		return bad("The name is not valid UTF-8.")
	case strings.Contains(name, `\`):
		return bad(`A name cannot contain a backslash: folders are separated by "/".`)
	}
	for _, r := range name {
		if unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Bidi_Control, r) || unicode.Is(unicode.Cf, r) && r != '\u200d' && r != '\u200c' || r == utf8.RuneError || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) {
			return bad("A name cannot contain control or invisible characters.")
		}
	}
	for s := range strings.SplitSeq(name, "/") {
		switch {
		case s == "":
			return bad("A name cannot contain an empty folder (two slashes).")
		case s == "..":
			return bad(`A name cannot contain "..".`)
		case strings.HasPrefix(joinerless(s), "."):
			return bad("No part of a name can begin with a dot.")
		case gitName(s):
			return bad("No part of a name can be %q, which git uses itself.", s)
		}
	}
	if unreachable(name) {
		return bad("A name cannot contain the code of a control character, of a backslash or of “..”, such as %%0A: no address would lead to it.")
	}
	return nil
}

// unreachable reports a name that says in percent codes, encoded once or more,
// what no address may hold: the server refuses such addresses, because proxies
// decode some of them once too often.
func unreachable(name string) bool {
	for strings.Contains(name, "%") {
		again, err := url.PathUnescape(name)
		if err != nil || again == name {
			break
		}
		name = again
		if strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }) || slices.Contains(strings.Split(name, "/"), "..") {
			return true
		}
	}
	return false
}

// gitName reports names that git's strict check takes for one of its own files
// because some file system does: HFS+ ignores joiners, NTFS blanks and dots at
// the end and what follows a colon, and knows ".gitmodules" by short names such
// as "GITMOD~1" and "GI7EBA~1" (CVE-2014-9390, CVE-2018-11235 and their kin).
// Names with a leading dot are refused anyhow.
func gitName(s string) bool {
	s, _, _ = strings.Cut(joinerless(s), ":")
	return gitShortName.MatchString(s)
}

var gitShortName = regexp.MustCompile(`(?i)^(git|gitmod|gitatt|gitign|mailma|(gi?|ma?)[0-9a-f]{0,4}|)~[0-9]+[ .]*$`)

// joinerless is a segment without the invisible characters that names may hold,
// because some scripts and emoji need them.
func joinerless(s string) string { return strings.NewReplacer("\u200c", "", "\u200d", "").Replace(s) }

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// PageOf is the page whose file that is; false for attachments and for files
// that are never served (a segment with a leading dot).
func PageOf(file string) (PageName, bool) {
	name, ok := strings.CutSuffix(file, ".md")
	if !ok || name == "" || strings.HasSuffix(name, "/") || Hidden(file) {
		return "", false
	}
	return PageName(name), true
}

// Hidden reports whether a file is kept but never served: a dot leads one of
// its segments.
func Hidden(file string) bool {
	return strings.HasPrefix(file, ".") || strings.Contains(file, "/.")
}

// Key is what look-ups compare: NFC, case folded, each blank equal to an
// underscore. It applies to page names and to file paths alike.
func Key(name string) string {
	if plain(name) {
		return strings.ReplaceAll(strings.ToLower(name), " ", "_")
	}
	// Unicode 3.13, D145: canonical caseless matching decomposes first. Folding
	// makes capitals of Cherokee's small letters, and here the reverse too.
	name = strings.ToLower(cases.Fold().String(norm.NFD.String(name)))
	return strings.Map(underscore, norm.NFC.String(name))
}

// underscore turns blanks (Zs: also the no-break and the ideographic space)
// into underscores.
func underscore(r rune) rune {
	if unicode.Is(unicode.Zs, r) {
		return '_'
	}
	return r
}

func plain(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// File is the path of the page's file.
func (p PageName) File() string { return string(p) + ".md" }

// Key is the page's look-up key, of its file.
func (p PageName) Key() string { return Key(p.File()) }

// Title is the last segment as people read it.
func (p PageName) Title() string { return Title(path.Base(string(p))) }

// Title is one segment of a name as people read it.
func Title(segment string) string { return strings.ReplaceAll(segment, "_", " ") }

// Parent is the folder, "" at the root.
func (p PageName) Parent() string {
	dir := path.Dir(string(p))
	if dir == "." {
		return ""
	}
	return dir
}

// URL is the page's address on its wiki's host, escaped.
func (p PageName) URL() string { return PathURL(string(p)) }

// PathURL is the escaped address of a file or page path. Whatever the path is,
// the address begins with one slash: two would lead to another host.
func PathURL(p string) string {
	return (&url.URL{Path: "/" + strings.TrimLeft(p, "/")}).EscapedPath()
}

// isSlug is ^[a-z0-9][a-z0-9-]{1,28}[a-z0-9]$, without the cost of a regular
// expression on each request.
func isSlug(s string) bool {
	if len(s) < 3 || len(s) > 30 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// reservedSlugs can never be wikis.
var reservedSlugs = strings.Fields(`api auth app www admin mcp docs status blog help support static
	assets null undefined wiki robot login oauth sso account signup mail smtp ns localhost`)

// HelpSlug is the service's own wiki, which explains it. It is reserved: no
// person can have it.
const HelpSlug = "help"

// CheckHost returns nil for a slug at whose host there may be a wiki: what
// CheckSlug allows, and HelpSlug.
func CheckHost(slug string) error {
	if slug == HelpSlug {
		return nil
	}
	return CheckSlug(slug)
}

// CheckSlug returns nil for a slug that may name somebody's wiki, or a Problem.
func CheckSlug(slug string) error {
	switch {
	case !isSlug(slug):
		return Problemf(ErrInvalid, "username", "A username has 3 to 30 small letters, digits and hyphens, and begins and ends with a letter or digit.")
	case slices.Contains(reservedSlugs, slug) || strings.HasPrefix(slug, "xn--"):
		return Problemf(ErrInvalid, "username", "%q is reserved. Choose another.", slug)
	}
	return nil
}
