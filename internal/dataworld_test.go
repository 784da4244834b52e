package internal_test

import (
	"bytes"
	"compress/zlib"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/backup"
	"robot.wtf/internal/content"
	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/markdown"
	"robot.wtf/internal/pages"
	"robot.wtf/internal/search"
	"robot.wtf/internal/store"
	"robot.wtf/internal/tenant"
	"robot.wtf/internal/wiki"
)

// Words that are found again wherever they were written.
const (
	canaryDID  = "did:plc:kwanary"
	canaryName = "kwanary"
	canaryText = "zyxomma"
)

var (
	adaUser    = wiki.User{DID: "did:plc:ada", Username: "ada", Handle: "ada.test", Name: "Ada"}
	canaryUser = wiki.User{DID: canaryDID, Username: canaryName, Handle: canaryName + ".test", Name: "Kwanary"}
)

// A dataWorld is one data directory: ada's wiki, in which the canary is an
// editor, and the canary's own.
type dataWorld struct {
	t      *testing.T
	dir    string
	now    time.Time
	db     *store.DB
	pool   *content.Pool
	index  *search.Service
	pages  *pages.Service
	tenant *tenant.Service
}

func newDataWorld(t *testing.T) *dataWorld {
	t.Helper()
	w := &dataWorld{t: t, dir: t.TempDir(), now: time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)}
	w.open()
	t.Cleanup(w.close)
	return w
}

func (w *dataWorld) clock() time.Time { return w.now }

func (w *dataWorld) open() {
	w.t.Helper()
	var err error
	log := slog.New(slog.DiscardHandler)
	w.db, err = store.Open(w.t.Context(), w.platformFile(), w.clock)
	w.must(err)
	w.pool, err = content.NewPool(content.Options{Dir: filepath.Join(w.dir, "wikis"), Now: w.clock, Log: log,
		Links: func(p wiki.PageName, source []byte) []wiki.Link { return markdown.ExtractFacts(p, source).Links }})
	w.must(err)
	w.index = search.New(search.Options{Dir: filepath.Join(w.dir, "wikis")})
	w.pages = pages.New(pages.Options{Content: w.pool, Search: w.index, Markdown: markdown.New(markdown.Options{}), Now: w.clock, Log: log})
	w.tenant = tenant.New(tenant.Options{Store: w.db, Content: w.pool, NameKey: []byte("key"), Forget: w.index.Remove, Now: w.clock, Log: log})
}

func (w *dataWorld) close() {
	w.t.Helper()
	w.must(errors.Join(w.index.Close(), w.pool.Close(), w.db.Close()))
}

func (w *dataWorld) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *dataWorld) platformFile() string { return filepath.Join(w.dir, "robot.db") }

func (w *dataWorld) wikiFile(slug, name string) string {
	return filepath.Join(w.dir, "wikis", slug, name)
}

func (w *dataWorld) access(slug string, u wiki.User) wiki.Access {
	w.t.Helper()
	a, err := w.tenant.Resolve(w.t.Context(), slug, wiki.Caller{User: u, Operator: u.DID == ""})
	w.must(err)
	return a
}

// withWiki runs a function on the content of a wiki.
func (w *dataWorld) withWiki(slug string, do func(ctx context.Context, c *content.Wiki) error) {
	w.t.Helper()
	c, release, err := w.pool.Open(w.t.Context(), slug)
	w.must(err)
	defer release()
	w.must(do(w.t.Context(), c))
}

// catchUp brings the index of a wiki up to its head.
func (w *dataWorld) catchUp(slug string) {
	w.t.Helper()
	w.withWiki(slug, func(ctx context.Context, c *content.Wiki) error { return w.index.CatchUp(ctx, c) })
}

