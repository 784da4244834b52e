package tenant

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/content"
	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

// directory is a Directory with a few people.
type directory map[string]wiki.User

func (b directory) Find(_ context.Context, _, name string) (wiki.User, error) {
	if u, ok := b[name]; ok {
		return u, nil
	}
	return wiki.User{}, wiki.Problemf(wiki.ErrNotFound, "handle", "No account found for %s.", name)
}

func (b directory) Declared(_ context.Context, _, did string) (string, error) {
	return b[did].Handle, nil
}

func (b directory) Publication(_ context.Context, _, _, key string) (string, error) {
	if u, ok := b[key]; ok {
		return u.Name, nil
	}
	return "", wiki.Problemf(wiki.ErrNotFound, "publication", "No such record.")
}

// A leaverWorld has ada's wiki with bob as editor, and a clock.
type leaverWorld struct {
	*Service
	t   *testing.T
	db  *store.DB
	dir string
	now time.Time
}

func newLeaverWorld(t *testing.T) *leaverWorld {
	t.Helper()
	l := &leaverWorld{t: t, dir: t.TempDir(), now: time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return l.now }
	var err error
	if l.db, err = store.Open(t.Context(), filepath.Join(l.dir, "robot.db"), clock); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.db.Close() })
	pool, err := content.NewPool(content.Options{Dir: filepath.Join(l.dir, "wikis"), Now: clock, Log: slog.New(slog.DiscardHandler),
		Links: func(wiki.PageName, []byte) []wiki.Link { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pool.Close() })
	eve := wiki.User{DID: "did:plc:eve", Handle: "eve.test"}
	people := directory{"eve.test": eve, "eve2.test": {DID: eve.DID, Handle: "eve2.test"}, "bob.test": bob, "cleo.test": cleo, "dan.test": dan, "ada.test": ada}
	l.Service = New(Options{Store: l.db, Content: pool, People: people, NameKey: []byte("key"), Now: clock, Log: slog.New(slog.DiscardHandler)})
	for _, u := range []wiki.User{ada, bob} {
		l.must(l.db.SaveUser(t.Context(), u))
	}
	_, err = l.Create(t.Context(), ada, "ada")
	l.must(err)
	l.must(l.SetMember(t.Context(), l.access(ada), bob.DID, wiki.Editor))
	return l
}

func (l *leaverWorld) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l *leaverWorld) access(u wiki.User) wiki.Access {
	l.t.Helper()
	a, err := l.Resolve(l.t.Context(), "ada", wiki.Caller{User: u})
	l.must(err)
	return a
}

func (l *leaverWorld) wantError(kind error, err error) {
	l.t.Helper()
	if !errors.Is(err, kind) {
		l.t.Errorf("got %v, want %v", err, kind)
	}
}

// Invitations are by DID, count toward the limit before the first sign-in,
// and a new handle doesn't add a second member.
func TestInvite(t *testing.T) {
	l := newLeaverWorld(t)
	ctx, a := t.Context(), l.access(ada)
	if _, err := l.Invite(ctx, a, "eve.test", wiki.Viewer); err != nil {
		t.Fatal(err)
	}
	_, err := l.Invite(ctx, a, "eve2.test", wiki.Editor)
	l.wantError(wiki.ErrExists, err)
	_, err = l.Invite(ctx, a, "nobody.test", wiki.Editor)
	l.wantError(wiki.ErrNotFound, err)
	_, err = l.Invite(ctx, a, "ada.test", wiki.Editor)
	l.wantError(wiki.ErrExists, err)
	_, err = l.Invite(ctx, a, "cleo.test", wiki.Owner)
	l.wantError(wiki.ErrInvalid, err)
	_, err = l.Invite(ctx, l.access(bob), "cleo.test", wiki.Viewer)
	l.wantError(wiki.ErrDenied, err)
	_, err = l.Invite(ctx, a, "cleo.test", wiki.Viewer)
	l.must(err)
	_, err = l.Invite(ctx, a, "dan.test", wiki.Viewer)
	l.wantError(wiki.ErrQuota, err)

	members, err := l.Members(ctx, a)
	l.must(err)
	for _, m := range members {
		if m.User.DID == "did:plc:eve" && (m.Role != wiki.Viewer || !m.Seen.IsZero()) {
			t.Errorf("eve: %+v", m)
		}
	}
	if len(members) != 4 {
		t.Errorf("%d members, want 4", len(members))
	}
	// Eve signs in under a new handle: the same DID keeps the role.
	l.must(l.db.SaveUser(ctx, wiki.User{DID: "did:plc:eve", Username: "eve", Handle: "eve3.test"}))
	if got := l.access(wiki.User{DID: "did:plc:eve"}).Role(); got != wiki.Viewer {
		t.Errorf("eve is %s", got)
	}
	l.must(l.Leave(ctx, l.access(wiki.User{DID: "did:plc:eve"})))
	_, err = l.Resolve(ctx, "ada", wiki.Caller{User: wiki.User{DID: "did:plc:eve"}})
	l.wantError(wiki.ErrNotFound, err)
	l.wantError(wiki.ErrInvalid, l.Leave(ctx, a))
}

