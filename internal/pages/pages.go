// Package pages is every use of a wiki's content: reading, saving, renaming,
// deleting, looking back, finding. The four doors call nothing else.
//
// Each method takes the caller's wiki.Access and enforces it; a method fails
// with an error of kind ErrDenied where the access does not allow it.
package pages

import (
	"context"
	"html/template"
	"io"
	"log/slog"
	"time"

	"robot.wtf/internal/content"
	"robot.wtf/internal/markdown"
	"robot.wtf/internal/search"
	"robot.wtf/internal/wiki"
)

// Options of a Service.
type Options struct {
	Content    *content.Pool
	Search     *search.Service
	Markdown   *markdown.Renderer
	CacheBytes int64 // bound of the rendered bodies kept, 64 MiB when 0
	Now        func() time.Time
	Log        *slog.Logger
}

// A Service answers for all wikis.
type Service struct{}

// New makes a Service.
func New(o Options) *Service { panic("contract") }

// Seed gives a new wiki its first pages (Home, Getting Started, AGENTS) in one
// commit. Seeding twice changes nothing.
func (s *Service) Seed(ctx context.Context, a wiki.Access) error { panic("contract") }

// Head is the number of the wiki's newest commit: what finished pages are
// cached by. It reads memory.
func (s *Service) Head(ctx context.Context, a wiki.Access) (int64, error) { panic("contract") }

// ---- finding out what a path is ----

// Kind is what a path of the wiki leads to.
type Kind int

// The kinds.
const (
	KindPage   Kind = iota
	KindFile        // an attachment
	KindFolder      // no page, but pages below
)

// Found is what a path leads to.
type Found struct {
	Kind Kind
	Path string // page name, file path or folder, as it is spelled
}

// Find says what a path (unescaped, without leading slash) leads to: a file of
// that very name, else a page, else a folder. Another spelling and a former
// name are a *wiki.Redirect (which keeps neither query nor suffix: the caller
// adds them); otherwise ErrNotFound, or ErrInvalid for names that cannot be.
func (s *Service) Find(ctx context.Context, a wiki.Access, path string) (Found, error) {
	panic("contract")
}

// ---- reading ----

// A Page is a page's source with what is known of it.
type Page struct {
	Name    wiki.PageName
	File    wiki.File // as of the revision asked for
	Source  []byte
	Old     bool           // an old revision was asked for, and it is not the newest
	Current string         // blob id of the newest revision, "" if the page is deleted now
	Props   map[string]any // front matter, nil if there is none or it is not a mapping
	Tags    []string
}

// Page reads a page; revision is "" or as design 5 has it.
func (s *Service) Page(ctx context.Context, a wiki.Access, name, revision string) (*Page, error) {
	panic("contract")
}

// A View is a page made ready to be read.
type View struct {
	Page
	Title      string
	Body       template.HTML
	Headings   []Heading
	ShownProps []Prop
	Notices    []string // what could not be shown as asked; if Body is empty, show Source
	Backlinks  []Backlink
	Below      int // pages in the folder of the page's name
}

// A Backlink is a page that links here.
type Backlink struct {
	Name wiki.PageName
	Text string // words around the link
}

// View renders a page.
func (s *Service) View(ctx context.Context, a wiki.Access, name, revision string) (*View, error) {
	panic("contract")
}

// Preview renders a text as if it were the page's.
func (s *Service) Preview(ctx context.Context, a wiki.Access, name string, text []byte) (*View, error) {
	panic("contract")
}

// A Node is one entry of the page tree; a folder without a page has Page "".
type Node struct {
	Name     string        // last segment as people read it
	Path     string        // page name or folder
	Page     wiki.PageName // "" for a folder without a page
	Count    int           // pages below
	Children []*Node
}

// Tree is the whole page tree, folders and pages sorted alike by name. It is
// cached by head and must not be changed.
func (s *Service) Tree(ctx context.Context, a wiki.Access) ([]*Node, error) { panic("contract") }

// An Index is everything that the page index shows.
type Index struct {
	Tree    []*Node
	Letters []Letter
	Tags    []Tag
	Wanted  []Wanted // pages that do not exist, by number of links
	Orphans []wiki.PageName
	Pages   int
}

// A Letter is the pages of one first letter, sorted by title.
type Letter struct {
	Letter string
	Pages  []Entry
}

// An Entry is a page in a list.
type Entry struct {
	Name     wiki.PageName
	Size     int64 // bytes
	Modified time.Time
	Author   wiki.Author
	Revision string // blob id
	Tags     []string
}

// A Tag with its pages.
type Tag struct {
	Tag   string
	Pages []wiki.PageName
}

// Wanted is a page that is linked but missing.
type Wanted struct {
	Name wiki.PageName
	From []wiki.PageName
}

// Index lists the wiki.
func (s *Service) Index(ctx context.Context, a wiki.Access) (*Index, error) { panic("contract") }

// ListFilter narrows List; its conditions are joined by and.
type ListFilter struct {
	Prefix       string // folder or name prefix
	Tag          string
	Category     string // front matter's category
	UpdatedSince time.Time
}

