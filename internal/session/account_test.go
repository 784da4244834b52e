package session

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"robot.wtf/internal/wiki"
)

func TestPersonalTokens(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	adas := wiki.Caller{User: ada, Session: "s"}
	ask := func(header string) (wiki.Caller, error) {
		r := httptest.NewRequest("GET", platform+"/api/me", nil)
		r.Header.Set("Authorization", header)
		return f.Personal(r)
	}
	secret, token, err := f.NewPersonalToken(ctx, adas, " laptop ", true)
	if err != nil || !strings.HasPrefix(secret, "rwtp_") || token.Name != "laptop" {
		t.Fatalf("made %v, %v", token, err)
	}
	c, err := ask("bearer " + secret)
	if err != nil || c.User.DID != ada.DID || !c.ReadOnly || c.Session != "" || c.Wiki != "" {
		t.Errorf("caller %+v, %v", c, err)
	}
	for _, header := range []string{"", "Bearer", "Basic " + secret, "Bearer " + secret + "x", "Bearer " + strings.Replace(secret, "rwtp_", "rwtf_", 1),
		"Bearer rwtp_" + strings.Repeat("x", len(secret)-5)} {
		if c, err := ask(header); !errors.Is(err, wiki.ErrDenied) || c.User.DID != "" {
			t.Errorf("%q: %+v, %v", header, c, err)
		}
	}
	// It gives no access to a wiki and can't create tokens.
	r := httptest.NewRequest("GET", platform+"/", nil)
	r.Header.Set("Authorization", "Bearer "+secret)
	if _, err := f.Bearer(r, "ada"); !errors.Is(err, wiki.ErrDenied) {
		t.Errorf("a personal token at a wiki: %v", err)
	}
	if _, _, err := f.NewPersonalToken(ctx, c, "more", false); !errors.Is(err, wiki.ErrDenied) {
		t.Errorf("a token created a token: %v", err)
	}
	if err := f.RevokePersonalToken(ctx, c, token.ID); !errors.Is(err, wiki.ErrDenied) {
		t.Errorf("a read-only token revoked a token: %v", err)
	}
	list, err := f.PersonalTokens(ctx, adas)
	if err != nil || len(list) != 1 || list[0].LastUse().IsZero() {
		t.Errorf("list %v, %v", list, err)
	}
	if err := f.RevokePersonalToken(ctx, wiki.Caller{User: bob, Session: "s"}, token.ID); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("bob revoked it: %v", err)
	}
	if err := f.RevokePersonalToken(ctx, adas, token.ID); err != nil {
		t.Error(err)
	}
	if _, err := ask("Bearer " + secret); !errors.Is(err, wiki.ErrDenied) {
		t.Errorf("still valid after revocation: %v", err)
	}
	for range MaxPersonalTokens {
		if _, _, err := f.NewPersonalToken(ctx, adas, "x", false); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := f.NewPersonalToken(ctx, adas, "x", false); !errors.Is(err, wiki.ErrQuota) {
		t.Errorf("one too many: %v", err)
	}
}

// EndSession takes effect on the next request, and only for one's own
// sessions.
func TestEndSessions(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	signIn := func(u wiki.User) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		if err := f.SignIn(ctx, w, httptest.NewRequest("POST", platform+"/auth/dev", nil), u, false); err != nil {
			t.Fatal(err)
		}
		return w
	}
	who := func(w *httptest.ResponseRecorder) wiki.Caller {
		r := httptest.NewRequest("GET", platform+"/app/", nil)
		for _, c := range w.Result().Cookies() {
			r.AddCookie(c)
		}
		return f.Browser(r)
	}
	one, two, bobs := signIn(ada), signIn(ada), signIn(bob)
	caller := who(one)
	list, err := f.Sessions(ctx, caller)
	if err != nil || len(list) != 2 {
		t.Fatalf("%d sessions, %v", len(list), err)
	}
	if err := f.EndSession(ctx, caller, who(bobs).Session); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("ended bob's: %v", err)
	}
	if err := f.EndSession(ctx, caller, who(two).Session); err != nil {
		t.Fatal(err)
	}
	if !who(two).Anonymous() || who(one).Anonymous() {
		t.Error("the wrong session ended")
	}
	signIn(ada)
	if err := f.EndSession(ctx, caller, ""); err != nil {
		t.Fatal(err)
	}
	if !who(one).Anonymous() || who(bobs).Anonymous() {
		t.Error("ending all sessions left one, or ended bob's")
	}
}
