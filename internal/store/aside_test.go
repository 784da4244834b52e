package store

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"
)

// One wiki can't fill the table, nor displace the rows of others.
func TestAsideIsBounded(t *testing.T) {
	now := time.UnixMilli(1e12)
	db, err := Open(t.Context(), filepath.Join(t.TempDir(), "robot.db"), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	add := func(wiki, item string) {
		t.Helper()
		now = now.Add(time.Second)
		if err := db.AddAside(t.Context(), Aside{Wiki: wiki, Work: "index", Item: item, Version: "v1"}); err != nil {
			t.Fatal(err)
		}
	}
	count := func(wiki string) (n int, newest string) {
		t.Helper()
		list, err := db.Asides(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range list {
			if a.Wiki == wiki {
				n, newest = n+1, a.Item
			}
		}
		return n, newest
	}
	add("bob", "blob 1")
	add("bob", "blob 1")
	for i := range maxAside + 20 {
		add("ada", fmt.Sprint("blob ", i))
	}
	if n, newest := count("ada"); n != maxAside || newest != fmt.Sprint("blob ", maxAside+19) {
		t.Errorf("ada has %d, the newest is %s", n, newest)
	}
	if n, _ := count("bob"); n != 1 {
		t.Errorf("bob has %d", n)
	}
	if err := db.ClearAside(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
	if n, _ := count("ada"); n != 0 {
		t.Errorf("ada still has %d", n)
	}
	if n, _ := count("bob"); n != 1 {
		t.Errorf("clearing ada's left %d of bob's", n)
	}
}
