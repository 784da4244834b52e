package limit

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A fakeClock is set by hand.
type fakeClock struct{ nanos atomic.Int64 }

func (c *fakeClock) Now() time.Time      { return time.Unix(0, c.nanos.Load()) }
func (c *fakeClock) add(d time.Duration) { c.nanos.Add(int64(d)) }
func newLimiter(buckets int) (*Limiter, *fakeClock) {
	c := &fakeClock{}
	c.add(1000 * time.Hour)
	return New(Options{Rates: Defaults(), Now: c.Now, Buckets: buckets}), c
}

// granted is how many of n requests are, with nothing between them.
func granted(l *Limiter, r Request, n int) (count int) {
	for range n {
		if l.Take(r) == nil {
			count++
		}
	}
	return count
}

func TestExactToTheToken(t *testing.T) {
	callers := map[string]Caller{"person": Person("did:plc:ada"), "token": Token("t1"), "address": Address("192.0.2.1:55")}
	for name, caller := range callers {
		l, clock := newLimiter(0)
		read, write := Request{Wiki: "ada", Caller: caller}, Request{Wiki: "ada", Caller: caller, Write: true}
		if r, w := granted(l, read, 700), granted(l, write, 200); r != 600 || w != 120 {
			t.Errorf("%s: %d reads and %d writes, want 600 and 120", name, r, w)
		}
		clock.add(59*time.Second + 999*time.Millisecond)
		if r, w := granted(l, read, 1), granted(l, write, 1); r+w != 0 {
			t.Errorf("%s: more within the minute", name)
		}
		clock.add(time.Second + time.Millisecond) // the minute, and the slot
		if r, w := granted(l, read, 700), granted(l, write, 200); r != 600 || w != 120 {
			t.Errorf("%s: %d reads and %d writes after a minute, want 600 and 120", name, r, w)
		}
	}
}

// What is asked at half the rate is granted for ever.
func TestSteadyCallersNeverWait(t *testing.T) {
	l, clock := newLimiter(0)
	r := Request{Wiki: "ada", Caller: Token("t1"), Write: true}
	for i := range 10_000 {
		if err := l.Take(r); err != nil {
			t.Fatalf("write %d, two a second less a little: %v", i, err)
		}
		clock.add(510 * time.Millisecond)
	}
}

func TestRetryAfter(t *testing.T) {
	l, clock := newLimiter(0)
	r := Request{Wiki: "ada", Caller: Token("t1"), Write: true}
	granted(l, r, 20)
	clock.add(10500 * time.Millisecond)
	granted(l, r, 100)
	clock.add(30 * time.Second)
	var over *Exceeded
	if !errors.As(l.Take(r), &over) {
		t.Fatal("121 writes")
	}
	seconds, err := strconv.Atoi(over.RetryAfter())
	if err != nil || seconds < 19 || seconds > 21 { // the first 20 were taken 40.5 s ago
		t.Errorf("Retry-After: %s", over.RetryAfter())
	}
	clock.add(time.Duration(seconds) * time.Second)
	if n := granted(l, r, 30); n != 20 {
		t.Errorf("%d after waiting, want the 20 that are a minute old", n)
	}
	if want := "That was too fast: one caller can have 120 changes a minute. Nothing was changed; try again in 21 seconds."; over.Error() != want {
		t.Errorf("message %q, want %q", over, want)
	}
}

func TestKeysAreIndependent(t *testing.T) {
	l, _ := newLimiter(0)
	if n := granted(l, Request{Wiki: "ada", Caller: Token("t1")}, 700); n != 600 {
		t.Fatal(n)
	}
	for name, r := range map[string]Request{
		"the same token's writes":   {Wiki: "ada", Caller: Token("t1"), Write: true},
		"another token":             {Wiki: "ada", Caller: Token("t2")},
		"a person of the same name": {Wiki: "ada", Caller: Person("t1")},
		"an address":                {Wiki: "ada", Caller: Address("192.0.2.1:1")},
		"another wiki":              {Wiki: "bob", Caller: Token("t1")},
		"the platform":              {Caller: Token("t1")},
	} {
		if err := l.Take(r); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWikiAsAWhole(t *testing.T) {
	l, clock := newLimiter(0)
	strangers := 0
	for i := range 20 {
		strangers += granted(l, Request{Wiki: "ada", Caller: Address(fmt.Sprintf("192.0.2.%d:1", i))}, 600)
	}
	if strangers != 6000 {
		t.Errorf("%d reads of strangers, want 6000", strangers)
	}
	if err := l.Take(Request{Wiki: "ada", Caller: Person("did:plc:ada"), Member: true}); err != nil {
		t.Errorf("strangers used up what a member has: %v", err)
	}
	if err := l.Take(Request{Wiki: "bob", Caller: Address("192.0.2.19:1")}); err != nil {
		t.Errorf("one wiki used up another's: %v", err)
	}
	// What the wiki refused took nothing of its caller.
	refused := Request{Wiki: "ada", Caller: Address("198.51.100.1:1")}
	granted(l, refused, 700)
	clock.add(61 * time.Second)
	granted(l, refused, 1)
	if n := granted(l, refused, 700); n != 599 {
		t.Errorf("%d, want 599", n)
	}
}

func TestAddresses(t *testing.T) {
	same := [][2]string{
		{"192.0.2.1:1", "192.0.2.1:2"}, {"192.0.2.1:1", "[::ffff:192.0.2.1]:9"}, {"192.0.2.1", "192.0.2.1:7"},
		{"[2001:db8::1]:1", "[2001:db8::ffff:1]:2"}, {"[fe80::1%eth0]:1", "[fe80::1]:1"}, {"", "@"},
	}
	for _, pair := range same {
		if Address(pair[0]) != Address(pair[1]) {
			t.Errorf("%q and %q count apart", pair[0], pair[1])
		}
	}
	for _, pair := range [][2]string{{"192.0.2.1:1", "192.0.2.2:1"}, {"[2001:db8::1]:1", "[2001:db8:0:1::1]:1"}, {"", "0.0.0.0:1"}} {
		if Address(pair[0]) == Address(pair[1]) {
			t.Errorf("%q and %q count together", pair[0], pair[1])
		}
	}
}

func TestSignIn(t *testing.T) {
	l, clock := newLimiter(0)
	count := func(ask func() error) (n int) {
		for range 200 {
			if ask() == nil {
				n++
			}
		}
		return n
	}
	if n := count(func() error { return l.SignIn("192.0.2.1:1") }); n != 60 {
		t.Errorf("%d from one address, want 60", n)
	}
	i := 0
	if n := count(func() error { i++; return l.SignInHost(fmt.Sprintf("n%d.Victim.example.", i)) }); n != 120 {
		t.Errorf("%d to one host, want 120", n)
	}
	if l.SignIn("192.0.2.2:1") != nil || l.SignInHost("other.example") != nil || l.Take(Request{Caller: Address("192.0.2.1:1")}) != nil {
		t.Error("others are refused")
	}
	if err, want := l.SignIn("192.0.2.1:1"), "That was too fast: one address can have 60 tries to sign in"; err == nil || !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), "5 minutes") {
		t.Errorf("%v, want %s", err, want)
	}
	clock.add(5*time.Minute + 5*time.Second)
	if l.SignIn("192.0.2.1:1") != nil {
		t.Error("still refused after five minutes")
	}
}

