package web

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/testworld"
)

// Imports a repository into a new wiki in the browser: problems are listed, progress
// is shown, and imported authors aren't linked to accounts.
func TestImport(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	if _, err := w.Tenant.Create(t.Context(), testworld.Person("dan"), "dan"); err != nil {
		t.Fatal(err)
	}
	if err := w.Pages.Seed(t.Context(), w.Access("dan", "dan")); err != nil {
		t.Fatal(err)
	}
	dan := w.as("dan")
	for got := dan.get(on("dan", "/-/settings")); got.status == http.StatusFound; {
		got = dan.follow(got)
	}
	dan.get(on("dan", "/-/settings")).want(http.StatusOK).has("git clone http://dan.robot.localhost:8080/repo.git dan", `href="/-/import"`)
	form := dan.get(on("dan", "/-/import")).want(http.StatusOK)
	form.has(`enctype="multipart/form-data"`, "git bundle create")

	// No file chosen, and not a repository.
	dan.sendFiles(on("dan", "/-/import"), part{field: "other", data: "x"}).want(http.StatusUnprocessableEntity).has("Choose a file")
	send := func(data string) *answer {
		t.Helper()
		dan.sendFiles(on("dan", "/-/import"), part{field: "file", file: "wiki.bundle", data: data}).want(http.StatusSeeOther)
		for range 200 {
			got := dan.get(on("dan", "/-/import")).want(http.StatusOK)
			if got.header.Get("Refresh") == "" {
				return got
			}
			got.has("<progress", "The wiki stays as it is until the import ends")
			time.Sleep(20 * time.Millisecond)
		}
		t.Fatal("the import doesn't end")
		return nil
	}
	send("# Home\n").has("Nothing was imported", "This is not a git bundle", `name="file"`)
	// Attack: a bundle without refs, 17 bytes, panicked outside the request and
	// ended the process.
	send("# v2 git bundle\n\n").has("Nothing was imported", "There is no branch to import", `name="file"`)
	bundle, err := os.ReadFile("../pages/testdata/odd.bundle")
	if err != nil {
		t.Fatal(err)
	}
	send(string(bundle)).has("commits imported", "Commit ids are unchanged", "unmerged")
	dan.get(on("dan", "/Home")).want(http.StatusOK).has("the end")
	dan.get(on("dan", "/-/changelog")).want(http.StatusOK).has("Grace Hopper", "imported")
	dan.get(on("dan", "/passwd.txt")).want(http.StatusNotFound)

	// Only a new wiki accepts an import.
	dan.sendFiles(on("dan", "/-/import"), part{field: "file", file: "wiki.bundle", data: string(bundle)}).want(http.StatusConflict)
	w.as("bob").get(on("ada", "/-/index")).has("git clone http://ada.robot.localhost:8080/repo.git ada")
}

// A slowBody is an upload that stops halfway.
type slowBody struct {
	io.Reader
	asked chan bool // closed when more is asked for
	rest  chan bool // closed to end it
}

func (b slowBody) Read(buf []byte) (int, error) {
	n, err := b.Reader.Read(buf)
	if err != io.EOF {
		return n, err
	}
	select {
	case <-b.asked:
	default:
		close(b.asked)
	}
	<-b.rest
	return 0, io.ErrUnexpectedEOF
}

// freshWiki creates a wiki that can import, for a person without one.
func (w *testWiki) freshWiki(name string) *browser {
	w.T.Helper()
	if _, err := w.Tenant.Create(w.T.Context(), testworld.Person(name), name); err != nil {
		w.T.Fatal(err)
	}
	if err := w.Pages.Seed(w.T.Context(), w.Access(name, name)); err != nil {
		w.T.Fatal(err)
	}
	b := w.as(name)
	for got := b.get(on(name, "/-/settings")); got.status == http.StatusFound; {
		got = b.follow(got)
	}
	return b
}

