package search

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"robot.wtf/internal/wiki"
)

// Whatever changes, following the earlier neighbours gives the same result as comparing
// all pages.
func TestNeighboursFollowChanges(t *testing.T) {
	t.Parallel()
	u := newWorld(t)
	u.useModel(&fakeModel{})() // EmbedAll embeds
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	words := []string{"car", "dog", "cold", "bread", "river"}
	name := func() string { return fmt.Sprint("Page_", r.IntN(12)) }
	exists := map[string]bool{}
	known := map[string]*Neighbours{}
	followed := 0
	for range 150 {
		page, text := name(), ""
		for range 1 + r.IntN(3) {
			text += strings.Repeat(words[r.IntN(len(words))]+" ", 1+r.IntN(3))
		}
		if exists[page] && r.IntN(4) == 0 {
			u.remove(page + ".md")
			exists[page] = false
		} else {
			u.put(page, text+"\n")
			exists[page] = true
		}
		u.search("x")
		if _, err := u.s.EmbedAll(t.Context(), "ada", 1); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			page := name()
			want, err := u.s.Related(t.Context(), u.w, wiki.PageName(page), 3, nil)
			if err != nil {
				t.Fatal(err)
			}
			before := known[page]
			got, err := u.s.Related(t.Context(), u.w, wiki.PageName(page), 3, before)
			if err != nil {
				t.Fatal(err)
			}
			if before != nil && got != before && got.page > 0 {
				followed++
			}
			if diff := cmp.Diff(want.Pages, got.Pages); diff != "" {
				t.Fatalf("seed %d: neighbours of %s (-compared +followed):\n%s", seed, page, diff)
			}
			known[page] = got
		}
	}
	if followed < 50 {
		t.Errorf("seed %d: only %d were followed", seed, followed)
	}
}

// While a page's new text has no vector, it keeps its earlier neighbours.
func TestNeighboursOfNewText(t *testing.T) {
	t.Parallel()
	u := newWorld(t)
	u.useModel(&fakeModel{})() // EmbedAll embeds
	u.put("Cars", "car car car\n", "Autos", "automobile vehicle\n")
	u.search("x")
	if _, err := u.s.EmbedAll(t.Context(), "ada", 1); err != nil {
		t.Fatal(err)
	}
	before, err := u.s.Related(t.Context(), u.w, "Cars", 5, nil)
	if err != nil || len(before.Pages) != 1 {
		t.Fatalf("%+v, %v", before, err)
	}
	u.put("Cars", "car car\n")
	if got, err := u.s.Related(t.Context(), u.w, "Cars", 5, before); err != nil || !cmp.Equal(got.Pages, before.Pages) {
		t.Errorf("%+v, %v", got, err)
	}
}
