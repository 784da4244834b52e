package wiki

import (
	"regexp"
	"testing"

	"pgregory.net/rapid"
)

func TestSlugForm(t *testing.T) {
	form := regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,28}[a-z0-9]$`)
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringMatching(`[-a-z0-9A._\n]{0,32}`).Draw(t, "slug")
		if isSlug(s) != form.MatchString(s) {
			t.Fatalf("%q", s)
		}
	})
}
