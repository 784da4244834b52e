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
// "Design/VPS_Architecture". Only ParsePageName and PageOf make one. Names keep
// their case, but a wiki has no two with the same Key. Files created here have
// underscores for spaces; imported files keep their spelling.
type PageName string

// Actions are the suffixes that act on a page, so a page name can't end in one.
// They are case-sensitive: "Project/History" is a page. The spellings are An Otter
// Wiki's, so that links to a wiki that moved here keep working.
var Actions = []string{
	"view", "edit", "save", "preview", "draft", "history", "diff", "blame", "source",
	"rename", "delete", "attachments", "attachment", "inline_attachment", "a", "t",
}

// reservedFirst are the first segments that can't be pages. They are case-sensitive.
var reservedFirst = []string{
	"-", "api", "mcp", "repo.git", ".well-known", "authorize", "token", "register",
	"robots.txt", "sitemap.xml", "llms.txt", "llms-full.txt", "static", "favicon.ico",
}

// ParsePageName normalizes a page name: NFC, underscores for spaces, no spaces around
// segments, no slashes around the name and no ".md" at its end. It is idempotent. It
// fails with a Problem of kind ErrInvalid, field "path", that says why.
//
// Underscores stay as they are, even repeated or at either end, because imported
// files keep their spelling.
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
		return "", Problemf(ErrInvalid, "path", "A page name can't begin with %q, which is reserved.", segments[0])
	case slices.Contains(Actions, last):
		return "", Problemf(ErrInvalid, "path", "A page name can't end in %q, which is an action on pages. %q with a capital letter works.", last, capital(last))
	}
	for i, s := range segments {
		switch {
		case i < len(segments)-1 && slices.Contains(Actions, s):
			return "", Problemf(ErrInvalid, "path", "A folder can't be named %q, which is an action on pages. %q with a capital letter works.", s, capital(s))
		case strings.Trim(s, "_") == "":
			return "", Problemf(ErrInvalid, "path", "A name can't consist of spaces only.")
		}
	}
	if len(name)+len(".md") > MaxNameBytes {
		return "", Problemf(ErrInvalid, "path", "This name is too long: a page name has at most %d bytes.", MaxNameBytes-3)
	}
	return PageName(name), nil
}

// ParseFilePath checks the path of an attachment and normalizes it to NFC.
// Attachments are in the folder of their page's name
// ("Design/VPS_Architecture/diagram.png") or at the root. Paths that end in ".md" or
// ".markdown" are pages, so it rejects them.
func ParseFilePath(text string) (string, error) {
	name := strings.Trim(norm.NFC.String(text), "/")
	if err := checkPath(text, name); err != nil {
		return "", err
	}
	if hasPageEnding(name) {
		return "", Problemf(ErrInvalid, "filename", "An attachment can't end in %s: that would be a page.", path.Ext(name))
	}
	segments := strings.Split(name, "/")
	if slices.Contains(reservedFirst, segments[0]) {
		return "", Problemf(ErrInvalid, "filename", "A file path can't begin with %q, which is reserved.", segments[0])
	}
	for _, s := range segments {
		if slices.Contains(Actions, s) {
			return "", Problemf(ErrInvalid, "filename", "A file or its folder can't be named %q, which is an action on pages.", s)
		}
	}
	if len(name) > MaxNameBytes {
		return "", Problemf(ErrInvalid, "filename", "This name is too long: it has at most %d bytes.", MaxNameBytes)
	}
	return name, nil
}

