package mcpserver

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

// offerUpload requests a one-time address and returns its path.
func (w *world) offerUpload(token, page, name string) string {
	w.T.Helper()
	text := w.ok(token, "write_attachment", "path", page, "name", name, "message", "A file")
	found := regexp.MustCompile(`curl -T FILE http://\w+\.robot\.localhost(/-/upload/\w+)$`).FindStringSubmatch(text)
	if found == nil {
		w.T.Fatalf("no address in %s", text)
	}
	return found[1]
}

// send uploads a file like curl -T: by PUT, without credentials.
func (w *world) send(slug, path string, file io.Reader) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPut, "http://"+slug+".robot.localhost"+path, file)
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	return rec
}

func (w *world) file(slug, path string) (wiki.Author, string, error) {
	f, data, err := w.Pages.OpenAttachment(w.T.Context(), w.Access(slug, slug), path, "")
	return f.Author, string(data), err
}

// An address stores one file, in the name of the caller who requested it.
func TestUploadWorksOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := w.offerUpload("ada/editor", "Home", "plan.txt")
	a := w.send("ada", path, strings.NewReader("one"))
	if a.Code != http.StatusCreated || !strings.Contains(a.Body.String(), `"path":"Home/plan.txt"`) {
		t.Fatalf("%d %s", a.Code, a.Body)
	}
	author, text, err := w.file("ada", "Home/plan.txt")
	if err != nil || text != "one" || author.Username != "bob" || author.Agent != "Claude" {
		t.Errorf("%q by %+v, %v", text, author, err)
	}
	if log, err := w.Pages.Changelog(w.T.Context(), w.Access("ada", "ada"), pages.LogFilter{Limit: 1}); err != nil || log[0].Message != "A file" {
		t.Errorf("the message is %q, %v", log[0].Message, err)
	}
	if a := w.send("ada", path, strings.NewReader("two")); a.Code != http.StatusGone {
		t.Errorf("a second time: %d %s", a.Code, a.Body)
	}
	if _, text, _ := w.file("ada", "Home/plan.txt"); text != "one" {
		t.Errorf("the second file is there: %q", text)
	}
}

// Attack: a stranger uses an address on another wiki, or after it expired.
// Nothing is stored, and the owner can still use it.
func TestUploadElsewhereOrLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := w.offerUpload("ada/editor", "Home", "plan.txt")
	for _, other := range [][2]string{{"bob", path}, {"nobody", path}, {"ada", path + "x"}, {"ada", strings.ToLower(path)}, {"ada", "/-/upload/"}, {"ada", "/-/upload/" + strings.Repeat("A", 26)}} {
		if a := w.send(other[0], other[1], strings.NewReader("x")); a.Code != http.StatusGone {
			t.Errorf("%s on %s: %d %s", other[1], other[0], a.Code, a.Body)
		}
	}
	if _, _, err := w.file("bob", "Home/plan.txt"); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("it is on another wiki: %v", err)
	}
	if a := w.send("ada", path, strings.NewReader("x")); a.Code != http.StatusCreated {
		t.Errorf("its own: %d %s", a.Code, a.Body)
	}

	late := w.offerUpload("ada/editor", "Home", "late.txt")
	now := w.door.o.Now
	w.door.o.Now = func() time.Time { return now().Add(uploadTime) }
	if a := w.send("ada", late, strings.NewReader("x")); a.Code != http.StatusGone {
		t.Errorf("after %v: %d %s", uploadTime, a.Code, a.Body)
	}
	w.door.o.Now = now
	if a := w.send("ada", late, strings.NewReader("x")); a.Code != http.StatusGone {
		t.Errorf("an address that was over is good again: %d", a.Code)
	}
	if _, _, err := w.file("ada", "Home/late.txt"); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("it is stored: %v", err)
	}
}

