// Package testworld is the service in small, for the tests of the front ends:
// real storage in a temporary directory, every package below the front ends
// wired as cmd/robot wires them, and four people with two wikis.
//
//	         wiki "ada" (public)   wiki "bob" (private)
//	ada      owner                 no member
//	bob      editor                owner
//	cleo     viewer                viewer
//	dan      no member             no member
//
// Both wikis have the pages that every new wiki is seeded with. Wiki "bob" also
// has one page that contains Canary; a response that shows the canary to anyone
// but bob and cleo is a leak.
//
// A test builds the front end it tests on top of a World, usually behind
// server.New. Only test files may import this package.
package testworld

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"robot.wtf/internal/content"
	"robot.wtf/internal/export"
	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/markdown"
	"robot.wtf/internal/oauth"
	"robot.wtf/internal/pages"
	"robot.wtf/internal/search"
	"robot.wtf/internal/session"
	"robot.wtf/internal/store"
	"robot.wtf/internal/tenant"
	"robot.wtf/internal/wiki"
)

// Canary is in the name, the text and the tags of a page of the private wiki
// "bob", and nowhere else.
const Canary = "xylothecanary"

// Names are the usernames of the people.
var Names = []string{"ada", "bob", "cleo", "dan"}

// Person returns the user with a name: "ada" has the DID did:plc:ada and the
// handle ada.test, and is shown as Ada.
func Person(name string) wiki.User {
	return wiki.User{DID: "did:plc:" + name, Username: name, Handle: name + ".test", Name: strings.ToUpper(name[:1]) + name[1:]}
}

// People returns all four.
func People() (people []wiki.User) {
	for _, name := range Names {
		people = append(people, Person(name))
	}
	return people
}

// A Directory finds the four people by handle or DID, and eve.test, without an
// account here. Asked for eve.tset, it suggests eve.test.
type Directory struct{}

// Find implements tenant.Directory.
func (Directory) Find(_ context.Context, _, name string) (wiki.User, error) {
	for _, u := range append(People(), wiki.User{DID: "did:plc:eve", Handle: "eve.test"}) {
		if name == u.Handle || name == u.DID {
			return wiki.User{DID: u.DID, Handle: u.Handle}, nil
		}
	}
	p := &wiki.Problem{Kind: wiki.ErrNotFound, Field: "handle", Message: "Nobody answers to " + name + "."}
	if name == "eve.tset" {
		p.DidYouMean = "eve.test"
	}
	return wiki.User{}, p
}

// Declared implements tenant.Directory.
func (d Directory) Declared(ctx context.Context, asker, did string) (string, error) {
	u, err := d.Find(ctx, asker, did)
	return u.Handle, err
}

// Publication implements tenant.Directory: a record's key is the slug of its wiki.
func (Directory) Publication(_ context.Context, _, _, key string) (string, error) {
	return "http://" + key + ".robot.localhost:8080/", nil
}

// A Clock is the time of a World. It starts at noon of 24 November 2026 and
// stands still until somebody adds to it.
type Clock struct{ nanos atomic.Int64 }

var start = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// Now returns the time.
func (c *Clock) Now() time.Time { return start.Add(time.Duration(c.nanos.Load())) }

// Add moves the clock forward.
func (c *Clock) Add(d time.Duration) { c.nanos.Add(int64(d)) }

// Tick moves the clock forward by a second and returns the time.
func (c *Clock) Tick() time.Time { return start.Add(time.Duration(c.nanos.Add(int64(time.Second)))) }

// Options are what tests choose. The zero value is right for most.
type Options struct {
	Platform string           // origin of the platform; default http://robot.localhost
	Single   string           // slug of a wiki that is at the root of the platform's host, as in robot home
	Now      func() time.Time // default: the Now method of the World's Clock
	Log      *slog.Logger     // default: discarded
	Mirror   bool             // export wikis to git
	OAuth    oauth.Options    // Outbound, Take and Failed
	Signup   tenant.Signup    // the policy for new wikis
	Names    tenant.Names     // DNS of own domains; default: none
	// Changed is that of pages.Options.
	Changed func(a wiki.Access, files int)
	Model   search.Model // default: none, and search finds pages by their words only
}

// A World is the service without front ends.
type World struct {
	T       testing.TB // nil for one made by Open
	Dir     string     // the data directory
	Clock   *Clock
	Store   *store.DB
	Content *content.Pool
	Search  *search.Service
	Mirror  *export.Mirror // nil unless asked for
	Pages   *pages.Service
	Tenant  *tenant.Service
	Session *session.Service
	OAuth   *oauth.Service

	// Tokens are wiki tokens by wiki and role: ada/owner, ada/owner-reads,
	// ada/editor, ada/viewer, bob/owner and bob/viewer. Viewers' tokens and
	// ada/owner-reads are read-only; "wrong" was never issued; "" and "none" are
	// empty.
	Tokens map[string]string

	platform string
	single   bool
}