func checkPath(asked, name string) error {
	bad := func(format string, args ...any) error { return Problemf(ErrInvalid, "path", format, args...) }
	switch {
	case name == "":
		return bad("A page needs a name.")
	case !utf8.ValidString(asked):
		return bad("The name isn't valid UTF-8.")
	case strings.Contains(name, `\`):
		return bad(`A name can't contain a backslash: folders are separated by "/".`)
	}
	for _, r := range name {
		if invisible(r) {
			return bad("A name can't contain control or invisible characters.")
		}
	}
	for s := range strings.SplitSeq(name, "/") {
		switch {
		case s == "":
			return bad("A name can't contain an empty folder (two slashes).")
		case s == "..":
			return bad(`A name can't contain "..".`)
		case strings.HasPrefix(joinerless(s), "."):
			return bad("No part of a name can begin with a dot.")
		case gitName(s):
			return bad("No part of a name can be %q, which git reserves.", s)
		}
	}
	if unreachable(name) {
		return bad("A name can't contain percent codes of control characters, backslashes or “..”, such as %%0A: it would have no address.")
	}
	return nil
}

// invisible reports control and invisible characters, except joiners.
func invisible(r rune) bool {
	if r < utf8.RuneSelf {
		return r < ' ' || r == 0x7f
	}
	return unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Bidi_Control, r) || unicode.Is(unicode.Cf, r) && r != '\u200d' && r != '\u200c' || r == utf8.RuneError || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r)
}

// VisibleName returns a file path with underscores for control and invisible
// characters, which names made here can't have.
func VisibleName(path string) string {
	return strings.Map(func(r rune) rune {
		if invisible(r) {
			return '_'
		}
		return r
	}, path)
}

// unreachable reports names with percent codes, encoded once or more, that the server
// rejects in addresses, because some proxies decode once too often.
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

// gitName reports names that git's strict check rejects because a file system treats
// them as one of git's own files: HFS+ ignores joiners; NTFS ignores trailing spaces
// and dots and everything after a colon, and has short names for ".gitmodules" such
// as "GITMOD~1" and "GI7EBA~1" (CVE-2014-9390, CVE-2018-11235 and related). Names
// with a leading dot are rejected elsewhere.
func gitName(s string) bool {
	s, _, _ = strings.Cut(joinerless(s), ":")
	return strings.Contains(s, "~") && gitShortName.MatchString(s)
}

var gitShortName = regexp.MustCompile(`(?i)^(git|gitmod|gitatt|gitign|mailma|(gi?|ma?)[0-9a-f]{0,4}|)~[0-9]+[ .]*$`)

// joinerless returns a segment without joiners, the invisible characters that names
// can contain because some scripts and emoji need them.
func joinerless(s string) string {
	if IsASCII(s) {
		return s
	}
	return joiners.Replace(s)
}

var joiners = strings.NewReplacer("\u200c", "", "\u200d", "")

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// PageOf returns the page stored in a file; false for attachments and hidden
// files.
func PageOf(file string) (PageName, bool) {
	name, ok := strings.CutSuffix(file, ".md")
	if !ok || name == "" || strings.HasSuffix(name, "/") || Hidden(file) {
		return "", false
	}
	return PageName(name), true
}

// Hidden reports whether a file is stored but never served, because one of its
// segments starts with a dot.
func Hidden(file string) bool {
	return strings.HasPrefix(file, ".") || strings.Contains(file, "/.")
}

// IsFrame reports whether a file is what other wikis show around each page instead
// of as a page: _Sidebar.md, _Footer.md or _Header.md of GitHub, GitLab and Gollum,
// in any folder. It can be read and edited, but isn't listed as a page.
func IsFrame(file string) bool {
	name, ok := strings.CutSuffix(file[strings.LastIndexByte(file, '/')+1:], ".md")
	if !ok || !strings.HasPrefix(name, "_") {
		return false
	}
	switch strings.ToLower(name) {
	case "_sidebar", "_footer", "_header":
		return true
	}
	return false
}

// Key returns the lookup key of a page name or file path: NFC, case-folded, with
// underscores for spaces.
func Key(name string) string {
	if IsASCII(name) {
		return strings.ReplaceAll(strings.ToLower(name), " ", "_")
	}
	// Unicode 3.13, D145: canonical caseless matching decomposes first. Folding maps
	// Cherokee lowercase letters to uppercase, and here the reverse as well.
	name = strings.ToLower(cases.Fold().String(norm.NFD.String(name)))
	return strings.Map(underscore, norm.NFC.String(name))
}

