package session

import (
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/wiki"
)

// access is a user's access to a wiki, as tenant.Resolve returns it.
func (f *fixture) access(u wiki.User, slug string) wiki.Access {
	f.t.Helper()
	site, err := f.db.Site(f.t.Context(), slug)
	if err != nil {
		f.t.Fatal(err)
	}
	return wiki.NewAccess(site.Site, wiki.Caller{User: u}, site.Roles[u.DID])
}

func (f *fixture) token(u wiki.User, slug string, readOnly bool) string {
	f.t.Helper()
	secret, _, err := f.NewToken(f.t.Context(), f.access(u, slug), "test", wiki.ModeOf(readOnly, false))
	if err != nil {
		f.t.Fatal(err)
	}
	return secret
}

// bearer is the DID that a secret authenticates at a wiki, or "".
func (f *fixture) bearer(secret, slug string) string {
	r := httptest.NewRequest("GET", "/api/v1/pages", nil)
	r.Header.Set("Authorization", "Bearer "+secret)
	caller, err := f.Bearer(r, slug)
	if err != nil && !errors.Is(err, wiki.ErrDenied) {
		f.t.Errorf("bearer: %v", err)
	}
	return caller.User.DID
}

func TestBearer(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	secret, token, err := f.NewToken(t.Context(), f.access(ada, "ada"), "  Claude Code ", wiki.ModeRead)
	if err != nil {
		t.Fatal(err)
	}
	if len(secret) != len("rwtf_")+43 || !strings.HasPrefix(secret, "rwtf_") {
		t.Errorf("secret %q", secret)
	}
	r := httptest.NewRequest("GET", "/api/v1/pages", nil)
	if caller, err := f.Bearer(r, "ada"); err != nil || !caller.Anonymous() {
		t.Errorf("without a header: %+v, %v", caller, err)
	}
	r.Header.Set("Authorization", "bearer "+secret)
	caller, err := f.Bearer(r, "ada")
	want := wiki.Caller{User: ada, Agent: "Claude Code", Client: "token", Grant: token.ID, ReadOnly: true, Wiki: "ada"}
	if err != nil || caller != want {
		t.Errorf("got %+v, %v\nwant %+v", caller, err, want)
	}
	if !token.LastUse().IsZero() {
		t.Error("used before it was used")
	}
}

func TestBearerRefuses(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	secret := f.token(ada, "ada", false)
	other := f.token(bob, "bob", false)
	swapped := secret[:len(secret)-1] + string(secret[len(secret)-1]^1)
	tests := map[string]string{
		"unknown":             "Bearer rwtf_" + strings.Repeat("A", 43),
		"one letter off":      "Bearer " + swapped,
		"in capitals":         "Bearer " + strings.ToUpper(secret),
		"too short":           "Bearer rwtf_",
		"too long":            "Bearer " + secret + "A",
		"with a hash":         "Bearer rwtf_" + strings.Repeat("a", 64),
		"for another wiki":    "Bearer " + other,
		"another scheme":      "Basic " + secret,
		"no scheme":           secret,
		"empty":               "",
		"a management token":  "Bearer rwtp_" + strings.Repeat("A", 43),
		"a session's token":   "Bearer eyJhbGciOiJub25lIn0..",
		"with something else": "Bearer " + secret + " x",
	}
	for name, header := range tests {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", header)
		caller, err := f.Bearer(r, "ada")
		if !errors.Is(err, wiki.ErrDenied) || !caller.Anonymous() {
			t.Errorf("%s: %+v, %v", name, caller, err)
		}
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the message contains the secret", name)
		}
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.Header["Authorization"] = []string{"Bearer " + secret, "Bearer " + other}
	if _, err := f.Bearer(r, "ada"); !errors.Is(err, wiki.ErrDenied) {
		t.Errorf("two headers: %v", err)
	}
}

func TestRevokedAtOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	secret, token, err := f.NewToken(ctx, f.access(ada, "ada"), "test", wiki.ModeEdit)
	if err != nil {
		t.Fatal(err)
	}
	if f.bearer(secret, "ada") != ada.DID {
		t.Fatal("the token does not work")
	}
	if err := f.RevokeToken(ctx, f.access(bob, "bob"), token.ID); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("revoked by another user: %v", err)
	}
	if err := f.db.SetMember(ctx, ada.DID, "ada", bob.DID, wiki.Editor, 3); err != nil {
		t.Fatal(err)
	}
	if err := f.RevokeToken(ctx, f.access(bob, "ada"), token.ID); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("revoked by another member: %v", err)
	}
	if f.bearer(secret, "ada") != ada.DID {
		t.Fatal("the token stopped working")
	}
	if err := f.RevokeToken(ctx, f.access(ada, "ada"), token.ID); err != nil {
		t.Fatal(err)
	}
	if got := f.bearer(secret, "ada"); got != "" {
		t.Errorf("a revoked token is %q", got)
	}
}

func TestTokensEndWithMembership(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	if err := f.db.SetMember(ctx, ada.DID, "ada", bob.DID, wiki.Editor, 3); err != nil {
		t.Fatal(err)
	}
	secret := f.token(bob, "ada", false)
	kept := f.token(ada, "ada", false)
	if f.bearer(secret, "ada") != bob.DID {
		t.Fatal("the token does not work")
	}
	if err := f.db.RemoveMember(ctx, ada.DID, "ada", bob.DID); err != nil {
		t.Fatal(err)
	}
	if got := f.bearer(secret, "ada"); got != "" {
		t.Errorf("after the membership: %q", got)
	}
	if err := f.db.SetMember(ctx, ada.DID, "ada", bob.DID, wiki.Viewer, 3); err != nil {
		t.Fatal(err)
	}
	if got := f.bearer(secret, "ada"); got != "" {
		t.Errorf("a member again, with the old token: %q", got)
	}
	if got := f.bearer(kept, "ada"); got != ada.DID {
		t.Errorf("the owner's token: %q", got)
	}
}

func TestNewTokenPermissions(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	if err := f.db.SetMember(ctx, ada.DID, "ada", bob.DID, wiki.Viewer, 3); err != nil {
		t.Fatal(err)
	}
	site := f.access(ada, "ada").Site()
	byToken := wiki.NewAccess(site, wiki.Caller{User: ada, Wiki: "ada", Client: "token"}, wiki.Owner)
	tests := []struct {
		name     string
		access   wiki.Access
		token    string
		readOnly bool
		want     error
	}{
		{"owner", f.access(ada, "ada"), "x", false, nil},
		{"viewer, to read", f.access(bob, "ada"), "x", true, nil},
		{"viewer, to write", f.access(bob, "ada"), "x", false, wiki.ErrDenied},
		{"stranger", wiki.NewAccess(site, wiki.Caller{User: wiki.User{DID: "did:plc:dan"}}, wiki.Reader), "x", true, wiki.ErrDenied},
		{"nobody", wiki.NewAccess(site, wiki.Caller{}, wiki.Reader), "x", true, wiki.ErrDenied},
		{"zero access", wiki.Access{}, "x", true, wiki.ErrDenied},
		{"a token", byToken, "x", true, wiki.ErrDenied},
		{"no name", f.access(ada, "ada"), " ", false, wiki.ErrInvalid},
		{"long name", f.access(ada, "ada"), strings.Repeat("ü", 61), false, wiki.ErrInvalid},
		{"a trailer in the name", f.access(ada, "ada"), "x\nGrant: y", false, wiki.ErrInvalid},
		{"invalid UTF-8", f.access(ada, "ada"), "\xff", false, wiki.ErrInvalid},
		{"direction override", f.access(ada, "ada"), "a\u202eb", false, wiki.ErrInvalid},
	}
	for _, tt := range tests {
		secret, _, err := f.NewToken(ctx, tt.access, tt.token, wiki.ModeOf(tt.readOnly, false))
		if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
		if (secret == "") != (err != nil) {
			t.Errorf("%s: secret %q with error %v", tt.name, secret, err)
		}
	}
}

