// Package wiki is the vocabulary that all other packages speak: sites, users,
// callers, roles, access, page names, revisions and links, with the rules of
// names and slugs and the kinds of errors. It does no I/O.
package wiki

import "time"

// A Site is one tenant: a wiki with its settings. The slug is its key
// everywhere and never changes.
type Site struct {
	Slug        string
	OwnerDID    string
	OwnerName   string // the owner's username
	Title       string // shown name; the slug when the owner chose none
	Description string
	Public      bool   // anyone may read; otherwise members only
	Home        string // page name that / shows, or a path such as /-/changelog
	AsHandle    bool   // its host answers as its owner's ATProto handle
	Created     time.Time
	Published   time.Time // when it first was public; zero if it never was
	Version     int64     // grows with each change of a setting or a member
	Limits      Limits
}

// Name is what the site is called on its pages.
func (s Site) Name() string {
	if s.Title != "" {
		return s.Title
	}
	return s.Slug
}

// HomePage is the page name that / shows, or a path that begins with / .
func (s Site) HomePage() string {
	if s.Home != "" {
		return s.Home
	}
	return "Home"
}

// Limits protect the machine; each can be overridden for one wiki.
type Limits struct {
	Pages           int   // current pages; redirects do not count
	Members         int   // besides the owner, invitations included
	CurrentBytes    int64 // of all current files
	HistoryBytes    int64 // with history; beyond it only uploads and imports are refused
	PageBytes       int64 // of one page
	AttachmentBytes int64 // of one attachment
}

// DefaultLimits are those of a free wiki.
var DefaultLimits = Limits{
	Pages:           500,
	Members:         3,
	CurrentBytes:    50 << 20,
	HistoryBytes:    500 << 20,
	PageBytes:       1 << 20,
	AttachmentBytes: 10 << 20,
}

// A User is a person. The DID is the identity; handle and name are shown.
type User struct {
	DID      string
	Username string // also the slug of their wiki
	Handle   string
	Name     string // display name, or ""
	Picture  string // id of their picture, or ""
	// Suspended people are kept out by the operator: they may what somebody who
	// did not sign in may.
	Suspended bool
}

// Display is how the person is called on pages.
func (u User) Display() string {
	switch {
	case u.Name != "":
		return u.Name
	case u.Username != "":
		return u.Username
	}
	return u.Handle
}

// InvalidHandle is what ATProto shows for an account whose handle does not lead
// back to it (atproto.com/specs/handle).
const InvalidHandle = "handle.invalid"

// AuthorName is what stands in the commits of a person: the username, or the
// handle of who has none because they only help with the wikis of others.
func (u User) AuthorName() string {
	switch {
	case u.Username != "":
		return u.Username
	case u.Handle != "" && u.Handle != InvalidHandle:
		return u.Handle
	}
	return u.DID
}

// A Caller is who makes a request, with the credential they used.
// The zero Caller is anonymous.
type Caller struct {
	User     User
	Session  string // session id, for a browser
	Agent    string // name of the agent or token, from the grant; "" for a person in a browser
	Client   string // OAuth client id, "token" for a wiki token, "operator"
	Grant    string // id of the grant or token
	ReadOnly bool   // the credential does not allow writing
	Wiki     string // the one slug that the credential opens; "" for a session
	Operator bool   // acts through the socket or the data directory
}

// Anonymous reports whether nobody is known to be calling.
func (c Caller) Anonymous() bool { return c.User.DID == "" && !c.Operator }

// A Member is a person's standing in a wiki.
type Member struct {
	User User
	Role Role
	Seen time.Time // last sign-in; zero for who was invited and has not come yet
}

// An Author is who made a commit, as it stands in the commit itself.
type Author struct {
	Username string
	DID      string
	Agent    string // the Agent: trailer, or "" for a person
	Client   string // the Client: trailer
	Grant    string // the Grant: trailer
	Imported bool   // came with an import: its name and DID prove nothing
}

// A File is one file of a wiki as it is now, or was at a revision.
type File struct {
	Path     string // "Design/VPS_Architecture.md"
	Blob     string // object id of the content, 40 hex digits
	Mode     uint32 // git's mode, 0o100644 for files made here
	Size     int64  // bytes
	Seq      int64  // number of the commit that last changed it
	Commit   string // and its id
	Modified time.Time
	Author   Author
	Message  string // of that commit
}

// ChangeKind is what a commit did to a file.
type ChangeKind string

// The kinds of change.
const (
	Added    ChangeKind = "added"
	Modified ChangeKind = "modified"
	Deleted  ChangeKind = "deleted"
	Moved    ChangeKind = "moved" // From is the former path; the content may differ as well
)

// A Change is what one commit did to one file.
type Change struct {
	Path string
	From string // the former path of a move, else ""
	Kind ChangeKind
	Old  string // blob id before, "" for an added file
	New  string // blob id after, "" for a deleted one
}

// A Commit is one step of a wiki's history.
type Commit struct {
	Seq     int64 // 1, 2, 3 along first parents
	ID      string
	Parents []string
	Author  Author
	Time    time.Time
	Message string // without trailers
	Changes []Change
}

// A Revision is one state of one file.
type Revision struct {
	Change
	Seq     int64
	Commit  string
	Author  Author
	Time    time.Time
	Message string
	Size    int64 // bytes of New
}

// LinkKind is what a link points to.
type LinkKind string

// The kinds of link. Targets of LinkPage and LinkEmbed are page names as
// written, resolved from the root (a leading "./" or "../" is resolved by the
// extractor); of LinkFile file paths; of LinkTag tags without "#", lower case.
const (
	LinkPage  LinkKind = "page"
	LinkEmbed LinkKind = "embed"
	LinkFile  LinkKind = "file"
	LinkTag   LinkKind = "tag"
)

// A Link is one outgoing link of a page, or one of its tags.
type Link struct {
	From   string // page name; filled by content when it answers
	Kind   LinkKind
	Target string // without fragment
	Text   string // up to 200 characters of the text around it, for backlinks
}
