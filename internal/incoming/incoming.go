// Package incoming reads what people bring to a wiki from elsewhere as files: zips
// of Markdown that Obsidian, Notion, Logseq and others write, and exports of MediaWiki.
//
// It decides which files are taken and under which names, and converts what isn't
// Markdown. It doesn't know the wiki that they go to: package pages compares names,
// checks limits, follows links to files with another name, and writes.
//
// Everything it reads is untrusted. A zip can lie about sizes, repeat names, lead
// out of its folder and expand a thousandfold; no file is written to disk under a
// name from a zip, and no more is read than declared.
package incoming

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"robot.wtf/internal/wiki"
)

// A Source holds the files of one import. Its implementations read a zip, a dump of
// another wiki, or the newest state of a repository.
//
// A Source is used by one goroutine. List is called before Read; Read is called for
// any of the listed files, in any order and possibly twice, and returns the same
// bytes each time.
type Source interface {
	// List says what the source brings. It should read names and sizes only, because
	// limits are checked against its result before anything else is read. A refusal
	// is a *wiki.Problem.
	List(ctx context.Context) (*Listing, error)
	// Read returns a file's content as the wiki stores it, converted if need be. Links
	// in it lead to the From names of the other files, or to their Path.
	Read(ctx context.Context, f File) ([]byte, error)
	Close() error
}

// A Listing is what a source brings.
type Listing struct {
	Notes
	Kind  string // for people: "an Obsidian vault"
	About string // how its pages are converted, in sentences for people, or ""
	Files []File // sorted by Path; no two have the same wiki.Key
}

// Notes tell people about the files that aren't taken (Left) and about those that
// become something else (Converted). Each list is complete up to maxNotes; the numbers
// are always right.
type Notes struct {
	Left, Converted           []Note
	LeftFiles, ConvertedFiles int
	OlderRevisions            int // of pages, which aren't taken
}

// A File is one file of a source.
type File struct {
	Path string // in the wiki; wiki.AddressablePath wouldn't change it
	From string // in the source, relative to its top folder: links in texts use this name
	Why  string // why Path differs from From in a way to tell people about, or ""
	Size int64  // bytes
	// Estimated says that the file is converted, and Size is that of its source.
	Estimated bool
	// Compressed is about how many bytes the content takes when it is compressed; 0 if
	// the source doesn't say.
	Compressed int64
	Blob       string // git's id of the content, if it is known without reading it
}

// IsPage reports whether the file becomes a page.
func (f File) IsPage() bool {
	_, page := wiki.PageOf(f.Path)
	return page
}

// A Note tells people about one file or, with more than one Files, about a folder.
type Note struct {
	Path  string
	Files int
	Why   string
}

// maxNotes bounds a list of notes.
const maxNotes = 200

// Leave notes files that aren't taken.
func (n *Notes) Leave(name string, files int, why string) {
	n.LeftFiles += files
	n.Left = addNote(n.Left, Note{name, files, why})
}

func (n *Notes) convert(name, why string) {
	n.ConvertedFiles++
	n.Converted = addNote(n.Converted, Note{name, 1, why})
}

func addNote(list []Note, n Note) []Note {
	if len(list) >= maxNotes {
		return list
	}
	return append(list, n)
}

// Settle gives each file an addressable path that no other one has, and sorts them.
// Files that can't have one are left out. Pages come first, so that they keep their
// names rather than attachments do.
func (l *Listing) Settle() {
	slices.SortStableFunc(l.Files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	taken := names{taken: map[string]bool{}, folders: map[string]bool{}}
	var pages, others []File
	for _, f := range l.Files {
		to, why, err := wiki.AddressablePath(f.Path)
		if err != nil {
			l.Leave(f.From, 1, problemText(err))
			continue
		}
		f.Path, f.Why = to, cmp.Or(why, f.Why)
		wiki.AddFolders(taken.folders, to)
		if f.IsPage() {
			pages = append(pages, f)
		} else {
			others = append(others, f)
		}
	}
	l.Files = append(pages, others...)
	for i := range l.Files {
		f := &l.Files[i]
		if to := taken.reserve(f.Path); to != f.Path {
			f.Path, f.Why = to, "another page, folder or file has this name, apart from case and spaces"
		}
	}
	slices.SortFunc(l.Files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
}

// problemText is the sentence of a Problem, to go on with.
func problemText(err error) string { return strings.TrimSuffix(err.Error(), ".") }

// names hands out paths so that no two have one key, and none is also a folder or
// the address of a page.
type names struct {
	taken   map[string]bool
	folders map[string]bool
	free    FreeNames
}

// reserve returns a path, or a free one like it: "Name (2).md".
func (n *names) reserve(file string) string {
	free := n.free.Find(file, func(key string) bool { return n.taken[key] || n.folders[key] || n.taken[key+".md"] })
	n.taken[wiki.Key(free)] = true
	return free
}

// FreeNames finds free paths. It remembers how far it has counted, so that many files
// of one name take linear time. A taken name must stay taken. The zero value is ready
// to use.
type FreeNames struct {
	next map[string]int // by key: the number to try first
}

// Find returns a file path or, if its key is taken, one like it: "Name (2).md".
func (f *FreeNames) Find(file string, taken func(key string) bool) string {
	key := wiki.Key(file)
	if !taken(key) {
		return file
	}
	if f.next == nil {
		f.next = map[string]int{}
	}
	for n := max(f.next[key], 2); ; n++ {
		if free := numbered(file, n); !taken(wiki.Key(free)) {
			f.next[key] = n
			return free
		}
	}
}

// numbered adds a number to a file's name: "Name (2).md".
func numbered(file string, n int) string {
	ext := path.Ext(file)
	if len(ext) > 12 || strings.Contains(ext, " ") || ext == path.Base(file) {
		ext = "" // not an extension: "Mr. Smith"
	}
	return fmt.Sprintf("%s (%d)%s", strings.TrimSuffix(file, ext), n, ext)
}
