package incoming

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/bzip2"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"robot.wtf/internal/mediawiki"
	"robot.wtf/internal/wiki"
)

// Bounds of an export of MediaWiki.
const (
	maxRedirects    = 10      // from one page to another
	maxNamesOfPage  = 100     // redirects to a page that become aliases
	minCompressed   = 8 << 20 // bytes after which a compressed export is checked for its limits
	maxUnpackFactor = 200
)

// ErrNotExport is the error of OpenExport for a file that isn't an export of MediaWiki.
var ErrNotExport = errors.New("incoming: not an export of MediaWiki")

// An Export is an XML export of MediaWiki. It implements Source: its pages are
// converted to Markdown, redirects become aliases, and links lead to the pages' paths.
type Export struct {
	options  Options
	packed   io.Reader // nil if the export isn't compressed
	isBzip2  bool
	size     int64    // of the file
	file     *os.File // the export; a copy without compression if packed is set
	isCopy   bool
	site     *mediawiki.Site
	pages    map[string]exportPage // by From
	paths    map[mediawiki.Title]string
	leads    map[mediawiki.Title]redirect
	namesOf  map[string][]string // by From: redirects to the page
	mainPage mediawiki.Title

	listMedia  func(*Listing) // adds the files that come with it; nil if there are none
	media      []File
	writeMedia func(context.Context, func(path string, content []byte)) error

	revisions []pageRevision // if the options ask for versions
}

// An exportPage is a page that is taken.
type exportPage struct {
	title mediawiki.Title
	text  mediawiki.Span
}

// A redirect is where a title leads.
type redirect struct {
	to      mediawiki.Title
	section string
}

// OpenExport opens an export, which can be compressed by gzip or bzip2. It fails with
// ErrNotExport for other files. The caller closes the file after the Export.
func OpenExport(f *os.File, size int64, o Options) (*Export, error) {
	e := &Export{options: o, size: size, file: f}
	in, packing, err := unpacker(io.NewSectionReader(f, 0, size))
	if err != nil {
		return nil, err
	}
	buffered := bufio.NewReaderSize(in, 64<<10)
	if e.isBzip2 = packing == "bzip2"; packing != "" {
		e.packed = buffered
	}
	head, err := buffered.Peek(4 << 10)
	if packing == "" && err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if !mediawiki.IsExport(head) {
		return nil, ErrNotExport
	}
	return e, nil
}

// unpacker returns a reader of what a file holds, and how it is compressed: "gzip",
// "bzip2" or "".
func unpacker(file io.Reader) (in io.Reader, packing string, err error) {
	buffered := bufio.NewReader(file)
	head, err := buffered.Peek(3)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return nil, "", err
	case bytes.HasPrefix(head, []byte("\x1f\x8b")):
		if in, err = gzip.NewReader(buffered); err != nil {
			return nil, "", ErrNotExport
		}
		return in, "gzip", nil
	case bytes.HasPrefix(head, []byte("BZh")):
		return bzip2.NewReader(buffered), "bzip2", nil
	}
	return buffered, "", nil
}

// Close removes the copy without compression.
func (e *Export) Close() error {
	if !e.isCopy {
		return nil
	}
	e.isCopy = false
	return errors.Join(e.file.Close(), os.Remove(e.file.Name()))
}

const aboutExport = "Wikitext becomes Markdown. Templates, and whatever else has no counterpart, stay in the text as code. Categories become tags, and redirects aliases."

// List reads the titles and the positions of the texts. It runs once.
func (e *Export) List(ctx context.Context) (*Listing, error) {
	in, err := e.reader()
	if err != nil {
		return nil, err
	}
	l := &Listing{Kind: "a MediaWiki export", About: aboutExport + " Such an export has no pictures: zip it with the wiki's images folder, or upload them afterwards under the same names."}
	e.pages, e.paths, e.leads, e.namesOf = map[string]exportPage{}, map[mediawiki.Title]string{}, map[mediawiki.Title]redirect{}, map[string][]string{}
	titles, err := e.readPages(ctx, mediawiki.NewReader(in), l)
	if err != nil {
		return nil, e.problem(err)
	}
	noPages := len(l.Files) == 0
	if e.listMedia != nil {
		e.listMedia(l)
	}
	l.Settle()
	for i := range l.Files {
		f := &l.Files[i]
		title, isPage := titles[f.From]
		if !isPage {
			e.media = append(e.media, *f)
			continue
		}
		if name := e.site.String(title.title); f.Why != "" {
			l.convert(name, "becomes "+strings.TrimSuffix(f.Path, ".md")+": "+f.Why)
		}
		f.From, f.Why = f.Path, ""
		e.pages[f.From] = title
		e.paths[title.title] = strings.TrimSuffix(f.From, ".md")
	}
	e.nameRedirects(l)
	if noPages {
		return nil, wiki.Problemf(wiki.ErrInvalid, "file", "There is nothing to import in this export: it has no pages of text.")
	}
	return l, nil
}

