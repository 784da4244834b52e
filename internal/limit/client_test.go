package limit

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// fetchOK asks for n documents of hosts that answer, and returns how many were
// allowed.
func fetchOK(l *Limiter, n int, host func(i int) string) (allowed int) {
	for i := range n {
		if l.Client("192.0.2.1:1", host(i)) == nil {
			allowed++
			l.Fetched(host(i))
		}
	}
	return allowed
}

// lookUp looks up n identities, each for another asker, and returns how many were
// allowed.
func lookUp(l *Limiter, n int, found bool, host func(i int) string) (allowed int) {
	for i := range n {
		asker := Visitor(fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255))
		if l.Lookup(asker, host(i)) == nil {
			allowed++
			if found {
				l.Found(host(i))
			}
		}
	}
	return allowed
}

func one(host string) func(int) string { return func(int) string { return host } }
func many(domain string) func(int) string {
	return func(i int) string { return fmt.Sprintf("N%d.%s.", i, domain) }
}

// Attack: many addresses make us fetch documents of one foreign host. Its answers
// are counted together, whatever address caused them, and with those of its
// domain, but apart from those of other domains and of the addresses.
func TestClientHostLimit(t *testing.T) {
	l, _ := newLimiter(0)
	if n := fetchOK(l, 200, one("a.example.org")); n != 120 {
		t.Errorf("%d documents of one host, want 120", n)
	}
	if n := fetchOK(l, 200, one("b.example.org")); n != 120 {
		t.Errorf("%d documents of another host, want 120", n)
	}
	if n := fetchOK(l, 2000, many("example.org")); n != 1200-240 {
		t.Errorf("%d documents of the other hosts of a domain, want the rest of 1,200", n)
	}
	if err := l.Client("192.0.2.1:1", "example.net"); err != nil {
		t.Errorf("another domain: %v", err)
	}
	for range 120 {
		if err := l.Client("203.0.113.9:1", ""); err != nil {
			t.Errorf("the address: %v", err)
		}
	}
	if err := l.Client("203.0.113.9:1", ""); err == nil {
		t.Error("an address is allowed more than its limit")
	}
}

// Attack: 60 mistyped handles from one address, which used to lock out every
// handle of the same domain for a minute. Lookups that fail count against the
// asker only.
func TestFailedLookupsCountAgainstTheAsker(t *testing.T) {
	l, _ := newLimiter(0)
	if n := lookUp(l, 5000, false, many("bsky.social")); n != 5000 {
		t.Errorf("%d failed lookups by as many askers, want all 5,000", n)
	}
	asker, allowed := Visitor("192.0.2.1:1"), 0
	for i := range 500 {
		if l.Lookup(asker, many("bsky.social")(i)) == nil {
			allowed++
		}
	}
	if allowed != 240 {
		t.Errorf("%d failed lookups by one asker, want 240", allowed)
	}
	if err := l.Lookup(Visitor("192.0.2.2:1"), "ada.bsky.social"); err != nil {
		t.Errorf("another asker: %v", err)
	}
	if err := l.Lookup(Person("did:plc:ada"), ""); err != nil {
		t.Errorf("a person: %v", err)
	}
	var over *Exceeded
	if !errors.As(l.Lookup(asker, "ada.test"), &over) || !strings.Contains(over.Error(), "240 account lookups in 5 minutes for one address") {
		t.Errorf("%v", over)
	}
}

