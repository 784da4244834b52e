package merge

import "testing"

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b        string
		limit, want int
	}{
		{"status", "statos", 9, 1}, {"due", "due", 9, 0}, {"", "x", 9, 1}, {"kitten", "sitting", 9, 3}, {"sitting", "kitten", 9, 3},
		{"kitten", "sitting", 2, 3}, {"a", "abcdef", 2, 3}, {"für", "fur", 2, 1},
	} {
		if got := Distance(c.a, c.b, c.limit); got != c.want {
			t.Errorf("%s, %s up to %d: %d", c.a, c.b, c.limit, got)
		}
	}
}
