package atproto

import (
	"errors"
	"strings"
	"testing"

	"robot.wtf/internal/wiki"
)

// Anything that is typed is an account's id, which stays the same when it is parsed
// again, or an error for people.
func FuzzIdentifier(f *testing.F) {
	for _, typed := range []string{
		"ada", "@Ada.bsky.social", "did:plc:abc", "did:web:example.org", "did:web:example.org%3A8080", "https://bsky.app/profile/ada.example.org", "at://ada.example.org/x",
		"ada@example.org", "ada,bsky,social", "https://", "did:", ".", "@", "\u200bada\u202e", "http://[::1]/", "xn--ls8h.test", "ada.local",
	} {
		f.Add(typed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		id, err := ParseIdentifier(typed)
		if err != nil {
			if !errors.As(err, new(*wiki.Problem)) {
				t.Errorf("not a Problem: %v", err)
			}
		} else if again, err := ParseIdentifier(id); err != nil || again != id {
			t.Errorf("%q became %q, %v", id, again, err)
		}
		for _, handle := range suggestHandles(typed, id) {
			if !strings.Contains(handle, ".") || handle == id {
				t.Errorf("suggests %q for %q", handle, typed)
			}
		}
	})
}