// reader returns a reader of the whole export, and makes a copy without compression
// to read texts from.
func (e *Export) reader() (io.Reader, error) {
	if e.packed == nil {
		return io.NewSectionReader(e.file, 0, e.size), nil
	}
	max, over := e.size*maxUnpackFactor, errUnpacked
	if e.options.Max < max {
		max, over = e.options.Max, cmp.Or(e.options.Full, errUnpacked)
	}
	if e.isBzip2 { // which unpacks slowly
		if holds, err := bzip2Bytes(io.NewSectionReader(e.file, 0, e.size)); err != nil || holds > max {
			return nil, cmp.Or(err, over)
		}
	}
	copied, err := os.CreateTemp(e.options.Dir, "export-")
	if err != nil {
		return nil, err
	}
	e.file, e.isCopy = copied, true
	return io.TeeReader(&unpackLimit{e.packed, max, over}, copied), nil
}

// An unpackLimit fails once more is unpacked than allowed.
type unpackLimit struct {
	in   io.Reader
	left int64
	over error
}

var errUnpacked = wiki.Problemf(wiki.ErrTooLarge, "file", "Unpacked, this export is too large. Export the newest revisions only, or fewer pages.")

func (u *unpackLimit) Read(buf []byte) (int, error) {
	n, err := u.in.Read(buf)
	if u.left -= int64(n); u.left < 0 {
		return 0, u.over
	}
	return n, err
}

// readPages adds the pages of the export to the listing, and returns them by the names
// that they have there so far.
func (e *Export) readPages(ctx context.Context, r *mediawiki.Reader, l *Listing) (map[string]exportPage, error) {
	titles := map[string]exportPage{}
	left := map[int]int{} // pages by namespace
	e.site = r.Site()
	if e.options.Versions {
		e.revisions, r.OnRevision = nil, e.addRevision
	}
	var bytes int64
	for n := 0; ; n++ {
		p, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		if !e.options.Versions {
			l.OlderRevisions += max(0, p.Revisions-1)
		}
		name := e.site.String(p.Title)
		_, twice := titles[name+".md"]
		switch {
		case p.Redirect != "":
			to, section, _ := strings.Cut(p.Redirect, "#")
			e.leads[p.Title] = redirect{e.site.ParseTitle(to), strings.ReplaceAll(section, "_", " ")}
		case !mediawiki.IsContent(p.Title.Namespace):
			left[p.Title.Namespace]++
		case p.Model != "" && p.Model != "wikitext":
			l.Leave(name, 1, fmt.Sprintf("it is %.40s, not text", p.Model))
		case p.Text.Size > mediawiki.MaxText:
			l.Leave(name, 1, "it is too large")
		case twice:
			l.Leave(name, 1, "the export has it twice")
		default:
			titles[name+".md"] = exportPage{p.Title, p.Text}
			l.Files = append(l.Files, File{Path: e.path(p.Title), From: name + ".md", Size: p.Text.Size, Estimated: true})
			bytes += p.Text.Size
		}
		if n >= MaxEntries {
			return nil, wiki.Problemf(wiki.ErrTooLarge, "file", "This export has more than %d pages. Export fewer at a time.", MaxEntries)
		}
		if err := e.checkEnough(p.Text, len(l.Files), bytes); err != nil {
			return nil, err
		}
	}
	e.chooseHome(l, titles)
	for _, ns := range sortedKeys(left) {
		l.Leave(e.site.NamespaceName(ns), left[ns], "pages that aren't content: discussions, users, files, templates and the like")
	}
	return titles, nil
}

