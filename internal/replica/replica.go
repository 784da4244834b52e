// Package replica builds, for tests only, disks as the Python robot.wtf left them: its
// databases in each of their schemas, its repositories, and its keys, with what a move
// can stumble over. Only test files may import it.
package replica

import (
	"cmp"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/bcrypt"

	"robot.wtf/internal/sqlite"
)

// A Schema is a generation of the original's disk.
type Schema int

// The generations.
const (
	Early  Schema = iota // usernames, members by DID in robot.db, bcrypt hashes, bare repositories
	Middle               // usernames, members by handle in each wiki.db, SHA-256
	Late                 // no usernames, agents' registrations in mcp_oauth.db
)

// Options describe a disk.
type Options struct {
	Schema  Schema
	Wikis   int // plain ones, besides the odd ones; at least 1
	Commits int // of all plain wikis together; at least one each
	// Odd adds the wikis that a move has to notice: a taken slug, one reserved here,
	// clashing names, limits exceeded, symbolic links, hostile slugs and handles.
	Odd      bool
	Redirect string // of the registered agent; "" for Claude's
}

// A Disk is a built disk. It stays open, as under the running original, until Close:
// its newest rows are in write-ahead logs.
type Disk struct {
	Dir     string
	Tokens  map[string]string // secret of each wiki's token, by slug
	Owners  map[string]string // DID of each wiki's owner, by slug
	Handles map[string]string // DIDs that handles resolve to now; others don't resolve
	Client  string            // id of a registered agent
	KeyID   string            // of the ATProto client's key

	schema   Schema
	platform *sql.DB
	open     []*sql.DB
	odd      bool
}

// Slugs of wikis on an odd disk.
const (
	Shared   = "ada"       // has every kind of member
	Second   = "ada-notes" // ada, a former admin, owns two
	Reserved = "robot"     // a name that is reserved here
	Clashing = "clashes"   // files whose names clash
	Crowded  = "crowded"   // more pages and members than the limits
	Linked   = "linked"    // its directory is a symbolic link
	Inside   = "inside"    // its repository has a symbolic link
	Hostile  = "../../etc" // no slug
)

// Target is a file beside the disk that symbolic links lead to.
const Target = "outside"

// DID returns the DID of a person by a short name.
func DID(name string) string {
	name = strings.NewReplacer("-", "", "0", "x", "1", "y", "8", "v", "9", "u").Replace(name)
	return "did:plc:" + (name + strings.Repeat("z", 24))[:24]
}

// Build builds a disk in a new directory below parent.
func Build(parent string, o Options) (*Disk, error) {
	d := &Disk{
		Dir: filepath.Join(parent, "data"), Tokens: map[string]string{}, Owners: map[string]string{}, Handles: map[string]string{},
		Client: "client-of-the-original", KeyID: "Q2xpZW50", schema: o.Schema, odd: o.Odd,
	}
	if err := os.MkdirAll(filepath.Join(d.Dir, "wikis"), 0o755); err != nil {
		return nil, err
	}
	err := d.build(o)
	if err != nil {
		return nil, fmt.Errorf("replica: %w", err)
	}
	return d, nil
}

func (d *Disk) build(o Options) (err error) {
	if d.platform, err = d.database(filepath.Join(d.Dir, "robot.db"), platformSchemas[o.Schema]); err != nil {
		return err
	}
	for n := range o.Wikis {
		slug := fmt.Sprintf("plain-%d", n)
		w := Wiki{Slug: slug, Owner: fmt.Sprintf("owner-%d", n), Commits: max(1, o.Commits/o.Wikis), Public: n%3 == 0}
		if err := d.Add(w); err != nil {
			return fmt.Errorf("wiki %s: %w", slug, err)
		}
	}
	if o.Odd {
		if err := d.addOdd(); err != nil {
			return err
		}
	}
	if err := d.addClients(cmp.Or(o.Redirect, "https://claude.ai/api/mcp/auth_callback")); err != nil {
		return err
	}
	return writeKey(d.Dir, d.KeyID)
}

// Close ends the original.
func (d *Disk) Close() error {
	var failed error
	for _, db := range d.open {
		if err := db.Close(); err != nil {
			failed = err
		}
	}
	return failed
}

func (d *Disk) database(file, schema string) (*sql.DB, error) {
	db, err := sqlite.Open(file, sqlite.Options{})
	if err != nil {
		return nil, err
	}
	d.open = append(d.open, db)
	_, err = db.Exec(schema)
	return db, err
}

// A Wiki is one wiki to add.
type Wiki struct {
	Slug, Owner string // Owner is a short name; the handle is Owner.example
	Commits     int
	Public      bool
	Members     []Member
	Files       map[string]string // of the last commit, by path; nil for a few pages
	Preferences map[string]string
	Drafts      map[string]string // text by page, of the owner
}

// A Member is a row of a wiki.db's table of users, or of robot.db's in an early disk.
type Member struct {
	Name                         string // short name of the person
	Handle                       string // as the wiki knows it; "" for the usual one
	Admin, Approved, Write, Read bool
}

