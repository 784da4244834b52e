package main

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"robot.wtf/internal/config"
	"robot.wtf/internal/replica"
)

// Addresses of the original answer here, on the platform, in a wiki, to programs and
// to git. "->" precedes the address of a redirect.
var formerAddresses = []struct{ host, path, want string }{
	{"ada", "/", "200"}, {"ada", "/Home", "200"}, {"ada", "/Home/view", "-> /Home"}, {"ada", "/Home/view/{rev}", "-> "},
	{"ada", "/Home/source", "200"}, {"ada", "/Home/source?raw", "200"}, {"ada", "/Home/history", "200"}, {"ada", "/Home/blame", "200"},
	{"ada", "/Home?revision={rev}", "200"}, {"ada", "/Home/attachments", "200"}, {"ada", "/Notes_1", "200"}, {"ada", "/Agent_Guide", "200"},
	{"ada", "/Agent%20Guide", "-> /Agent_Guide"}, {"ada", "/Home.md", "200"}, {"ada", "/HOME", "-> /Home"},
	{"ada", "/-/index", "200"}, {"ada", "/-/changelog", "200"}, {"ada", "/-/changelog/{rev}", "200"}, {"ada", "/-/log", "-> /-/changelog"},
	{"ada", "/-/changelog/feed.rss", "200"}, {"ada", "/-/changelog/feed.atom", "200"}, {"ada", "/-/commit/{rev}", "200"},
	{"ada", "/-/search?query=Notes", "200"}, {"ada", "/-/search/Notes", "-> /-/search?q=Notes"}, {"ada", "/-/housekeeping", "-> /-/health"},
	{"ada", "/-/help", "200"}, {"ada", "/-/syntax", "200"}, {"ada", "/-/about", "-> http://robot.localhost/"}, {"ada", "/-/healthz", "200"},
	{"ada", "/-/admin", "-> /-/settings"}, {"ada", "/-/admin/user_management", "-> /-/settings#members"},
	{"ada", "/-/admin/permissions_and_registration", "-> /-/settings#members"}, {"ada", "/-/admin/content_and_editing", "-> /-/settings"},
	{"ada", "/-/user", "-> /-/settings"}, {"ada", "/-/user/edit", "-> /-/settings#members"},
	{"", "/", "200"}, {"", "/app/", "-> /auth/login?return_to=%2Fapp%2F"}, {"", "/app/wiki/ada", "-> http://ada.robot.localhost/-/settings"},
	{"", "/app/wiki/ada/collaborators", "-> http://ada.robot.localhost/-/settings#members"}, {"", "/app/wiki/ada/mcp", "-> http://ada.robot.localhost/-/connect"},
	{"", "/app/wiki/nobody-here", "-> http://nobody-here.robot.localhost/-/settings"}, {"", "/app/create", "-> "}, {"", "/app/account", "-> "},
	{"", "/auth/login", "200"}, {"", "/auth/signup", "-> /app/create"},
	{"api", "/api/v1/health", "200"}, {"api", "/api/v1/pages", "200"}, {"api", "/api/v1/pages/Home", "200"}, {"api", "/api/v1/pages/Home?revision={rev}", "200"},
	{"api", "/api/v1/pages/Home/history", "200"}, {"api", "/api/v1/changelog?limit=5", "200"}, {"api", "/api/v1/search?q=Notes", "200"},
	{"api", "/api/v1/links", "200"}, {"api", "/api/v1/links/Home", "200"}, {"api", "/api/v1/pages/Home/attachments", "200"},
	{"api", "/api/v1/semantic-search?q=Notes&n=3&max_chunks_per_page=1", "200"},
	{"git", "/.git/info/refs?service=git-upload-pack", "200"}, {"git", "/repo.git/info/refs?service=git-upload-pack", "200"},
}

