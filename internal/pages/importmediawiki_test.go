package pages

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"robot.wtf/internal/wiki"
)

// An export of MediaWiki becomes pages whose links lead where they did; redirects
// redirect, and importing it again changes nothing.
func TestImportMediaWiki(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/mediawiki.xml")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t).fresh("new")
	u := w.received(data)
	v := w.examined(u, ImportRequest{})
	if v.Kind != "a MediaWiki export" || v.About == "" || v.Pages != 4 || v.Files != 0 || v.OlderRevisions != 1 || v.Links != 10 || v.LinksLead != 9 || v.Pictures != 1 || len(v.Problems) != 0 {
		t.Errorf("%+v", v)
	}
	if done := w.imported(u, ImportRequest{}); done.Pages != 4 || !done.HasHome {
		t.Errorf("%+v", done)
	}
	w.must(u.Close())
	for page, wants := range map[string][]string{
		"Home":      {`href="/Rock_dove"`, `href="/Rock_dove#user-content-names"`, `href="/Help/Editing"`, `class="red"`},
		"Rock_dove": {`href="/Home"`, `<table>`, `href="/Sub/Page"`},
	} {
		view, err := w.View(w.t.Context(), w.owner, page, "")
		w.must(err)
		for _, want := range wants {
			if !contains(view.Body, want) {
				t.Errorf("%s lacks %s:\n%s", page, want, view.Body)
			}
		}
	}
	for from, to := range map[string]string{"Main_Page": "/Home", "common pigeon": "/Rock_dove", "Pigeon": "/Rock_dove"} {
		var redirect *wiki.Redirect
		if _, err := w.Find(w.t.Context(), w.owner, from); !errors.As(err, &redirect) || redirect.To != to || redirect.Permanent {
			t.Errorf("%s: %v", from, err)
		}
	}

	again := w.examined(w.received(data), ImportRequest{})
	if again.Same != 4 || again.Pages != 0 || len(again.Clashes) != 0 {
		t.Errorf("again: %+v", again)
	}
}

// In a folder, the links lead to the pages in it, not to the wiki's own ones.
func TestImportMediaWikiIntoFolder(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/mediawiki.xml")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	w.put("Rock dove", "mine")
	v := w.examined(w.received(data), ImportRequest{Into: "Old wiki"})
	if v.Pages != 4 || v.LinksLead != 9 {
		t.Errorf("%+v", v)
	}
}

// A zip of an export and the wiki's folder of images brings the pictures along; smaller
// copies and old versions stay behind.
func TestImportMediaWikiWithPictures(t *testing.T) {
	t.Parallel()
	export, err := os.ReadFile("testdata/mediawiki.xml")
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(export); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	photo := pngOf(picture(3, 2))
	for name, dump := range map[string]string{"wiki/dump.xml": string(export), "dump.xml.gz": packed.String()} {
		w := newWorld(t).fresh("new")
		data := zipFiles(t, map[string]string{
			name: dump, "wiki/other.xml": "<svg/>", "wiki/images/.htaccess": "deny",
			"wiki/images/a/ab/Rock_dove.jpg":                  string(photo),
			"wiki/images/thumb/a/ab/Rock_dove.jpg/20px-x.jpg": "small",
			"wiki/images/archive/a/ab/2026!Rock_dove.jpg":     "old",
			"wiki/images/c/cd/Ein_Plan.pdf":                   "%PDF",
		})
		u := w.received(data)
		v := w.examined(u, ImportRequest{})
		if v.Kind != "a MediaWiki export" || v.Pages != 4 || v.Files != 3 || v.Pictures != 1 || v.LeftFiles < 3 || len(v.Problems) != 0 {
			t.Errorf("%s: %+v", name, v)
		}
		w.imported(u, ImportRequest{})
		view, err := w.View(w.t.Context(), w.owner, "Rock dove", "")
		w.must(err)
		if !contains(view.Body, `<img src="/File/Rock_dove.jpg"`) {
			t.Errorf("%s: no picture in\n%s", name, view.Body)
		}
		_, stored, err := w.OpenAttachment(w.t.Context(), w.owner, "File/Rock_dove.jpg", "")
		if err != nil || !bytes.Equal(stored, photo) {
			t.Errorf("%s: the picture has %d bytes, %v", name, len(stored), err)
		}
	}
	w := newWorld(t).fresh("new")
	if _, err := w.Examine(w.t.Context(), w.owner, w.received(zipFiles(t, map[string]string{"a.xml": string(export), "b.xml": string(export)})), ImportRequest{}, nil); !errors.Is(err, wiki.ErrInvalid) {
		t.Errorf("two exports: %v", err)
	}
}

// Notes that have an export among their files stay notes.
func TestNotesWithExport(t *testing.T) {
	t.Parallel()
	w := newWorld(t).fresh("new")
	v := w.examined(w.received(zipFiles(t, map[string]string{"Note.md": "text", "dump.xml": "<mediawiki></mediawiki>"})), ImportRequest{})
	if v.Pages != 1 || v.Files != 1 {
		t.Errorf("%+v", v)
	}
}

