package limit

import (
	"fmt"
	"testing"
	"time"
)

// Attack: many addresses make us fetch documents of one foreign host. Its
// requests are counted together, whatever address caused them and whichever of
// its subdomains they name, and apart from those of the addresses.
func TestClientHostLimit(t *testing.T) {
	now := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	l := New(Options{Rates: Rates{Client: Rate{1, time.Minute}, ClientHost: Rate{3, time.Minute}}, Now: func() time.Time { return now }})
	for i := range 3 {
		if err := l.Client(fmt.Sprintf("203.0.113.%d:1", i), fmt.Sprintf("a%d.example.org", i)); err != nil {
			t.Errorf("request %d: %v", i, err)
		}
	}
	if err := l.Client("203.0.113.9:1", "b.example.org"); err == nil {
		t.Error("a fourth request to one host is allowed")
	}
	if err := l.Client("203.0.113.9:1", "example.net"); err != nil {
		t.Errorf("another host: %v", err)
	}
	if err := l.Client("203.0.113.9:1", ""); err != nil {
		t.Errorf("the address itself: %v", err)
	}
	if err := l.Client("203.0.113.9:1", ""); err == nil {
		t.Error("an address is allowed more than its limit")
	}
}
