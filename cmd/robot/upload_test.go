package main

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"robot.wtf/internal/config"
)

// Attack: through a one-time address, which needs no cookie and no token, a file with
// script is stored in a private wiki. It is served to members only, in a form that
// can't run script.
func TestUploadedFilesAreInertAndPrivate(t *testing.T) {
	t.Parallel()
	l := startLive(t)
	owner, stranger := l.signIn("bob", "bob"), l.signIn("dan", "ada")
	const host, script = "bob." + config.DevHost, `<script xmlns="http://www.w3.org/2000/svg">alert(document.domain)</script>`
	address := regexp.MustCompile(`http://` + regexp.QuoteMeta(host) + `(/-/upload/\w+)`)
	for name, data := range map[string]string{
		"page.html": "<!doctype html>" + script, "drawing.svg": `<svg xmlns="http://www.w3.org/2000/svg">` + script + `</svg>`,
		"page.txt": "<!doctype html>" + script, "page.png": "<!doctype html>" + script, "page.xhtml": `<html xmlns="http://www.w3.org/1999/xhtml">` + script + `</html>`,
	} {
		asked := l.api("POST", "bob", "/mcp", l.token("bob", "owner"), `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"write_attachment","arguments":{"path":"Home","name":"`+name+`"}}}`)
		found := address.FindStringSubmatch(asked.Body.String())
		if found == nil {
			t.Fatalf("%d %s", asked.Code, asked.Body)
		}
		put := httptest.NewRequest(http.MethodPut, "http://"+host+found[1], strings.NewReader(data))
		done := httptest.NewRecorder()
		if l.front.ServeHTTP(done, put); done.Code != http.StatusCreated {
			t.Fatalf("%s: %d %s", name, done.Code, done.Body)
		}
		got := owner.get(host, "/Home/"+name)
		head := got.Header()
		if got.Code != http.StatusOK || got.Body.String() != data {
			t.Errorf("%s: %d %s", name, got.Code, got.Body)
		}
		if head.Get("X-Content-Type-Options") != "nosniff" || head.Get("Content-Security-Policy") != "sandbox; default-src 'none'" ||
			!strings.HasPrefix(head.Get("Content-Disposition"), "attachment") || strings.Contains(head.Get("Content-Type"), "html") {
			t.Errorf("%s is shown as a page: %v", name, head)
		}
		for what, b := range map[string]*browser{"nobody": l.browser(), "dan": stranger} {
			if got := b.get(host, "/Home/"+name); got.Code == http.StatusOK || strings.Contains(got.Body.String(), "alert") {
				t.Errorf("%s gets %s: %d", what, name, got.Code)
			}
		}
		if got := l.api("GET", "bob", "/api/v1/pages/Home/attachments/"+name, l.token("ada", "owner"), ""); got.Code != http.StatusUnauthorized {
			t.Errorf("another wiki's token gets %s: %d", name, got.Code)
		}
	}
}
