package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"robot.wtf/internal/hostile"
	"robot.wtf/internal/limit"
	"robot.wtf/internal/server"
	"robot.wtf/internal/slow"
	"robot.wtf/internal/testdisk"
	"robot.wtf/internal/testworld"
	"robot.wtf/internal/wiki"
)

func TestMain(m *testing.M) { os.Exit(testdisk.Run(m)) }

const canary = testworld.Canary

// A world is a testworld behind the real handler chain.
type world struct {
	*testworld.World
	handler  http.Handler
	contract contract
}

func newWorld(t testing.TB) *world { return newLimitedWorld(t, nil) }

// newLimitedWorld has rate limits.
func newLimitedWorld(t testing.TB, limits *limit.Limiter) *world {
	t.Helper()
	w := &world{World: testworld.New(t, testworld.Options{})}
	door := New(Options{
		Pages: w.Pages, Tenant: w.Tenant, Session: w.Session, OAuth: w.OAuth, WikiOrigin: w.Origin, Limits: limits, Now: w.Clock.Now,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	w.contract = newContract(t, door)
	w.handler = server.New(server.Options{
		Host: "robot.localhost", Platform: http.NotFound, API: door.ServeWiki, Manage: door.ServePlatform,
		Wiki: func(rw http.ResponseWriter, r *http.Request, _ string) { http.NotFound(rw, r) },
		Log:  slog.New(slog.DiscardHandler),
	})
	return w
}

// A reply is a response with its JSON.
type reply struct {
	*http.Response
	text string
	json map[string]any
}

func (r reply) string(name string) string { s, _ := r.json[name].(string); return s }

// send makes a request to a wiki's API. headers are pairs of names and values.
func (w *world) send(token, method, slug, path string, body any, headers ...string) reply {
	w.T.Helper()
	var in io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		in = strings.NewReader(b)
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			w.T.Fatal(err)
		}
		in = bytes.NewReader(raw)
	}
	r := httptest.NewRequest(method, "http://"+slug+".robot.localhost/api/v1"+path, in)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	secret, ok := w.Tokens[token]
	if !ok {
		w.T.Fatalf("no token %q", token)
	}
	if secret != "" {
		r.Header.Set("Authorization", "Bearer "+secret)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	res := reply{Response: rec.Result(), text: rec.Body.String()}
	json.Unmarshal(rec.Body.Bytes(), &res.json)
	res.Request = r
	w.contract.check(w.T, prefix+new(call).pattern(r.URL.Path[len(prefix):]), res)
	return res
}

func (w *world) want(status int, r reply) reply {
	w.T.Helper()
	if r.StatusCode != status {
		w.T.Errorf("status %d, want %d: %.300s", r.StatusCode, status, r.text)
	}
	return r
}

// matrix has, for each route, a request that succeeds for permitted callers.
var matrix = map[string]struct {
	path string
	body any
	ok   int
}{
	"GET /pages":                              {"/pages", nil, 200},
	"GET /pages/{page}":                       {"/pages/Home", nil, 200},
	"PUT /pages/{page}":                       {"/pages/Home", object{"content": "x", "revision": "abc"}, 422},
	"POST /commits":                           {"/commits", object{"edits": []any{object{"op": "create", "path": "Home", "text": "x"}}}, 409},
	"POST /revert":                            {"/revert", object{"session": "a1b2c3d4"}, 404},
	"PATCH /pages/{page}":                     {"/pages/Home", object{"revision": "abc", "old_string": "a", "new_string": "b"}, 422},
	"DELETE /pages/{page}":                    {"/pages/Home", nil, 428},
	"POST /pages/{page}/rename":               {"/pages/Home/rename", object{"new_path": "Elsewhere"}, 428},
	"GET /pages/{page}/history":               {"/pages/Home/history", nil, 200},
	"GET /pages/{page}/diff":                  {"/pages/Home/diff", nil, 422},
	"GET /pages/{page}/attachments":           {"/pages/Home/attachments", nil, 200},
	"POST /pages/{page}/attachments":          {"/pages/Home/attachments", object{"filename": "a.txt"}, 422},
	"GET /pages/{page}/attachments/{file}":    {"/pages/Home/attachments/none.png", nil, 404},
	"DELETE /pages/{page}/attachments/{file}": {"/pages/Home/attachments/none.png", object{"revision": strings.Repeat("a", 40)}, 404},
	"GET /changelog":                          {"/changelog", nil, 200},
	"GET /search":                             {"/search?q=home", nil, 200},
	"GET /semantic-search":                    {"/semantic-search?q=home", nil, 200},
	"GET /links":                              {"/links", nil, 200},
	"GET /links/{page}":                       {"/links/Home", nil, 200},
}

// TestEveryRoleOnEveryRoute is driven by the route table: a route without a cell
// fails. To callers without rights, a private wiki, a missing one and a reserved
// name look the same, and bob's canary is in no response to anyone else.
func TestEveryRoleOnEveryRoute(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Tokens["personal"] = w.personal("bob", false) // not valid for any wiki
	wikis := []string{"ada", "bob", "nobody"}
	callers := []string{"none", "wrong", "personal", "ada/owner", "ada/owner-reads", "ada/editor", "ada/viewer", "bob/owner"}
	cells := 0
	for _, route := range Routes {
		key := route.Method + " " + route.Pattern
		cell, ok := matrix[key]
		if !ok {
			t.Errorf("route %s has no cell", key)
			continue
		}
		for _, slug := range wikis {
			for _, caller := range callers {
				want := cell.ok
				own := strings.HasPrefix(caller, slug+"/")
				switch {
				case caller == "wrong" || caller == "personal" || slug != "ada" && !own || caller != "none" && !own:
					want = 401
				case route.Action == wiki.Edit && caller == "none":
					want = 401
				case route.Action == wiki.Edit && (caller == "ada/viewer" || caller == "ada/owner-reads"):
					want = 403
				}
				r := w.send(caller, route.Method, slug, cell.path, cell.body)
				cells++
				if r.StatusCode != want {
					t.Errorf("%s on %s as %s: %d, want %d: %.200s", key, slug, caller, r.StatusCode, want, r.text)
				}
				if want == 401 && r.Header.Get("WWW-Authenticate") == "" {
					t.Errorf("%s on %s as %s: 401 without WWW-Authenticate", key, slug, caller)
				}
				if want >= 400 && r.Header.Get("Content-Type") != "application/problem+json" {
					t.Errorf("%s on %s as %s: a problem of type %s", key, slug, caller, r.Header.Get("Content-Type"))
				}
				if !strings.HasPrefix(caller, "bob/") && strings.Contains(strings.ToLower(r.text), canary) {
					t.Errorf("%s on %s as %s tells of bob's page", key, slug, caller)
				}
			}
			if a, b := w.send("none", route.Method, "bob", cell.path, cell.body), w.send("none", route.Method, "nobody", cell.path, cell.body); a.text != b.text || a.StatusCode != b.StatusCode {
				t.Errorf("%s: a private and a missing wiki differ: %s %s", key, a.text, b.text)
			}
		}
	}
	t.Logf("measured: %d cells", cells)
}

func TestConditionalWrites(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	put := func(page, content, revision string, headers ...string) reply {
		body := object{"content": content}
		if revision != "" {
			body["revision"] = revision
		}
		return w.send("ada/editor", "PUT", "ada", "/pages/"+page, body, headers...)
	}
	first := w.want(201, put("Design/Plan", "a\nb\nc\nd\ne\n", "", "If-None-Match", "*"))
	base := first.string("revision")
	if len(base) != 40 || len(first.string("commit")) != 40 || first.string("path") != "Design/Plan" || first.json["created"] != true || first.Header.Get("ETag") != `"`+base+`"` {
		t.Errorf("created: %s", first.text)
	}
	w.want(412, put("Design/Plan", "x", "", "If-None-Match", "*"))
	w.want(428, put("Design/Plan", "x", ""))
	w.want(428, put("Design/Plan", "x", "", "If-Match", "*"))
	w.want(400, put("Design/Plan", "x", "", "If-Match", base))
	second := w.want(200, put("Design/Plan", "a\nb\nc\nd\nE\n", base))
	w.want(412, put("Design/Plan", "x\n", "", "If-Match", `"`+base+`"`))
	merged := w.want(200, put("design/plan", "A\nb\nc\nd\ne\n", base[:8]))
	if merged.json["merged"] != true || merged.string("path") != "Design/Plan" {
		t.Errorf("merged: %s", merged.text)
	}
	conflict := w.want(409, put("Design/Plan", "a\nb\nc\nd\nX\n", base))
	if conflict.string("theirs") != "A\nb\nc\nd\nE\n" || conflict.string("base") != "a\nb\nc\nd\ne\n" || conflict.string("revision") != merged.string("revision") {
		t.Errorf("conflict: %s", conflict.text)
	}
	hunk := conflict.json["hunks"].([]any)[0].(object)
	if hunk["base"] != "e\n" || hunk["theirs"] != "E\n" || hunk["yours"] != "X\n" {
		t.Errorf("hunk: %v", hunk)
	}
	base = w.want(201, put("Many", hostile.Places("x", wiki.MaxHunks+1), "")).string("revision")
	w.want(200, put("Many", hostile.Places("theirs", wiki.MaxHunks+1), base))
	conflict = w.want(409, put("Many", hostile.Places("yours", wiki.MaxHunks+1), base))
	if n := len(conflict.json["hunks"].([]any)); n != 0 || conflict.json["places"] != 101.0 || conflict.string("theirs") != hostile.Places("theirs", wiki.MaxHunks+1) {
		t.Errorf("a conflict in too many places: %.300s", conflict.text)
	}
	if detail := conflict.string("detail"); !strings.Contains(detail, "in 101 places") || !strings.Contains(detail, "current revision") {
		t.Errorf("detail %q", detail)
	}
	w.want(200, put("Design/Plan", "strict\n", "", "If-Match", `W/"`+merged.string("revision")+`"`))
	w.want(422, put("Design/Plan", "x", "abc"))
	w.want(422, put("Design/Plan", "x", strings.Repeat("1", 40)))

	exact := "\ufeffone\r\ntwo\r\nthree"
	w.want(201, put("Exact", exact, ""))
	if got := w.want(200, w.send("none", "GET", "ada", "/pages/Exact", nil)).string("content"); got != exact {
		t.Errorf("stored %q", got)
	}
	patched := w.want(200, w.send("ada/editor", "PATCH", "ada", "/pages/Exact", object{"revision": w.send("none", "GET", "ada", "/pages/Exact", nil).string("revision"), "old_string": "one\ntwo", "new_string": "1\n2"}))
	if got := w.send("none", "GET", "ada", "/pages/Exact?revision="+patched.string("revision"), nil).string("content"); got != "\ufeff1\r\n2\r\nthree" {
		t.Errorf("patched to %q", got)
	}
	w.want(404, w.send("none", "GET", "ada", "/pages/Design/Plan?revision=1234567890", nil))
	old := w.want(200, w.send("none", "GET", "ada", "/pages/Design/Plan?revision="+second.string("commit")[:7], nil))
	if old.json["old"] != true || old.string("content") != "a\nb\nc\nd\nE\n" {
		t.Errorf("old revision: %s", old.text)
	}
}

func TestRenameRedirectsAndDeletes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rev := w.want(201, w.send("ada/owner", "PUT", "ada", "/pages/Old_Name", object{"content": "text\n"})).string("revision")
	w.want(201, w.send("ada/owner", "PUT", "ada", "/pages/Linker", object{"content": "[[Old Name]] `[[Old Name]]`\n"}))
	w.want(428, w.send("ada/owner", "POST", "ada", "/pages/Old_Name/rename", object{"new_path": "New/Name"}))
	moved := w.want(200, w.send("ada/owner", "POST", "ada", "/pages/Old_Name/rename", object{"new_path": "New/Name", "revision": rev}))
	if moved.string("old_path") != "Old_Name" || moved.string("new_path") != "New/Name" || fmt.Sprint(moved.json["updated_pages"]) != "[Linker]" {
		t.Errorf("rename: %s", moved.text)
	}
	if got := w.send("none", "GET", "ada", "/pages/Linker", nil).string("content"); got != "[[New/Name]] `[[Old Name]]`\n" {
		t.Errorf("the linking page is %q", got)
	}
	r := w.want(302, w.send("none", "GET", "ada", "/pages/Old_Name", nil))
	if got := r.Header.Get("Location"); got != "/api/v1/pages/New/Name" {
		t.Errorf("redirect to %q", got)
	}
	w.want(301, w.send("none", "GET", "ada", "/pages/new/name", nil))
	w.want(412, w.send("ada/owner", "DELETE", "ada", "/pages/New/Name", nil, "If-Match", `"`+strings.Repeat("0", 40)+`"`))
	w.want(200, w.send("ada/owner", "DELETE", "ada", "/pages/New/Name", object{"revision": moved.string("revision")}))
	w.want(404, w.send("none", "GET", "ada", "/pages/New/Name", nil))
	history := w.want(200, w.send("none", "GET", "ada", "/pages/New/Name/history", nil))
	if list := history.json["history"].([]any); len(list) != 3 {
		t.Errorf("history: %s", history.text)
	}
}