// List gives pages, sorted by name.
func (s *Service) List(ctx context.Context, a wiki.Access, f ListFilter) ([]Entry, error) {
	panic("contract")
}

// Folder lists the pages below a folder.
func (s *Service) Folder(ctx context.Context, a wiki.Access, folder string) ([]Entry, error) {
	panic("contract")
}

// Stats are the wiki's sizes.
func (s *Service) Stats(ctx context.Context, a wiki.Access) (Stats, error) { panic("contract") }

// ---- writing ----

// A Write is what every change carries.
type Write struct {
	Message string // a sensible one is made when empty
	// A retry with the same key and hash (of the whole request) within 24
	// hours answers as the first try did.
	IdempotencyKey, IdempotencyHash string
}

// A Precondition is what a writer knew.
type Precondition struct {
	// Base is the blob id (8 digits or more) that the writer started from.
	// Without it a change of an existing page fails with ErrUnmet.
	Base   string
	Strict bool // do not merge; fail with ErrPrecondition
	Create bool // the page must not exist: else *wiki.ConflictError, or ErrPrecondition if Strict
}

// A SaveRequest is a page to be saved.
type SaveRequest struct {
	Write
	Precondition
	Name string
	Text []byte
	// Exact stores these bytes. Otherwise the file's line ends, byte-order mark
	// and final newline are kept, and a new page gets "\n".
	Exact bool
}

// Saved is what a change came to.
type Saved struct {
	Name      wiki.PageName // empty for attachments
	Path      string        // of the file
	Revision  string        // blob id, "" after a deletion
	Commit    string
	Created   bool
	Merged    bool
	Unchanged bool
	Replayed  bool
	Updated   []wiki.PageName // pages whose links a rename rewrote
}

// Save saves a page. Invalid UTF-8 and NUL are ErrInvalid. The caller's draft of
// the page is dropped with it.
func (s *Service) Save(ctx context.Context, a wiki.Access, r SaveRequest) (Saved, error) {
	panic("contract")
}

// A PatchRequest replaces text that occurs exactly once.
type PatchRequest struct {
	Write
	Precondition
	Name     string
	Old, New string // compared with line ends as "\n"
}

// Patch replaces text in a page. ErrInvalid when Old is absent, occurs more
// than once (the message names the lines) or equals New. A stale Base is fine
// where the text is still there exactly once.
func (s *Service) Patch(ctx context.Context, a wiki.Access, r PatchRequest) (Saved, error) {
	panic("contract")
}

// A RenameRequest moves a page, with its attachments and, if asked, subpages.
type RenameRequest struct {
	Write
	Precondition
	Name      string
	NewName   string
	KeepLinks bool // do not rewrite links in other pages
	PageOnly  bool // leave subpages (not attachments) where they are
}

// Rename moves pages in one commit, rewrites links and leaves a redirect.
func (s *Service) Rename(ctx context.Context, a wiki.Access, r RenameRequest) (Saved, error) {
	panic("contract")
}

// A DeleteRequest deletes a page with its attachments.
type DeleteRequest struct {
	Write
	Precondition
	Name      string
	Recursive bool // with its subpages
}

// Delete removes a page; history keeps it.
func (s *Service) Delete(ctx context.Context, a wiki.Access, r DeleteRequest) (Saved, error) {
	panic("contract")
}

// Restore saves an old revision of a page (deleted ones too) as its newest.
func (s *Service) Restore(ctx context.Context, a wiki.Access, name, revision string, w Write) (Saved, error) {
	panic("contract")
}

// Revert undoes one commit in a new one, merging with what came after it;
// *wiki.ConflictError if it cannot, and then nothing is changed.
func (s *Service) Revert(ctx context.Context, a wiki.Access, commit string, w Write) (Saved, error) {
	panic("contract")
}

// ---- drafts ----

// An EditForm is what an editor starts with.
type EditForm struct {
	Name   wiki.PageName
	Text   []byte // line ends as "\n", without byte-order mark
	Base   string // blob id, "" for a new page
	Exists bool
	Draft  *Draft // the caller's, if it differs from Text
	// Similar are pages with a similar name, when the page is new.
	Similar []wiki.PageName
}

// Edit starts an edit, of the newest revision or from the text of an old one.
func (s *Service) Edit(ctx context.Context, a wiki.Access, name, revision string) (*EditForm, error) {
	panic("contract")
}

// SaveDraft keeps the caller's unsaved text.
func (s *Service) SaveDraft(ctx context.Context, a wiki.Access, name string, text []byte, message, base string) error {
	panic("contract")
}

// DropDraft forgets it.
func (s *Service) DropDraft(ctx context.Context, a wiki.Access, name string) error { panic("contract") }

// Drafts lists the caller's drafts.
func (s *Service) Drafts(ctx context.Context, a wiki.Access) ([]Draft, error) {
	panic("contract")
}

// ---- looking back ----

// History lists a page's (or attachment's) revisions, newest first, those
// before a seq (0 for all). path is a page name or a file path; former and
// deleted names are found.
func (s *Service) History(ctx context.Context, a wiki.Access, path string, before int64, limit int) ([]wiki.Revision, error) {
	panic("contract")
}