// A copy of the database gives no access.
func TestNoSecretAtRest(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.browser()
	b.signIn(ada)
	secret := f.token(ada, "ada", false)
	address, err := b.grant(b.start("ada"))
	if err != nil {
		t.Fatal(err)
	}
	_, code, _ := strings.Cut(address, "code=")
	files, _ := filepath.Glob(filepath.Join(f.dir, "robot.db*"))
	if len(files) < 2 {
		t.Fatalf("the write-ahead log is missing: %v", files)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for name, word := range map[string]string{"token": secret, "token without prefix": secret[5:], "code": code,
			"session token": b.cookies["robot.localhost"][sessionCookieName], "nonce": b.cookies["ada.robot.localhost"][nonceCookieName]} {
			if strings.Contains(string(data), word) {
				t.Errorf("%s holds the %s in plain text", filepath.Base(file), name)
			}
		}
	}
}

func TestLastUseIsCoarse(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	secret := f.token(ada, "ada", false)
	used := func() time.Time {
		tokens, err := f.Tokens(t.Context(), f.access(ada, "ada"))
		if err != nil || len(tokens) != 1 {
			t.Fatalf("%d tokens, %v", len(tokens), err)
		}
		return tokens[0].LastUse()
	}
	first := f.now
	f.bearer(secret, "ada")
	if !used().Equal(first) {
		t.Errorf("first use at %v, noted %v", first, used())
	}
	f.now = f.now.Add(59 * time.Minute)
	f.bearer(secret, "ada")
	if !used().Equal(first) {
		t.Errorf("written again within the hour: %v", used())
	}
	f.now = f.now.Add(time.Minute)
	f.bearer(secret, "ada")
	if !used().Equal(f.now) {
		t.Errorf("used at %v, noted %v", f.now, used())
	}
}

// Attack: tokens without end in one wiki. A member has 20; others have their own.
func TestWikiTokensAreLimited(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	var last *Token
	for range MaxWikiTokens {
		var err error
		if _, last, err = f.NewToken(ctx, f.access(ada, "ada"), "x", wiki.ModeEdit); err != nil {
			t.Fatal(err)
		}
	}
	var problem *wiki.Problem
	if _, _, err := f.NewToken(ctx, f.access(ada, "ada"), "x", wiki.ModeEdit); !errors.Is(err, wiki.ErrQuota) || !errors.As(err, &problem) || !strings.Contains(problem.Message, "20 tokens") {
		t.Errorf("one too many: %v", err)
	}
	f.token(bob, "bob", false)
	if err := f.RevokeToken(ctx, f.access(ada, "ada"), last.ID); err != nil {
		t.Fatal(err)
	}
	f.token(ada, "ada", false)
}

// Attack: a leaked personal token makes a wiki token for later. Revoking the
// personal token ends both; tokens made in a browser or with another personal token
// stay.
func TestWikiTokensEndWithTheirPersonalToken(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	browser := wiki.Caller{User: ada, Session: "s"}
	madeWith := func(personal string) string {
		r := httptest.NewRequest("POST", "/api/wikis/ada/tokens", nil)
		r.Header.Set("Authorization", "Bearer "+personal)
		caller, err := f.Personal(r)
		if err != nil {
			t.Fatal(err)
		}
		site, err := f.db.Site(ctx, "ada")
		if err != nil {
			t.Fatal(err)
		}
		secret, _, err := f.NewToken(ctx, wiki.NewAccess(site.Site, caller, wiki.Owner), "backdoor", wiki.ModeEdit)
		if err != nil {
			t.Fatal(err)
		}
		return secret
	}
	leaked, token, err := f.NewPersonalToken(ctx, browser, "leaked", false)
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := f.NewPersonalToken(ctx, browser, "other", false)
	if err != nil {
		t.Fatal(err)
	}
	gone, kept, own := madeWith(leaked), madeWith(other), f.token(ada, "ada", false)
	for name, secret := range map[string]string{"the leaked token's": gone, "the other's": kept, "the browser's": own} {
		if f.bearer(secret, "ada") != ada.DID {
			t.Errorf("%s token doesn't work", name)
		}
	}
	if err := f.RevokePersonalToken(ctx, browser, token.ID); err != nil {
		t.Fatal(err)
	}
	if f.bearer(gone, "ada") != "" {
		t.Error("a token outlives the personal token that made it")
	}
	if f.bearer(kept, "ada") != ada.DID || f.bearer(own, "ada") != ada.DID {
		t.Error("other tokens ended")
	}
	if list, err := f.Tokens(ctx, f.access(ada, "ada")); err != nil || len(list) != 2 {
		t.Errorf("%d tokens are listed, %v", len(list), err)
	}
}