func TestConcurrentCallersGetNoMore(t *testing.T) {
	l, _ := newLimiter(0)
	var total [2]atomic.Int64
	var wait sync.WaitGroup
	for range 16 {
		wait.Go(func() {
			total[0].Add(int64(granted(l, Request{Wiki: "ada", Caller: Token("t1")}, 100)))
			total[1].Add(int64(granted(l, Request{Wiki: "bob", Caller: Token("t1"), Write: true}, 100)))
		})
	}
	wait.Wait()
	if total[0].Load() != 600 || total[1].Load() != 120 {
		t.Errorf("%d reads and %d writes", total[0].Load(), total[1].Load())
	}
}

func TestMemoryIsBounded(t *testing.T) {
	l, clock := newLimiter(100)
	person := Request{Wiki: "ada", Caller: Person("did:plc:ada"), Write: true, Member: true}
	granted(l, person, 120)
	for i := range 10_000 {
		_ = l.Take(Request{Wiki: fmt.Sprint("w", i), Caller: Address(fmt.Sprintf("10.0.%d.%d:1", i/250, i%250))})
	}
	for kind, p := range l.pools {
		listed := 0
		for b := p.newest; b != nil; b = b.idler {
			listed++
		}
		if len(p.buckets) > 100 || listed != len(p.buckets) {
			t.Errorf("kind %d: %d buckets, %d listed", kind, len(p.buckets), listed)
		}
	}
	if l.Take(person) == nil {
		t.Error("a flood of addresses loosened a person's limit")
	}
	clock.add(time.Hour)
	for i := range 100 {
		_ = l.Take(Request{Wiki: "ada", Caller: Address(fmt.Sprintf("10.1.0.%d:1", i))})
	}
	if n := len(l.pools[byWiki].buckets); n > 100 {
		t.Errorf("%d wikis are remembered after an hour", n)
	}
}

func TestNoLimiter(t *testing.T) {
	var l *Limiter
	if l.Take(Request{}) != nil || l.SignIn("") != nil || l.SignInHost("") != nil {
		t.Error("refused")
	}
}

// TestAnyMinute: whatever the times of requests, no minute grants more than the
// rate, and nothing is refused while a minute and a slot granted less.
func TestAnyMinute(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tokens := rapid.IntRange(1, 8).Draw(t, "tokens")
		clock := &fakeClock{}
		l := New(Options{Rates: RatesOf(tokens, 1), Now: clock.Now})
		var times []time.Time
		for range rapid.IntRange(1, 80).Draw(t, "requests") {
			clock.add(time.Duration(rapid.Int64Range(0, int64(40*time.Second)).Draw(t, "pause")))
			now, minute, more := clock.Now(), 0, 0
			for _, past := range times {
				if now.Sub(past) < time.Minute {
					minute++
				}
				if now.Sub(past) < time.Minute+time.Second {
					more++
				}
			}
			err := l.Take(Request{Wiki: "ada", Caller: Token("t")})
			if err == nil {
				times = append(times, now)
			}
			if err == nil && minute >= tokens || err != nil && more < tokens {
				t.Fatalf("%d of %d in the last minute: %v", minute, tokens, err)
			}
		}
	})
}

func BenchmarkTake(b *testing.B) {
	l := New(Options{Rates: RatesOf(1<<30, 1), Now: time.Now})
	remote := "192.0.2.1:4711"
	b.ReportAllocs()
	for b.Loop() {
		_ = l.Take(Request{Wiki: "ada", Caller: Address(remote)})
	}
}
