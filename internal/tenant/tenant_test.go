package tenant

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"robot.wtf/internal/content"
	"robot.wtf/internal/store"
	"robot.wtf/internal/testdisk"
	"robot.wtf/internal/wiki"
)

func TestMain(m *testing.M) { os.Exit(testdisk.Run(m)) }

func person(name string) wiki.User {
	return wiki.User{DID: "did:plc:" + name, Username: name, Handle: name + ".test", Name: strings.ToUpper(name[:1]) + name[1:]}
}

var ada, bob, cleo, dan = person("ada"), person("bob"), person("cleo"), person("dan")

type fixture struct {
	*Service
	t    *testing.T
	db   *store.DB
	pool *content.Pool
}

// newFixture has a private wiki of ada's, with bob as editor and cleo as
// viewer. dan has an account and no role.
func newFixture(t *testing.T) *fixture {
	t.Helper()
	return newFixtureWith(t, Options{Now: time.Now})
}

func newFixtureWith(t *testing.T, o Options) *fixture {
	t.Helper()
	dir, log := t.TempDir(), slog.New(slog.DiscardHandler)
	db, err := store.Open(t.Context(), filepath.Join(dir, "robot.db"), o.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	pool, err := content.NewPool(content.Options{
		Dir:   filepath.Join(dir, "wikis"),
		Links: func(wiki.PageName, []byte) []wiki.Link { return nil },
		Now:   o.Now, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pool.Close() })
	o.Store, o.Content, o.Log = db, pool, log
	f := &fixture{New(o), t, db, pool}
	for _, u := range []wiki.User{ada, bob, cleo, dan} {
		if err := db.SaveUser(t.Context(), u); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.Create(t.Context(), ada, "ada"); err != nil {
		t.Fatal(err)
	}
	f.member(bob, wiki.Editor)
	f.member(cleo, wiki.Viewer)
	return f
}

func (f *fixture) access(u wiki.User) wiki.Access {
	f.t.Helper()
	a, err := f.Resolve(f.t.Context(), "ada", wiki.Caller{User: u})
	if err != nil {
		f.t.Fatal(err)
	}
	return a
}

func (f *fixture) member(u wiki.User, role wiki.Role) {
	f.t.Helper()
	if err := f.SetMember(f.t.Context(), f.access(ada), u.DID, role); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) publish(public bool) {
	f.t.Helper()
	if err := f.Configure(f.t.Context(), f.access(ada), Settings{Public: public}); err != nil {
		f.t.Fatal(err)
	}
}

func TestRoles(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	token := func(u wiki.User, slug string) wiki.Caller {
		return wiki.Caller{User: u, Client: "token", Wiki: slug}
	}
	tests := []struct {
		name            string
		caller          wiki.Caller
		private, public wiki.Role
	}{
		{"owner", wiki.Caller{User: ada}, wiki.Owner, wiki.Owner},
		{"editor", wiki.Caller{User: bob}, wiki.Editor, wiki.Editor},
		{"viewer", wiki.Caller{User: cleo}, wiki.Viewer, wiki.Viewer},
		{"stranger", wiki.Caller{User: dan}, wiki.NoRole, wiki.Reader},
		{"nobody", wiki.Caller{}, wiki.NoRole, wiki.Reader},
		{"owner's name, another DID", wiki.Caller{User: wiki.User{DID: "did:plc:eve", Username: "ada", Handle: "ada.test"}}, wiki.NoRole, wiki.Reader},
		{"owner's token", token(ada, "ada"), wiki.Owner, wiki.Owner},
		{"owner's token for another wiki", token(ada, "bob"), wiki.NoRole, wiki.NoRole},
		{"a stranger's token for it", token(dan, "ada"), wiki.NoRole, wiki.Reader},
		{"operator", wiki.Caller{Operator: true}, wiki.Owner, wiki.Owner},
	}
	for _, public := range []bool{false, true} {
		f.publish(public)
		for _, tt := range tests {
			want := tt.private
			if public {
				want = tt.public
			}
			a, err := f.Resolve(t.Context(), "ada", tt.caller)
			if a.Role() != want || (err == nil) != (want != wiki.NoRole) {
				t.Errorf("%s, public %v: %v, %v; want %v", tt.name, public, a.Role(), err, want)
			}
			if a.Can(wiki.Read) != (want >= wiki.Reader) || a.Can(wiki.Edit) != (want >= wiki.Editor) || a.Can(wiki.Configure) != (want == wiki.Owner) {
				t.Errorf("%s, public %v: rights do not follow the role %v", tt.name, public, want)
			}
		}
	}
}

// Attack: find out which private wikis exist.
func TestPrivateLooksMissing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, caller := range []wiki.Caller{{}, {User: dan}, {User: ada, Wiki: "bob", Client: "token"}} {
		access, private := f.Resolve(t.Context(), "ada", caller)
		missingAccess, missing := f.Resolve(t.Context(), "nosuchwiki", caller)
		if !errors.Is(private, wiki.ErrNotFound) || private != missing || access != missingAccess {
			t.Errorf("%+v: private %v, missing %v", caller, private, missing)
		}
	}
}

func TestAccessSite(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	site := f.access(ada).Site()
	if site.Slug != "ada" || site.OwnerDID != ada.DID || site.OwnerName != "ada" || site.Public || site.Created.IsZero() {
		t.Errorf("%+v", site)
	}
	if site.Limits != wiki.DefaultLimits {
		t.Errorf("limits %+v", site.Limits)
	}
	if err := f.db.SetLimits(t.Context(), "operator", "ada", wiki.Limits{Pages: 7}); err != nil {
		t.Fatal(err)
	}
	want := wiki.DefaultLimits
	want.Pages = 7
	if got := f.access(ada).Site().Limits; got != want {
		t.Errorf("overridden %+v", got)
	}
	if err := f.db.SetLimits(t.Context(), "operator", "ada", wiki.Limits{Pages: 30_000}); err != nil {
		t.Fatal(err)
	}
	if got := f.access(ada).Site().Limits; got.Files != 30_000 {
		t.Errorf("pages without room among the files: %+v", got)
	}
}

// Every change to what a page shows, or to whom, gives the site a new
// version.
func TestVersionChanges(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	before := f.access(ada).Site().Version
	for name, change := range map[string]func() error{
		"settings": func() error { return f.Configure(ctx, f.access(ada), Settings{Title: "x"}) },
		"member":   func() error { return f.SetMember(ctx, f.access(ada), dan.DID, wiki.Viewer) },
		"role":     func() error { return f.SetMember(ctx, f.access(ada), bob.DID, wiki.Viewer) },
		"removal":  func() error { return f.RemoveMember(ctx, f.access(ada), cleo.DID) },
		"limits":   func() error { return f.db.SetLimits(ctx, "operator", "ada", wiki.Limits{Pages: 9}) },
	} {
		if err := change(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		after := f.access(ada).Site().Version
		if after <= before {
			t.Errorf("%s: version %d after %d", name, after, before)
		}
		before = after
	}
}

// An import chooses the order of wikilinks for an owner who hasn't.
func TestChooseWikilinks(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	choose := func(order, want wiki.LinkOrder) {
		t.Helper()
		if err := f.ChooseWikilinks(t.Context(), f.access(ada), order); err != nil || f.access(ada).Site().Wikilinks != want {
			t.Errorf("%v, %s", err, f.access(ada).Site().Wikilinks)
		}
	}
	choose(wiki.TextFirst, wiki.TextFirst)
	choose(wiki.TargetFirst, wiki.TextFirst)
	if err := f.ChooseWikilinks(t.Context(), wiki.NewAccess(f.access(ada).Site(), wiki.Caller{}, wiki.Editor), wiki.TextFirst); !errors.Is(err, wiki.ErrDenied) {
		t.Errorf("an editor: %v", err)
	}
}

func TestConfigure(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	good := []struct{ in, want Settings }{
		{Settings{}, Settings{}},
		{Settings{Title: "  Ada's\tnotebook ", Description: "a\n b", Public: true, Home: " getting started.md "},
			Settings{Title: "Ada's notebook", Description: "a b", Public: true, Home: "getting_started"}},
		{Settings{Title: strings.Repeat("ü", 80), Description: strings.Repeat("ü", 300)},
			Settings{Title: strings.Repeat("ü", 80), Description: strings.Repeat("ü", 300)}},
		{Settings{Home: "/-/changelog", AsHandle: true}, Settings{Home: "/-/changelog", AsHandle: true}},
		{Settings{Wikilinks: wiki.TextFirst}, Settings{Wikilinks: wiki.TextFirst}},
		{Settings{Home: "Not/There/Yet"}, Settings{Home: "Not/There/Yet"}},
		{Settings{Title: "<script>"}, Settings{Title: "<script>"}}, // pages escape it
	}
	for _, tt := range good {
		if err := f.Configure(t.Context(), f.access(ada), tt.in); err != nil {
			t.Errorf("%+v: %v", tt.in, err)
			continue
		}
		s := f.access(ada).Site()
		if diff := cmp.Diff(tt.want, SettingsOf(s)); diff != "" {
			t.Errorf("%+v: %s", tt.in, diff)
		}
	}
	before := f.access(ada).Site()
	bad := []struct {
		field string
		set   Settings
	}{
		{"title", Settings{Title: strings.Repeat("ü", 81)}},
		{"title", Settings{Title: "a\x00b"}},
		{"title", Settings{Title: "a\u202eb"}},
		{"title", Settings{Title: "\xff"}},
		{"description", Settings{Description: strings.Repeat("x", 301)}},
		{"description", Settings{Description: "a\x1bb"}},
		{"wikilinks", Settings{Wikilinks: "sideways"}},
		{"home", Settings{Home: "/"}},
		{"home", Settings{Home: "/-/"}},
		{"home", Settings{Home: "//evil.com"}},
		{"home", Settings{Home: "/-/../Home"}},
		{"home", Settings{Home: `/-/\evil.com`}},
		{"home", Settings{Home: "/-/a\r\nb"}},
		{"home", Settings{Home: "/Home"}},
		{"home", Settings{Home: "a//b"}},
		{"home", Settings{Home: "api/v1"}},
		{"home", Settings{Home: "Page/edit"}},
		{"home", Settings{Home: strings.Repeat("x", 300)}},
	}
	for _, tt := range bad {
		tt.set.Public = true
		err := f.Configure(t.Context(), f.access(ada), tt.set)
		var p *wiki.Problem
		if !errors.As(err, &p) || p.Field != tt.field || !errors.Is(err, wiki.ErrInvalid) {
			t.Errorf("%+v: %v", tt.set, err)
		}
	}
	if diff := cmp.Diff(before, f.access(ada).Site()); diff != "" {
		t.Errorf("refused settings changed something: %s", diff)
	}
}

func TestOnlyTheOwnerConfigures(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.publish(true)
	ctx := t.Context()
	stranger, err := f.Resolve(ctx, "ada", wiki.Caller{})
	if err != nil {
		t.Fatal(err)
	}
	readOnly, err := f.Resolve(ctx, "ada", wiki.Caller{User: ada, Wiki: "ada", Client: "token", ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	for name, a := range map[string]wiki.Access{
		"editor": f.access(bob), "viewer": f.access(cleo), "stranger": f.access(dan), "nobody": stranger,
		"owner's read token": readOnly, "zero": {},
	} {
		for what, err := range map[string]error{
			"configure": f.Configure(ctx, a, Settings{Title: "x"}),
			"set":       f.SetMember(ctx, a, dan.DID, wiki.Editor),
			"promote":   f.SetMember(ctx, a, a.Caller().User.DID, wiki.Editor),
			"remove":    f.RemoveMember(ctx, a, bob.DID),
		} {
			if !errors.Is(err, wiki.ErrDenied) {
				t.Errorf("%s may %s: %v", name, what, err)
			}
		}
		if _, err := f.Members(ctx, a); errors.Is(err, wiki.ErrDenied) != (a.Role() < wiki.Viewer) {
			t.Errorf("%s lists members: %v", name, err)
		}
	}
	if got := f.access(dan).Role(); got != wiki.Reader {
		t.Errorf("dan is now %v", got)
	}
}

func TestMembers(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	list := func() []wiki.Member {
		members, err := f.Members(ctx, f.access(cleo))
		if err != nil {
			t.Fatal(err)
		}
		return members
	}
	if diff := cmp.Diff([]wiki.Member{{User: ada, Role: wiki.Owner}, {User: bob, Role: wiki.Editor}, {User: cleo, Role: wiki.Viewer}}, list()); diff != "" {
		t.Error(diff)
	}
	f.member(dan, wiki.Editor) // the third
	eve := person("eve")
	if err := f.db.SaveUser(ctx, eve); err != nil {
		t.Fatal(err)
	}
	if err := f.SetMember(ctx, f.access(ada), eve.DID, wiki.Viewer); !errors.Is(err, wiki.ErrQuota) {
		t.Errorf("a fourth member: %v", err)
	}
	f.member(dan, wiki.Viewer) // changing a role at the limit adds no member
	if got := f.access(dan).Role(); got != wiki.Viewer {
		t.Errorf("dan is %v", got)
	}
	if err := f.RemoveMember(ctx, f.access(ada), dan.DID); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Resolve(ctx, "ada", wiki.Caller{User: dan}); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("removed, but still a member: %v", err)
	}
	f.member(eve, wiki.Viewer)
	bad := map[string]struct {
		err  error
		want error
	}{
		"unknown person":  {f.SetMember(ctx, f.access(ada), "did:plc:nobody", wiki.Viewer), wiki.ErrQuota},
		"a second owner":  {f.SetMember(ctx, f.access(ada), bob.DID, wiki.Owner), wiki.ErrInvalid},
		"a reader":        {f.SetMember(ctx, f.access(ada), bob.DID, wiki.Reader), wiki.ErrInvalid},
		"owner as viewer": {f.SetMember(ctx, f.access(ada), ada.DID, wiki.Viewer), wiki.ErrInvalid},
		"owner removed":   {f.RemoveMember(ctx, f.access(ada), ada.DID), wiki.ErrInvalid},
		"no member":       {f.RemoveMember(ctx, f.access(ada), dan.DID), wiki.ErrNotFound},
	}
	for name, tt := range bad {
		var p *wiki.Problem
		if !errors.Is(tt.err, tt.want) || !errors.As(tt.err, &p) {
			t.Errorf("%s: %v, want %v", name, tt.err, tt.want)
		}
	}
	if err := f.RemoveMember(ctx, f.access(ada), eve.DID); err != nil {
		t.Fatal(err)
	}
	if err := f.SetMember(ctx, f.access(ada), "did:plc:nobody", wiki.Viewer); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("unknown person: %v", err)
	}
	events, err := f.db.Audit(ctx, "ada", 2)
	if err != nil || len(events) != 2 || events[0].Action != "member.remove" || events[0].Actor != ada.DID || events[0].Detail != eve.DID {
		t.Errorf("audit %+v, %v", events, err)
	}
}

func TestCreate(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	site, err := f.Create(ctx, bob, "bob")
	if err != nil || site.Public || site.OwnerDID != bob.DID || site.OwnerName != "bob" {
		t.Fatalf("%+v, %v", site, err)
	}
	w, release, err := f.pool.Open(ctx, "bob")
	if err != nil {
		t.Fatal(err)
	}
	if seq, _ := w.Head(); seq != 0 {
		t.Errorf("a new wiki has %d commits", seq)
	}
	release()
	fresh := wiki.User{DID: "did:plc:eve", Handle: "eve.test"}
	tests := []struct {
		name  string
		owner wiki.User
		slug  string
		want  error
	}{
		{"another user's slug", fresh, "ada", wiki.ErrExists},
		{"another user's username", fresh, "cleo", wiki.ErrExists},
		{"own slug again", ada, "ada", wiki.ErrExists},
		{"not the own username", cleo, "cleopatra", wiki.ErrInvalid},
		{"a second one", wiki.User{DID: ada.DID, Handle: "ada.test"}, "ada2", wiki.ErrQuota},
		{"reserved", fresh, "admin", wiki.ErrInvalid},
		{"short", fresh, "ev", wiki.ErrInvalid},
		{"capitals", fresh, "Eve", wiki.ErrInvalid},
		{"a path", fresh, "../ada", wiki.ErrInvalid},
	}
	for _, tt := range tests {
		_, err := f.Create(ctx, tt.owner, tt.slug)
		var p *wiki.Problem
		if !errors.Is(err, tt.want) || !errors.As(err, &p) || p.Field != "username" {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	if _, err := f.db.User(ctx, fresh.DID); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("a failed creation left a user: %v", err)
	}
	if site, err := f.Create(ctx, fresh, "eve"); err != nil || site.OwnerName != "eve" {
		t.Errorf("%+v, %v", site, err)
	}
}

// A failed creation leaves nothing; an interrupted one can be repeated.
func TestFailedCreateLeavesNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	if err := f.pool.Create(ctx, "cleo"); err != nil { // files without a row
		t.Fatal(err)
	}
	if _, err := f.Create(ctx, cleo, "cleo"); err == nil {
		t.Fatal("reused files of an unknown wiki")
	}
	if _, err := f.db.Site(ctx, "cleo"); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("the failed creation left a site: %v", err)
	}
	if err := f.db.CreateSite(ctx, dan, "dan", nil, 1); err != nil { // and then the process ended
		t.Fatal(err)
	}
	if site, err := f.Create(ctx, dan, "dan"); err != nil || site.OwnerDID != dan.DID {
		t.Errorf("finishing: %+v, %v", site, err)
	}
	if _, err := f.Create(ctx, dan, "dan"); !errors.Is(err, wiki.ErrExists) {
		t.Errorf("once more: %v", err)
	}
}

func TestSites(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	if _, err := f.Create(ctx, bob, "bob"); err != nil {
		t.Fatal(err)
	}
	names := func(did string) (names []string) {
		sites, err := f.Sites(ctx, did)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range sites {
			names = append(names, a.Site().Slug+" "+a.Role().String())
		}
		return names
	}
	for did, want := range map[string][]string{
		ada.DID: {"ada owner"}, bob.DID: {"bob owner", "ada editor"}, cleo.DID: {"ada viewer"}, dan.DID: nil,
	} {
		if diff := cmp.Diff(want, names(did)); diff != "" {
			t.Errorf("%s: %s", did, diff)
		}
	}
	public := func() (slugs []string) {
		sites, err := f.PublicSites(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range sites {
			slugs = append(slugs, s.Slug)
		}
		return slugs
	}
	if got := public(); got != nil {
		t.Errorf("public: %v", got)
	}
	f.publish(true)
	if diff := cmp.Diff([]string{"ada"}, public()); diff != "" {
		t.Error(diff)
	}
}

// TestResolveReadsMemory: resolving a known site needs no SQL, whether it
// succeeds or not.
func TestResolveReadsMemory(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.access(ada)
	f.db.Close()
	if a, err := f.Resolve(t.Context(), "ada", wiki.Caller{User: cleo}); err != nil || a.Role() != wiki.Viewer {
		t.Errorf("%v, %v", a.Role(), err)
	}
	if _, err := f.Resolve(t.Context(), "ada", wiki.Caller{User: dan}); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("a stranger: %v", err)
	}
	if _, err := f.Resolve(t.Context(), "other", wiki.Caller{}); err == nil || errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("a broken database looks like a missing wiki: %v", err)
	}
}