func TestRetriesAreSafe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := object{"content": "once\n"}
	first := w.want(201, w.send("ada/editor", "PUT", "ada", "/pages/Once", body, "Idempotency-Key", "k1"))
	again := w.want(201, w.send("ada/editor", "PUT", "ada", "/pages/Once", body, "Idempotency-Key", "k1"))
	if again.text != first.text || again.Header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("replay: %s, then %s", first.text, again.text)
	}
	w.want(422, w.send("ada/editor", "PUT", "ada", "/pages/Once", object{"content": "twice\n"}, "Idempotency-Key", "k1"))
	w.want(428, w.send("ada/owner", "PUT", "ada", "/pages/Once", body, "Idempotency-Key", "k1")) // keys are separate per caller
	w.want(400, w.send("ada/editor", "PUT", "ada", "/pages/Twice", body, "Idempotency-Key", strings.Repeat("k", 256)))
	file := object{"filename": "a.txt", "content": "aGVsbG8="}
	w.want(201, w.send("ada/editor", "POST", "ada", "/pages/Once/attachments", file, "Idempotency-Key", "k2"))
	replay := w.want(201, w.send("ada/editor", "POST", "ada", "/pages/Once/attachments", file, "Idempotency-Key", "k2"))
	if replay.Header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("upload replayed: %s", replay.text)
	}
}