func sortedKeys(m map[int]int) []int {
	var keys []int
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// checkEnough ends reading a compressed export that is over the limits, because
// unpacking the rest can take a minute. Others are counted to their end.
func (e *Export) checkEnough(last mediawiki.Span, pages int, bytes int64) error {
	if e.packed == nil || last.Offset < minCompressed || e.options.Pages == 0 {
		return nil
	}
	const advice = "Export fewer pages, such as one category at a time, ask the operator for higher limits, or run “robot home” yourself, where “robot admin quota” sets them."
	if pages > e.options.Pages {
		return wiki.Problemf(wiki.ErrTooLarge, "file", "This export has more than %d pages, which is the wiki's limit. "+advice, e.options.Pages)
	}
	if bytes > e.options.Bytes {
		return wiki.Problemf(wiki.ErrTooLarge, "file", "The pages of this export have more than %d MB, which is the wiki's limit. "+advice, e.options.Bytes>>20)
	}
	return nil
}

// problem explains an export that can't be read.
func (e *Export) problem(err error) error {
	var failed *os.PathError
	switch {
	case errors.As(err, &failed), errors.As(err, new(*wiki.Problem)), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return wiki.Problemf(wiki.ErrInvalid, "file", "This MediaWiki export can't be read: it is damaged or incomplete (%v). Export the pages again.", err)
}

// path returns the path of a page: namespaces and subpages become folders.
func (e *Export) path(t mediawiki.Title) string {
	segments := strings.Split(t.Text, "/")
	if t.Namespace != mediawiki.NamespaceMain {
		segments = append([]string{e.site.NamespaceName(t.Namespace)}, segments...)
	}
	kept := segments[:0]
	for _, s := range segments {
		if s = strings.TrimSpace(s); s == "" {
			continue
		}
		if s[0] == '.' { // hidden
			s = "_" + s
		}
		kept = append(kept, strings.ReplaceAll(s, " ", "_"))
	}
	if len(kept) == 0 {
		kept = []string{"Page"}
	}
	return strings.Join(kept, "/") + ".md"
}

// chooseHome makes the wiki's main page the page Home, unless there is one.
func (e *Export) chooseHome(l *Listing, titles map[string]exportPage) {
	e.mainPage = e.site.ParseTitle(e.site.Main)
	name := e.site.String(e.mainPage) + ".md"
	if _, ok := titles[name]; !ok || e.site.Main == "" {
		return
	}
	for _, f := range l.Files {
		if wiki.Key(f.Path) == "home.md" {
			return
		}
	}
	for i := range l.Files {
		if f := &l.Files[i]; f.From == name {
			f.Path, f.Why = "Home.md", "it is the main page"
			e.leads[mediawiki.Title{Text: "Home"}] = redirect{to: e.mainPage}
		}
	}
}

// nameRedirects makes redirects other names of the pages that they lead to.
func (e *Export) nameRedirects(l *Listing) {
	var from []mediawiki.Title
	for t := range e.leads {
		from = append(from, t)
	}
	slices.SortFunc(from, func(a, b mediawiki.Title) int { return strings.Compare(e.site.String(a), e.site.String(b)) })
	if to, ok := e.paths[e.mainPage]; ok && to != strings.TrimSuffix(e.path(e.mainPage), ".md") {
		e.namesOf[to+".md"] = []string{e.site.String(e.mainPage)}
	}
	lost := 0
	for _, t := range from {
		to, section, ok := e.link(t)
		name := strings.ReplaceAll(strings.TrimSuffix(e.path(t), ".md"), "_", " ")
		switch {
		case t.Text == "Home" && to == "Home":
		case !ok:
			lost++
		case !mediawiki.IsContent(t.Namespace):
		case section == "" && len(e.namesOf[to+".md"]) < maxNamesOfPage:
			e.namesOf[to+".md"] = append(e.namesOf[to+".md"], name)
			l.convert(e.site.String(t), "a redirect, becomes another name of "+strings.ReplaceAll(to, "_", " "))
		default:
			l.convert(e.site.String(t), "a redirect: links to it lead to "+strings.ReplaceAll(to, "_", " "))
		}
	}
	if lost > 0 {
		l.Leave("Redirects", lost, "the pages that they lead to aren't in the export")
	}
}

// link returns the path of a page for links, after redirects.
func (e *Export) link(t mediawiki.Title) (to, section string, ok bool) {
	for range maxRedirects {
		if to, ok := e.paths[t]; ok {
			return to, section, true
		}
		next, ok := e.leads[t]
		if !ok {
			break
		}
		if t = next.to; section == "" {
			section = next.section
		}
	}
	return "", "", false
}

// Read returns a page in Markdown.
func (e *Export) Read(ctx context.Context, f File) ([]byte, error) {
	p, ok := e.pages[f.From]
	if err := ctx.Err(); err != nil || !ok {
		return nil, errors.Join(err, fmt.Errorf("incoming: %s isn't listed", f.From))
	}
	text, err := p.text.Read(e.file)
	if err != nil {
		return nil, e.problem(err)
	}
	return []byte(e.convert(text, p.title, e.namesOf[f.From])), nil
}

func (e *Export) convert(text string, title mediawiki.Title, aliases []string) string {
	return mediawiki.Convert(text, mediawiki.Options{
		Site: e.site, Title: title, Link: e.link, Aliases: aliases,
		Path: func(t mediawiki.Title) string { return strings.TrimSuffix(e.path(t), ".md") },
	})
}
