package site

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"robot.wtf/internal/wiki"
)

// Portable returns, for each path, one that Windows, macOS and Linux can hold as a
// file's: most paths stay as they are. A page and the folder of its name keep a
// common name. No two results differ in spelling only.
func Portable(paths []string) map[string]string {
	n := namer{folders: map[string]bool{}, given: map[string]string{}, taken: map[string]bool{}, next: map[string]int{}}
	for _, p := range paths {
		for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
			n.folders[wiki.Key(dir)] = true
		}
	}
	names := make(map[string]string, len(paths))
	var rest []string
	for _, p := range paths {
		if n.isPortable(p) {
			names[p] = p
			n.keep(p)
			continue
		}
		rest = append(rest, p)
	}
	slices.Sort(rest)
	for _, p := range rest {
		names[p] = n.rename(p)
	}
	return names
}

// A namer chooses names for files and folders. It names stems: segments without the
// extension of a page, so that a page and its folder get the same one.
type namer struct {
	folders map[string]bool   // keys of all folders
	given   map[string]string // new paths, by stemKey
	taken   map[string]bool   // keys of new paths
	next    map[string]int    // by key of a path: the number to try first
}

// isPortable reports whether every segment of a path can stay.
func (n *namer) isPortable(p string) bool {
	stem, _ := cutPageExt(p)
	for at := stem; at != "."; at = path.Dir(at) {
		if segment := path.Base(at); cleanSegment(segment, n.isFolder(at, p)) != segment {
			return false
		}
	}
	return true
}

// isFolder reports whether a part of a path names a folder too.
func (n *namer) isFolder(part, p string) bool { return part == p || n.folders[wiki.Key(part)] }

// keep reserves a path and its folders.
func (n *namer) keep(p string) {
	stem, _ := cutPageExt(p)
	for at := stem; at != "."; at = path.Dir(at) {
		key := stemKey(at, p)
		if n.given[key] == "" {
			n.given[key] = at
		}
		n.taken[wiki.Key(at)] = true
	}
}

// stemKey is the key in given of a part of a path. A page and its folder share one; a
// file without a page's extension has its own.
func stemKey(part, p string) string {
	if part == p {
		return wiki.Key(part) + "/"
	}
	return wiki.Key(part)
}

// rename returns a path's new name.
func (n *namer) rename(p string) string {
	stem, ext := cutPageExt(p)
	folder, at := "", ""
	for segment := range strings.SplitSeq(stem, "/") {
		at = path.Join(at, segment)
		key := stemKey(at, p)
		if n.given[key] == "" {
			n.given[key] = n.free(folder, cleanSegment(segment, n.isFolder(at, p)))
		}
		folder = n.given[key]
	}
	return folder + ext
}

// free returns a name in a folder that no other file or folder has.
func (n *namer) free(folder, name string) string {
	ext := path.Ext(name)
	stem := strings.TrimSuffix(name, ext)
	wanted := wiki.Key(path.Join(folder, name))
	for i := max(n.next[wanted], 1); ; i++ {
		free := path.Join(folder, name)
		if i > 1 {
			free = path.Join(folder, stem+"-"+strconv.Itoa(i)+ext)
		}
		if key := wiki.Key(free); !n.taken[key] {
			n.taken[key] = true
			n.next[wanted] = i
			return free
		}
	}
}

// cutPageExt cuts the extension of a page, here or in a site, off a path.
func cutPageExt(p string) (stem, ext string) {
	ext = path.Ext(p)
	switch strings.ToLower(ext) {
	case ".md", ".markdown", ".html":
		if stem = strings.TrimSuffix(p, ext); path.Base(stem) != "." && !strings.HasSuffix(stem, "/") {
			return stem, ext
		}
	}
	return p, ""
}

// maxSegment is the length of a file name, in bytes, that every file system allows,
// with room for a page's extension and a number.
const maxSegment = 230

// cleanSegment returns a name that Windows accepts; its rules include those of the
// other systems ("Naming Files, Paths, and Namespaces", Microsoft). Only whole names,
// not those with an extension added, must not end in a dot or a space.
func cleanSegment(name string, whole bool) string {
	clean := strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) || strings.ContainsRune(`<>:"/\|?*`, r) {
			return '-'
		}
		return r
	}, strings.ToValidUTF8(name, "-"))
	if whole {
		if cut := strings.TrimRight(clean, ". "); cut != clean {
			clean = cut + "-"
		}
	}
	if len(clean) > maxSegment {
		ext := path.Ext(clean)
		if len(ext) > 20 {
			ext = ""
		}
		clean = strings.ToValidUTF8(clean[:maxSegment-len(ext)], "") + ext
	}
	if stem, _, _ := strings.Cut(clean, "."); isDevice(stem) {
		clean = stem + "-" + clean[len(stem):]
	}
	if clean == "" {
		return "-"
	}
	return clean
}

// isDevice reports whether Windows takes a name for a device's, whatever extension
// follows.
func isDevice(stem string) bool {
	stem = strings.ToLower(strings.TrimRight(stem, " "))
	if slices.Contains([]string{"con", "prn", "aux", "nul", "conin$", "conout$"}, stem) {
		return true
	}
	digit, isPort := strings.CutPrefix(stem, "com")
	if !isPort {
		digit, isPort = strings.CutPrefix(stem, "lpt")
	}
	return isPort && utf8.RuneCountInString(digit) == 1 && strings.Contains("0123456789¹²³", digit)
}
