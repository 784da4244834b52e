// Package original reads the disk of the Python robot.wtf, which this service
// replaces: its people, wikis, members, tokens, agents and keys, in every schema that
// its databases had. It doesn't decide what becomes of them.
//
// Invariants:
//   - It never writes to the original's disk, and takes no locks there. Databases are
//     copied with their write-ahead logs and read from the copy, so the original can
//     keep running.
//   - It doesn't follow symbolic links, and reads nothing outside of the directory. A
//     slug is a name of a directory only after it was checked.
//   - Names, handles and texts are a stranger's words: they can be anything.
package original

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Contents is all that a disk has, without the repositories.
type Contents struct {
	People  []Person
	Wikis   []Wiki            // by slug
	Clients []Client          // agents that registered themselves
	Handles map[string]string // DIDs by handle, of handles that the original knew one person by
	Key     []byte            // the ATProto client's key, a JWK; nil if there is none
	Left    []string          // sentences about everything that can't be read
}

// A Person signed in to the original.
type Person struct {
	DID      string
	Handle   string // "" if it is no handle
	Name     string
	Username string // "" in the schema without usernames
	Created  time.Time
}

// A Wiki is one wiki.
type Wiki struct {
	Slug        string
	Owner       string // DID, or "" if it is none
	Title       string
	Description string
	Public      bool // anybody can read it
	Home        string
	TextFirst   bool // links are written [[Text|Page]]
	Created     time.Time
	Token       string // as stored: SHA-256 in hex or a bcrypt hash; "" if it was invalidated
	Members     []Member
	Drafts      []Draft
	Head        string   // commit of its main branch, "" if it has none
	Changes     []string // sentences for its owner about everything that changes
	Problem     string   // why it can't be moved, or ""
}

// A Member has access to a wiki besides its owner.
type Member struct {
	Handle string // as the wiki knows it; "" if it knows the DID
	// DID is the person that the original knows by that handle, or "" if it knows none.
	DID     string
	Editor  bool
	Admin   bool   // could also change settings
	Problem string // why they get no access, or ""
	Never   bool   // they had no access there either
}

// A Draft is an unsaved text.
type Draft struct {
	Handle, DID string // of its author; DID is "" if it is unknown
	Page, Text  string
}

// A Client is an agent's registration.
type Client struct {
	ID, Name  string
	Redirects []string
	Auth      string // token_endpoint_auth_method
	Secret    string // in clear, or ""
	Hash      string // SHA-256 of the secret in hex, if Secret is ""
}

// A Disk is the data directory of an original.
type Disk struct{ dir string }

// Open returns the disk in a directory, which must have a robot.db.
func Open(dir string) (*Disk, error) {
	if info, err := os.Lstat(filepath.Join(dir, "robot.db")); err != nil {
		return nil, fmt.Errorf("original: %s isn't the data directory of a Python robot.wtf: %w", dir, err)
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("original: %s isn't a regular file", filepath.Join(dir, "robot.db"))
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("original: %w", err)
	}
	return &Disk{abs}, nil
}

// Read reads everything but the repositories. scratch is a directory for copies of
// the databases.
func (d *Disk) Read(ctx context.Context, scratch string) (*Contents, error) {
	r := &reader{disk: d, scratch: scratch, known: map[string][]string{}, c: &Contents{}}
	for _, read := range []func(context.Context) error{r.readPlatform, r.readWikis, r.readAgents, r.readKey} {
		if err := read(ctx); err != nil {
			return nil, fmt.Errorf("original: %w", err)
		}
	}
	r.c.Handles = map[string]string{}
	for handle, dids := range r.known {
		if len(dids) == 1 {
			r.c.Handles[handle] = dids[0]
		}
	}
	return r.c, nil
}

// maxKey limits the file of the client's key.
const maxKey = 16 << 10

func (r *reader) readKey(context.Context) error {
	file := filepath.Join(r.disk.dir, "client_jwk.json")
	info, err := os.Lstat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular() || info.Size() > maxKey:
		r.leave("client_jwk.json is no regular file of at most %d bytes.", maxKey)
		return nil
	}
	r.c.Key, err = os.ReadFile(file)
	return err
}

// reader reads one disk.
type reader struct {
	disk    *Disk
	scratch string
	copies  int
	known   map[string][]string // DIDs by handle, as the original knows them
	acls    map[string][]Member // members by DID, of the schema before wiki.db
	c       *Contents
}

func (r *reader) leave(format string, args ...any) {
	r.c.Left = append(r.c.Left, fmt.Sprintf(format, args...))
}

// slugPattern is the original's rule for slugs.
var slugPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,28}[a-z0-9]$`)

// didPattern has the kinds of DIDs that ATProto accounts have
// (atproto.com/specs/did).
var didPattern = regexp.MustCompile(`^did:(plc:[a-z2-7]{24}|web:[a-zA-Z0-9.-]{1,253})$`)

// handlePattern is from atproto.com/specs/handle.
var handlePattern = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)

// handleOf returns the handle in a name such as "@Ada.example", or "".
func handleOf(name string) string {
	name = strings.ToLower(strings.TrimPrefix(strings.TrimSpace(name), "@"))
	if len(name) > 253 || !handlePattern.MatchString(name) {
		return ""
	}
	return name
}

// addKnown records that a handle is a person's.
func (r *reader) addKnown(handle, did string) {
	if handle != "" && didPattern.MatchString(did) && !slices.Contains(r.known[handle], did) {
		r.known[handle] = append(r.known[handle], did)
	}
}

// parseTime parses a time of Python's isoformat or of SQLite's datetime, or returns
// the zero time.
func parseTime(text string) time.Time {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999", time.DateTime} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}