// After an account is deleted, only the name with a keyed hash of the DID,
// the audit log, and commits in other wikis remain. The test searches every
// table of the platform and of a wiki that bob wrote in.
func TestAccountDeletionLeavesNothing(t *testing.T) {
	l := newLeaverWorld(t)
	ctx := t.Context()
	caller := wiki.Caller{User: bob, Grant: "grant"}
	l.must(l.db.StartSession(ctx, store.Session{ID: "s", DID: bob.DID, Expires: l.now.Add(time.Hour)}))
	l.must(l.db.AddToken(ctx, "secret", &store.Token{ID: "t", Slug: "ada", DID: bob.DID, Name: "x"}, 20))
	l.must(l.db.AddPersonalToken(ctx, "personal", &store.Token{ID: "p", DID: bob.DID, Name: "x"}, 5))
	l.must(l.db.SetAvatar(ctx, bob.DID, store.Avatar{MIME: "image/png", Data: []byte("x")}))
	_, err := l.Create(ctx, bob, bob.Username)
	l.must(err)
	w, release, err := l.content.Open(ctx, "ada")
	l.must(err)
	l.must(w.SaveDraft(ctx, bob.DID, content.Draft{Path: "Home.md", Text: []byte("draft")}))
	done, err := w.Commit(ctx, content.Request{Author: caller, Limits: wiki.DefaultLimits, IdempotencyKey: "k", IdempotencyHash: "h", Edits: []content.Edit{{Path: "Home.md", Data: []byte("x\n")}}})
	l.must(err)
	l.must(w.MarkLooked(ctx, bob.DID, done.Commit.Seq-1))
	l.must(w.MarkReviewed(ctx, bob.DID, done.Commit.Seq))
	release()
	platform, hers := filepath.Join(l.dir, "robot.db"), filepath.Join(l.dir, "wikis", "ada", "wiki.db")
	if n := len(l.tablesWith(platform, bob.DID, "") + l.tablesWith(hers, bob.DID, "")); n == 0 {
		t.Fatal("bob was in no table before the deletion")
	}
	l.must(l.RemoveMember(ctx, l.access(ada), bob.DID)) // a former member, whose draft remains
	l.must(l.DeleteAccount(ctx, caller, bob.Username))
	l.now = l.now.Add(Grace)
	l.must(l.Sweep(ctx))
	l.must(l.Sweep(ctx)) // purges the wiki first, then its owner
	if got := l.tablesWith(platform, bob.DID, "audit"); got != "" {
		t.Errorf("the platform has bob in %s", got)
	}
	if got := l.tablesWith(hers, bob.DID, "commits"); got != "" {
		t.Errorf("ada's wiki has bob in %s", got)
	}
	if got := l.tablesWith(platform, bob.Username, "audit"); got != "former " {
		t.Errorf("his name is in %q", got)
	}
}

// tablesWith lists the tables of a database, except one, that contain a
// word.
func (l *leaverWorld) tablesWith(file, word, but string) string {
	l.t.Helper()
	db, err := sql.Open("sqlite", "file:"+file)
	l.must(err)
	defer db.Close()
	var tables []string
	rows, err := db.Query(`SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`)
	l.must(err)
	for rows.Next() {
		var name string
		l.must(rows.Scan(&name))
		tables = append(tables, name)
	}
	l.must(errors.Join(rows.Err(), rows.Close()))
	found := ""
	for _, table := range tables {
		if table != but && l.tableHas(db, table, word) {
			found += table + " "
		}
	}
	return found
}

func (l *leaverWorld) tableHas(db *sql.DB, table, word string) bool {
	rows, err := db.Query(`SELECT * FROM "` + table + `"`)
	l.must(err)
	defer rows.Close()
	columns, err := rows.Columns()
	l.must(err)
	for rows.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		l.must(rows.Scan(values...))
		for _, v := range values {
			text, ok := (*v.(*any)).([]byte)
			if !ok {
				text = fmt.Append(nil, *v.(*any))
			}
			if bytes.Contains(text, []byte(word)) {
				return true
			}
		}
	}
	l.must(rows.Err())
	return false
}

