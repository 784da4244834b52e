package web

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/await"
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
	form.has(`enctype="multipart/form-data"`, "git bundle create", `name="folder" webkitdirectory`, "The history is kept")

	// No file chosen, and not a repository.
	dan.sendFiles(on("dan", "/-/import"), part{field: "other", data: "x"}).want(http.StatusUnprocessableEntity).has("Choose a zip")
	send := func(data string) *answer {
		t.Helper()
		dan.sendFiles(on("dan", "/-/import"), part{field: "source", data: "bundle"}, part{field: "file", file: "wiki.bundle", data: data}).want(http.StatusSeeOther)
		return dan.settledImport("dan")
	}
	send("# Home\n").has("Nothing was imported", "This is not a git bundle", `name="file"`)
	// Attack: a bundle without refs, 17 bytes, panicked outside the request and
	// ended the process.
	send("# v2 git bundle\n\n").has("Nothing was imported", "There is no branch to import", `name="file"`)
	bundle, err := os.ReadFile("../pages/testdata/odd.bundle")
	if err != nil {
		t.Fatal(err)
	}
	preview := send(string(bundle)).has("Ready to import", "<b><bdi>wiki.bundle</bdi></b>, a git repository", "initial pages", "unmerged")
	dan.get(on("dan", "/Home")).want(http.StatusOK).lacks("the end")
	dan.decideImport("dan", preview, "import").has("commits imported", "Commit ids are unchanged", "unmerged")
	dan.get(on("dan", "/Home")).want(http.StatusOK).has("the end")
	dan.get(on("dan", "/-/changelog")).want(http.StatusOK).has("Grace Hopper (imported from wiki.bundle)")

	// The owner vouches for it, and takes that back.
	found := regexp.MustCompile(`name="commit" value="([0-9a-f]{40})"`).FindStringSubmatch(dan.get(on("dan", "/-/settings")).has("Vouch for it").body)
	if found == nil {
		t.Fatal("the settings don't list the import")
	}
	vouch := func(action string) *answer {
		t.Helper()
		return dan.follow(dan.post(on("dan", "/-/imports"), url.Values{"commit": {found[1]}, "action": {action}}).want(http.StatusSeeOther))
	}
	vouch("vouch").has(" vouches for it since", "Take back")
	vouch("withdraw").has("Vouch for it").lacks("vouches for it since")
	dan.post(on("dan", "/-/imports"), url.Values{"commit": {found[1]}, "action": {"other"}}).want(http.StatusUnprocessableEntity).has("Open Settings")
	if events, err := w.Store.Audit(t.Context(), "dan", 2); err != nil || len(events) != 2 || events[0].Action != "import.unvouch" || events[1].Action != "import.vouch" || events[1].Detail != found[1] {
		t.Errorf("audit: %+v, %v", events, err)
	}
	dan.get(on("dan", "/passwd.txt")).want(http.StatusNotFound)

	// A wiki with pages takes the newest files only, and this one has them.
	dan.get(on("dan", "/-/import?new=1")).want(http.StatusOK).has("Only its newest files")
	send(string(bundle)).has("There is nothing to import", "here already")
	w.as("bob").get(on("ada", "/-/index")).has("git clone http://ada.robot.localhost:8080/repo.git ada")
}

// settledImport waits until an import doesn't work any more, and returns its page.
func (b *browser) settledImport(slug string) *answer {
	b.w.T.Helper()
	var got *answer
	await.Until(b.w.T, "the import ends", await.Long, func() bool {
		got = b.get(on(slug, "/-/import")).want(http.StatusOK)
		if got.header.Get("Refresh") == "" {
			return true
		}
		got.has("<progress", "The wiki stays as it is until the import ends")
		return false
	})
	return got
}

var previewID = regexp.MustCompile(`name="id" value="([A-Z0-9]+)"`)

// decideImport sends the form of a preview, and returns the page of the result.
func (b *browser) decideImport(slug string, preview *answer, do string, fields ...string) *answer {
	b.w.T.Helper()
	id := previewID.FindStringSubmatch(preview.body)
	if id == nil {
		b.w.T.Fatalf("no preview: %s", preview.body)
	}
	form := url.Values{"id": {id[1]}, "do": {do}}
	for i := 0; i < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	b.post(on(slug, "/-/import/plan"), form).want(http.StatusSeeOther)
	return b.settledImport(slug)
}