func TestAttachments(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	post := func(name, content string, more ...any) reply {
		body := object{"filename": name, "content": content}
		for i := 0; i < len(more); i += 2 {
			body[more[i].(string)] = more[i+1]
		}
		return w.send("ada/editor", "POST", "ada", "/pages/Home/attachments", body)
	}
	made := w.want(201, post("hello.txt", "aGVsbG8="))
	if made.string("url") != "http://ada.robot.localhost/Home/hello.txt" || made.string("path") != "Home/hello.txt" {
		t.Errorf("made: %s", made.text)
	}
	w.want(409, post("hello.txt", "aGVsbG8h"))
	w.want(422, post("hello.txt", "aGVsbG8h", "revision", strings.Repeat("1", 40))) // no file ever had this revision
	w.want(200, post("hello.txt", "aGVsbG8h", "revision", made.string("revision")))
	for _, name := range []string{"x.md", ".hidden", "..", "a\x00b"} {
		w.want(422, post(name, "aGVsbG8="))
	}
	w.want(422, post("a.bin", "no base64!"))
	w.want(422, post("a.bin", "data:text/plain,hello"))
	again := w.want(200, w.send("none", "GET", "ada", "/pages/Home/attachments/hello.txt", nil))
	w.want(200, post("hello.txt", "data:text/plain;base64,aGVsbG8_\n", "revision", again.string("revision")))
	w.want(200, post("hello.txt", "aGVsbG8h", "revision", w.want(200, w.send("none", "GET", "ada", "/pages/Home/attachments/hello.txt", nil)).string("revision")))
	got := w.want(200, w.send("none", "GET", "ada", "/pages/Home/attachments/hello.txt", nil))
	if got.string("content") != "aGVsbG8h" || got.string("mime_type") == "" {
		t.Errorf("read: %s", got.text)
	}
	w.want(428, w.send("ada/editor", "DELETE", "ada", "/pages/Home/attachments/hello.txt", nil))
	w.want(200, w.send("ada/editor", "DELETE", "ada", "/pages/Home/attachments/hello.txt", object{"revision": got.string("revision")}))
	w.want(404, w.send("none", "GET", "ada", "/pages/Home/attachments/hello.txt", nil))
}

