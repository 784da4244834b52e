// Package content is the system of record for wikis: their files, history and
// drafts, in one SQLite database per wiki.
//
// Content changes only through Commit and Import. Their invariants:
//   - An acknowledged commit is on disk (full sync) and stays in the history. A
//     commit that fails, panics or is interrupted by a crash leaves no trace.
//   - The ids of blobs, trees and commits are git's, and the exact commit objects
//     are stored. Commit times never go backwards.
//   - Authorship comes from the authenticated caller and is never rewritten. The
//     trailers Agent, Client, Grant, Accepted-by and Moved in a commit message can't be forged.
//   - No edit overwrites a revision that its author hasn't seen, unless the edit
//     asks for that (BaseAny).
//   - Bytes are stored exactly as given: callers choose line endings, byte-order
//     mark and final newline.
//   - A wiki's commits are numbered 1, 2, 3 (seq) along first parents. Indexes and
//     exports remember the last seq that they contain and catch up from there.
//   - wiki.Key identifies a file and is unique. A folder has one spelling.
//   - A file keeps its history when it moves, and when it is deleted and created
//     again under the same name. A file that takes the name of a moved one is a
//     different file.
//   - The table `changes` is enough to rebuild every tree: applied commit by commit,
//     removals first, it yields the tree of each commit. Exports are made from it,
//     the commit objects and the blobs.
//
// Every table starts with the wiki's slug, so that one database can hold many
// wikis. The package doesn't check permissions, interpret pages or maintain
// anything derived from them: callers pass in the function that finds links, and
// a function that is called after each commit.
package content

import (
	"log/slog"
	"time"

	"robot.wtf/internal/background"
	"robot.wtf/internal/wiki"
)

// Options of a Pool.
type Options struct {
	Name    string // of the service, the committer's in commits; "" means robot.wtf
	Dir     string // the directory wikis/, with a directory for each slug
	MaxOpen int    // limit of open wikis, 200 if 0; idle ones are closed to stay below it
	// Links finds a page's outgoing links and tags when it is saved. It can run in
	// another goroutine than the save, so it must recover from its own panics.
	Links func(page wiki.PageName, source []byte) []wiki.Link
	// Committed is called after each commit, without locks held, as a hint for
	// caches, indexes and live readers. It must not block. Can be nil.
	Committed func(slug string, seq int64)
	// Measured is called after each attempt to commit, with its outcome and timing.
	// It must not block. Can be nil.
	Measured func(Measure)
	// Relieve closes files that aren't in use, such as those of CloseIdle. It is called
	// when a database can't be opened because the process has too few file
	// descriptors. Can be nil.
	Relieve    func()
	Background *background.Workers // closes wikis; nil only recovers from panics
	Now        func() time.Time
	Log        *slog.Logger
	// Wrote is called after each transaction that may have changed a wiki's database, and
	// when a wiki gets another one; nil for nobody. It must return at once. If it is set,
	// write-ahead logs are moved into the databases' files by Wiki.Checkpoint and when a
	// wiki is closed.
	Wrote func(slug string)
	// Room replaces durable.Room in tests.
	Room func(dir string) (int64, error)
}

// Op is the operation of an edit.
type Op int

// The operations.
const (
	Put    Op = iota // write Data to Path
	Delete           // remove Path
	Move             // rename Path to To; Data, if not nil, is the content after
)

// Special values of Edit.Base.
const (
	BaseNone = ""  // Put: the file must not exist, an existing one conflicts
	BaseAny  = "*" // no check, for replacing attachments and for conversions
)

// An Edit changes one file. A new file joins existing folders: created in
// "design/", it is stored in "Design/" if that has other files. A file can't have
// the name of a folder, in any spelling (ErrInvalid), but "A.md" and "A/" are two
// names. A move can change only the spelling.
type Edit struct {
	Op   Op
	Path string // looked up by its key, so any spelling reaches the same file
	// To is the new path of a Move. For a Delete it can be the path of a file that
	// takes over the content: the former name then leads there.
	To   string
	Data []byte
	// Base is the id (40 digits) of the blob that the edit started from. The file
	// must have had that blob (else ErrInvalid, field "revision"). If the file has
	// changed since, a Put is merged or fails with *wiki.ConflictError; Delete and
	// Move fail with ErrPrecondition. A Put with a base follows a file that was
	// moved, and conflicts if it was deleted.
	Base   string
	Strict bool // fail with ErrPrecondition instead of merging
}

// A Request describes a commit to make.
type Request struct {
	Author  wiki.Caller
	Message string   // reserved trailers are removed; if empty, a default describes the changes
	Edits   []Edit   // applied in order, all or none
	Takes   []Taking // text that moves from one file to another; Seq is ignored
	Limits  wiki.Limits
	// A request with the same key, caller and hash within 24 hours gets the result
	// of the first one; with another hash it fails with ErrInvalid.
	IdempotencyKey  string
	IdempotencyHash string
	// IdempotencyWindow shortens the 24 hours, if it isn't 0. Afterwards the key can
	// be used again.
	IdempotencyWindow time.Duration
	// DropDraft is a path; the author's draft of it is removed in the same
	// transaction, with its files, which DropFiles must name.
	DropDraft string
	DropFiles []string
	// Accepts is set if the texts are what the Author's grant proposed.
	Accepts *Acceptance
	// Import is set if the texts are from elsewhere; the Author's Client is then
	// wiki.ImportClient.
	Import *Origin
}

// An Origin says where imported files are from.
type Origin struct {
	Source    string // name of the file or repository
	VouchedBy string // DID of the person who vouches for the text, "operator", or ""
}

// EditResult is the outcome of one edit.
type EditResult struct {
	Path    string // the current path of the file, since a save follows a move
	Blob    string
	Size    int64
	Created bool
	Merged  bool // with another person's edit
}

// A Result is the outcome of a commit.
type Result struct {
	Commit    wiki.Commit  // the new one; when Unchanged, the last one that changed the first path
	Files     []EditResult // one for each edit
	Unchanged bool         // the edits changed nothing, so no commit was made
	Replayed  bool         // this is the result of an earlier request with the same idempotency key
}

// A Measure is the cost of one commit. Stages that were not reached are zero.
type Measure struct {
	Outcome string // written, merged, unchanged, replayed, conflict, refused, failed
	Prepare time.Duration
	Wait    time.Duration // for other writers
	Stage   time.Duration // reading, merging, hashing, writing
	Sync    time.Duration // SQLite's COMMIT, which syncs the disk
}

// A LogFilter selects commits.
type LogFilter struct {
	Before, After int64  // seq; 0 for no bound
	PathPrefix    string // commits that touched it
	// Author is a username, an agent's name in any case, or "agent for username".
	// It never matches imported commits.
	Author    string
	Agents    *bool // true for commits by agents, false for people's and imported ones
	Limit     int   // 50 if 0
	Ascending bool
	// Changes is how many changes are read for all commits together; 0 for all. If they
	// have more, each commit gets an equal part, and Cut says that it has more.
	Changes int
}

// Stats are the wiki's sizes against its limits.
type Stats struct {
	Pages        int
	Files        int
	CurrentBytes int64
	HistoryBytes int64
}

// A Draft is a person's unsaved text for a page.
type Draft struct {
	Path     string
	Text     []byte
	Message  string
	Base     string // id of the blob that it started from, "" for a new page
	Modified time.Time
}