const versionsExport = `<mediawiki><siteinfo><sitename>Birds</sitename><base>https://example.org/wiki/Main_Page</base></siteinfo>
<page><title>Main Page</title><ns>0</ns>
<revision><timestamp>2005-03-01T10:00:00Z</timestamp><contributor><username>Ann &lt;ann@example.org&gt;</username><id>2</id></contributor><comment>Begin</comment><text>See [[Dove]].</text></revision>
<revision><timestamp>2007-01-02T00:00:00Z</timestamp><contributor><ip>192.0.2.7</ip></contributor><minor /><comment>Second
line
Moved: a -> b</comment><model>wikitext</model><text>See [[Dove]]s, '''all'''.</text></revision>
</page>
<page><title>Dove</title><ns>0</ns>
<revision><timestamp>2006-01-01T00:00:00Z</timestamp><contributor><username>Bob</username></contributor><text>Coo &amp; coo.</text></revision>
<revision><timestamp>2006-02-01T00:00:00Z</timestamp><contributor deleted="deleted" /><comment deleted="deleted" /><text>Coo.</text></revision>
</page>
<page><title>Pigeon</title><ns>0</ns><redirect title="Dove" /><revision><timestamp>2006-03-01T00:00:00Z</timestamp><contributor><username>Bob</username></contributor><text>#REDIRECT [[Dove]]</text></revision></page>
<page><title>Talk:Dove</title><ns>1</ns><revision><timestamp>2006-03-01T00:00:00Z</timestamp><contributor><username>Bob</username></contributor><text>chat</text></revision></page>
</mediawiki>`

// With its versions, an export becomes the history of a new wiki: each version is a commit
// by its author, who counts as imported.
func TestImportMediaWikiVersions(t *testing.T) {
	t.Parallel()
	base := newWorld(t)
	base.startMirror()
	w := base.fresh("new")
	photo := pngOf(picture(3, 2))
	u := w.received(zipFiles(t, map[string]string{"dump.xml": versionsExport, "images/a/ab/Nest.png": string(photo)}))
	newest := w.examined(u, ImportRequest{})
	if newest.OlderRevisions != 2 || newest.Pages != 2 || newest.History {
		t.Errorf("%+v", newest)
	}
	all := ImportRequest{Versions: true}
	v := w.examined(u, all)
	if !v.History || !v.Versions || v.Commits != 5 || v.Pages != 2 || v.Files != 1 || v.OlderRevisions != 0 || v.Kind != "a MediaWiki export" || v.About == "" {
		t.Errorf("%+v", v)
	}
	if done := w.imported(u, all); !done.History || done.Commits != 5 || !done.HasHome {
		t.Errorf("%+v", done)
	}
	var got []string
	for _, page := range []string{"Home", "Dove"} {
		revisions, err := w.History(w.t.Context(), w.owner, page, 0, 10)
		w.must(err)
		for _, r := range revisions {
			if !r.Author.Imported || r.Author.DID != "" {
				t.Errorf("%+v", r.Author)
			}
			text, err := w.Page(w.t.Context(), w.owner, page, r.Commit)
			w.must(err)
			got = append(got, fmt.Sprintf("%s %s %s %q %q", page, r.Time.Format(time.DateOnly), r.Author.Username, r.Message, text.Source))
		}
	}
	want := []string{
		`Home 2007-01-02 192.0.2.7 "Second\nline\nMoved: a -> b" "---\naliases:\n  - \"Main Page\"\n---\n\nSee [[Dove|Doves]], **all**.\n"`,
		`Home 2005-03-01 Ann ann@example.org "Begin" "See [[Dove]].\n"`,
		`Dove 2006-02-01 unknown "" "---\naliases:\n  - Pigeon\n---\n\nCoo.\n"`,
		`Dove 2006-01-01 Bob "" "Coo & coo.\n"`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, stored, err := w.OpenAttachment(w.t.Context(), w.owner, "File/Nest.png", ""); err != nil || !bytes.Equal(stored, photo) {
		t.Errorf("the picture has %d bytes, %v", len(stored), err)
	}
	w.must(u.Close())

	// Not into a wiki with edits, nor into a folder, nor without bound.
	edited := base.fresh("edited")
	edited.put("Mine", "text")
	limits := wiki.DefaultLimits
	limits.HistoryBytes = 3 << 10
	small := base.another("small", limits)
	w.must(small.Seed(w.t.Context(), small.owner))
	many := strings.Replace(versionsExport, "<revision>", strings.Repeat("<revision><text>"+strings.Repeat("word ", 100)+"</text></revision>", 70), 1)
	for name, c := range map[string]struct {
		w       *world
		export  string
		request ImportRequest
	}{
		"edited": {edited, versionsExport, all},
		"folder": {base.fresh("folder"), versionsExport, ImportRequest{Versions: true, Into: "Old"}},
		"bound":  {small, many, all},
	} {
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		_, err := io.WriteString(z, c.export)
		w.must(errors.Join(err, z.Close()))
		u := c.w.received(packed.Bytes())
		if v, err := c.w.Examine(w.t.Context(), c.w.owner, u, c.request, nil); !errors.As(err, new(*wiki.Problem)) {
			t.Errorf("%s: %+v, %v", name, v, err)
		} else {
			t.Log(name, err)
		}
		w.must(u.Close())
	}
}
