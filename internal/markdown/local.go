package markdown

import (
	"path"
	"slices"
	"strings"
	"unicode"

	"robot.wtf/internal/wiki"
)

func isWord(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.M, r)
}

// A local address leads to something of the wiki itself.
type localAddress struct {
	kind     linkKind
	path     string // page name or file path, from the root
	query    string // with its question mark
	fragment string // unescaped
	raw      string
}

// fileExtensions tell a file from a page whose name contains a dot.
var fileExtensions = strings.Fields(`7z aac avi avif bmp bz2 csv doc docx epub flac gif gpx gz heic html ico ics jpeg jpg js json
	key kml log m4a mkv mov mp3 mp4 mpg odp ods odt ogg ogv opus otf pdf png ppt pptx ps psd py rar rtf sh sql stl svg tar
	tex tgz tif tiff toml tsv ttf txt wav webm webp woff woff2 xls xlsx xml xz yaml yml zip zst`)

func looksLikeFile(p string) bool {
	return slices.Contains(fileExtensions, strings.ToLower(strings.TrimPrefix(path.Ext(p), ".")))
}

// localTarget reads an address without scheme and host: from the root with a
// leading slash, below the page with "./" (as An Otter Wiki has it), otherwise
// from the page's own folder, as in a clone.
func localTarget(self wiki.PageName, dest string, image bool) localAddress {
	a := localAddress{raw: dest}
	dest, a.fragment, _ = strings.Cut(dest, "#")
	if before, query, ok := strings.Cut(dest, "?"); ok {
		dest, a.query = before, "?"+query
	}
	a.fragment = unescape(a.fragment)
	p := unescape(dest)
	rooted := strings.HasPrefix(p, "/")
	switch {
	case p == "/" || strings.HasPrefix(p, "/-/"):
		a.kind = linkOwn
		return a
	case rooted:
		p = strings.TrimLeft(p, "/")
	case strings.HasPrefix(p, "./"):
		p = path.Join(string(self), p)
	default:
		p = path.Join(self.Parent(), p)
	}
	if p = path.Clean("/" + p)[1:]; p == "" {
		a.kind, a.raw = linkOwn, "/"
		return a
	}
	a.path = p
	if image || looksLikeFile(p) {
		a.kind = linkFile
		return a
	}
	if rooted && actionPath(p) {
		a.kind = linkOwn
		return a
	}
	a.kind, a.path = linkPage, strings.TrimSuffix(p, ".md")
	return a
}

// actionPath reports addresses such as /Home/history, which are no page names.
func actionPath(p string) bool { return slices.Contains(wiki.Actions, path.Base(p)) }

// wikiTarget reads the inside of [[…]] or ![[…]]: always from the root, but for
// a leading "./" (below the page) or "../" (from the page's folder).
func wikiTarget(self wiki.PageName, inside string) (target, fragment, label string) {
	target, label, _ = strings.Cut(inside, "|")
	target, fragment, _ = strings.Cut(target, "#")
	target, fragment, label = strings.TrimSpace(target), strings.TrimSpace(fragment), strings.TrimSpace(label)
	switch {
	case strings.HasPrefix(target, "./"):
		target = path.Join(string(self), target)
	case strings.HasPrefix(target, "../"):
		target = path.Join(self.Parent(), target)
	}
	target = strings.TrimSuffix(strings.Trim(target, "/"), ".md")
	if target == "." {
		target = ""
	}
	return target, fragment, label
}