// AddFolders adds the keys of the folders that a file is in to a set that has those of
// other files.
func AddFolders(keys map[string]bool, file string) {
	for dir := path.Dir(file); dir != "." && !keys[Key(dir)]; dir = path.Dir(dir) {
		keys[Key(dir)] = true
	}
}

// underscore replaces spaces (category Zs, which includes no-break and ideographic
// spaces) with underscores.
func underscore(r rune) rune {
	if unicode.Is(unicode.Zs, r) {
		return '_'
	}
	return r
}

// IsASCII reports whether a text has only ASCII characters.
func IsASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// File returns the path of the page's file.
func (p PageName) File() string { return string(p) + ".md" }

// Key returns the lookup key of the page's file.
func (p PageName) Key() string { return Key(p.File()) }

// Title returns the last segment with spaces for underscores.
func (p PageName) Title() string { return Title(path.Base(string(p))) }

// Title returns one segment of a name with spaces for underscores.
func Title(segment string) string { return strings.ReplaceAll(segment, "_", " ") }

// FirstLetter returns the letter that lists file a title under: its first one, without
// accents, E for "Élan"; "#" if it begins with something else.
func FirstLetter(title string) string {
	first, _ := utf8.DecodeRuneInString(norm.NFD.String(title))
	if !unicode.IsLetter(first) {
		return "#"
	}
	return string(unicode.ToUpper(first))
}

// Parent returns the folder, "" at the root.
func (p PageName) Parent() string {
	dir := path.Dir(string(p))
	if dir == "." {
		return ""
	}
	return dir
}

// URL returns the page's escaped path on its wiki's host.
func (p PageName) URL() string { return PathURL(string(p)) }

// PathURL returns the escaped URL path of a file or page. It always begins with
// exactly one slash, because two would lead to another host.
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

// reservedSlugs can't be wikis.
var reservedSlugs = strings.Fields(`api auth app www admin mcp docs status blog help support static
	assets null undefined wiki robot login oauth sso account signup mail smtp ns localhost`)

// serviceNames are host names that programs contact on their own, for mail, discovery
// and the like, or that people take for the operator's. New wikis can't have them;
// wikis from before this list keep theirs.
var serviceNames = strings.Fields(`abuse acme autoconfig autodiscover billing caldav carddav cdn contact
	dns ftp git hostmaster imap info isatap ldap legal mta-sts mx1 mx2 news noc no-reply noreply ns1 ns2 ns3
	ns4 ntp operator owner pop pop3 postmaster privacy proxy root security sftp sip ssh ssl ssladmin
	ssladministrator sslwebmaster stun sysadmin administrator terms usenet uucp vpn webdav webmail webmaster
	wpad xmpp`)

// HelpSlug is the slug of the service's own help wiki. No user can have it.
const HelpSlug = "help"

// CheckHost returns nil for a slug that can be a wiki's host: HelpSlug, and slugs that
// CheckSlug accepts or once accepted.
func CheckHost(slug string) error {
	if slug == HelpSlug {
		return nil
	}
	return checkSlug(slug)
}

// CheckSlug returns nil for a slug that a user's wiki can have, or a Problem.
// Whether it is taken, or belonged to another person, is for package tenant.
func CheckSlug(slug string) error {
	if slices.Contains(serviceNames, slug) {
		return errReserved(slug)
	}
	return checkSlug(slug)
}

func errReserved(slug string) error {
	return Problemf(ErrInvalid, "username", "%q is reserved. Choose another.", slug)
}

func checkSlug(slug string) error {
	switch {
	case !isSlug(slug):
		return Problemf(ErrInvalid, "username", "A username has 3 to 30 lowercase letters, digits and hyphens, and begins and ends with a letter or digit.")
	case slices.Contains(reservedSlugs, slug) || strings.HasPrefix(slug, "xn--"):
		return errReserved(slug)
	}
	return nil
}