// Bad input gets a problem that says what to do, and changes nothing.
func TestBadInput(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, tt := range []struct {
		method, path string
		body         any
		status       int
		headers      []string
	}{
		{"PUT", "/pages/New", "{", 400, nil},
		{"PUT", "/pages/New", "", 422, nil},
		{"PUT", "/pages/New", `{"content": 1}`, 400, nil},
		{"PUT", "/pages/New", `{"content": "x", "revison": "typo"}`, 400, nil},
		{"PUT", "/pages/New", `{"content": "x"} trailing`, 400, nil},
		{"PUT", "/pages/New", "{\"content\": \"\xff\"}", 400, nil},
		{"PUT", "/pages/New", `{"content": "\ud800 half"}`, 400, nil},
		{"PUT", "/pages/New", `{"content": "\udc00\ud800"}`, 400, nil},
		{"PUT", "/pages/New", `{"content": "nul \u0000"}`, 422, nil},
		{"PUT", "/pages/New", `content=x`, 400, []string{"Content-Type", "application/x-www-form-urlencoded"}},
		{"PUT", "/pages/New", `{"content": "x"}`, 400, []string{"If-Match", `"a"`, "If-None-Match", "*"}},
		{"PUT", "/pages/New", `{"content": "x"}`, 400, []string{"If-None-Match", `"a"`}},
		{"PUT", "/pages/New", `{"content": "` + strings.Repeat("x", 1<<20+1) + `"}`, 413, nil},
		{"PUT", "/pages/New", strings.Repeat(" ", maxPageBody+1), 413, nil},
		{"PUT", "/pages/a%5Cb", `{"content": "x"}`, 400, nil},
		{"PUT", "/pages/%2e%2e/x", `{"content": "x"}`, 400, nil},
		{"PUT", "/pages/.git/config", `{"content": "x"}`, 422, nil},
		{"PUT", "/pages/Plan/history", `{"content": "x"}`, 405, nil},
		{"PUT", "/pages/Plan/edit", `{"content": "x"}`, 422, nil},
		{"PUT", "/pages/" + strings.Repeat("n", 300), `{"content": "x"}`, 422, nil},
		{"GET", "/pages/Missing", nil, 404, nil},
		{"GET", "/pages?updated_since=yesterday", nil, 422, nil},
		{"GET", "/pages?where=status+%3D", nil, 422, nil},
		{"GET", "/search", nil, 422, nil},
		{"GET", "/search?q=a&limit=0", nil, 422, nil},
		{"GET", "/changelog?limit=many", nil, 422, nil},
		{"GET", "/nothing", nil, 404, nil},
		{"POST", "/pages", "{}", 405, nil},
		{"PATCH", "/pages/Home", `{"revision": "", "old_string": "", "new_string": "x"}`, 422, nil},
		{"PATCH", "/pages/Home", `{"revision": "12345678", "old_string": "not there at all", "new_string": "x"}`, 422, nil},
	} {
		r := w.send("ada/editor", tt.method, "ada", tt.path, tt.body, tt.headers...)
		if r.StatusCode != tt.status || r.json["detail"] == "" || r.json["status"] != float64(tt.status) {
			t.Errorf("%s %s %.60v: %d, want %d: %.200s", tt.method, tt.path, tt.body, r.StatusCode, tt.status, r.text)
		}
	}
	r := w.send("ada/editor", "PUT", "ada", "/pages/New", `{"content": "x", "revison": "typo"}`)
	if detail := r.json["detail"].(string); !strings.Contains(detail, `Unknown member "revison". This route's body has the members commit_message, content,`) {
		t.Errorf("a mistyped member: %s", detail)
	}
	w.want(404, w.send("none", "GET", "ada", "/pages/New", nil))
	if r := w.want(204, w.send("none", "OPTIONS", "ada", "/pages/New", nil)); !strings.Contains(r.Header.Get("Access-Control-Allow-Methods"), "PUT") {
		t.Errorf("preflight: %v", r.Header)
	}
	w.want(200, w.send("none", "GET", "nobody", "/health", nil))
}