// Attack: an agent keeps an address until it has lost its rights. The
// address has only the token's current rights.
func TestUploadAfterLosingAccess(t *testing.T) {
	t.Parallel()
	for what, take := range map[string]func(w *world, owner wiki.Access){
		"token": func(w *world, owner wiki.Access) {
			bob := w.Access("ada", "bob")
			tokens, err := w.Session.Tokens(w.T.Context(), bob)
			w.must(err)
			for _, token := range tokens {
				w.must(w.Session.RevokeToken(w.T.Context(), bob, token.ID))
			}
		},
		"member": func(w *world, owner wiki.Access) { w.must(w.Tenant.RemoveMember(w.T.Context(), owner, "did:plc:bob")) },
		"right": func(w *world, owner wiki.Access) {
			w.must(w.Tenant.SetMember(w.T.Context(), owner, "did:plc:bob", wiki.Viewer))
		},
		"wiki": func(w *world, owner wiki.Access) { w.must(w.Tenant.Suspend(w.T.Context(), w.operator("ada"), "spam")) },
	} {
		w := newWorld(t)
		path := w.offerUpload("ada/editor", "Home", "plan.txt")
		owner := w.Access("ada", "ada")
		take(w, owner)
		if a := w.send("ada", path, strings.NewReader("x")); a.Code < 400 || a.Code >= 500 {
			t.Errorf("after the %s was taken away: %d %s", what, a.Code, a.Body)
		}
		if _, _, err := w.Pages.OpenAttachment(w.T.Context(), owner, "Home/plan.txt", ""); !errors.Is(err, wiki.ErrNotFound) {
			t.Errorf("after the %s was taken away it is stored: %v", what, err)
		}
	}
}

func (w *world) operator(slug string) wiki.Access {
	w.T.Helper()
	a, err := w.Tenant.Resolve(w.T.Context(), slug, wiki.Caller{Operator: true})
	w.must(err)
	return a
}

// A file that is too large, incomplete or over the wiki's quota isn't
// stored, and uses up its address.
func TestUploadFailures(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(w.Tenant.SetLimits(w.T.Context(), w.operator("ada"), wiki.Limits{AttachmentBytes: 5_000, CurrentBytes: 40_000}))
	file := func(n int) io.Reader { return strings.NewReader(strings.Repeat("x", n)) }
	refused := func(what string, status int, says string, body io.Reader) {
		t.Helper()
		path := w.offerUpload("ada/editor", "Home", "big.txt")
		a := w.send("ada", path, body)
		if a.Code != status || !strings.Contains(a.Body.String(), says) || !strings.Contains(a.Body.String(), "The address has been used") {
			t.Errorf("%s: %d %s", what, a.Code, a.Body)
		}
		if _, _, err := w.file("ada", "Home/big.txt"); !errors.Is(err, wiki.ErrNotFound) {
			t.Errorf("%s is stored: %v", what, err)
		}
		if a := w.send("ada", path, file(1)); a.Code != http.StatusGone {
			t.Errorf("%s: its address is good again: %d", what, a.Code)
		}
	}
	refused("too large", http.StatusRequestEntityTooLarge, "This file is too large", file(5_001))
	endless := &counted{Reader: endlessly{}}
	if refused("endless", http.StatusRequestEntityTooLarge, "This file is too large", endless); endless.n > 100_000 {
		t.Errorf("%d bytes of an endless file were read", endless.n)
	}
	refused("incomplete", http.StatusBadRequest, "nothing was changed", io.MultiReader(file(100), iotest.ErrReader(io.ErrUnexpectedEOF)))
	if a := w.send("ada", w.offerUpload("ada/editor", "Home", "fits.txt"), file(5_000)); a.Code != http.StatusCreated {
		t.Errorf("at the limit: %d %s", a.Code, a.Body)
	}
	full := false
	for i := 0; i < 10 && !full; i++ {
		a := w.send("ada", w.offerUpload("ada/editor", "Home", "f"+jsonOf(i)), file(5_000))
		full = a.Code == http.StatusForbidden && strings.Contains(a.Body.String(), "This wiki is full")
	}
	if !full {
		t.Error("a wiki of 40,000 bytes takes 50,000")
	}
}

