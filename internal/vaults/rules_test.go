package vaults_test

import (
	"strings"
	"testing"

	"robot.wtf/internal/vaults"
)

// The rules agree with the fixtures, which know where their links lead.
func TestRulesAgreeWithVaults(t *testing.T) {
	for _, v := range vaults.All(seed) {
		rule, err := vaults.NewRule(v.Tool, v.Files)
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]vaults.Reference{} // by page and mark
		for _, page := range v.Pages() {
			for _, l := range vaults.References(v.Tool, v.Files[page]) {
				if marks := mark.FindAllString(v.Files[page][max(0, l.At-30):l.At], -1); marks != nil {
					key := page + " " + marks[len(marks)-1]
					if _, twice := found[key]; !twice {
						found[key] = l
					}
				}
			}
		}
		known, wrong := 0, 0
		for _, l := range v.Links {
			r, ok := found[l.Page+" "+l.Mark]
			if !ok || l.Hidden || l.Plain {
				continue
			}
			got, isKnown := rule.Resolve(l.Page, r)
			if !isKnown {
				continue
			}
			if known++; got != l.Want {
				if wrong++; wrong < 6 {
					t.Errorf("%s: %s: %s (%s): %q, want %q", v.Tool, l.Page, l.Written, strings.TrimSpace(r.Source), got, l.Want)
				}
			}
		}
		t.Logf("%s: the rule knows %d of %d links", v.Tool, known, len(v.Links))
		if known < len(v.Links)*2/3 {
			t.Errorf("%s: the rule knows %d of %d links", v.Tool, known, len(v.Links))
		}
	}
}

func TestReferenceAfterSpaces(t *testing.T) {
	found := vaults.References("Obsidian", "[a](  folder/b.md \"Title\") and [c](<d e.md>)\n")
	if len(found) != 2 || found[0].Target != "folder/b.md" || found[1].Target != "d e.md" {
		t.Errorf("found %+v", found)
	}
}