func TestListsAndSearch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.want(201, w.send("ada/editor", "PUT", "ada", "/pages/Garden/Beans", object{"content": "---\ncategory: food\n---\nBroad beans and [[Nowhere]]. #green\n"}))
	for path, want := range map[string]string{
		"/pages?prefix=Garden":            `"path":"Garden/Beans"`,
		"/pages?tag=green":                `"path":"Garden/Beans"`,
		"/pages?category=food":            `"total":1`,
		"/pages?updated_since=2099-01-01": `"total":0`,
		"/pages?where=category+%3D+FOOD&show=category,none&sort=-category": `"properties":{"category":"food"}}],"total":1`,
		"/pages?where=categroy+exists":                                     `"total":0,"unknown_keys":["categroy"],"known_keys":["category"`,
		"/search?q=category:food":                                          `"total":1`,
		"/search?q=broad+bean":                                             `"path":"Garden/Beans"`,
		"/search?q=tag:green":                                              `"total":1`,
		"/search?q=%22bean&tag=green":                                      `"path":"Garden/Beans"`,
		"/search?q=bean&path=Kitchen":                                      `"total":0`,
		"/search?q=bean&author=bob":                                        `"path":"Garden/Beans"`,
		"/search?q=bean&author=nobody":                                     `"total":0`,
		"/links/Garden/Beans":                                              `"links_to":["Nowhere"]`,
		"/links":                                                           `{"source":"Home","target":"AGENTS"}`,
		"/changelog?limit=1":                                               `"pages_affected":["Garden/Beans"]`,
		"/pages/Garden/Beans":                                              `"frontmatter":{"category":"food"}`,
		"/pages/Garden/Beans/history?limit=1":                              `"kind":"added"`,
	} {
		if r := w.want(200, w.send("none", "GET", "ada", path, nil)); !strings.Contains(r.text, want) {
			t.Errorf("GET %s lacks %s: %.400s", path, want, r.text)
		}
	}
}

