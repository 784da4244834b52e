package content

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/wiki"
)

// An ImportSource is the history of a git repository.
type ImportSource struct {
	Commits []gitrepo.RawCommit       // along first parents, oldest first
	Diffs   map[string][]gitrepo.Diff // of each commit against its first parent
	Sizes   map[string]int64          // of each blob in them
	Packed  int64                     // bytes of these blobs in git's packs
	Tags    map[string]string
	Author  wiki.Caller // of the commit that renames files
	Limits  wiki.Limits
	Origin  Origin
	// Trusted says that the history is known to be written by this service, so that
	// its authors are genuine. Otherwise anybody can have written them: they are
	// shown as imported and linked to no account.
	Trusted bool
	// Authors returns the person or agent that a commit's author is known to be, by
	// what its repository says and what the service it is moved from knew. Their text
	// counts as imported until somebody vouches for it. It is nil, except in the
	// operator's move.
	Authors func(name, email string) (by wiki.Author, known bool)
}

// An Import is a checked history, ready for Wiki.Import.
type Import struct {
	o       ImportSource
	commits []plannedCommit
	objects map[string]bool // commits, trees and blobs along first parents
	blobs   []string        // in the order of first use
	renames []Renaming      // made by one last commit, sorted by From
	head    map[string]headFile
	reasons []string
}

type plannedCommit struct {
	id      string
	raw     []byte
	parsed  gitrepo.Commit
	changes []rawChange
}

// A headFile is a file at the head.
type headFile struct {
	mode uint32
	blob string
	last int // index of the commit that changed it last
}

// A Renaming is a file of the head that gets another name.
type Renaming struct{ From, To string }

func (r Renaming) String() string { return r.From + " -> " + r.To }

// MaxImportCommits limits the commits of an import.
const MaxImportCommits = 100_000

// maxReasons limits a list of problems.
const maxReasons = 50

// PlanImport checks a whole history. It fails with a *gitrepo.Refused that lists
// every reason why the history can't be imported: our limits and names that can't
// be stored. Dotfiles, symbolic links and submodules are allowed; they are kept in
// the history but never served or followed.
func PlanImport(o ImportSource) (*Import, error) {
	p := &Import{o: o, objects: map[string]bool{}, head: map[string]headFile{}}
	if len(o.Commits) > MaxImportCommits {
		return nil, &gitrepo.Refused{Reasons: []string{fmt.Sprintf("The history has %d commits; at most %d can be imported.", len(o.Commits), MaxImportCommits)}}
	}
	files := gitrepo.NewFiles()
	for i, c := range o.Commits {
		p.addCommit(i, c, files)
		if len(p.reasons) > maxReasons {
			p.reasons = append(p.reasons[:maxReasons], "and more")
			break
		}
	}
	if len(p.reasons) == 0 {
		p.renames = p.findRenames()
		p.checkLimits()
	}
	if len(p.reasons) > 0 {
		return nil, &gitrepo.Refused{Reasons: p.reasons}
	}
	return p, nil
}

// Commits returns the number of commits along first parents.
func (p *Import) Commits() int { return len(p.commits) }

// Objects returns the objects that will be stored in rows. ImportData.Rest must
// have the history's other objects.
func (p *Import) Objects() map[string]bool { return p.objects }

// Bytes returns about how many bytes the files along first parents will take with
// their history. Import counts exactly.
func (p *Import) Bytes() int64 { return p.o.Packed }

// Stats returns the counters of the future wiki, with Bytes as its history.
func (p *Import) Stats() Stats {
	m := p.counters()
	return Stats{Pages: m.pages, Files: m.files, CurrentBytes: m.current, HistoryBytes: p.Bytes()}
}

// Renamed lists the files to rename. From is quoted if it has control or invisible
// characters.
func (p *Import) Renamed() []Renaming {
	list := slices.Clone(p.renames)
	for i, r := range list {
		if wiki.VisibleName(r.From) != r.From {
			list[i].From = strconv.QuoteToGraphic(r.From)
		}
	}
	return list
}

func (p *Import) refuse(format string, args ...any) {
	p.reasons = append(p.reasons, fmt.Sprintf(format, args...))
}

