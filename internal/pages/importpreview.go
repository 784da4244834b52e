package pages

import (
	"fmt"
	"slices"
	"strings"

	"robot.wtf/internal/incoming"
	"robot.wtf/internal/wiki"
)

// An ImportRequest says how to import an upload. The zero value imports everything
// at the root and keeps the wiki's file wherever both have the same name.
type ImportRequest struct {
	Into    string            // folder that everything goes into, "" for the root
	Without []string          // top folders of the upload to leave out
	Choices map[string]Choice // by the path of the wiki's file
	// AsFolder takes the files of a zip even if it has a repository.
	AsFolder bool
	// Versions imports the older versions of an export's pages, too, as the history of a
	// new wiki.
	Versions bool
	// FilesOnly leaves the history of a repository out.
	FilesOnly bool
	// Wikilinks is the order of wikilinks that the wiki will have if its own is
	// automatic: links that have to change, because a file gets another name, follow it.
	// Import doesn't change the wiki's setting.
	Wikilinks wiki.LinkOrder
	// Own says that the caller vouches for the words: agents read them as a member's.
	// Otherwise they count as a stranger's, no matter who imports them.
	Own bool
	// Trusted accepts the authors of a repository's commits as they are. Only the
	// operator can set it.
	Trusted bool
	// Moved says that a repository is moved here from another service: its history also
	// replaces that of an earlier move, and can exceed limits. Only the operator can
	// set it.
	Moved bool
	// Authors says who wrote the commits of a repository that is moved; see
	// content.ImportSource.
	Authors func(name, email string) (by wiki.Author, known bool)
}

// keepsHistory reports whether a repository becomes the history of a new wiki.
func (r ImportRequest) keepsHistory() bool { return r.Into == "" && !r.FilesOnly }

// A Decision says which file to keep if the wiki and an import have the same name.
type Decision string

// The decisions.
const (
	KeepMine   Decision = "mine"
	TakeTheirs Decision = "theirs"
	KeepBoth   Decision = "both"
)

// A Choice is a decision about the wiki's file as of a revision.
type Choice struct {
	Decision Decision
	Revision string // blob id that the owner saw, "" for the current one
}

// An ImportPreview says what an import will do. Nothing is written yet.
type ImportPreview struct {
	incoming.Notes
	Name    string // of the uploaded file, or ""
	Size    int64  // of the upload
	Kind    string // "an Obsidian vault"
	About   string // how its pages are converted, or ""
	Into    string
	History bool // a repository with its history
	// Versions says that the history is made of an export's older versions.
	Versions bool
	// Repository says that the files are those of a repository, without its history.
	Repository bool
	Commits    int

	Pages, Files int // to write
	Largest      int64
	After        Stats
	Limits       wiki.Limits
	Seeds        int      // initial pages that make room
	Same         int      // files that the wiki has already
	Without      []string // folders that are left out
	WithoutFiles int      // files in them

	LinkCount
	Wikilinks    wiki.LinkOrder // that suits the links best; "" if the wiki's does
	TextFirst    int            // wikilinks that only lead somewhere with the text first, if they are most
	Tags         int
	Clashes      []Clash
	Renamed      []Renaming // at most maxPreview
	RenamedFiles int
	Branches     []string // branches and tags that are left out

	Folders  []TopFolder // the largest ones, to choose from if it doesn't fit
	Problems []string    // why it can't be imported as it is
}

// A Renaming is a file that gets another name.
type Renaming struct{ From, To, Why string }

// A Clash is a name that the wiki and the import both have.
type Clash struct {
	Path      string
	Mine      wiki.File
	TheirSize int64
	Both      string // the name that theirs gets if both stay
	Decision  Decision
}

// A TopFolder is a folder at the top of an upload.
type TopFolder struct {
	Name  string // "" for the files at the root, which can't be left out
	Pages int
	Bytes int64
}

// maxPreview bounds each other list of examples in a preview; maxFolders that of folders.
const (
	maxPreview = 200
	maxFolders = 20
)

func (v *ImportPreview) rename(from, to, why string) {
	if v.RenamedFiles++; len(v.Renamed) < maxPreview {
		v.Renamed = append(v.Renamed, Renaming{from, to, why})
	}
}

// Name is the page's name, or the file's path.
func (c Clash) Name() string { return strings.TrimSuffix(c.Path, ".md") }

// BothName is the name of the imported page or file if both stay.
func (c Clash) BothName() string { return strings.TrimSuffix(c.Both, ".md") }

// ShownClashes are the clashes to choose for one by one.
func (v *ImportPreview) ShownClashes() []Clash { return v.Clashes[:min(len(v.Clashes), maxPreview)] }

// MoreClashes is the number of the others.
func (v *ImportPreview) MoreClashes() int { return len(v.Clashes) - len(v.ShownClashes()) }

// IsWithout reports whether a folder was left out.
func (v *ImportPreview) IsWithout(folder string) bool { return slices.Contains(v.Without, folder) }

// add counts a file to write.
func (v *ImportPreview) add(f arriving) {
	if isText(f.to) {
		v.Pages++
	} else {
		v.Files++
	}
	v.Largest = max(v.Largest, f.Size)
}

// importTop is the top folder of a path, "" at the root.
func importTop(p string) string {
	if top, _, nested := strings.Cut(p, "/"); nested {
		return top
	}
	return ""
}

// sumFolders lists the largest top folders by their pages, then their size.
func (v *ImportPreview) sumFolders(files []incoming.File) {
	sums := map[string]*TopFolder{}
	for _, f := range files {
		name := importTop(f.Path)
		if sums[name] == nil {
			sums[name] = &TopFolder{Name: name}
		}
		sums[name].Pages += boolToInt(f.IsPage())
		sums[name].Bytes += f.Size
	}
	for name, sum := range sums {
		if name != "" {
			v.Folders = append(v.Folders, *sum)
		}
	}
	slices.SortFunc(v.Folders, func(a, b TopFolder) int {
		switch {
		case a.Pages != b.Pages:
			return b.Pages - a.Pages
		case a.Bytes != b.Bytes:
			return int(max(-1, min(1, b.Bytes-a.Bytes)))
		}
		return strings.Compare(a.Name, b.Name)
	})
	v.Folders = v.Folders[:min(len(v.Folders), maxFolders)]
}

// checkLimits lists the limits that the wiki would exceed.
func (v *ImportPreview) checkLimits(before, after Stats, l wiki.Limits) {
	over := func(format string, args ...any) { v.Problems = append(v.Problems, fmt.Sprintf(format, args...)) }
	if after.Pages > l.Pages && after.Pages > before.Pages {
		over("%d pages are too many: with them the wiki would have %d, and the limit is %d.", v.Pages, after.Pages, l.Pages)
	}
	if after.Files > l.Files && after.Files > before.Files {
		over("%d pages and files are too many: with them the wiki would have %d, and the limit is %d.", v.Pages+v.Files, after.Files, l.Files)
	}
	if after.CurrentBytes > l.CurrentBytes && after.CurrentBytes > before.CurrentBytes {
		over("The files are too large together: with them the wiki would have %s, and the limit is %s.", formatBytes(after.CurrentBytes), formatBytes(l.CurrentBytes))
	}
	if after.HistoryBytes > l.HistoryBytes && after.HistoryBytes > before.HistoryBytes {
		over("With its history, which is compressed, the wiki would have about %s, and the limit is %s.", formatBytes(after.HistoryBytes), formatBytes(l.HistoryBytes))
	}
}

// Empty reports whether the import would change nothing.
func (v *ImportPreview) Empty() bool { return v.Pages+v.Files == 0 && v.Commits == 0 }