// AddUser adds a person to robot.db, whose handle resolves.
func (d *Disk) AddUser(name, handle string) error {
	if handle == "" {
		handle = name + ".example"
	}
	d.Handles[handle] = DID(name)
	if d.schema == Late {
		_, err := d.platform.Exec(`INSERT OR IGNORE INTO users (did, handle, display_name, created_at, wiki_count) VALUES ($1, $2, $3, '2026-01-02T03:04:05.000006+00:00', 1)`, DID(name), handle, strings.ToUpper(name))
		return err
	}
	_, err := d.platform.Exec(`INSERT OR IGNORE INTO users (did, handle, display_name, username, created_at, wiki_count) VALUES ($1, $2, $3, $4, '2026-01-02T03:04:05.000006+00:00', 1)`, DID(name), handle, strings.ToUpper(name), name)
	return err
}

// Add adds a wiki.
func (d *Disk) Add(w Wiki) error {
	if err := d.AddUser(w.Owner, ""); err != nil {
		return err
	}
	if err := d.addRow(w); err != nil {
		return err
	}
	dir := filepath.Join(d.Dir, "wikis", w.Slug)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := d.writeRepository(dir, w); err != nil {
		return err
	}
	if d.schema == Early {
		return d.addACLs(w)
	}
	return d.addWikiDB(dir, w)
}

// addRow adds a wiki's row with its token.
func (d *Disk) addRow(w Wiki) error {
	secret := ("token-of-" + w.Slug + strings.Repeat("x", 43))[:43]
	sum := sha256.Sum256([]byte(secret))
	hash := hex.EncodeToString(sum[:])
	if d.schema == Early {
		made, err := bcrypt.GenerateFromPassword([]byte(secret), bcrypt.MinCost)
		if err != nil {
			return err
		}
		hash = "$2b" + string(made[3:]) // as Python's bcrypt writes it
	}
	d.Tokens[w.Slug], d.Owners[w.Slug] = secret, DID(w.Owner)
	_, err := d.platform.Exec(`INSERT INTO wikis (slug, owner_did, display_name, repo_path, mcp_token_hash, is_public, created_at, last_accessed) VALUES ($1, $2, $3, $4, $5, $6, $7, $7)`,
		w.Slug, DID(w.Owner), "Wiki of "+w.Owner, "/srv/data/wikis/"+w.Slug+"/repo", hash, w.Public, "2026-02-03T04:05:06.000007+00:00")
	return err
}

// addACLs adds the members of an early wiki.
func (d *Disk) addACLs(w Wiki) error {
	for _, m := range append([]Member{{Name: w.Owner, Admin: true}}, w.Members...) {
		role := "viewer"
		switch {
		case m.Name == w.Owner:
			role = "owner"
		case m.Admin || m.Write:
			role = "editor"
		}
		if m.Name == "" {
			continue // an early wiki knows people by DID only
		}
		if err := d.AddUser(m.Name, ""); err != nil {
			return err
		}
		if _, err := d.platform.Exec(`INSERT INTO acls VALUES ($1, $2, $3, $4, '2026-02-03T04:05:06+00:00')`, w.Slug, DID(m.Name), role, DID(w.Owner)); err != nil {
			return err
		}
	}
	return nil
}

// addWikiDB adds the database of a wiki, with its preferences, members and drafts.
func (d *Disk) addWikiDB(dir string, w Wiki) error {
	db, err := d.database(filepath.Join(dir, "wiki.db"), wikiSchema)
	if err != nil {
		return err
	}
	read := "APPROVED"
	if w.Public {
		read = "ANONYMOUS"
	}
	preferences := map[string]string{"READ_ACCESS": read, "WRITE_ACCESS": "APPROVED", "SITE_NAME": "The wiki of " + w.Owner, "SITE_DESCRIPTION": "Notes.", "_schema_version": "3"}
	for name, value := range w.Preferences {
		preferences[name] = value
	}
	for name, value := range preferences {
		if _, err := db.Exec(`INSERT INTO preferences VALUES ($1, $2)`, name, value); err != nil {
			return err
		}
	}
	for _, m := range append([]Member{{Name: w.Owner, Admin: true, Approved: true, Read: true, Write: true}}, w.Members...) {
		handle := m.Handle
		if handle == "" {
			handle = m.Name + ".example"
		}
		if _, err := db.Exec(`INSERT INTO "user" (name, email, is_approved, is_admin, allow_read, allow_write) VALUES ($1, $2, $3, $4, $5, $6)`,
			m.Name, "@"+handle, m.Approved, m.Admin, m.Read, m.Write); err != nil {
			return err
		}
	}
	for page, text := range w.Drafts {
		if _, err := db.Exec(`INSERT INTO drafts (pagepath, revision, author_email, content, datetime) VALUES ($1, '', $2, $3, '2026-03-04 05:06:07')`, page, "@"+w.Owner+".example", text); err != nil {
			return err
		}
	}
	return nil
}