// New returns a World with its people, in a directory of its own. It is closed
// when the test ends.
func New(t testing.TB, o Options) *World {
	t.Helper()
	made, err := template()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := made.copyTo(dir); err != nil {
		t.Fatal(err)
	}
	w, err := Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	w.T = t
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	w.Tokens = maps.Clone(made.tokens)
	return w
}

// Open wires up the packages over a data directory, which may be empty.
func Open(ctx context.Context, dir string, o Options) (*World, error) {
	w := &World{Dir: dir, Clock: new(Clock), Tokens: map[string]string{"": "", "none": "", "wrong": "rwtf_" + strings.Repeat("x", 43)}}
	if w.platform = o.Platform; w.platform == "" {
		w.platform = "http://robot.localhost"
	}
	w.single = o.Single != ""
	now, log, wikis := o.Now, o.Log, filepath.Join(dir, "wikis")
	if now == nil {
		now = w.Clock.Now
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	var err error
	if w.Store, err = store.Open(ctx, filepath.Join(dir, "robot.db"), now); err != nil {
		return nil, err
	}
	w.Content, err = content.NewPool(content.Options{
		Dir: wikis, Now: now, Log: log,
		Links: func(p wiki.PageName, source []byte) []wiki.Link { return markdown.ExtractFacts(p, source).Links },
	})
	if err != nil {
		return nil, errors.Join(err, w.Store.Close())
	}
	w.Search = search.New(search.Options{Dir: wikis, Model: o.Model})
	if err := w.openServices(o, now, log); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// openServices creates the services without files other than keys.
func (w *World) openServices(o Options, now func() time.Time, log *slog.Logger) error {
	if o.Mirror {
		git, err := gitrepo.Find()
		if err != nil {
			return err
		}
		w.Mirror = export.New(export.Options{Content: w.Content, Git: git, Dir: filepath.Join(w.Dir, "wikis"), Log: log})
	}
	w.Pages = pages.New(pages.Options{Content: w.Content, Search: w.Search, Mirror: w.Mirror, Markdown: markdown.New(markdown.Options{}), Changed: o.Changed, Now: now, Timer: func() time.Time { return start }, Log: log})
	w.Tenant = tenant.New(tenant.Options{
		Store: w.Store, Content: w.Content, Local: w.single, Names: o.Names, OwnDomains: true, Host: "robot.localhost", People: Directory{}, NameKey: make([]byte, 32), Signup: o.Signup, Forget: w.forget, Now: now, Log: log,
	})
	var err error
	w.Session, err = session.New(session.Options{
		Store: w.Store, KeyDir: w.KeyDir(), Platform: w.platform, WikiOrigin: w.Origin, Single: w.single, Now: now, Log: log,
	})
	if err != nil {
		return err
	}
	agents := o.OAuth
	agents.Single = o.Single
	agents.Store, agents.Session, agents.Tenant, agents.WikiOrigin, agents.Now, agents.Log = w.Store, w.Session, w.Tenant, w.Origin, now, log
	w.OAuth, err = oauth.New(agents)
	return err
}

// forget removes data derived from a deleted wiki.
func (w *World) forget(ctx context.Context, slug string) error {
	if w.Mirror != nil {
		w.Mirror.Forget(slug)
	}
	return w.Search.Remove(ctx, slug)
}

// Close closes everything, in the order in which cmd/robot does.
func (w *World) Close() error {
	if w.Mirror != nil {
		w.Mirror.Close()
	}
	return errors.Join(w.Search.Close(), w.Content.Close(), w.Store.Close())
}

// KeyDir is where the service's keys are. All worlds have the same ones.
func (w *World) KeyDir() string { return filepath.Join(w.Dir, "keys") }

// Origin returns the scheme, host and port of a wiki.
func (w *World) Origin(slug string) string {
	if w.single {
		return w.platform
	}
	scheme, host, _ := strings.Cut(w.platform, "://")
	return scheme + "://" + slug + "." + host
}

// Connect gives a wiki an own domain, without looking at the DNS.
func (w *World) Connect(slug, host string) {
	w.T.Helper()
	ctx := w.T.Context()
	if err := w.Store.NameDomain(ctx, Person(slug).DID, slug, host); err != nil {
		w.T.Fatal(err)
	}
	if err := w.Store.ConnectDomain(ctx, Person(slug).DID, slug, host, time.Time{}, 10); err != nil {
		w.T.Fatal(err)
	}
}

// DomainSlug returns the slug of the wiki whose own domain a host is, or "". It is
// server.Options.Domain.
func (w *World) DomainSlug(ctx context.Context, host string) string {
	return w.Session.DomainResource(ctx, host).Slug
}

// Access resolves the access of a person to a wiki; name is "" for an anonymous
// visitor.
func (w *World) Access(slug, name string) wiki.Access {
	w.T.Helper()
	var caller wiki.Caller
	if name != "" {
		caller.User = Person(name)
	}
	a, err := w.Tenant.Resolve(w.T.Context(), slug, caller)
	if err != nil {
		w.T.Fatalf("access of %q to wiki %s: %v", name, slug, err)
	}
	return a
}

// Save writes a page, exactly as given, over the one that is there.
func (w *World) Save(slug, name, page, text string) pages.Saved {
	w.T.Helper()
	a := w.Access(slug, name)
	r := pages.SaveRequest{Name: page, Text: []byte(text), Exact: true}
	if p, err := w.Pages.Page(w.T.Context(), a, page, ""); err == nil {
		r.Base = p.File.Blob
	}
	saved, err := w.Pages.Save(w.T.Context(), a, r)
	if err != nil {
		w.T.Fatalf("save %s/%s: %v", slug, page, err)
	}
	return saved
}

// populated is what remains of a World that has been closed.
type populated struct {
	files  map[string][]byte // by path in the data directory
	tokens map[string]string
}

// template makes the people and their wikis once per process. Every World is a
// copy, which takes a small part of the time.
var template = sync.OnceValues(func() (*populated, error) {
	dir, err := os.MkdirTemp("", "testworld-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	w, err := Open(ctx, dir, Options{})
	if err != nil {
		return nil, err
	}
	if err := errors.Join(w.populate(ctx), w.Close()); err != nil { // closing leaves no write-ahead logs
		return nil, fmt.Errorf("testworld: populate: %w", err)
	}
	p := &populated{files: map[string][]byte{}, tokens: w.Tokens}
	err = filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		p.files[name], err = os.ReadFile(file)
		return err
	})
	return p, err
})

func (p *populated) copyTo(dir string) error {
	for name, data := range p.files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(file, data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// populate makes what the package comment describes.
func (w *World) populate(ctx context.Context) error {
	for _, u := range People() {
		if err := w.Store.SaveUser(ctx, u); err != nil {
			return err
		}
	}
	ada, err := w.createWiki(ctx, "ada", map[string]wiki.Role{"bob": wiki.Editor, "cleo": wiki.Viewer})
	if err != nil {
		return err
	}
	if err := w.Tenant.Configure(ctx, ada, tenant.Settings{Public: true}); err != nil {
		return err
	}
	bob, err := w.createWiki(ctx, "bob", map[string]wiki.Role{"cleo": wiki.Viewer})
	if err != nil {
		return err
	}
	secret := pages.SaveRequest{Name: "Secret_" + Canary, Text: []byte("The word is " + Canary + ".\n\n#" + Canary + "\n")}
	if _, err := w.Pages.Save(ctx, bob, secret); err != nil {
		return err
	}
	for _, k := range []struct {
		key, name string
		mode      wiki.Mode
	}{
		{"ada/owner", "ada", wiki.ModeEdit}, {"ada/owner-reads", "ada", wiki.ModeRead}, {"ada/editor", "bob", wiki.ModeEdit}, {"ada/viewer", "cleo", wiki.ModeRead},
		{"ada/proposer", "bob", wiki.ModePropose},
		{"bob/owner", "bob", wiki.ModeEdit}, {"bob/viewer", "cleo", wiki.ModeRead},
	} {
		slug, _, _ := strings.Cut(k.key, "/")
		a, err := w.Tenant.Resolve(ctx, slug, wiki.Caller{User: Person(k.name)})
		if err != nil {
			return err
		}
		if w.Tokens[k.key], _, err = w.Session.NewToken(ctx, a, "Claude", k.mode); err != nil {
			return err
		}
	}
	return nil
}

// createWiki makes a seeded wiki of the person with the same name, and returns
// that person's access.
func (w *World) createWiki(ctx context.Context, slug string, members map[string]wiki.Role) (wiki.Access, error) {
	if _, err := w.Tenant.Create(ctx, Person(slug), slug); err != nil {
		return wiki.Access{}, err
	}
	owner, err := w.Tenant.Resolve(ctx, slug, wiki.Caller{User: Person(slug)})
	if err != nil {
		return wiki.Access{}, err
	}
	for name, role := range members {
		if err := w.Tenant.SetMember(ctx, owner, Person(name).DID, role); err != nil {
			return wiki.Access{}, err
		}
	}
	return owner, w.Pages.Seed(ctx, owner)
}
