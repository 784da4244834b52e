package session

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"robot.wtf/internal/wiki"
)

// Attack: a suspended user goes on with a credential from before. Each kind is
// refused while the suspension lasts, also in the wikis of others.
func TestSuspendedUserHasNoCredential(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	if err := f.db.SetMember(ctx, ada.DID, "bob", ada.DID, wiki.Editor, 10); err != nil {
		t.Fatal(err)
	}
	personal, _, err := f.NewPersonalToken(ctx, wiki.Caller{User: ada, Session: "s"}, "laptop", false)
	if err != nil {
		t.Fatal(err)
	}
	withToken := func(secret, slug string) func() (wiki.Caller, error) {
		return func() (wiki.Caller, error) { return f.authenticate(secret, slug) }
	}
	credentials := map[string]func() (wiki.Caller, error){
		"wiki token, own wiki":        withToken(f.token(ada, "ada", false), "ada"),
		"wiki token, another's wiki":  withToken(f.token(ada, "bob", false), "bob"),
		"access token, own wiki":      withToken(f.signToken(f.grant(ada, "ada", "g1", false), "ada", f.now.Add(time.Hour)), "ada"),
		"access token, another's":     withToken(f.signToken(f.grant(ada, "bob", "g2", false), "bob", f.now.Add(time.Hour)), "bob"),
		"read-only token, own wiki":   withToken(f.token(ada, "ada", true), "ada"),
		"personal token, at platform": func() (wiki.Caller, error) { return f.personal(personal) },
	}
	check := func(state string, suspended bool) {
		t.Helper()
		for kind, use := range credentials {
			caller, err := use()
			if !suspended && (err != nil || caller.User.DID != ada.DID) {
				t.Errorf("%s: %s: %+v, %v", state, kind, caller, err)
			}
			if suspended && (!errors.Is(err, wiki.ErrDenied) || CauseOf(err) != Suspended || caller != (wiki.Caller{})) {
				t.Errorf("%s: %s: %+v, %v", state, kind, caller, err)
			}
		}
	}
	check("before", false)
	if err := f.db.SuspendUser(ctx, ada.DID, "spam"); err != nil {
		t.Fatal(err)
	}
	check("suspended", true)
	f.browser().visit(platform+"/auth/dev", func(w http.ResponseWriter, r *http.Request) {
		if err := f.SignIn(r.Context(), w, r, ada, false); CauseOf(err) != Suspended || len(w.Header()["Set-Cookie"]) > 0 {
			t.Errorf("a suspended user signs in: %v, %v", err, w.Header())
		}
	})
	if err := f.db.ResumeUser(ctx, ada.DID); err != nil {
		t.Fatal(err)
	}
	check("resumed", false)
}

// A cookie of a suspended user names nobody, even if its session is still there.
func TestSuspendedUserHasNoCookie(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.browser()
	b.signIn(ada)
	if b.signedInAs(platform) != ada.DID {
		t.Fatal("not signed in")
	}
	sessions, err := f.db.Sessions(t.Context(), ada.DID)
	if err != nil || len(sessions) != 1 {
		t.Fatal(sessions, err)
	}
	if err := f.db.SuspendUser(t.Context(), ada.DID, "spam"); err != nil {
		t.Fatal(err)
	}
	if err := f.db.StartSession(t.Context(), sessions[0]); err != nil { // as if a request had brought it back
		t.Fatal(err)
	}
	if who := b.signedInAs(platform); who != "" {
		t.Errorf("the cookie of a suspended user is %q", who)
	}
}

func (f *fixture) personal(secret string) (wiki.Caller, error) {
	r := httptest.NewRequest("GET", platform+"/api/me", nil)
	r.Header.Set("Authorization", "Bearer "+secret)
	return f.Personal(r)
}
