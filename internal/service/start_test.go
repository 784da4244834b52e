package service

import "testing"

// A low limit on file descriptors means fewer open wikis; a number that the operator
// set has to fit.
func TestOpenWikis(t *testing.T) {
	for _, c := range []struct {
		files     uint64
		set, want int // want 0 means an error
	}{
		{1 << 62, 0, 200}, {524288, 0, 200}, {1024, 0, 46}, {64, 0, 4},
		{524288, 1000, 1000}, {1024, 46, 46}, {1024, 47, 0}, {1024, 1, 1},
	} {
		if got, err := openWikisFor(c.files, c.set); got != c.want || (err != nil) != (c.want == 0) {
			t.Errorf("%d files, %d set: %d, %v; want %d", c.files, c.set, got, err, c.want)
		}
	}
}
