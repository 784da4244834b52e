// Package content is the truth of a wiki: its files, their history and drafts,
// in one SQLite database a wiki.
//
// Everything that changes content is one Commit, of one edit or many. Its
// invariants:
//   - An acknowledged commit is on disk (full sync) and stays in the history. One
//     that fails, panics or is cut short by a crash leaves nothing.
//   - Ids are git's ids: of blobs, of trees, and of commits, whose objects are
//     kept as they are. Commit times never go backwards.
//   - No edit overwrites what its writer had not seen, unless they say so.
//   - Files are found by wiki.Key, which is unique. A folder has one spelling.
//   - A file keeps its history through moves, and through being deleted and made
//     again at the same name. A file that takes the name of one that has moved
//     away is another file.
//   - What was changed derives from `changes` alone: applied commit by commit,
//     removals first, they give each commit's tree.
//
// It does not know who may do what, what a page means, or what is derived from
// content: it finds links with a function that it is given, and says when there
// is something new.
package content

import (
	"log/slog"
	"time"

	"robot.wtf/internal/wiki"
)

// Options of a Pool.
type Options struct {
	Dir     string // the directory wikis/, one folder a slug
	MaxOpen int    // open wikis, 200 when 0; an idle one is closed to make room
	// Links finds a page's outgoing links and tags when it is saved. It may run
	// beside the save, so it has to recover from its own panics.
	Links func(page wiki.PageName, source []byte) []wiki.Link
	// Committed is called after each commit, outside every lock: a hint for
	// caches, indexes and live readers. It must not block.
	Committed func(slug string, seq int64)
	// Measured is told of each commit how it ended and how long it took; it must
	// not block. May be nil.
	Measured func(Measure)
	Now      func() time.Time
	Log      *slog.Logger
}

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

// An Edit changes one file. A new file joins the folders that are there: made in
// "design/" it is stored in "Design/", if any file stays in that. A file cannot
// have the name of a folder, in any spelling (ErrInvalid); "A.md" and "A/" are
// two names. A move may change the spelling alone.
type Edit struct {
	Op   Op
	Path string // file path; found by its key, so another spelling reaches the same file
	To   string
	Data []byte
	// Base is the blob id (40 digits) that the writer started from, which must be
	// one that the file has had (else ErrInvalid, field "revision"). If it is not
	// the current one, a Put is merged, or fails with *wiki.ConflictError; Delete
	// and Move fail with ErrPrecondition. A Put with a base follows the file to
	// where it was moved, and conflicts where it was deleted.
	Base   string
	Strict bool // do not merge: fail with ErrPrecondition
}

// A Request is one commit to be.
type Request struct {
	Author  wiki.Caller
	Message string // trailers that speak of grants or moves are taken out; a default is made when empty
	Edits   []Edit // applied in order, all or none
	Limits  wiki.Limits
	// Retries: a request with the same key, caller and hash within 24 hours
	// gets the first one's result; with another hash it is ErrInvalid.
	IdempotencyKey  string
	IdempotencyHash string
	// IdempotencyWindow is how long the key holds, where that is less than 24
	// hours; then it can be used anew.
	IdempotencyWindow time.Duration
	// DropDraft removes the author's draft of this path in the same transaction.
	DropDraft string
}

// EditResult is what one edit came to.
type EditResult struct {
	Path    string // where the file is now (a save follows a move)
	Blob    string
	Size    int64
	Created bool
	Merged  bool // with somebody else's edit
}

// A Result is what a commit came to.
type Result struct {
	Commit    wiki.Commit  // the new one; when Unchanged, the last one that changed the first path
	Files     []EditResult // one for each edit
	Unchanged bool         // every edit left things as they were: no commit was made
	Replayed  bool         // an earlier request with this idempotency key did it
}

// A Measure is what one commit cost. What it did not come to is zero.
type Measure struct {
	Outcome string // written, merged, unchanged, replayed, conflict, refused, failed
	Prepare time.Duration
	Wait    time.Duration // for other writers
	Stage   time.Duration // reading, merging, hashing, writing
	Sync    time.Duration // until it is on the disk
}

// A LogFilter chooses commits.
type LogFilter struct {
	Before, After int64  // seq; 0 for no bound
	PathPrefix    string // commits that touched it
	// Author is a username, an agent's name in any case, or "agent for username".
	// Imported commits have no author of these.
	Author    string
	Agents    *bool // made by agents, or by people; an imported commit counts as a person's
	Limit     int   // 50 when 0
	Ascending bool
}

// Stats are the wiki's sizes against its limits.
type Stats struct {
	Pages        int
	Files        int
	CurrentBytes int64
	HistoryBytes int64
}

// A Draft is unsaved text of one person for one page.
type Draft struct {
	Path     string
	Text     []byte
	Message  string
	Base     string // blob id that it started from, "" for a new page
	Modified time.Time
}