// importBody is an import's form that ends after the file's first bytes.
const importBody = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.bundle\"\r\n\r\n# v2 git bundle\n"

// startUpload begins an upload of a repository. It returns once the file is being
// stored, with a function that breaks it off and returns the answer.
func (b *browser) startUpload(slug string) (breakOff func() *answer) {
	b.w.T.Helper()
	body := slowBody{strings.NewReader(importBody), make(chan bool), make(chan bool)}
	done := make(chan *answer, 1)
	go func() { done <- b.do(b.importRequest(slug, body)) }()
	<-body.asked
	return func() *answer {
		close(body.rest)
		return <-done
	}
}

func (b *browser) importRequest(slug string, body io.Reader) *http.Request {
	r := httptest.NewRequest(http.MethodPost, on(slug, "/-/import"), body)
	r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
	return r
}

// An unread body fails the test when it is read: a refused upload must cost nothing.
type unreadBody struct{ t *testing.T }

func (b unreadBody) Read([]byte) (int, error) {
	b.t.Error("the body of a refused upload was read")
	return 0, io.EOF
}

// Attack: many uploads at once, each stored before anything checked whether an
// import was possible. 8 connections of one account held 321 MB of the disk.
func TestUploadsForImportAreBounded(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	dan := w.freshWiki("dan")
	scratch := func() int {
		list, err := filepath.Glob(filepath.Join(w.Dir, "wikis", ".scratch", "import-*"))
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	first := dan.startUpload("dan")
	dan.do(dan.importRequest("dan", unreadBody{t})).want(http.StatusConflict).has("already running")
	dan.get(on("dan", "/-/import")).want(http.StatusOK).has("Receiving the file")
	if n := scratch(); n != 1 {
		t.Errorf("%d uploads on disk", n)
	}
	first().want(http.StatusBadRequest).has("incomplete")
	if n := scratch(); n != 0 {
		t.Errorf("%d uploads left on disk", n)
	}
	// A broken upload doesn't keep the wiki from another.
	dan.get(on("dan", "/-/import")).want(http.StatusOK).lacks("Receiving the file")
	dan.startUpload("dan")().want(http.StatusBadRequest)

}

// A slow upload ends, because others wait for its place.
func TestSlowUploadsEnd(t *testing.T) {
	began := time.Now().Add(-slowUpload - time.Second)
	r := httptest.NewRecorder()
	p := &pacedReader{in: strings.NewReader("data"), control: http.NewResponseController(r), began: began}
	if _, err := p.Read(make([]byte, 10)); err == nil || !strings.Contains(err.Error(), "too slow") {
		t.Error(err)
	}
	p.read = 100 << 20
	if n, err := p.Read(make([]byte, 10)); n != 4 || err != nil {
		t.Errorf("a fast upload: %d, %v", n, err)
	}
	p = &pacedReader{in: strings.NewReader("data"), control: http.NewResponseController(r), began: time.Now()}
	if n, err := p.Read(make([]byte, 10)); n != 4 || err != nil {
		t.Errorf("an upload that just began: %d, %v", n, err)
	}
}

// Interrupting an upload ends a read that is blocked, and all later ones.
func TestUploadsCanBeInterrupted(t *testing.T) {
	blocked, ended := make(chan *pacedReader), make(chan error, 2)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := &pacedReader{in: r.Body, control: http.NewResponseController(w), began: time.Now()}
		blocked <- p
		for range 2 {
			_, err := io.ReadAll(p)
			ended <- err
		}
	}))
	defer server.Close()
	body, out := io.Pipe()
	defer out.Close()
	go func() {
		response, err := http.Post(server.URL, "", body)
		if err == nil {
			response.Body.Close()
		}
	}()
	(<-blocked).interrupt()
	for range 2 {
		select {
		case err := <-ended:
			if err == nil {
				t.Error("no error")
			}
		case <-time.After(10 * time.Second):
			t.Fatal("the read is still blocked")
		}
	}
}
