package session

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

// oldSecret is a secret as the predecessor of this service made them.
var oldSecret = strings.Repeat("old-", 10) + "abc"

// moveToken gives a wiki of ada a token that was moved here with a hash.
func (f *fixture) moveToken(slug, hash string) {
	f.t.Helper()
	_, err := f.db.MoveSite(f.t.Context(), store.MovedSite{
		Site: wiki.Site{Slug: slug, OwnerDID: ada.DID, Created: time.Unix(1_770_000_000, 0)}, Token: hash, TokenName: "MCP token", Digest: hash,
	}, nil)
	if err != nil {
		f.t.Fatal(err)
	}
}

func bcryptOf(t *testing.T, secret string) string {
	hash, err := bcrypt.GenerateFromPassword([]byte(secret), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return "$2b" + string(hash[3:])
}

// Tokens that were moved here work at their wiki alone, with either hash, until they
// are revoked.
func TestMovedTokens(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	sum := sha256.Sum256([]byte(oldSecret))
	other := strings.Repeat("x", 43)
	f.moveToken("moved-sha", hex.EncodeToString(sum[:]))
	f.moveToken("moved-bcrypt", bcryptOf(t, other))
	for _, try := range []struct{ secret, slug, want string }{
		{oldSecret, "moved-sha", ada.DID}, {oldSecret, "moved-bcrypt", ""}, {oldSecret, "ada", ""}, {oldSecret, "nobody", ""},
		{other, "moved-sha", ""}, {other, "moved-bcrypt", ada.DID}, {other, "moved-bcrypt", ada.DID},
		{"rwtf_" + other, "moved-bcrypt", ""}, {other + "x", "moved-bcrypt", ""}, {other[1:], "moved-bcrypt", ""},
	} {
		if got := f.bearer(try.secret, try.slug); got != try.want {
			t.Errorf("%s at %s: %q, want %q", try.secret, try.slug, got, try.want)
		}
	}
	if _, _, err := f.db.BcryptToken(t.Context(), "moved-bcrypt"); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("the hash stays slow after its first use: %v", err)
	}
	for _, slug := range []string{"moved-sha", "moved-bcrypt"} {
		tokens, err := f.Tokens(t.Context(), f.access(ada, slug))
		if err != nil || len(tokens) != 1 {
			t.Fatalf("%v, %v", tokens, err)
		}
		if err := f.RevokeToken(t.Context(), f.access(ada, slug), tokens[0].ID); err != nil {
			t.Fatal(err)
		}
	}
	if f.bearer(oldSecret, "moved-sha") != "" || f.bearer(other, "moved-bcrypt") != "" {
		t.Error("a revoked token works")
	}
}

// Attack: a stranger makes the service compare many secrets with a slow hash, guesses
// a secret, learns from refusals or their number which private wikis exist, or locks
// out the holder of the secret.
func TestBcryptIsBounded(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	secret := strings.Repeat("y", 43)
	f.moveToken("moved", bcryptOf(t, secret))
	try := func(secret, slug, from string) string {
		r := httptest.NewRequest("GET", "/api/v1/pages", nil)
		r.RemoteAddr = from
		r.Header.Set("Authorization", "Bearer "+secret)
		_, err := f.Bearer(r, slug)
		return strings.ReplaceAll(fmt.Sprint(CauseOf(err), err), slug, "SLUG")
	}
	answers := map[string][]string{}
	for n := range 5 {
		for _, slug := range []string{"moved", "nobody"} {
			answers[slug] = append(answers[slug], try(strings.Repeat("z", 42)+fmt.Sprint(n), slug, "192.0.2.1:1"))
		}
	}
	if fmt.Sprint(answers["moved"]) != fmt.Sprint(answers["nobody"]) {
		t.Errorf("a wiki with an old token and a missing wiki differ:\n%q\n%q", answers["moved"], answers["nobody"])
	}
	if !strings.Contains(answers["moved"][4], "Too many attempts") || strings.Contains(answers["moved"][2], "Too many attempts") {
		t.Errorf("attempts: %q", answers["moved"])
	}
	if got := try(secret, "moved", "192.0.2.1:9"); !strings.Contains(got, "Too many attempts") {
		t.Errorf("the right secret from the same address: %s", got)
	}
	if got := try(secret, "moved", "198.51.100.7:1"); got != "<nil>" {
		t.Errorf("the right secret from another address: %s", got)
	}
	for n := range 40 { // one address can't use up the attempts of all
		try(strings.Repeat("z", 43), fmt.Sprintf("wiki-%d", n), "192.0.2.9:1")
	}
	if n := f.bcrypt.tries[[2]string{}]; n > bcryptTriesFrom+1+bcryptTriesOf+2*len(answers["nobody"]) {
		t.Errorf("%d comparisons, most of them from one address", n)
	}
	for n := range 100 {
		try(strings.Repeat("z", 43), "nobody", fmt.Sprintf("203.0.113.%d:1", n))
	}
	if n := f.bcrypt.tries[[2]string{"nobody", ""}]; n > bcryptTries {
		t.Errorf("%d comparisons for one wiki", n)
	}
}