type endlessly struct{}

func (endlessly) Read(b []byte) (int, error) { return len(b), nil }

type counted struct {
	io.Reader
	n int
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n += n
	return n, err
}

// Attack: an agent requests addresses without end, to fill memory or to
// block others.
func TestUploadAddressesAreLimited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range maxOwnUploads {
		w.offerUpload("ada/editor", "Home", "plan.txt")
	}
	w.fails("Too many unused upload addresses", "ada/editor", "write_attachment", "path", "Home", "name", "plan.txt")
	w.offerUpload("ada/owner", "Home", "plan.txt")
	now := w.door.o.Now
	w.door.o.Now = func() time.Time { return now().Add(uploadTime) }
	w.offerUpload("ada/editor", "Home", "plan.txt")
	if n := w.door.uploads.total; n != 1 {
		t.Errorf("%d addresses are open", n)
	}
}

// Attack: one token asks for addresses under 50 spellings of its Authorization
// header. It gets its 20.
func TestUploadAddressesCountByGrant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	given := 0
	for i := range 50 {
		spelled := "bEaReR" + strings.Repeat(" ", 1+i) + w.Tokens["ada/editor"]
		a := w.post(posted{slug: "ada", body: callBody(int64(i), "write_attachment", "path", "Home", "name", "a.txt"), headers: []string{"Authorization", spelled}})
		if len(a.result.Result.Content) == 1 && !a.result.Result.IsError {
			given++
		}
	}
	if given != maxOwnUploads {
		t.Errorf("%d addresses, want %d", given, maxOwnUploads)
	}
}

// Attack: tenants take all the addresses that the service has. Each of them has a
// share, by token, person and wiki, and another wiki still gets its addresses.
func TestUploadAddressesAreShared(t *testing.T) {
	t.Parallel()
	u := &uploads{max: 500}
	now := time.Unix(1e9, 0)
	ask := func(slug, did, grant string) (string, error) {
		now = now.Add(time.Millisecond)
		return u.add(upload{slug: slug, did: did, grant: grant, until: now.Add(uploadTime)})
	}
	given := func(slug, did, grant string, n int) (count int) {
		for range n {
			if _, err := ask(slug, did, grant); err == nil {
				count++
			}
		}
		return count
	}
	if n := given("w1", "d1", "g1", 50); n != maxOwnUploads {
		t.Errorf("one token: %d", n)
	}
	byPerson := 0
	for i := range 20 {
		byPerson += given(fmt.Sprint("p", i), "d2", fmt.Sprint("h", i), maxOwnUploads)
	}
	if byPerson != maxAccountUploads {
		t.Errorf("one person in 20 wikis: %d", byPerson)
	}
	byWiki := 0
	for i := range 20 {
		byWiki += given("w3", fmt.Sprint("e", i), fmt.Sprint("i", i), maxOwnUploads)
	}
	if byWiki != maxWikiUploads {
		t.Errorf("20 people in one wiki: %d", byWiki)
	}
	victim, err := ask("bob", "bob", "b")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		given(fmt.Sprint("flood", i%3), fmt.Sprint("f", i), fmt.Sprint("j", i), maxOwnUploads)
	}
	if u.total > u.max {
		t.Errorf("%d addresses", u.total)
	}
	if n := given("cleo", "cleo", "c", maxOwnUploads); n != maxOwnUploads {
		t.Errorf("another wiki gets %d addresses, want %d", n, maxOwnUploads)
	}
	if _, ok := u.redeem(victim, "bob", now); !ok {
		t.Error("another wiki's address is gone")
	}
	total := 0
	for _, list := range u.wikis {
		total += len(list)
	}
	byDID := 0
	for _, n := range u.accounts {
		byDID += n
	}
	if total != u.total || byDID != u.total {
		t.Errorf("counted %d, by wiki %d, by person %d", u.total, total, byDID)
	}
}