// A user who was only invited is kept as long as an invitation is. A failed
// invitation keeps nobody.
func TestUninvitedUsersAreDeleted(t *testing.T) {
	l := newLeaverWorld(t)
	ctx := t.Context()
	known := func(u wiki.User, want bool) {
		t.Helper()
		if _, err := l.db.User(ctx, u.DID); (err == nil) != want {
			t.Errorf("%s is known: %t, %v", u.DID, !want, err)
		}
	}
	eve := wiki.User{DID: "did:plc:eve"}
	invite := func(name string) {
		t.Helper()
		_, err := l.Invite(ctx, l.access(ada), name, wiki.Viewer)
		l.must(err)
	}
	invite("eve.test")
	known(eve, true)
	l.must(l.RemoveMember(ctx, l.access(ada), eve.DID))
	known(eve, false)

	invite("eve.test")
	invite("cleo.test")
	_, err := l.Invite(ctx, l.access(ada), "dan.test", wiki.Viewer)
	l.wantError(wiki.ErrQuota, err)
	known(dan, false)
	l.must(l.db.StartSession(ctx, store.Session{ID: "s", DID: cleo.DID, Expires: l.now.Add(time.Hour)})) // cleo has signed in
	l.must(l.RemoveMember(ctx, l.access(ada), cleo.DID))
	known(cleo, true)

	l.must(l.DeleteWiki(ctx, l.access(ada), "ada"))
	l.now = l.now.Add(Grace)
	l.must(l.Sweep(ctx))
	known(eve, false)
	known(bob, true)
}

// An account scheduled for deletion has no role in other wikis until it is
// kept.
func TestClosedAccount(t *testing.T) {
	l := newLeaverWorld(t)
	ctx := t.Context()
	caller := wiki.Caller{User: bob}
	role := func() wiki.Role {
		a, err := l.Resolve(ctx, "ada", caller)
		if err != nil {
			l.wantError(wiki.ErrNotFound, err)
		}
		return a.Role()
	}
	if role() != wiki.Editor {
		t.Fatal("not an editor at first")
	}
	l.must(l.DeleteAccount(ctx, caller, AccountConfirmation(bob)))
	if got := role(); got != wiki.NoRole {
		t.Errorf("in a private wiki: %s", got)
	}
	l.must(l.Configure(ctx, l.access(ada), Settings{Public: true}))
	if got := role(); got != wiki.Reader {
		t.Errorf("in a public wiki: %s", got)
	}
	if sites, err := l.Sites(ctx, bob.DID); err != nil || len(sites) != 0 {
		t.Errorf("%d wikis, %v", len(sites), err)
	}
	if members, err := l.Members(ctx, l.access(ada)); err != nil || len(members) != 2 {
		t.Errorf("the owner sees %d members, %v", len(members), err)
	}
	l.must(l.KeepAccount(ctx, caller))
	if got := role(); got != wiki.Editor {
		t.Errorf("kept: %s", got)
	}
}

func TestDeleteAndRestoreWiki(t *testing.T) {
	l := newLeaverWorld(t)
	ctx := t.Context()
	owner := wiki.Caller{User: ada}
	l.must(l.db.AddToken(ctx, "secret", &store.Token{ID: "t", Slug: "ada", DID: bob.DID, Name: "x"}, 20))
	l.must(l.Configure(ctx, l.access(ada), Settings{Public: true, AsHandle: true}))

	l.wantError(wiki.ErrInvalid, l.DeleteWiki(ctx, l.access(ada), "adaa"))
	l.wantError(wiki.ErrDenied, l.DeleteWiki(ctx, l.access(bob), "ada"))
	l.must(l.DeleteWiki(ctx, l.access(ada), "ada"))
	for _, u := range []wiki.User{ada, bob, {}} {
		_, err := l.Resolve(ctx, "ada", wiki.Caller{User: u})
		l.wantError(wiki.ErrNotFound, err)
	}
	_, err := l.HandleDID(ctx, "ada")
	l.wantError(wiki.ErrNotFound, err)
	if public, err := l.PublicSites(ctx); err != nil || len(public) != 0 {
		t.Errorf("listed: %v, %v", public, err)
	}
	_, err = l.db.Token(ctx, "secret")
	l.wantError(wiki.ErrNotFound, err)
	_, err = l.Create(ctx, ada, "ada")
	l.wantError(wiki.ErrQuota, err)

	l.wantError(wiki.ErrNotFound, l.RestoreWiki(ctx, wiki.Caller{User: bob}, "ada"))
	l.wantError(wiki.ErrDenied, l.RestoreWiki(ctx, wiki.Caller{User: ada, ReadOnly: true}, "ada"))
	l.now = l.now.Add(Grace - time.Minute)
	l.must(l.Sweep(ctx))
	l.must(l.RestoreWiki(ctx, owner, "ada"))
	if l.access(bob).Role() != wiki.Editor {
		t.Error("bob lost his role")
	}
}

