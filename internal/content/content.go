// Package content is the truth of a wiki: its files, their history and drafts.
//
// Everything that changes content is one Commit. An acknowledged commit is on
// disk (full sync), its ids are git's ids, and it never overwrites what its
// writer had not seen.
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
	// Links finds a page's outgoing links and tags when it is saved.
	Links func(page wiki.PageName, source []byte) []wiki.Link
	// Committed is called after each commit, outside every lock: a hint for
	// caches, indexes and live readers. It must not block.
	Committed func(slug string, seq int64)
	Now       func() time.Time
	Log       *slog.Logger
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

// A LogFilter chooses commits.
type LogFilter struct {
	Before, After int64  // seq; 0 for no bound
	PathPrefix    string // commits that touched it
	Author        string // username
	Agents        *bool  // made by agents, or by people
	Limit         int    // 50 when 0
	Ascending     bool
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