// Changelog lists commits.
func (s *Service) Changelog(ctx context.Context, a wiki.Access, f LogFilter) ([]wiki.Commit, error) {
	panic("contract")
}

// A FileDiff compares two states of one file.
type FileDiff struct {
	Path     string
	From     string // former path
	Kind     wiki.ChangeKind
	Page     wiki.PageName // "" for attachments
	Old, New wiki.File     // zero where the file is missing
	Binary   bool
	TooLarge bool // to be compared line by line
	Added    int  // lines
	Removed  int
	Hunks    []DiffHunk
	Unified  string
}

// A DiffHunk is a stretch of changed lines with the section they stand in.
type DiffHunk struct {
	Section            string // heading above its first line, or ""
	OldStart, OldLines int
	NewStart, NewLines int
	Rows               []DiffRow
}

// A DiffRow is one line set side by side: Kind is same, removed, inserted or
// changed; a line number is 0 where that side has no line.
type DiffRow struct {
	Kind             string
	OldLine, NewLine int
	Old, New         []DiffSpan
}

// A DiffSpan is a piece of a line; Mark spans differ between the sides.
type DiffSpan struct {
	Text string
	Mark bool
}

// Diff compares two revisions of a page or attachment.
func (s *Service) Diff(ctx context.Context, a wiki.Access, path, from, to string) (*FileDiff, error) {
	panic("contract")
}

// Commit reads a commit with the diffs of its files (the first 100).
func (s *Service) Commit(ctx context.Context, a wiki.Access, id string) (wiki.Commit, []*FileDiff, error) {
	panic("contract")
}

// BlameLine is one line of a page with the revision that last changed it.
type BlameLine struct {
	Line     int
	Text     string
	Revision wiki.Revision
}

// Blame says who last changed each line.
func (s *Service) Blame(ctx context.Context, a wiki.Access, name, revision string) ([]BlameLine, error) {
	panic("contract")
}

// ---- attachments ----

// An Attachment is a file of a page.
type Attachment struct {
	wiki.File
	Name  string // last segment
	Type  string // MIME type by content and name
	Image bool   // can be shown, and has thumbnails
}

// Attachments lists the files of a page ("" for those at the root).
func (s *Service) Attachments(ctx context.Context, a wiki.Access, page string) ([]Attachment, error) {
	panic("contract")
}

// AllAttachments lists the files of the wiki.
func (s *Service) AllAttachments(ctx context.Context, a wiki.Access) ([]Attachment, error) {
	panic("contract")
}

// An UploadRequest stores a file beside a page.
type UploadRequest struct {
	Write
	Precondition        // Base, with Replace: the revision that is replaced; any when empty
	Page         string // "" for the root
	Name         string // file name; made safe: directories dropped, controls refused
	Data         io.Reader
	Replace      bool // of an existing file; otherwise ErrExists
	Free         bool // choose a free name ("diagram-2.png") instead of ErrExists
}

// Upload stores a file. ErrTooLarge over the limit, before all is read.
func (s *Service) Upload(ctx context.Context, a wiki.Access, r UploadRequest) (Saved, error) {
	panic("contract")
}

// OpenAttachment reads a file, at a revision or now.
func (s *Service) OpenAttachment(ctx context.Context, a wiki.Access, path, revision string) (Attachment, []byte, error) {
	panic("contract")
}

// Thumbnail gives an image re-encoded to fit a square of size pixels (16 to
// 1,600); size 0 re-encodes at its own size, without metadata. Bombs are
// ErrTooLarge; what is no image is ErrInvalid.
func (s *Service) Thumbnail(ctx context.Context, a wiki.Access, path, revision string, size int) (data []byte, mime string, err error) {
	panic("contract")
}

// RenameAttachment renames a file and rewrites links to it.
func (s *Service) RenameAttachment(ctx context.Context, a wiki.Access, path, newName string, p Precondition, w Write) (Saved, error) {
	panic("contract")
}

// DeleteAttachment deletes a file.
func (s *Service) DeleteAttachment(ctx context.Context, a wiki.Access, path string, p Precondition, w Write) (Saved, error) {
	panic("contract")
}

// ---- finding ----

// Search looks for pages.
func (s *Service) Search(ctx context.Context, a wiki.Access, q Query) (Results, error) {
	panic("contract")
}

// Complete lists page names as they are typed.
func (s *Service) Complete(ctx context.Context, a wiki.Access, typed string, limit int) ([]wiki.PageName, error) {
	panic("contract")
}

// PageLinks are a page's links, by names as the pages are spelled.
type PageLinks struct {
	To   []wiki.PageName // existing and missing alike
	From []wiki.PageName
}

// Links lists a page's links.
func (s *Service) Links(ctx context.Context, a wiki.Access, name string) (PageLinks, error) {
	panic("contract")
}

// A Graph is all pages with their links.
type Graph struct {
	Nodes []wiki.PageName
	Edges [][2]wiki.PageName // source, target
}

// Graph lists all links.
func (s *Service) Graph(ctx context.Context, a wiki.Access) (*Graph, error) { panic("contract") }