// 8 writers on 20 pages lose no acknowledged line and see no 5xx.
func TestWritersThroughTheAPI(t *testing.T) {
	t.Parallel()
	const writers, count = 8, 20
	each := 8
	if os.Getenv("ROBOT_LONG") != "" {
		each = 1000
	} else if slow.Enabled() {
		each = 25
	}
	w := newWorld(t)
	var start strings.Builder
	for n := range writers {
		fmt.Fprintf(&start, "## Writer %d\n\nlast %d\n\n", n, n)
	}
	for n := range count {
		w.want(201, w.send("ada/owner", "PUT", "ada", fmt.Sprintf("/pages/Shared_%d", n), object{"content": start.String()}))
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	statuses := map[int]int{}
	for n := range writers {
		wg.Go(func() {
			for k := range each {
				path := fmt.Sprintf("/pages/Shared_%d", (n*7+k)%count)
				mark := fmt.Sprintf("last %d\n", n)
				for {
					page := w.send("ada/owner", "GET", "ada", path, nil)
					edited := strings.Replace(page.string("content"), mark, fmt.Sprintf("edit %d of writer %d\n", k, n)+mark, 1)
					r := w.send("ada/owner", "PUT", "ada", path, object{"content": edited, "revision": page.string("revision")})
					mu.Lock()
					statuses[r.StatusCode]++
					mu.Unlock()
					if r.StatusCode == 200 {
						break
					}
					if r.StatusCode != 409 {
						t.Errorf("PUT %s: %d %.200s", path, r.StatusCode, r.text)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	var all strings.Builder
	for n := range count {
		all.WriteString(w.send("none", "GET", "ada", fmt.Sprintf("/pages/Shared_%d", n), nil).string("content"))
	}
	for n := range writers {
		for k := range each {
			if got := strings.Count(all.String(), fmt.Sprintf("edit %d of writer %d\n", k, n)); got != 1 {
				t.Fatalf("edit %d of writer %d is there %d times", k, n, got)
			}
		}
	}
	t.Logf("measured: answers %v", statuses)
}

// Every route is in docs/api.md.
func TestDocumentation(t *testing.T) {
	doc, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, route := range Routes {
		if !strings.Contains(string(doc), "`"+route.Method+" "+route.Pattern+"`") {
			t.Errorf("docs/api.md does not name %s %s", route.Method, route.Pattern)
		}
	}
	for _, route := range ManageRoutes {
		if !strings.Contains(string(doc), "`"+route.Method+" /api"+route.Pattern+"`") {
			t.Errorf("docs/api.md does not name %s /api%s", route.Method, route.Pattern)
		}
	}
}

// Answers to creating and deleting a page say which links lead elsewhere now.
func TestAnswersNameDivertedLinks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	put := func(page, text string) reply {
		t.Helper()
		return w.want(201, w.send("ada/owner", "PUT", "ada", "/pages/"+page, object{"content": text}))
	}
	put("G/Twin", "x")
	put("H/Twin", "x")
	put("Links", "[[G/Twin]] [[Twin]] [t](Twin)")
	if got := put("Twin", "x"); !strings.Contains(got.text, `"diverted":[{"from":"G/Twin","to":"Twin","links":2}]`) {
		t.Error(got.text)
	}
	remove := func(page string) reply {
		t.Helper()
		revision := w.want(200, w.send("ada/owner", "GET", "ada", "/pages/"+page, nil)).string("revision")
		return w.want(200, w.send("ada/owner", "DELETE", "ada", "/pages/"+page, object{"revision": revision}))
	}
	if got := remove("Twin"); !strings.Contains(got.text, `"diverted":[{"from":"Twin","to":"G/Twin","links":2}]`) {
		t.Error(got.text)
	}
	if got := remove("G/Twin"); !strings.Contains(got.text, `"diverted":[{"from":"G/Twin","to":"H/Twin","links":2}],"dead_links":1`) {
		t.Error(got.text)
	}
}
