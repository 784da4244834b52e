package pages

import (
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"testing"

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
		view, err := w.View(w.ctx, w.owner, page, "")
		w.must(err)
		for _, want := range wants {
			if !contains(view.Body, want) {
				t.Errorf("%s lacks %s:\n%s", page, want, view.Body)
			}
		}
	}
	for from, to := range map[string]string{"Main_Page": "/Home", "common pigeon": "/Rock_dove", "Pigeon": "/Rock_dove"} {
		var redirect *wiki.Redirect
		if _, err := w.Find(w.ctx, w.owner, from); !errors.As(err, &redirect) || redirect.To != to || redirect.Permanent {
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
		view, err := w.View(w.ctx, w.owner, "Rock dove", "")
		w.must(err)
		if !contains(view.Body, `<img src="/File/Rock_dove.jpg"`) {
			t.Errorf("%s: no picture in\n%s", name, view.Body)
		}
		_, stored, err := w.OpenAttachment(w.ctx, w.owner, "File/Rock_dove.jpg", "")
		if err != nil || !bytes.Equal(stored, photo) {
			t.Errorf("%s: the picture has %d bytes, %v", name, len(stored), err)
		}
	}
	w := newWorld(t).fresh("new")
	if _, err := w.Examine(w.ctx, w.owner, w.received(zipFiles(t, map[string]string{"a.xml": string(export), "b.xml": string(export)})), ImportRequest{}, nil); !errors.Is(err, wiki.ErrInvalid) {
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
