package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"robot.wtf/internal/config"
	"robot.wtf/internal/replica"
)

const claudeCallback = "https://claude.ai/api/mcp/auth_callback"

var hiddenField = regexp.MustCompile(`<input type="hidden" name="(request|person)" value="([^"]*)">`)

// An agent of the original connects again with its id, its secret and its redirect
// URI after one consent. Its old access token has ended.
func TestMovedAgentConnectsAgain(t *testing.T) {
	t.Parallel()
	a := startArrival(t, replica.Options{Schema: replica.Late, Wikis: 1, Commits: 2})
	a.mustMoveIn()
	if w := a.mcp("plain-0", "old-access-token", "tools/list", map[string]any{}); w.Code != http.StatusUnauthorized {
		t.Errorf("the old access token: %d", w.Code)
	}
	b := a.browser()
	b.post(config.DevHost, "/auth/dev", url.Values{"username": {"plain-0"}})
	verifier := strings.Repeat("verifier", 6)
	challenge := sha256.Sum256([]byte(verifier))
	resource := "http://plain-0." + config.DevHost + "/mcp"
	page := b.get(config.DevHost, "/auth/oauth/authorize?"+url.Values{
		"response_type": {"code"}, "client_id": {a.disk.Client}, "redirect_uri": {claudeCallback}, "state": {"s"}, "resource": {resource},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}.Encode())
	for range 3 {
		to, err := url.Parse(page.Header().Get("Location"))
		a.must(err)
		if to.String() == "" {
			break
		}
		page = b.get(config.DevHost, to.RequestURI())
	}
	form := url.Values{"answer": {"allow"}, "scope": {"write"}}
	for _, m := range hiddenField.FindAllStringSubmatch(page.Body.String(), -1) {
		form.Set(m[1], html.UnescapeString(m[2]))
	}
	if !strings.Contains(page.Body.String(), "<bdi>Claude</bdi>") {
		t.Fatalf("no consent: %d %.500s", page.Code, page.Body)
	}
	back, err := url.Parse(b.post(config.DevHost, "/auth/oauth/consent", form).Header().Get("Location"))
	a.must(err)
	exchange := func(secret string) (int, map[string]any) {
		r := httptest.NewRequest(http.MethodPost, "http://"+config.DevHost+"/auth/oauth/token", strings.NewReader(url.Values{
			"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}, "client_id": {a.disk.Client}, "client_secret": {secret},
			"redirect_uri": {claudeCallback}, "code_verifier": {verifier}, "resource": {resource},
		}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		a.front.ServeHTTP(w, r)
		var answer map[string]any
		a.must(json.Unmarshal(w.Body.Bytes(), &answer))
		return w.Code, answer
	}
	if status, _ := exchange("another secret"); status == http.StatusOK {
		t.Error("another secret is accepted")
	}
	status, answer := exchange("a secret")
	token, _ := answer["access_token"].(string)
	if status != http.StatusOK || token == "" {
		t.Fatalf("%d %v", status, answer)
	}
	if w := a.mcp("plain-0", token, "tools/call", map[string]any{"name": "read_page", "arguments": map[string]any{"path": "Home"}}); !strings.Contains(w.Body.String(), "See [[Notes]]") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
