// Package content is the truth of a wiki: its files, their history and drafts.
//
// Everything that changes content is one Commit. An acknowledged commit is on
// disk (full sync), its ids are git's ids, and it never overwrites what its
// writer had not seen.
package content

import (
	"context"
	"log/slog"
	"time"

	"robot.wtf/internal/wiki"
)

// Options of a Pool.
type Options struct {
	Dir     string // the directory wikis/, one folder a slug
	MaxOpen int    // open wikis, 200 when 0; an idle one is closed to make room
	// Links finds a page's outgoing links and tags when it is saved.
	Links func(page wiki.PageName, source []byte) []wiki.Link
	// Committed is called after each commit, outside every lock: a hint for
	// caches, indexes and live readers. It must not block.
	Committed func(slug string, seq int64)
	Now       func() time.Time
	Log       *slog.Logger
}

// A Pool opens wikis and keeps a bounded number of them open.
type Pool struct{}

// NewPool makes a Pool.
func NewPool(o Options) (*Pool, error) { panic("contract") }

// Close waits for calls under way and closes all wikis.
func (p *Pool) Close() error { panic("contract") }

// Create makes the database of a new, empty wiki; ErrExists if there is one.
func (p *Pool) Create(ctx context.Context, slug string) error { panic("contract") }

// Delete removes a wiki's directory, with all that is derived in it.
func (p *Pool) Delete(ctx context.Context, slug string) error { panic("contract") }

// Open opens a wiki, ErrNotFound if it has no database. Call release when done;
// until then it is not closed.
func (p *Pool) Open(ctx context.Context, slug string) (w *Wiki, release func(), err error) {
	panic("contract")
}

// A Wiki is one wiki's content. It is safe for concurrent use.
type Wiki struct{}

// Slug is the wiki's.
func (w *Wiki) Slug() string { panic("contract") }

// Op is what an edit does.
type Op int

// The operations.
const (
	Put    Op = iota // write Data to Path
	Delete           // remove Path
	Move             // rename Path to To; Data, if not nil, is the content after
)

// Base values with a meaning of their own.
const (
	BaseNone = ""  // Put: the file must not exist; what is there conflicts
	BaseAny  = "*" // no check: for attachments that are replaced and for conversions
)

// An Edit changes one file.
type Edit struct {
	Op   Op
	Path string // file path; found by its key, so another spelling reaches the same file
	To   string
	Data []byte
	// Base is the blob id (40 digits) that the writer started from. If it is
	// not the current one, a Put is merged, or fails with *wiki.ConflictError;
	// Delete and Move fail with ErrPrecondition.
	Base   string
	Strict bool // do not merge: fail with ErrPrecondition
}

// A Request is one commit to be.
type Request struct {
	Author  wiki.Caller
	Message string // without trailers; a default is made when empty
	Edits   []Edit // applied in order, all or none
	Limits  wiki.Limits
	// Retries: a request with the same key, caller and hash within 24 hours
	// gets the first one's result; with another hash it is ErrInvalid.
	IdempotencyKey  string
	IdempotencyHash string
	// DropDraft removes the author's draft of this path in the same transaction.
	DropDraft string
}

// Written is what one edit came to.
type Written struct {
	Path    string // where the file is now (a save follows a move)
	Blob    string
	Size    int64
	Created bool
	Merged  bool // with somebody else's edit
}

// A Result is what a commit came to.
type Result struct {
	Commit    wiki.Commit // the new one; when Unchanged, the last one that changed the first path
	Files     []Written   // one for each edit
	Unchanged bool        // every edit left things as they were: no commit was made
	Replayed  bool        // an earlier request with this idempotency key did it
}

// Commit is the only way that content changes. Errors: *wiki.ConflictError,
// ErrPrecondition, ErrExists (Move onto a file), ErrNotFound (Delete, Move),
// ErrInvalid, ErrTooLarge, ErrQuota.
func (w *Wiki) Commit(ctx context.Context, r Request) (Result, error) { panic("contract") }

// Head is the number and id of the newest commit, 0 and "" in an empty wiki.
// It reads memory, not the database.
func (w *Wiki) Head() (seq int64, id string) { panic("contract") }

