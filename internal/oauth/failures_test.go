package oauth_test

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/oauth"
	"robot.wtf/internal/server"
)

// failures reads the failure counters, by endpoint and cause.
func failures(t *testing.T, m *server.Metrics) map[string]int {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler("").ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	found := map[string]int{}
	for _, line := range regexp.MustCompile(`(?m)^robot_oauth_failures_total\{cause="(.*)",endpoint="(.*)"\} (\d+)$`).FindAllStringSubmatch(w.Body.String(), -1) {
		found[line[2]+", "+line[1]], _ = strconv.Atoi(line[3])
	}
	return found
}

type tooFast struct{ error }

func (tooFast) RetryAfter() string { return "1" }

// TestFailuresAreCountedByCause causes each failure once and checks that no
// other counter changes.
func TestFailuresAreCountedByCause(t *testing.T) {
	t.Parallel()
	canary := "quaggamire"
	code := func(k *kit) url.Values {
		return withParams(codeForm(k.client, k.code(k.client, "bob", "bob", true)), "redirect_uri", "")
	}
	refresh := func(k *kit) url.Values {
		return refreshForm(k.client, k.connected(k.client, "bob", "bob", true).str("refresh_token"))
	}
	slow := func(k *kit, do func()) {
		k.take = func(string, string) error { return tooFast{errors.New("too fast")} }
		do()
		k.take = nil
	}
	asks := func(pairs ...string) func(k *kit) {
		return func(k *kit) { k.visitor("bob").ask(withParams(k.query(), pairs...)) }
	}
	exchanges := func(pairs ...string) func(k *kit) {
		return func(k *kit) { k.token(withParams(code(k), pairs...)) }
	}
	consents := func(name string, pairs ...string) func(k *kit) {
		return func(k *kit) {
			v := k.visitor(name)
			_, form := v.page("bob")
			v.post(oauth.ConsentPath, withParams(form, pairs...))
		}
	}
	revokes := func(k *kit, form url.Values) { k.post(platform+"/auth/oauth/revoke", form) }
	k := newKit(t)
	for _, tt := range []struct {
		want string
		do   func(k *kit)
	}{
		{"authorize, no client", asks("client_id", "")},
		{"authorize, client", asks("client_id", canary)},
		{"authorize, document", asks("client_id", "https://nowhere.example/"+canary)},
		{"authorize, redirect", asks("redirect_uri", "https://evil.example/"+canary)},
		{"authorize, too fast", func(k *kit) { slow(k, func() { asks()(k) }) }},
		{"authorize, unsupported_response_type", asks("response_type", canary)},
		{"authorize, invalid_request", asks("code_challenge_method", "plain")},
		{"authorize, invalid_target", asks("resource", "https://evil.example/"+canary)},
		{"authorize, request_not_supported", asks("request", canary)},
		{"authorize, interaction_required", asks("prompt", "none")},
		{"consent, access_denied", consents("bob", "answer", "deny")},
		{"consent, over", func(k *kit) { k.visitor("bob").get(oauth.ConsentPath + "?request=" + canary) }},
		{"consent, another person", consents("bob", "answer", "allow", "scope", "read", "person", "did:plc:"+canary)},
		{"consent, not a member", consents("dan", "answer", "allow", "scope", "read")},
		{"consent, may only read", consents("cleo", "answer", "allow", "scope", "write")},
		{"token, invalid_request", func(k *kit) { k.token(withParams(code(k), "grant_type", "")) }},
		{"token, unsupported_grant_type", exchanges("grant_type", canary)},
		{"token, invalid_client", exchanges("client_id", canary)},
		{"token, invalid_target", exchanges("resource", resource("ada"))},
		{"token, invalid_grant: unknown", exchanges("code", canary)},
		{"token, invalid_grant: verifier", exchanges("code_verifier", strings.Repeat("a", 43))},
		{"token, invalid_grant: redirect", exchanges("redirect_uri", "https://evil.example/"+canary)},
		{"token, invalid_grant: other client", func(k *kit) { k.token(withParams(code(k), "client_id", k.world.client())) }},
		{"token, invalid_grant: replayed", func(k *kit) {
			form := code(k)
			k.token(form)
			k.token(form)
		}},
		{"token, invalid_grant: unknown", func(k *kit) { k.token(refreshForm(k.client, canary)) }},
		{"token, invalid_grant: other client", func(k *kit) { k.token(withParams(refresh(k), "client_id", k.world.client())) }},
		{"token, invalid_grant: replayed", func(k *kit) {
			form := refresh(k)
			k.token(form)
			k.Clock.Add(time.Hour)
			k.token(form)
		}},
		{"revoke, invalid_client", func(k *kit) { revokes(k, url.Values{"client_id": {canary}, "token": {canary}}) }},
		{"revoke, invalid_request", func(k *kit) { revokes(k, url.Values{"client_id": {k.client}}) }},
		{"revoke, invalid_grant: other client", func(k *kit) {
			revokes(k, url.Values{"client_id": {k.world.client()}, "token": {refresh(k).Get("refresh_token")}})
		}},
		{"register, invalid_client_metadata", func(k *kit) { k.register(canary) }},
		{"register, invalid_redirect_uri", func(k *kit) { k.register(`{"redirect_uris":["javascript:` + canary + `"]}`) }},
		{"register, too fast", func(k *kit) { slow(k, func() { k.register(`{}`) }) }},
		// This one breaks the database, so it comes last.
		{"token, our fault", func(k *kit) {
			form := code(k)
			if err := k.Store.Close(); err != nil {
				k.T.Fatal(err)
			}
			k.token(form)
		}},
	} {
		before := failures(t, k.metrics)
		tt.do(k)
		got := map[string]int{}
		for what, n := range failures(t, k.metrics) {
			if n != before[what] {
				got[what] = n - before[what]
			}
		}
		if len(got) != 1 || got[tt.want] != 1 {
			t.Errorf("%s: %v", tt.want, got)
		}
		if strings.Contains(fmt.Sprint(got), canary) {
			t.Errorf("%s: client input is in the metrics: %v", tt.want, got)
		}
	}
}
