package tenant

import (
	"strings"
	"testing"

	"robot.wtf/internal/wiki"
)

func TestUsernameProposals(t *testing.T) {
	for handle, want := range map[string]string{
		"sderle.bsky.social":                        "sderle",
		"schuyler.robot.wtf":                        "schuyler",
		"Ada.Example.Org":                           "ada",
		"al.bsky.social":                            "al-wiki",
		"admin.example.org":                         "admin-wiki",
		"handle.invalid":                            "writer",
		"xn--bcher-kva.example":                     "writer-bcher-kva",
		strings.Repeat("a", 29) + "-b.bsky.social":  strings.Repeat("a", 29),
		strings.Repeat("long", 15) + ".example.org": strings.Repeat("long", 15)[:30],
	} {
		got := ""
		for _, slug := range usernameProposals(handle) {
			if wiki.CheckSlug(slug) == nil {
				got = slug
				break
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", handle, got, want)
		}
	}
}
