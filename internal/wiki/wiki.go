// Package wiki has the domain types that all packages share: sites, users, callers,
// roles, access, page names, revisions, links and errors, with the rules for names
// and slugs. It does no I/O.
package wiki

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A Site is one tenant: a wiki and its settings. The slug is its key and never
// changes.
type Site struct {
	Slug        string
	OwnerDID    string
	OwnerName   string // the owner's username
	Title       string // displayed name; "" stands for the slug
	Description string
	Public      bool   // anyone can read; otherwise members only
	Home        string // page to show at /, or a path such as /-/changelog
	AsHandle    bool   // its host is its owner's ATProto handle
	Publication string // AT-URI of its owner's record site.standard.publication, or ""
	Wikilinks   LinkOrder
	Lang        string // language of pages that don't say another (BCP 47, lowercase), or ""
	Accent      string // color of links and buttons (see ParseAccent), or "" for the default
	Footer      string // Markdown below each page, or ""
	Icon        string // id of its own icon, or ""
	Agents      Mode   // the most that agents and tokens may do; "" for ModeEdit
	Created     time.Time
	Published   time.Time // when it first became public; zero if never
	Version     int64     // increases with each change of settings or members
	Limits      Limits
	Contact     string // how to reach the operator, or ""
}

var languageForm = regexp.MustCompile(`^[a-z]{2,3}(?:-[a-z0-9]{1,8}){0,3}$`)

// ParseLanguage parses the tag of a language (BCP 47), in any case; "" is none.
func ParseLanguage(tag string) (string, error) {
	tag = strings.ToLower(strings.TrimSpace(tag))
	if tag != "" && !languageForm.MatchString(tag) {
		return "", Problemf(ErrInvalid, "lang", "%q isn't the code of a language. Use one such as en, de or pt-BR.", tag)
	}
	return tag, nil
}

// Name returns the site's title, or its slug if it has none.
func (s Site) Name() string {
	if s.Title != "" {
		return s.Title
	}
	return s.Slug
}

// HomePage returns the page or path that the settings choose to show at /, "Home" if
// they choose none. pages.Service.Home also knows which pages exist.
func (s Site) HomePage() string {
	if s.Home != "" {
		return s.Home
	}
	return "Home"
}

// Limits protect the machine; each can be overridden for one wiki.
type Limits struct {
	Pages           int   // current pages without redirects
	Files           int   // current pages, redirects and other files; at least Pages
	Members         int   // besides the owner, invitations included
	CurrentBytes    int64 // of all current files
	HistoryBytes    int64 // of all files with history; beyond it, only uploads and imports fail
	PageBytes       int64 // of one page
	AttachmentBytes int64 // of one attachment
}

// AskForMore adds to the refusal of a limit how to reach the operator, if that is
// known.
func (s Site) AskForMore(err error) error {
	var p *Problem
	if s.Contact == "" || !errors.As(err, &p) || !errors.Is(p, ErrQuota) {
		return err
	}
	more := *p
	const add = " If you need more, ask the operator: %s."
	if more.Message += fmt.Sprintf(add, s.Contact); more.Format != "" {
		more.Format, more.Args = more.Format+add, append(slices.Clone(more.Args), Own(s.Contact))
	}
	return &more
}

// DefaultLimits are those of a free wiki.
var DefaultLimits = Limits{
	Pages:           500,
	Files:           20_000,
	Members:         3,
	CurrentBytes:    50 << 20,
	HistoryBytes:    500 << 20,
	PageBytes:       1 << 20,
	AttachmentBytes: 10 << 20,
}

// RunItYourself ends the messages of limits that a wiki of one's own doesn't have.
const RunItYourself = " A copy of your own has no such limit: “git clone” the wiki, then “robot home --from” the clone."

// A User is a person, identified by the DID. Handle and name are for display.
type User struct {
	DID      string
	Username string // also the slug of their wiki
	Handle   string
	Name     string // display name, or ""
	Picture  string // id of their picture, or ""
	// Suspended users are locked out by the operator: they have the rights of an
	// anonymous visitor.
	Suspended bool
}

// Display returns the name to show on pages.
func (u User) Display() string {
	switch {
	case u.Name != "":
		return u.Name
	case u.Username != "":
		return u.Username
	case u.Handle == InvalidHandle:
		return u.DID
	}
	return u.Handle
}

// ShownHandle returns the handle as pages show it, or the DID of a user whose handle
// isn't valid. It is "" for a user without an account elsewhere.
func (u User) ShownHandle() string {
	switch u.Handle {
	case "":
		return ""
	case InvalidHandle:
		return "no valid handle (" + u.DID + ")"
	}
	return "@" + u.Handle
}

// InvalidHandle replaces a handle that doesn't resolve to its account
// (atproto.com/specs/handle).
const InvalidHandle = "handle.invalid"

// AuthorName returns a person's name in commits: the username, or the handle of a
// user without a username.
func (u User) AuthorName() string {
	switch {
	case u.Username != "":
		return u.Username
	case u.Handle != "" && u.Handle != InvalidHandle:
		return u.Handle
	}
	return u.DID
}