// After the grace period only the audit log and the name remain, which
// nobody else can take.
func TestPurgeWiki(t *testing.T) {
	l := newLeaverWorld(t)
	ctx := t.Context()
	l.must(l.DeleteWiki(ctx, l.access(ada), "ada"))
	l.now = l.now.Add(Grace)
	l.wantError(wiki.ErrNotFound, l.RestoreWiki(ctx, wiki.Caller{User: ada}, "ada"))
	l.must(l.Sweep(ctx))
	if _, err := os.Stat(filepath.Join(l.dir, "wikis", "ada")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("files remain: %v", err)
	}
	if events, err := l.db.Audit(ctx, "ada", 100); err != nil || len(events) < 3 || events[0].Action != "site.purge" {
		t.Errorf("audit: %v, %v", events, err)
	}
	if _, err := l.Create(ctx, ada, "ada"); err != nil {
		t.Errorf("ada can't take her name again: %v", err)
	}
}

func TestDeleteAccount(t *testing.T) {
	l := newLeaverWorld(t)
	ctx := t.Context()
	owner := wiki.Caller{User: ada}
	l.must(l.db.StartSession(ctx, store.Session{ID: "s", DID: ada.DID, Expires: l.now.Add(time.Hour)}))
	l.must(l.db.AddPersonalToken(ctx, "personal", &store.Token{ID: "p", DID: ada.DID, Name: "x"}, 5))
	l.wantError(wiki.ErrInvalid, l.DeleteAccount(ctx, owner, "bob"))
	l.must(l.DeleteAccount(ctx, owner, "@ada"))
	_, err := l.db.Session(ctx, "s")
	l.wantError(wiki.ErrNotFound, err)
	_, err = l.db.PersonalToken(ctx, "personal")
	l.wantError(wiki.ErrNotFound, err)
	_, err = l.Resolve(ctx, "ada", owner)
	l.wantError(wiki.ErrNotFound, err)
	l.wantError(wiki.ErrInvalid, l.RestoreWiki(ctx, owner, "ada"))

	l.must(l.KeepAccount(ctx, owner))
	l.access(ada)
	l.wantError(wiki.ErrNotFound, l.KeepAccount(ctx, owner))

	l.must(l.DeleteAccount(ctx, owner, "ada"))
	l.now = l.now.Add(Grace)
	l.must(l.Sweep(ctx))
	if !l.AuthorDeleted(ctx, wiki.Author{DID: ada.DID}) || l.AuthorDeleted(ctx, wiki.Author{DID: bob.DID}) || l.AuthorDeleted(ctx, wiki.Author{DID: "did:plc:x", Imported: true}) {
		t.Error("the author isn't marked as deleted")
	}
	stranger := wiki.User{DID: "did:plc:mallory", Handle: "ada.evil.test"}
	l.must(l.db.SaveUser(ctx, stranger))
	_, err = l.Create(ctx, stranger, "ada")
	l.wantError(wiki.ErrExists, err)
	l.wantError(wiki.ErrExists, l.CheckUsername(ctx, stranger, "ada"))
	again := wiki.User{DID: ada.DID, Handle: "ada.test"}
	l.must(l.db.SaveUser(ctx, again))
	l.must(l.CheckUsername(ctx, again, "ada"))
	if _, err := l.Create(ctx, again, "ada"); err != nil {
		t.Errorf("the same DID: %v", err)
	}
}

// The wiki's host is the owner's handle once both sides say so.
func TestCheckHandle(t *testing.T) {
	l := newLeaverWorld(t)
	ctx, people := t.Context(), directory{}
	l.people = people
	const host = "ada.robot.wtf"
	check := func(want string) {
		t.Helper()
		if err := l.CheckHandle(ctx, l.access(ada), host); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	check("Do step 1 first")
	l.must(l.Configure(ctx, l.access(ada), Settings{AsHandle: true}))
	check("has no handle now")
	people[ada.DID] = wiki.User{Handle: "ada.test"}
	check("still has the handle ada.test")
	people[ada.DID] = wiki.User{Handle: host}
	check("")
	if u, err := l.db.User(ctx, ada.DID); err != nil || u.Handle != host {
		t.Errorf("%+v, %v", u, err)
	}
	l.wantError(wiki.ErrDenied, l.CheckHandle(ctx, l.access(bob), host))
}