// vaultZip makes a zip of files, names and texts in turn.
func vaultZip(t testing.TB, files ...string) string {
	t.Helper()
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for i := 0; i < len(files); i += 2 {
		out, err := z.Create(files[i])
		if err == nil {
			_, err = io.WriteString(out, files[i+1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.String()
}

// A vault in the browser: what will happen, names that are taken, and undoing it.
func TestImportVault(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	dan := w.freshWiki("dan")
	send := func(into string, parts ...part) *answer {
		t.Helper()
		dan.sendFiles(on("dan", "/-/import"), append([]part{{field: "source", data: "folder"}, {field: "into", data: into}}, parts...)...).want(http.StatusSeeOther)
		return dan.settledImport("dan")
	}
	vault := vaultZip(t, "Vault/.obsidian/app.json", "{}", "Vault/Home.md", "[[Beds]] [[Gone]]", "Vault/Beds.md", "# <b>Beds", "Vault/guide/delete.md", "x")
	preview := send("", part{field: "file", file: "vault.zip", data: vault})
	preview.has("Ready to import", "an Obsidian vault", "3 initial pages", "guide/Delete.md", "settings of Obsidian", "Gone", "Import 3 pages", "one commit by you")
	dan.get(on("dan", "/Beds")).want(http.StatusNotFound)

	// An older preview decides nothing, nor does a form without its id.
	dan.post(on("dan", "/-/import/plan"), url.Values{"id": {"OLD"}, "do": {"import"}}).want(http.StatusSeeOther)
	dan.settledImport("dan").has("Ready to import")
	dan.decideImport("dan", preview, "cancel").has("Where does it come from?")
	preview = send("", part{field: "file", file: "vault.zip", data: vault})
	done := dan.decideImport("dan", preview, "import")
	done.has("3 pages imported", "Undo the import", "Open Home")
	dan.get(on("dan", "/Beds")).want(http.StatusOK)
	dan.get(on("dan", "/Getting_Started")).want(http.StatusNotFound)

	// The same again, with another Home: keep both.
	dan.get(on("dan", "/-/import")).has("3 pages imported")
	dan.get(on("dan", "/-/import?new=1")).has("Where does it come from?", "Your 3 pages stay")
	preview = send("", part{field: "folder", file: "My notes/Home.md", data: "theirs"}, part{field: "folder", file: "My notes/Beds.md", data: "# <b>Beds"}, part{field: "folder", file: "My notes/x/New.md", data: "new"})
	preview.has("One name is taken", "Keep mine", "Home (2)", "My notes", "1 file is here already", "Import 1 page<")
	dan.decideImport("dan", preview, "import", "choice-0", "both").has("2 pages imported")
	dan.get(on("dan", "/Home%20(2).md")).want(http.StatusOK).has("theirs")
	dan.get(on("dan", "/x/New")).want(http.StatusOK)

	// Into a folder that can't be one.
	dan.sendFiles(on("dan", "/-/import"), part{field: "into", data: "a/edit"}, part{field: "file", file: "v.zip", data: vault}).want(http.StatusUnprocessableEntity).has("which is an action on pages", `value="a/edit"`)
	dan.sendFiles(on("dan", "/-/import"), part{field: "file", file: "v.zip", data: "text"}).want(http.StatusSeeOther)
	dan.settledImport("dan").has("no zip that can be read")
}

// A wiki whose links have their text first gets that setting, unless its owner
// disagrees.
func TestImportSetsWikilinks(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	vault := vaultZip(t, "Home.md", "[[Read me|Beds]] [[Beds|Home]]", "_Sidebar.md", "[[Here|Home]]", "Beds.md", "x")
	for name, agree := range map[string]bool{"dan": true, "cleo": false} {
		owner := w.freshWiki(name)
		owner.sendFiles(on(name, "/-/import"), part{field: "source", data: "folder"}, part{field: "into", data: ""}, part{field: "file", file: "v.zip", data: vault}).want(http.StatusSeeOther)
		preview := owner.settledImport(name)
		preview.has("Wikilinks have their text first", "2 links here only work that way", "Links that work")
		fields := []string{"wikilinks", "on"}
		order, selfLink := "text-first", `href="/Home">Beds</a>`
		if !agree {
			fields, order, selfLink = nil, "automatic", `href="/Beds">Home</a>`
		}
		owner.decideImport(name, preview, "import", fields...).has("3 pages imported")
		owner.get(on(name, "/-/settings")).has(`value="` + order + `" selected`)
		owner.get(on(name, "/Home")).has(`href="/Beds">Read me</a>`, selfLink)
	}
}

// An export of MediaWiki in the browser: the preview says how it is converted.
func TestImportMediaWiki(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	dan := w.freshWiki("dan")
	dan.get(on("dan", "/-/import?new=1")).has(`value="mediawiki"`, "Special:Export")
	export, err := os.ReadFile("../pages/testdata/mediawiki.xml")
	if err != nil {
		t.Fatal(err)
	}
	dan.sendFiles(on("dan", "/-/import"), part{field: "source", data: "mediawiki"}, part{field: "file", file: "birds.xml", data: string(export)}).want(http.StatusSeeOther)
	preview := dan.settledImport("dan").has("Ready to import", "a MediaWiki export", "Wikitext becomes Markdown", "Main Page", "becomes Home", "Talk</bdi>: pages that", "1 older revision is left out", "Import 4 pages")
	dan.decideImport("dan", preview, "import").has("4 pages imported", "Open Home")
	dan.get(on("dan", "/Rock_dove")).want(http.StatusOK).has("Felsentaube", `href="/Home"`)
	if got := dan.get(on("dan", "/Common_pigeon")); got.status != http.StatusFound || got.header.Get("Location") != "/Rock_dove" {
		t.Errorf("a redirect: %d %s", got.status, got.header.Get("Location"))
	}
	dan.sendFiles(on("dan", "/-/import"), part{field: "file", file: "birds.xml", data: string(export[:len(export)-30])}).want(http.StatusSeeOther)
	dan.settledImport("dan").has("can&#39;t be read: it is damaged or incomplete")
}

// What doesn't fit can be made to fit by leaving out folders.
func TestImportThatDoesntFit(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	dan := w.freshWiki("dan")
	files := []string{"Home.md", "x"}
	for i := range 501 {
		files = append(files, fmt.Sprintf("Daily <notes>/%d.md", i), "x")
	}
	dan.sendFiles(on("dan", "/-/import"), part{field: "file", file: "v.zip", data: vaultZip(t, files...)}).want(http.StatusSeeOther)
	refused := dan.settledImport("dan")
	refused.has("This doesn&rsquo;t fit", "would have 502, and the limit is 500", "Daily &lt;notes&gt;", "501 pages", "robot home").lacks("Import 50")
	// The form can't import it all the same.
	dan.decideImport("dan", refused, "import").has("This doesn&rsquo;t fit")
	fits := dan.decideImport("dan", refused, "check", "without", "Daily <notes>")
	fits.has("Ready to import", "501 files are in the folders that you leave out")
	dan.decideImport("dan", fits, "import").has("1 page imported")
}

// A preview ends when nobody decides, and makes room for another wiki.
func TestPreviewsExpire(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	dan := w.freshWiki("dan")
	dan.sendFiles(on("dan", "/-/import"), part{field: "file", file: "v.zip", data: vaultZip(t, "A.md", "x")}).want(http.StatusSeeOther)
	preview := dan.settledImport("dan").has("Ready to import")
	job := w.web.imports.job("dan")
	if err := job.expire(errPreviewExpired); err != nil || job.upload != nil {
		t.Fatal(err)
	}
	if job.preview != nil { // it can be large, and the job stays
		t.Error("the preview stays in memory")
	}
	if left, _ := filepath.Glob(filepath.Join(w.Dir, "wikis", ".scratch", "import-*")); len(left) != 0 {
		t.Errorf("left over: %q", left)
	}
	dan.decideImport("dan", preview, "import").has("nobody confirmed it within 15 minutes", `name="file"`)
	dan.get(on("dan", "/A")).want(http.StatusNotFound)
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