// Each host name has its own limit, and each domain ten times that. A domain that
// names many users has a hundred times that.
func TestSignInHostLimit(t *testing.T) {
	for name, test := range map[string]struct {
		host func(int) string
		want int
	}{
		"a name":                       {one("ada.example.org"), 120},
		"a domain":                     {many("example.org"), 1200},
		"a domain below a suffix":      {many("example.co.uk"), 1200},
		"a site on a shared host":      {many("ada.github.io"), 1200},
		"sites on a shared host":       {many("github.io"), 12_000},
		"Bluesky":                      {many("bsky.social"), 12_000},
		"one of Bluesky's":             {one("ada.bsky.social"), 120},
		"domains":                      {func(i int) string { return fmt.Sprintf("n%d.org", i) }, 13_000},
		"a host that no one but we go": {one(""), 13_000},
	} {
		l, clock := newLimiter(0)
		if n := lookUp(l, 13_000, true, test.host); n != test.want {
			t.Errorf("%s: %d lookups, want %d", name, n, test.want)
		}
		if err := l.Lookup(Visitor("192.0.2.2:1"), "other.example.com"); err != nil {
			t.Errorf("%s: another domain: %v", name, err)
		}
		clock.add(61 * time.Second)
		if err := l.Lookup(Visitor("192.0.2.2:1"), test.host(0)); err != nil {
			t.Errorf("%s: a minute later: %v", name, err)
		}
	}
}

// A server signs many people in, so it gets more than a host name.
func TestServerLimit(t *testing.T) {
	for host, want := range map[string]int{"pds.example.org": 1200, "morel.us-east.host.bsky.network": 5000, "bsky.social": 5000} {
		l, _ := newLimiter(0)
		allowed := 0
		for range 5000 {
			if l.Server(host) == nil {
				allowed++
				l.Served(host)
			}
		}
		if allowed != want {
			t.Errorf("%s: %d, want %d", host, allowed, want)
		}
		if l.Server("other.example.com") != nil || l.Lookup(Visitor("192.0.2.2:1"), host) != nil {
			t.Errorf("%s: another server or a handle was rejected", host)
		}
	}
}

// Addresses of one IPv6 network can't multiply their tokens: readers count by /64,
// sign-ins by /56, and a /48 gets ten times as many.
func TestNetworks(t *testing.T) {
	for name, test := range map[string]struct {
		take func(l *Limiter, remote string) error
		bits int
		want int
	}{
		"reads":       {func(l *Limiter, remote string) error { return l.Take(Request{Caller: Address(remote)}) }, 64, 600},
		"sign-ins":    {func(l *Limiter, remote string) error { return l.SignIn(remote) }, 56, 60},
		"lookups":     {func(l *Limiter, remote string) error { return l.Lookup(Visitor(remote), "") }, 56, 240},
		"clients":     {func(l *Limiter, remote string) error { return l.Client(remote, "") }, 56, 120},
		"reports":     {func(l *Limiter, remote string) error { return l.Report(remote) }, 56, 10},
		"invitations": {func(l *Limiter, remote string) error { return l.Invitation(remote) }, 56, 60},
	} {
		l, _ := newLimiter(0)
		count := func(n int, address func(i int) string) (allowed int) {
			for i := range n {
				if test.take(l, address(i)) == nil {
					allowed++
				}
			}
			return allowed
		}
		inside := func(i int) string { // in one network of test.bits
			if test.bits == 64 {
				return fmt.Sprintf("[2001:db8::%x]:1", i)
			}
			return fmt.Sprintf("[2001:db8:0:%x::1]:1", i&255)
		}
		if n := count(3*test.want, inside); n != test.want {
			t.Errorf("%s: %d from one network, want %d", name, n, test.want)
		}
		next := func(i int) string { return fmt.Sprintf("[2001:db8:0:%x::1]:1", 1<<8*(1+i%200)) }
		if n := count(20*test.want, next); n != 9*test.want {
			t.Errorf("%s: %d from the rest of the /48, want %d", name, n, 9*test.want)
		}
		if n := count(3*test.want, one("[2001:db8:1::1]:1")); n != test.want {
			t.Errorf("%s: %d from another /48, want %d", name, n, test.want)
		}
		var over *Exceeded
		if err := test.take(l, "[2001:db8:0:ff00::1]:1"); !errors.As(err, &over) || !strings.Contains(over.Error(), "for one network") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