func (p *Import) addCommit(i int, c gitrepo.RawCommit, files *gitrepo.Files) {
	parsed, err := gitrepo.ParseCommit(c.Content)
	if err != nil {
		p.refuse("commit %s: %v", c.ID, err)
		return
	}
	diffs := p.o.Diffs[c.ID]
	for _, d := range diffs {
		switch {
		case !utf8.ValidString(d.Path) || len(d.Path) > 1000:
			p.refuse("commit %.10s: the name %.100q isn't UTF-8 or is longer than 1,000 bytes", c.ID, d.Path)
		case d.New != "" && d.NewMode != gitrepo.ModeGitlink && p.o.Sizes[d.New] > p.o.Limits.AttachmentBytes:
			p.refuse("commit %.10s: %s is %s; a file can be at most %s", c.ID, d.Path, formatBytes(p.o.Sizes[d.New]), formatBytes(p.o.Limits.AttachmentBytes))
		}
	}
	planned := plannedCommit{id: c.ID, raw: c.Content, parsed: parsed, changes: changesFromDiffs(diffs, recordedMoves(parsed))}
	for _, ch := range planned.changes {
		if ch.Kind == wiki.Deleted {
			delete(p.head, ch.Path)
		}
		if ch.Kind == wiki.Moved {
			delete(p.head, ch.From)
		}
	}
	for _, ch := range planned.changes {
		if ch.Kind == wiki.Deleted {
			continue
		}
		p.head[ch.Path] = headFile{ch.mode, ch.New, i}
		if ch.mode != gitrepo.ModeGitlink && !p.objects[ch.New] {
			p.objects[ch.New] = true
			p.blobs = append(p.blobs, ch.New)
		}
	}
	merges := recordedPaths(parsed, "Merged")
	for n, ch := range planned.changes {
		if _, there := p.head[merges[ch.Path]]; there && ch.Kind == wiki.Deleted {
			planned.changes[n].Into = merges[ch.Path]
		}
	}
	(&rawCommit{changes: planned.changes}).apply(files)
	// If the rebuilt tree differs from the commit's, because of old git's modes or
	// folders without files, the commit's trees belong to the other objects.
	var trees []string
	if files.Trees(func(_, id string, _ []byte) { trees = append(trees, id) }) == parsed.Tree {
		for _, id := range trees {
			p.objects[id] = true
		}
	}
	p.objects[c.ID] = true
	p.commits = append(p.commits, planned)
}

// madeHere reports whether a commit claims to be made by a service like this one.
func madeHere(c gitrepo.Commit) bool {
	return c.Committer.Email == committerEmail
}

// MadeHere reports whether a commit claims to be made by a service like this one.
func MadeHere(c gitrepo.RawCommit) bool {
	parsed, err := gitrepo.ParseCommit(c.Content)
	return err == nil && madeHere(parsed)
}

// recordedMoves returns the moves in the trailers of a commit made here, as old
// names by new name.
func recordedMoves(c gitrepo.Commit) map[string]string {
	moves := map[string]string{}
	for from, to := range recordedPaths(c, "Moved") {
		moves[to] = from
	}
	return moves
}

type fileVersion struct {
	mode uint32
	id   string
}

// isRegular distinguishes files from symbolic links and submodules.
func isRegular(mode uint32) bool { return mode&0o170000 == 0o100000 }