// populate writes the canary into every table that can hold it.
func (w *dataWorld) populate() {
	w.t.Helper()
	ctx := w.t.Context()
	soon := w.now.Add(time.Minute)
	for _, u := range []wiki.User{adaUser, canaryUser} {
		w.must(w.db.SaveUser(ctx, u))
		if u == canaryUser { // ada has a wiki by now, and can invite
			w.must(w.db.AddInvitation(ctx, "for the canary", store.Invitation{ID: "i2", Inviter: adaUser, Expires: soon}, 5, 5))
			w.must(w.db.UseInvitation(ctx, store.InvitationHash("for the canary"), u.DID))
		}
		_, err := w.tenant.Create(ctx, u, u.Username)
		w.must(err)
	}
	_, err := w.db.MoveSite(ctx, store.MovedSite{Site: wiki.Site{Slug: canaryName, OwnerDID: canaryDID, Created: w.now}, Digest: "d"}, nil)
	w.must(err)
	w.must(w.tenant.SetMember(ctx, w.access("ada", adaUser), canaryDID, wiki.Editor))
	w.must(w.tenant.SetMember(ctx, w.access(canaryName, canaryUser), adaUser.DID, wiki.Viewer))
	w.must(w.db.StartSession(ctx, store.Session{ID: "sid", DID: canaryDID, Expires: w.now.Add(time.Hour), Browser: "Firefox"}))
	w.must(w.db.AddCode(ctx, "sso", store.Code{SID: "sid", Slug: canaryName, Nonce: "n", Back: "/", Expires: soon}))
	w.must(w.db.AddSignIn(ctx, "state", store.SignIn{Data: `{"handle":"` + canaryUser.Handle + `"}`, Back: "/", Expires: soon}))
	w.must(w.db.AddPersonalToken(ctx, "personal", &store.Token{ID: "p", DID: canaryDID, Name: "laptop"}, 5))
	w.must(w.db.AddInvitation(ctx, "by the canary", store.Invitation{ID: "i1", Inviter: canaryUser, Expires: soon}, 5, 5))
	w.must(w.db.AddPasskey(ctx, store.Passkey{ID: "pk", DID: canaryDID, Host: "localhost", Credential: "{}"}, 5))
	w.must(w.db.LinkAccount(ctx, store.LinkedAccount{DID: "did:plc:linked", Person: canaryDID, Handle: canaryUser.Handle}))
	w.must(w.db.AddSignInLink(ctx, "sign in", "l1", canaryDID, w.now.Add(90*24*time.Hour), 5))
	w.must(w.db.AddJoinLink(ctx, canaryDID, "join", store.JoinLink{ID: "l2", Slug: canaryName, Role: wiki.Viewer, Expires: w.now.Add(90 * 24 * time.Hour)}, 5))
	w.must(w.db.SetAvatar(ctx, canaryDID, store.Avatar{MIME: "image/png", Data: []byte("x")}))
	w.must(w.db.AddReport(ctx, store.Report{Time: w.now, Slug: canaryName, Page: "/Home", Reason: "other", Words: "w", Sender: canaryDID}))
	w.must(w.db.AddAside(ctx, store.Aside{Wiki: canaryName, Work: "index", Item: "blob 1", Version: "v1"}))
	w.must(w.db.AddClient(ctx, &store.Client{ID: "client", Name: "Client", Redirects: []string{"http://localhost/"}, Auth: "none", Created: w.now}))
	w.must(w.db.AddRequest(ctx, "request", `{"resource":"`+canaryName+`"}`, "share", soon))
	w.must(w.db.NameDomain(ctx, canaryDID, canaryName, "wiki.example.org"))
	w.must(w.db.ConnectDomain(ctx, canaryDID, canaryName, "wiki.example.org", time.Time{}, 5))
	w.must(w.db.SetOwnFeed(ctx, &store.OwnFeed{ID: "own", DID: canaryDID}))
	for _, slug := range []string{"ada", canaryName} {
		w.must(w.db.AddWatch(ctx, store.Watch{Slug: slug, DID: canaryDID, Page: "Home"}, 5))
		_, err := w.db.NearLimits(ctx, slug, []string{"pages"})
		w.must(err)
		w.must(w.db.SetSiteIcon(ctx, canaryDID, slug, store.SiteIcon{MIME: "image/png", Data: []byte("x")}))
		w.must(w.db.SetSize(ctx, slug, store.Size{Pages: 1}))
		w.must(w.db.AddWebhook(ctx, store.Webhook{ID: "w " + slug, Slug: slug, DID: canaryDID, URL: "https://canary.example/"}, 5))
		w.must(w.db.AddSecretLink(ctx, &store.SecretLink{ID: "s " + slug, Slug: slug, DID: canaryDID, Page: "Canary"}, 5))
		w.must(w.db.AddToken(ctx, "secret "+slug, &store.Token{ID: "t " + slug, Slug: slug, DID: canaryDID, Name: "ci"}, 20))
		w.must(w.db.AddConsent(ctx, "code "+slug, store.Consent{Slug: slug, DID: canaryDID, Client: "client"}, soon))
		_, err = w.db.SpendCode(ctx, "code "+slug, 20, func(store.Consent) (*store.Grant, store.Refresh, error) {
			return &store.Grant{ID: "g " + slug, Slug: slug, DID: canaryDID, Client: "client", Name: "Client", Created: w.now, Expires: w.now.AddDate(0, 6, 0)},
				store.Refresh{Secret: "refresh " + slug, Expires: w.now.AddDate(0, 1, 0)}, nil
		})
		w.must(err)
		w.write(slug)
	}
}

