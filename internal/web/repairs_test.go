package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"robot.wtf/internal/hostile"
	"robot.wtf/internal/pages"
)

// Long lists show ten entries and link to all.
func TestLongListsShowTen(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	w.put("ada", "Target", "Words.\n")
	for i := range 12 {
		w.put("ada", fmt.Sprintf("Linker_%d", i), fmt.Sprintf("[[Target]] [[Missing %d]]\n", i))
	}
	dan := w.as("dan")
	page := dan.get(on("ada", "/Target")).want(http.StatusOK).has("All 12")
	_, ends, _ := strings.Cut(page.body, "Linked from")
	ends, _, _ = strings.Cut(ends, "</section>")
	if n := strings.Count(ends, `href="/Linker_`); n != 10 {
		t.Errorf("%d links in\n%s", n, ends)
	}
	all := dan.get(on("ada", page.match(`href="([^"]+)">All 12<`))).want(http.StatusOK).has("12 pages link")
	_, list, _ := strings.Cut(all.body, `class="rows"`)
	if n := strings.Count(list, `href="/Linker_`); n != 12 {
		t.Errorf("%d of 12 links in\n%s", n, list)
	}
	index := dan.get(on("ada", "/-/index")).want(http.StatusOK)
	_, wanted, _ := strings.Cut(index.body, `id="wanted"`)
	wanted, _, _ = strings.Cut(wanted, "</section>")
	if n := strings.Count(wanted, `class="red"`); n != 10 || !strings.Contains(wanted, `href="/-/index?by=wanted">All `) {
		t.Errorf("%d wanted pages in\n%s", n, wanted)
	}
}

// Two versions are compared in the order in which they were made.
func TestComparedVersionsAreInOrder(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	first, second := w.put("ada", "Log", "One.\n").Commit, w.put("ada", "Log", "Two.\n").Commit
	for _, pair := range [][2]string{{first, second}, {second, first}} {
		got := w.as("dan").get(on("ada", "/Log/diff?rev_a="+pair[0][:8]+"&rev_b="+pair[1][:8])).want(http.StatusSeeOther)
		if to := got.header.Get("Location"); to != "/Log/diff/"+first[:8]+"/"+second[:8] {
			t.Errorf("went to %q", to)
		}
	}
}

// A new page in a folder begins with the folder's name.
func TestNewPageProposesTheFolder(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	w.put("ada", "Big Garden/Beds", "Words.\n")
	for path, want := range map[string]string{
		"/Home": "/-/create", "/Big_Garden/Beds": "/-/create?pagename=Big+Garden%2F", "/Big_Garden": "/-/create?pagename=Big+Garden%2F", "/-/changelog": "/-/create",
	} {
		if got := w.as("bob").get(on("ada", path)).match(`href="(/-/create[^"]*)"`); got != want {
			t.Errorf("%s proposes %q, want %q", path, got, want)
		}
	}
}

// The pages that a wiki comes with aren't shown as written by its owner.
func TestSeedsHaveNoWriter(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	owner := w.freshWiki("dan")
	owner.get(on("dan", "/Getting_Started")).want(http.StatusOK).has("Came with the wiki").lacks("Last edited by", "wrote this page")
	form := owner.get(on("dan", "/Getting_Started/edit")).want(http.StatusOK).fields()
	form.Set("content", form.Get("content")+"\r\nMine.\r\n")
	owner.post(on("dan", "/Getting_Started/save"), form).want(http.StatusSeeOther)
	owner.get(on("dan", "/Getting_Started")).want(http.StatusOK).has("Last edited by", "wrote this page")
}

// A picture that is too large to make a smaller copy of is shown as it is.
func TestLargePicturesAreShownWithoutCopy(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	w.put("ada", "Log", "![](./huge.jpg)\n")
	huge := string(hostile.JPEG{Width: 8000, Height: 5000, Components: 4, Progressive: true, Scans: 8}.Bytes())
	w.upload("ada", "Log", "huge.jpg", huge)
	shown := w.as("dan").get(on("ada", "/Log")).want(http.StatusOK).has(`width="8000" height="5000"`).match(`src="(/Log/huge[^"]+)"`)
	if got := w.as("dan").get(on("ada", shown)).want(http.StatusOK); got.body != huge {
		t.Errorf("%s has %d bytes", shown, len(got.body))
	}
	w.as("dan").get(on("ada", "/Log/huge.jpg?size=1200")).want(http.StatusRequestEntityTooLarge)
}

// Default messages name pages as people read them.
func TestDefaultMessagesUseTitles(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	w.as("bob").post(on("ada", "/Big_Garden/Cold_Frame/save"), url.Values{"content": {"Words."}, "revision": {""}}).want(http.StatusSeeOther)
	w.upload("ada", "Big_Garden/Cold_Frame", "plan.txt", "plan")
	log, err := w.Pages.Changelog(t.Context(), w.Access("ada", "ada"), pages.LogFilter{Limit: 2})
	if err != nil || log[1].Message != "Create Big Garden/Cold Frame" || log[0].Message != "Upload plan.txt of Big Garden/Cold Frame" {
		t.Errorf("%+v, %v", log, err)
	}
}
