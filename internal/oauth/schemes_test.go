package oauth

import "testing"

// An unknown scheme among several redirect URIs is dropped, not the registration.
func TestUnknownSchemeIsDropped(t *testing.T) {
	t.Parallel()
	s := &Service{isDomain: noDomain}
	in := registration{Redirects: []string{"newedit://callback", "http://localhost:1/callback", "other://x"}}
	c, err := s.clientFromRegistration(in)
	if err != nil || len(c.Redirects) != 1 || c.Redirects[0] != in.Redirects[1] {
		t.Errorf("%+v %v", c, err)
	}
	for _, redirects := range [][]string{{"newedit://callback"}, {"newedit://a", "other://b"}, {"http://localhost/", "javascript://x/"}, {"http://localhost/", "file:///x"}, {"http://localhost/", "http://evil.example/"}} {
		if c, err := s.clientFromRegistration(registration{Redirects: redirects}); err == nil {
			t.Errorf("%v: accepted as %v", redirects, c.Redirects)
		}
	}
}