// Lookup finds a current file by its key; its Path is how it is spelled.
func (w *Wiki) Lookup(ctx context.Context, path string) (wiki.File, error) { panic("contract") }

// Blob reads a blob by its whole id.
func (w *Wiki) Blob(ctx context.Context, id string) ([]byte, error) { panic("contract") }

// Read is Lookup and Blob in one snapshot.
func (w *Wiki) Read(ctx context.Context, path string) (wiki.File, []byte, error) { panic("contract") }

// At finds the file as of a revision: a commit id (7 digits or more: the file
// as of it, under the name it had then) or a blob id (8 or more: its newest
// occurrence in the file's history). ErrNotFound, or ErrInvalid when the digits
// fit several. Path may be a current name, or a former or deleted one.
func (w *Wiki) At(ctx context.Context, path, revision string) (wiki.File, []byte, error) {
	panic("contract")
}

// List gives the current files below a folder ("" for all), hidden ones
// excepted, sorted by path.
func (w *Wiki) List(ctx context.Context, folder string) ([]wiki.File, error) { panic("contract") }

// Names gives all current paths, sorted; from memory when nothing changed.
func (w *Wiki) Names(ctx context.Context) ([]string, error) { panic("contract") }

// MovedTo is where a former path leads now, through any number of moves;
// ErrNotFound if it was never moved or its last name is deleted.
func (w *Wiki) MovedTo(ctx context.Context, path string) (string, error) { panic("contract") }

// History lists a file's revisions, newest first, through its moves, those
// before a seq (0 for all), at most limit (0: 50).
func (w *Wiki) History(ctx context.Context, path string, before int64, limit int) ([]wiki.Revision, error) {
	panic("contract")
}

// A LogFilter chooses commits.
type LogFilter struct {
	Before, After int64  // seq; 0 for no bound
	PathPrefix    string // commits that touched it
	Author        string // username
	Agents        *bool  // made by agents, or by people
	Limit         int    // 50 when 0
	Ascending     bool
}

// Log lists commits with their changes, newest first unless Ascending.
func (w *Wiki) Log(ctx context.Context, f LogFilter) ([]wiki.Commit, error) { panic("contract") }

// CommitByID finds a commit by id or a prefix of 7 digits or more.
func (w *Wiki) CommitByID(ctx context.Context, id string) (wiki.Commit, error) { panic("contract") }

// LinksFrom lists a page's outgoing links and tags.
func (w *Wiki) LinksFrom(ctx context.Context, page wiki.PageName) ([]wiki.Link, error) {
	panic("contract")
}

// LinksTo lists the links and embeds that lead to a page or file, of any
// spelling, from other pages.
func (w *Wiki) LinksTo(ctx context.Context, path string) ([]wiki.Link, error) { panic("contract") }

// AllLinks lists all links of the given kinds (none for all).
func (w *Wiki) AllLinks(ctx context.Context, kinds ...wiki.LinkKind) ([]wiki.Link, error) {
	panic("contract")
}

// Stats are the wiki's sizes against its limits.
type Stats struct {
	Pages        int
	Files        int
	CurrentBytes int64
	HistoryBytes int64
}

// Stats counts; it reads counters kept in the commit's transaction.
func (w *Wiki) Stats(ctx context.Context) (Stats, error) { panic("contract") }

// A Draft is unsaved text of one person for one page.
type Draft struct {
	Path     string
	Text     []byte
	Message  string
	Base     string // blob id that it started from, "" for a new page
	Modified time.Time
}

// SaveDraft keeps a person's draft of a page, at most 100 a person.
func (w *Wiki) SaveDraft(ctx context.Context, did string, d Draft) error { panic("contract") }

// Draft reads it; ErrNotFound if there is none.
func (w *Wiki) Draft(ctx context.Context, did, path string) (Draft, error) { panic("contract") }

// DropDraft removes it; no error if there is none.
func (w *Wiki) DropDraft(ctx context.Context, did, path string) error { panic("contract") }

// Drafts lists a person's drafts, newest first, without their text.
func (w *Wiki) Drafts(ctx context.Context, did string) ([]Draft, error) { panic("contract") }
