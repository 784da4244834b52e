package incoming

import (
	"archive/zip"
	"context"
	"io/fs"
	"path"
	"regexp"
	"strings"

	"robot.wtf/internal/wiki"
)

// A kind is the tool that wrote a folder of Markdown.
type kind int

const (
	plainFolder kind = iota
	obsidian
	notion
	logseq
)

func (k kind) String() string {
	return [...]string{"a folder of Markdown", "an Obsidian vault", "a Notion export", "a Logseq graph"}[k]
}

// List chooses the files to take and their names. It reads no contents.
func (z *Zip) List(ctx context.Context) (*Listing, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l := &Listing{}
	z.byFrom, z.tables, z.rows = map[string]entry{}, nil, nil
	visible := z.takeVisible(l)
	z.kind = kindOf(z.entries, visible)
	l.Kind = z.kind.String()
	for _, e := range visible {
		if _, twice := z.byFrom[e.path]; twice {
			l.Leave(e.path, 1, "the zip has it twice")
			continue
		}
		z.byFrom[e.path] = e
		f := File{Path: e.path, From: e.path, Size: int64(e.file.UncompressedSize64)}
		if e.file.Method == zip.Deflate {
			f.Compressed = int64(e.file.CompressedSize64)
		}
		l.Files = append(l.Files, f)
	}
	switch z.kind {
	case notion:
		z.listNotion(l)
	case logseq:
		listLogseq(l)
	}
	l.Settle()
	if len(l.Files) == 0 {
		return nil, wiki.Problemf(wiki.ErrInvalid, "file", "There is nothing to import in this zip: it has no pages and no files.")
	}
	return l, nil
}

// takeVisible returns the files that a wiki can show, with paths relative to the
// folder that all of them are in, and notes the others.
func (z *Zip) takeVisible(l *Listing) []entry {
	hidden := map[string]int{}
	var order []string
	var taken []entry
	for _, e := range z.entries {
		name, ok := cleanEntry(e.path)
		switch {
		case isJunk(e.path):
		case !ok:
			l.Leave(e.path, 1, "its name leads out of the folder")
		case e.file.Mode()&fs.ModeSymlink != 0:
			l.Leave(e.path, 1, "it is a symbolic link")
		case wiki.Hidden(name):
			folder := hiddenFolder(name)
			if hidden[folder]++; hidden[folder] == 1 {
				order = append(order, folder)
			}
		default:
			taken = append(taken, entry{e.file, name})
		}
	}
	top := topFolder(taken)
	for i := range taken {
		taken[i].path = strings.TrimPrefix(taken[i].path, top)
	}
	for _, folder := range order {
		l.Leave(strings.TrimPrefix(folder, top), hidden[folder], hiddenBecause(folder))
	}
	if z.encrypted > 0 {
		l.Leave("encrypted files", z.encrypted, "they are protected by a password")
	}
	return taken
}

// cleanEntry returns a path without "." parts; false if it leads out of its folder
// or is absolute.
func cleanEntry(p string) (string, bool) {
	p = strings.TrimPrefix(p, "./")
	if strings.HasPrefix(p, "/") || len(p) > 1 && p[1] == ':' {
		return "", false
	}
	clean := path.Clean(p)
	return clean, clean == p && fs.ValidPath(clean) && clean != "."
}

// hiddenFolder returns the path up to its first hidden part, with a slash if that
// is a folder.
func hiddenFolder(p string) string {
	segments := strings.Split(p, "/")
	for i, s := range segments {
		if strings.HasPrefix(s, ".") {
			folder := strings.Join(segments[:i+1], "/")
			if i < len(segments)-1 {
				folder += "/"
			}
			return folder
		}
	}
	return p
}

func hiddenBecause(folder string) string {
	switch path.Base(folder) {
	case ".obsidian":
		return "settings of Obsidian"
	case ".trash":
		return "deleted notes"
	case ".git":
		return "the history. To keep it, import the repository as a git bundle into a new wiki"
	}
	return "its name begins with a dot"
}

// topFolder returns the folder that all files are in, with a slash, or "".
func topFolder(list []entry) string {
	if len(list) == 0 {
		return ""
	}
	top, _, nested := strings.Cut(list[0].path, "/")
	for _, e := range list {
		nested = nested && strings.HasPrefix(e.path, top+"/")
	}
	if !nested {
		return ""
	}
	return top + "/"
}

// kindOf tells which tool wrote a folder, of its entries and those that are taken.
func kindOf(all, taken []entry) kind {
	for _, e := range all {
		if strings.HasPrefix(e.path, ".obsidian/") || strings.Contains(e.path, "/.obsidian/") {
			return obsidian
		}
	}
	pages, ids := 0, 0
	graph, settings := false, false
	for _, e := range taken {
		if path.Ext(e.path) == ".md" {
			pages++
			if notionID.MatchString(strings.TrimSuffix(e.path, ".md")) {
				ids++
			}
		}
		graph = graph || strings.HasPrefix(e.path, "pages/") || strings.HasPrefix(e.path, "journals/")
		settings = settings || strings.HasPrefix(e.path, "logseq/")
	}
	switch {
	case pages > 0 && 2*ids > pages:
		return notion
	case graph && settings:
		return logseq
	}
	return plainFolder
}

// listLogseq gives the pages of a Logseq graph the names that its links use: those
// of pages/ are at the root, and "___" separates namespaces. The folder logseq/ has
// the settings.
func listLogseq(l *Listing) {
	kept := l.Files[:0]
	settings := 0
	for _, f := range l.Files {
		name, page := strings.CutPrefix(f.From, "pages/")
		switch {
		case strings.HasPrefix(f.From, "logseq/"):
			settings++
			continue
		case page && path.Ext(name) == ".md" && !strings.Contains(name, "/"):
			f.Path = logseqName(name)
			if f.Path != name {
				l.convert(f.From, "becomes "+strings.TrimSuffix(f.Path, ".md"))
			}
		}
		kept = append(kept, f)
	}
	l.Files = kept
	if settings > 0 {
		l.Leave("logseq/", settings, "settings of Logseq")
	}
}

// logseqEscape matches percent codes, which Logseq writes for characters that file
// names can't have.
var logseqEscape = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)

func logseqName(file string) string {
	name := strings.ReplaceAll(file, "___", "/")
	return logseqEscape.ReplaceAllStringFunc(name, func(code string) string {
		switch strings.ToUpper(code) {
		case "%2F":
			return "/"
		case "%3A":
			return ":"
		case "%3F":
			return "?"
		case "%22":
			return `"`
		case "%3C":
			return "<"
		case "%3E":
			return ">"
		case "%7C":
			return "|"
		case "%2A":
			return "*"
		case "%23":
			return "#"
		}
		return code
	})
}
