package durable

import "testing"

func TestRoomLeavesAMargin(t *testing.T) {
	const gib = 1 << 30
	for _, c := range []struct{ free, total, want int64 }{
		{5 * gib, 100 * gib, 4 * gib},
		{gib, 100 * gib, 0},
		{gib / 2, 100 * gib, 0},
		{gib / 2, gib, gib/2 - gib/10},
	} {
		if got := room(c.free, c.total); got != c.want {
			t.Errorf("%d free of %d: room for %d bytes, want %d", c.free, c.total, got, c.want)
		}
	}
	if _, err := Room(t.TempDir()); err != nil {
		t.Error(err)
	}
	if _, err := Room("/nowhere"); err == nil {
		t.Error("a missing directory has room")
	}
}
