package pages

import (
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