// changesFromDiffs turns a commit's diffs into changes, sorted by path. moves are the
// moves that the commit itself records; the diffs can have others, found by
// similarity. A file that becomes a link, or was one, is a different file.
func changesFromDiffs(diffs []gitrepo.Diff, moves map[string]string) []rawChange {
	before, after := map[string]fileVersion{}, map[string]fileVersion{}
	from := maps.Clone(moves)
	if from == nil {
		from = map[string]string{}
	}
	for _, d := range diffs {
		old := d.Path
		if d.From != "" {
			old = d.From
			from[d.Path] = d.From
		}
		if d.Old != "" {
			before[old] = fileVersion{d.OldMode, d.Old}
		}
		if d.New != "" {
			after[d.Path] = fileVersion{d.NewMode, d.New}
		}
	}
	var list []rawChange
	for _, to := range slices.Sorted(maps.Keys(from)) {
		was, ok := before[from[to]]
		is, ok2 := after[to]
		if ok && ok2 && from[to] != to && isRegular(was.mode) && isRegular(is.mode) {
			list = append(list, rawChange{wiki.Change{Path: to, From: from[to], Kind: wiki.Moved, Old: was.id, New: is.id}, is.mode})
			delete(before, from[to])
			delete(after, to)
		}
	}
	for name, was := range before {
		is, stays := after[name]
		if stays && isRegular(was.mode) == isRegular(is.mode) {
			list = append(list, rawChange{wiki.Change{Path: name, Kind: wiki.Modified, Old: was.id, New: is.id}, is.mode})
			delete(after, name)
			continue
		}
		gone := rawChange{wiki.Change{Path: name, Kind: wiki.Deleted, Old: was.id}, 0}
		if !isRegular(was.mode) {
			gone.mode = was.mode // so that it isn't mistaken for a page
		}
		list = append(list, gone)
	}
	for name, is := range after {
		list = append(list, rawChange{wiki.Change{Path: name, Kind: wiki.Added, New: is.id}, is.mode})
	}
	slices.SortFunc(list, func(a, b rawChange) int {
		return cmp.Or(strings.Compare(a.Path, b.Path), isDeleted(b)-isDeleted(a))
	})
	return list
}

func isDeleted(ch rawChange) int { return boolToInt(ch.Kind == wiki.Deleted) }

// findRenames chooses new names for files that readers couldn't reach: files whose
// keys are equal, files with the name of a folder or of a page, and files whose
// names have no address. Pages keep their names rather than other files do.
// Dotfiles, which are never served, keep theirs.
func (p *Import) findRenames() []Renaming {
	names := importNames{map[string]bool{}, map[string]bool{}, map[string]int{}}
	var pages, others []string
	for _, name := range slices.Sorted(maps.Keys(p.head)) {
		to, _ := wiki.ReachablePath(name)
		wiki.AddFolders(names.folders, to)
		if _, page := wiki.PageOf(to); page {
			pages = append(pages, name)
		} else {
			others = append(others, name)
		}
	}
	var list []Renaming
	for _, group := range [][]string{pages, others} {
		var later []string
		for _, name := range group {
			if to, _ := wiki.ReachablePath(name); to == name && names.free(name) {
				names.reserve(name)
			} else {
				later = append(later, name)
			}
		}
		for _, name := range later {
			list = append(list, Renaming{name, names.rename(name)})
		}
	}
	slices.SortFunc(list, func(a, b Renaming) int { return strings.Compare(a.From, b.From) })
	return list
}

// Unreachable lists the files among all those of a wiki whose names have no address, and
// names for them that no other file has, if they are renamed in this order. Wikis that
// were imported by an early version of this software can have some.
func Unreachable(files []string) []Renaming {
	names := importNames{map[string]bool{}, map[string]bool{}, map[string]int{}}
	var without []string
	for _, name := range files {
		to, _ := wiki.ReachablePath(name)
		names.reserve(name)
		if wiki.AddFolders(names.folders, to); to != name {
			without = append(without, name)
		}
	}
	var list []Renaming
	for _, name := range without {
		delete(names.files, wiki.Key(name)) // it can differ in case only
		list = append(list, Renaming{name, names.rename(name)})
	}
	return list
}

// RenamesMessage is the message of commits that give such files a name.
const RenamesMessage = "Rename files whose names can't be used"

// importNames are the keys of names in use.
type importNames struct {
	files, folders map[string]bool
	next           map[string]int // by key: the number to try first, so that many files of one name take linear time
}

func (n importNames) reserve(file string) { n.files[wiki.Key(file)] = true }

// free reports whether a file can have a name. The address of a page is its name
// without ".md", which another file would take from it.
func (n importNames) free(file string) bool {
	key := wiki.Key(file)
	return !n.files[key] && !n.folders[key] && (wiki.Hidden(file) || !n.files[key+".md"])
}

// rename takes a free name for a file, similar to its own.
func (n importNames) rename(file string) string {
	to, _ := wiki.ReachablePath(file)
	key, ext := wiki.Key(to), path.Ext(to)
	stem := strings.TrimSuffix(to, ext)
	for to == file || !n.free(to) {
		n.next[key] = max(n.next[key]+1, 2)
		to = fmt.Sprintf("%s_%d%s", stem, n.next[key], ext)
	}
	n.reserve(to)
	return to
}

