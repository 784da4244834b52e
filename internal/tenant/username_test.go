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
		"xn--bcher-kva.example":                     "bucher",
		"xn--80akhbyknj4f.example.org":              "example",
		"xn--80akhbyknj4f.bsky.social":              "writer",
		"me.ada.example.org":                        "ada",
		"www.ada.co.uk":                             "ada",
		"blog.hi.example.org":                       "example",
		"a.example.org":                             "example",
		"me.bsky.social":                            "me-wiki",
		"www.bsky.social":                           "www-wiki",
		"bsky.social":                               "bsky",
		"me.org":                                    "me-wiki",
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
