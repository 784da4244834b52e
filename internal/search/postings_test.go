package search

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// A list that is changed step by step equals one built at once.
func TestSpliceList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var packedList []byte
		want := map[int][]position{}
		for range rapid.IntRange(1, 8).Draw(t, "saves") {
			changed := map[int][]byte{}
			for range rapid.IntRange(1, 4).Draw(t, "pages") {
				offset := rapid.IntRange(0, blockPages-1).Draw(t, "offset")
				list := slices.Compact(slices.Sorted(slices.Values(rapid.SliceOfN(rapid.Custom(func(t *rapid.T) position {
					return position(rapid.IntRange(0, columnCount-1).Draw(t, "column"))<<columnBits | position(rapid.IntRange(0, 1<<columnBits-1).Draw(t, "number"))
				}), 0, 5).Draw(t, "positions"))))
				changed[offset], want[offset] = nil, list
				if len(list) > 0 {
					changed[offset] = packPosting(offset, list)
				} else {
					delete(want, offset)
				}
			}
			var err error
			if packedList, err = spliceList(packedList, changed); err != nil {
				t.Fatal(err)
			}
		}
		got, before := map[int][]position{}, -1
		for r := (listReader{rest: packedList}); ; {
			offset, _, more, err := r.next()
			if err != nil {
				t.Fatal(err)
			}
			if !more {
				break
			}
			if offset <= before {
				t.Fatalf("offset %d follows %d", offset, before)
			}
			before, got[offset] = offset, slices.Clone(r.positions)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatal(d)
		}
	})
}

// A malformed list is an error that triggers a rebuild. It never panics or
// loops.
func FuzzBrokenPostingList(f *testing.F) {
	f.Add(packPosting(3, []position{1, 2, 300}))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, list []byte) {
		for r := (listReader{rest: list}); ; {
			_, packed, more, err := r.next()
			if err != nil && !isDamaged(err) {
				t.Fatal(err)
			}
			if err != nil || !more {
				return
			}
			if len(packed) == 0 {
				t.Fatal("the reader doesn't advance")
			}
		}
	})
}

// Search finds the same pages as a scan of all pages: for words, phrases,
// prefixes and exclusions.
func TestSearchMatchesFullScan(t *testing.T) {
	setRapidChecks(t, 4, 300)
	words := strings.Fields("frost frosty garden gardens run running 机 器 人 a b of")
	rapid.Check(t, func(rt *rapid.T) {
		u := newWorld(t)
		defer u.s.Close()
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))
		text := func(n int) string {
			var list []string
			for range n {
				list = append(list, words[random.IntN(len(words))])
			}
			return strings.Join(list, " ")
		}
		pages := map[string][]string{} // name -> stems in order
		for range 3 {
			var all []string
			for range 1 + random.IntN(40) {
				name, body := fmt.Sprintf("P%d", random.IntN(99)), text(random.IntN(12))
				if slices.Contains(all, name) {
					continue
				}
				all = append(all, name, body+"\n")
				pages[name] = strings.Fields(stemText(body))
			}
			u.put(all...)
			u.search("x")
		}
		for range 40 {
			phrase := text(1 + random.IntN(3))
			prefix := random.IntN(4) == 0
			query := `"` + phrase + `"`
			if prefix {
				query += "*"
			}
			term := newTerm(phrase, prefix)
			var want []string
			for name, stems := range pages {
				if containsTerm(term, stems) {
					want = append(want, name)
				}
			}
			slices.Sort(want)
			r, err := u.s.Search(t.Context(), u.w, Query{Text: query, Limit: 100})
			if err != nil {
				rt.Fatal(err)
			}
			if got := hitNames(r); r.Loosened == AsAsked && !slices.Equal(got, want) || r.Loosened != AsAsked && len(want) > 0 {
				rt.Fatalf("%s finds %v (%s), want %v", query, got, r.Loosened, want)
			}
			if r, err = u.s.Search(t.Context(), u.w, Query{Text: "path:* -" + query, Limit: 100}); err != nil || r.Total != len(pages)-len(want) {
				rt.Fatalf("-%s finds %d of %d pages, err %v; %d pages contain it", query, r.Total, len(pages), err, len(want))
			}
		}
	})
}

func hitNames(r Results) []string {
	var list []string
	for _, h := range r.Hits {
		list = append(list, string(h.Page))
	}
	slices.Sort(list)
	return list
}

// containsTerm reports whether a page's words contain a term.
func containsTerm(t term, stems []string) bool {
	n := len(t.tokens)
	for i := 0; i+n <= len(stems); i++ {
		fits := true
		for j, tok := range t.tokens {
			word := stems[i+j]
			fits = fits && (word == tok.stem() || t.prefix && j == n-1 && (strings.HasPrefix(word, tok.word) || slices.Contains(prefixStems(tok.word), word)))
		}
		if fits {
			return true
		}
	}
	return false
}