// maxUnpacked limits the size of all blobs of an import, which takes time to read: a
// multiple of what the wiki's history may take compressed.
const maxUnpacked = 10

func (p *Import) unpacked() (sum int64) {
	for _, id := range p.blobs {
		sum += p.o.Sizes[id]
	}
	return sum
}

// checkLimits compares the future wiki with its limits.
func (p *Import) checkLimits() {
	l := p.o.Limits
	m := p.counters()
	for _, name := range slices.Sorted(maps.Keys(p.head)) {
		f := p.head[name]
		if _, isPage := wiki.PageOf(p.finalName(name)); isPage && isRegular(f.mode) && p.o.Sizes[f.blob] > l.PageBytes {
			p.refuse("%s is %s; a page can be at most %s", name, formatBytes(p.o.Sizes[f.blob]), formatBytes(l.PageBytes))
		}
	}
	if m.pages > l.Pages {
		p.refuse("The repository has %d pages; this wiki can have at most %d.", m.pages, l.Pages)
	}
	if m.files > l.Files {
		p.refuse("The repository has %d files; this wiki can have at most %d pages and files.", m.files, l.Files)
	}
	if m.current > l.CurrentBytes {
		p.refuse("The files are %s together; in this wiki they can be at most %s.", formatBytes(m.current), formatBytes(l.CurrentBytes))
	}
	if p.o.Packed > l.HistoryBytes {
		p.refuse("The history is %s; in this wiki it can be at most %s.", formatBytes(p.o.Packed), formatBytes(l.HistoryBytes))
	} else if all := p.unpacked(); all/maxUnpacked > l.HistoryBytes {
		p.refuse("All versions of all files are %s together, without compression; at most %s can be imported.", formatBytes(all), formatBytes(maxUnpacked*l.HistoryBytes))
	}
}

// finalName returns the name of a file of the head after the last commit.
func (p *Import) finalName(name string) string {
	i, renamed := slices.BinarySearchFunc(p.renames, name, func(r Renaming, name string) int { return strings.Compare(r.From, name) })
	if renamed {
		return p.renames[i].To
	}
	return name
}

// counters returns the counters of the future wiki, except the size of its history.
func (p *Import) counters() meta {
	var m meta
	for name, f := range p.head {
		_, isPage := wiki.PageOf(p.finalName(name))
		m.pages += boolToInt(isPage && isRegular(f.mode))
		m.files++
		m.current += p.o.Sizes[f.blob]
	}
	return m
}

// authorOf returns a commit's author and its message without reserved trailers, as
// far as the commit can be believed.
func (p *Import) authorOf(c gitrepo.Commit) (a wiki.Author, message string) {
	clean := func(s string) string { return strings.ToValidUTF8(strings.TrimSpace(s), "\uFFFD") }
	a = wiki.Author{Username: clean(c.Author.Name), Imported: !p.o.Trusted}
	if wiki.IsPersonID(c.Author.Email) {
		a.DID = clean(c.Author.Email)
	}
	if a.Username == "" {
		a.Username = "unknown"
	}
	message = strings.ToValidUTF8(c.Message, "\uFFFD")
	if p.o.Authors != nil {
		if by, known := p.o.Authors(clean(c.Author.Name), clean(c.Author.Email)); known {
			by.Client = wiki.ImportClient // anyone with push access there could write any name
			return by, strings.TrimSpace(message)
		}
	}
	if !madeHere(c) {
		a.Imported = true
		return a, strings.TrimSpace(message)
	}
	body, trailers := gitrepo.CutTrailers(message)
	var kept []gitrepo.Trailer
	for _, t := range trailers {
		switch t.Key {
		case "Agent":
			a.Agent = t.Value
		case "Client":
			a.Client = t.Value
		case "Grant":
			a.Grant = t.Value
		case "Moved", "Merged", "Taken":
		default:
			kept = append(kept, t)
		}
	}
	return a, strings.TrimRight(gitrepo.AppendTrailers(body, kept), "\n")
}

// commitTime returns the committer's time.
func commitTime(c gitrepo.Commit) time.Time { return c.Committer.Time.UTC() }
