package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/slow"
)

// jump returns the results for a typed text, each as "group: label".
func (b *browser) jump(query string) (list []string) {
	b.header.Set("Accept", "application/json")
	defer b.header.Del("Accept")
	var got struct{ Groups []jumpGroup }
	body := b.get(on("ada", "/-/jump?"+query)).want(http.StatusOK).body
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		b.w.T.Fatalf("%v in %s", err, body)
	}
	for _, g := range got.Groups {
		for _, item := range g.Items {
			list = append(list, g.Title+": "+item.Label)
			if !strings.HasPrefix(item.URL, "/") || strings.HasPrefix(item.URL, "//") {
				b.w.T.Errorf("%s leads to %s", item.Label, item.URL)
			}
		}
	}
	return list
}

func TestJump(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	w.put("ada", "Garden/Frost_Pockets", "# Frost pockets\n\n## Cold corners\n\nA quincunx of pots.\n")
	ada, anonymous := w.as("ada"), w.anonymous()
	for query, want := range map[string]string{
		"q=frost":                            "Pages: Frost Pockets",
		"q=cold+cor":                         "Headings: Cold corners",
		"q=quincu":                           "Text: Frost Pockets",
		"q=rename&page=Garden/Frost_Pockets": "Actions: Rename or move this page",
		"q=":                                 "Changed last: Frost Pockets",
		"q=invite":                           "Actions: Invite someone",
		"q=Something+new":                    "New: New page “Something new”",
	} {
		if got := ada.jump(query); !slices.Contains(got, want) {
			t.Errorf("%s: no %q in %q", query, want, got)
		}
	}
	for _, query := range []string{"q=rename&page=Home", "q=invite", "q=new", "q=connect", "q=settings"} {
		for _, item := range anonymous.jump(query) {
			if strings.HasPrefix(item, "Actions: ") || strings.HasPrefix(item, "New: ") {
				t.Errorf("%s offers an anonymous reader %q", query, item)
			}
		}
	}
	anonymous.get(on("ada", "/-/jump?q=%3Cscript%3E")).want(http.StatusOK).lacks("<script>alert", "q=<script>")
}

// TestJumpIsFast: results appear as one types, also in a wiki of 500 pages.
func TestJumpIsFast(t *testing.T) {
	slow.Test(t)
	w := newTestWiki(t)
	for i := range 460 {
		w.put("ada", fmt.Sprintf("Folder_%d/Page_%d", i%20, i), strings.Repeat(fmt.Sprintf("## Part %d\n\nSome words about station %d and the weather.\n\n", i, i), 5))
	}
	b := w.as("ada")
	b.jump("q=pa") // opens the wiki and fills the caches
	var times []time.Duration
	for _, typed := range []string{"p", "pa", "pag", "page", "page+1", "page+12", "wea", "weather", "sta", "zzz", "hist"} {
		begun := time.Now()
		b.jump("q=" + typed)
		times = append(times, time.Since(begun))
	}
	slices.Sort(times)
	if p50 := times[len(times)/2]; p50 > 60*time.Millisecond { // 15 ms on an idle machine
		t.Errorf("half of the answers take over %v: %v", p50, times)
	} else {
		t.Logf("p50 %v of %v", p50, times)
	}
}