func TestFormerAddresses(t *testing.T) {
	t.Parallel()
	if len(formerAddresses) < 45 {
		t.Fatalf("%d addresses", len(formerAddresses))
	}
	a := startArrival(t, replica.Options{Schema: replica.Late, Wikis: 1, Commits: 1, Odd: true})
	a.mustMoveIn()
	for _, f := range formerAddresses {
		host := config.DevHost
		if f.host != "" {
			host = replica.Shared + "." + host
		}
		path := strings.ReplaceAll(f.path, "{rev}", a.head(replica.Shared))
		r := httptest.NewRequest(http.MethodGet, "http://"+host+path, nil)
		switch f.host {
		case "api":
			r.Header.Set("Authorization", "Bearer "+a.disk.Tokens[replica.Shared])
		case "git":
			r.SetBasicAuth("x-token", a.disk.Tokens[replica.Shared])
		}
		w := httptest.NewRecorder()
		a.front.ServeHTTP(w, r)
		to, redirects := strings.CutPrefix(f.want, "-> ")
		switch location := w.Header().Get("Location"); {
		case redirects && (w.Code < 300 || w.Code > 399 || to != "" && location != to):
			t.Errorf("%s %s: %d to %q, want %q", f.host, f.path, w.Code, location, to)
		case !redirects && w.Code != http.StatusOK:
			t.Errorf("%s %s: %d to %q: %.200s", f.host, f.path, w.Code, location, w.Body)
		}
	}
}

// Attack: an old address of git tells strangers whether a private wiki exists, or
// lets them in.
func TestFormerGitAddressIsPrivate(t *testing.T) {
	t.Parallel()
	a := startArrival(t, replica.Options{Schema: replica.Late, Wikis: 2, Commits: 2})
	a.mustMoveIn()
	answers := map[string]bool{}
	for _, slug := range []string{"plain-1", "nobody-here"} {
		for _, token := range []string{"", a.disk.Tokens["plain-0"]} {
			for _, path := range []string{"/.git/info/refs?service=git-upload-pack", "/.git/config", "/.git/HEAD", "/.git"} {
				r := httptest.NewRequest(http.MethodGet, "http://"+slug+"."+config.DevHost+path, nil)
				if token != "" {
					r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("x-token:"+token)))
				}
				w := httptest.NewRecorder()
				a.front.ServeHTTP(w, r)
				answers[strings.ReplaceAll(w.Body.String(), slug, "SLUG")+w.Result().Status] = true
				if w.Code != http.StatusUnauthorized {
					t.Errorf("%s%s: %d", slug, path, w.Code)
				}
			}
		}
	}
	if len(answers) != 1 {
		t.Errorf("a private wiki and a missing one differ: %v", answers)
	}
}

// Tools of the original are refused with the names of their successors.
func TestFormerToolsNameTheirSuccessors(t *testing.T) {
	t.Parallel()
	a := startArrival(t, replica.Options{Schema: replica.Late, Wikis: 1, Commits: 1})
	a.mustMoveIn()
	for old, now := range map[string]string{
		"read_note": "read_page", "write_note": "create_page", "edit_note": "edit_page", "list_notes": "list_pages", "search_notes": "search",
		"semantic_search": "search", "get_links": "links", "get_recent_changes": "changes", "get_history": "changes", "rename_note": "move_page",
		"delete_note": "delete_page", "find_orphaned_notes": "links", "list_attachments": "read_attachment", "upload_attachment": "write_attachment",
		"download_attachment": "read_attachment", "delete_attachment": "delete_page",
	} {
		w := a.mcp("plain-0", a.disk.Tokens["plain-0"], "tools/call", map[string]any{"name": old, "arguments": map[string]any{"path": "Home"}})
		if !strings.Contains(w.Body.String(), "error") || !strings.Contains(w.Body.String(), now) {
			t.Errorf("%s: %d %s", old, w.Code, w.Body)
		}
	}
}

// A clone of the original pulls from here, from its former address and with its token.
func TestFormerClonePulls(t *testing.T) {
	t.Parallel()
	a := startArrival(t, replica.Options{Schema: replica.Late, Wikis: 2, Commits: 6})
	a.mustMoveIn()
	clone := filepath.Join(t.TempDir(), "clone")
	git := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("git", args...)
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_TERMINAL_PROMPT=0")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git("clone", "-q", a.disk.Repository("plain-1"), clone)
	if w := a.api("PUT", "plain-1", "/api/v1/pages/Here", a.disk.Tokens["plain-1"], `{"content":"Written here."}`); w.Code != http.StatusCreated {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	git("-C", clone, "remote", "set-url", "origin", "http://x-token:"+a.disk.Tokens["plain-1"]+"@"+a.listen()+"/.git")
	git("-C", clone, "-c", "http.extraHeader=Host: plain-1."+config.DevHost, "pull", "-q", "--ff-only")
	if head := git("-C", clone, "rev-parse", "HEAD"); head != a.head("plain-1") {
		t.Errorf("the clone is at %s, the wiki at %s", head, a.head("plain-1"))
	}
}