// write makes the canary work in a wiki: a page with front matter, a link and a
// tag, a draft, a change reviewed, a request that may be retried.
func (w *dataWorld) write(slug string) {
	w.t.Helper()
	w.withWiki(slug, func(ctx context.Context, c *content.Wiki) error {
		done, err := c.Commit(ctx, content.Request{
			Author: wiki.Caller{User: canaryUser, Grant: "g " + slug}, Limits: wiki.DefaultLimits, IdempotencyKey: "k", IdempotencyHash: "h",
			Import: &content.Origin{Source: canaryText + ".zip", VouchedBy: canaryDID},
			Edits: []content.Edit{
				{Path: "Folder/Notes.md", Data: []byte("---\n" + canaryText + ": " + canaryText + "\n---\n# " + canaryText + "\n\nIts word is " + canaryText + ", see [[Home]]. #" + canaryText + "\n"), Base: content.BaseAny},
				{Path: "Folder/Notes/file.txt", Data: []byte(canaryText), Base: content.BaseAny},
			},
		})
		if err != nil {
			return err
		}
		for n := range 64 { // a span
			if _, err := c.Commit(ctx, content.Request{Author: wiki.Caller{User: canaryUser}, Limits: wiki.DefaultLimits, Edits: []content.Edit{{Path: "Log.md", Data: fmt.Append(nil, n), Base: content.BaseAny}}}); err != nil {
				return err
			}
		}
		return errors.Join(c.SaveDraft(ctx, canaryDID, content.Draft{Path: "Home.md", Text: []byte(canaryText)}),
			c.AddDraftFile(ctx, canaryDID, "Home.md", content.DraftFile{Name: canaryText + ".txt", Data: []byte(canaryText)}),
			c.Propose(ctx, wiki.Caller{User: canaryUser, Grant: "g " + slug, Agent: "Client"}, []content.Proposal{{Path: "Proposed.md", Data: []byte(canaryText)}, {Path: "Declined.md", Data: []byte("x")}}),
			c.Decline(ctx, "g "+slug, wiki.Caller{User: canaryUser}, []content.ProposedVersion{{Path: "Declined.md", Blob: gitrepo.ObjectID("blob", []byte("x"))}}, canaryText),
			c.MarkLooked(ctx, canaryDID, done.Commit.Seq-1),
			c.MarkReviewed(ctx, canaryDID, done.Commit.Seq))
	})
	w.catchUp(slug)
}

func (w *dataWorld) query(file string, do func(*sql.DB) error) {
	w.t.Helper()
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(5000)")
	w.must(err)
	w.must(errors.Join(do(db), db.Close()))
}

// tables lists all tables of a database.
func (w *dataWorld) tables(file string) (names []string) {
	w.t.Helper()
	w.query(file, func(db *sql.DB) error {
		rows, err := db.Query(`SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err != nil {
				return err
			}
			names = append(names, name)
		}
		return rows.Err()
	})
	return names
}

// contents returns all values of a table as text, a line for each row;
// compressed values are unpacked.
func (w *dataWorld) contents(file, table string) (lines []string) {
	w.t.Helper()
	w.query(file, func(db *sql.DB) error {
		rows, err := db.Query(`SELECT * FROM "` + table + `"`)
		if err != nil {
			return err
		}
		defer rows.Close()
		columns, err := rows.Columns()
		if err != nil {
			return err
		}
		for rows.Next() {
			values := make([]any, len(columns))
			for i := range values {
				values[i] = new(any)
			}
			if err := rows.Scan(values...); err != nil {
				return err
			}
			var line strings.Builder
			for _, v := range values {
				line.WriteString(valueText(*v.(*any)) + " | ")
			}
			lines = append(lines, line.String())
		}
		return rows.Err()
	})
	slices.Sort(lines)
	return lines
}

func valueText(v any) string {
	data, ok := v.([]byte)
	if !ok {
		return fmt.Sprint(v)
	}
	if z, err := zlib.NewReader(bytes.NewReader(data)); err == nil {
		if unpacked, err := io.ReadAll(z); err == nil {
			return string(unpacked)
		}
	}
	return string(data)
}

// has reports which of some words are in a table.
func (w *dataWorld) has(file, table string, words ...string) (found []string) {
	w.t.Helper()
	all := strings.ToLower(strings.Join(w.contents(file, table), "\n"))
	for _, word := range words {
		if strings.Contains(all, strings.ToLower(word)) {
			found = append(found, word)
		}
	}
	return found
}

// backUp takes a backup and restores it into a new data directory.
func (w *dataWorld) backUp() (restored *dataWorld) {
	w.t.Helper()
	r, err := backup.Open(w.t.Context(), filepath.Join(w.t.TempDir(), "backups"), true, w.clock, slog.New(slog.DiscardHandler))
	w.must(err)
	defer r.Close()
	_, err = r.Take(w.t.Context(), w.dir, nil, false)
	w.must(err)
	restored = &dataWorld{t: w.t, dir: filepath.Join(w.t.TempDir(), "restored"), now: w.now}
	_, err = r.Restore(w.t.Context(), backup.Moment{}, restored.dir, nil)
	w.must(err)
	return restored
}