// A Caller is the person who makes a request, and the credential they used. The
// zero Caller is anonymous.
type Caller struct {
	User     User
	Session  string // session id, for a browser
	Agent    string // name of the agent or token, from the grant; "" for a person in a browser
	Client   string // OAuth client id, TokenClient, OperatorName
	Grant    string // id of the grant or token
	ReadOnly bool   // the credential only allows reading, and proposing if Proposes is set
	Proposes bool   // changes to pages become proposals; only with ReadOnly
	Wiki     string // slug of the only wiki the credential is valid for; "" for a session
	Operator bool   // acts through the socket or the data directory
}

// TokenClient is the Client of callers with a wiki token or a personal token.
const TokenClient = "token"

// Names that stand where others have a DID.
const (
	OperatorName = "operator"
	FormerOwner  = "former owner" // of a wiki, whose account was deleted
)

// A Mode is what an agent can do: read, propose changes that wait for a person, or edit.
type Mode string

// The modes, each with the rights of those before it.
const (
	ModeRead    Mode = "read"
	ModePropose Mode = "propose"
	ModeEdit    Mode = "edit"
)

// ParseMode parses the name of a mode, or "write" for ModeEdit. It returns "" for others.
func ParseMode(name string) Mode {
	switch m := Mode(name); m {
	case ModeRead, ModePropose, ModeEdit:
		return m
	case "write":
		return ModeEdit
	}
	return ""
}

// String says what an agent with the mode can do.
func (m Mode) String() string {
	return map[Mode]string{ModeRead: "Read only", ModePropose: "Read and propose", ModeEdit: "Read and edit"}[m]
}

// ModeOf returns the mode of a credential's two flags.
func ModeOf(readOnly, proposes bool) Mode {
	switch {
	case !readOnly:
		return ModeEdit
	case proposes:
		return ModePropose
	}
	return ModeRead
}

// LimitAgent returns the caller with at most the rights that the wiki gives to agents. It
// returns people, who have no credential for one wiki, unchanged.
func (s Site) LimitAgent(c Caller) Caller {
	if c.Wiki == "" || c.Operator {
		return c
	}
	switch s.Agents {
	case ModeRead:
		c.ReadOnly, c.Proposes = true, false
	case ModePropose:
		c.Proposes = c.Proposes || !c.ReadOnly
		c.ReadOnly = true
	}
	return c
}

// Allows reports whether an agent of the wiki can have a mode.
func (s Site) Allows(m Mode) bool {
	switch s.Agents {
	case ModeRead:
		return m == ModeRead
	case ModePropose:
		return m != ModeEdit
	}
	return true
}

// Flags returns the flags of Caller.
func (m Mode) Flags() (readOnly, proposes bool) { return m != ModeEdit, m == ModePropose }

// ImportClient is the Client of commits that bring files from elsewhere; see
// Author.Brought.
const ImportClient = "import"

// Anonymous reports whether the caller is unknown.
func (c Caller) Anonymous() bool { return c.User.DID == "" && !c.Operator }

// A Member is a person with a role in a wiki.
type Member struct {
	User User
	Role Role
	Seen time.Time // last sign-in; zero for an invited person who hasn't signed in yet
}

// An Author is the author of a commit, as recorded in the commit: we write
// "Username <DID>", and name the agent in trailers. Commits are never rewritten,
// whatever happens to the account.
type Author struct {
	Username string
	DID      string
	Agent    string // the Agent: trailer, or "" for a person
	Client   string // the Client: trailer
	Grant    string // the Grant: trailer
	Imported bool   // from an import: name and DID are unverified
	Source   string // of an import: the name of the file or repository, or ""
	Vouched  bool   // of an import: a person or the operator vouches for the text
}

// Brought reports whether the author only brought the text, from an import. Anybody
// can have written it, unless somebody vouches for it.
func (a Author) Brought() bool { return a.Imported || a.Client == ImportClient }

// IsAgent reports whether an agent made the change. What an imported commit says about
// that counts once somebody vouches for it.
func (a Author) IsAgent() bool { return a.Agent != "" && (!a.Imported || a.Vouched) }

// A File is one file of a wiki, now or at a revision.
type File struct {
	Path     string // "Design/VPS_Architecture.md"
	Blob     string // object id of the content, 40 hex digits
	Mode     uint32 // git's mode, 0o100644 for files made here
	Size     int64  // bytes
	Seq      int64  // number of the last commit that changed it
	Commit   string // id of that commit
	Modified time.Time
	Author   Author
	Message  string // of that commit
}

// ChangeKind says what a commit did to a file.
type ChangeKind string

// The kinds of change.
const (
	Added    ChangeKind = "added"
	Modified ChangeKind = "modified"
	Deleted  ChangeKind = "deleted"
	Moved    ChangeKind = "moved" // From is the former path; the content can differ, too
)

// A Change is one commit's effect on one file.
type Change struct {
	Path string
	From string // the former path of a move, else ""
	Into string // the file that took over the content of a deleted one, else ""; not set when commits are read
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
	Cut     bool // in a list, Changes has only the first ones
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
