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

// A fakeClock is advanced by hand.
type fakeClock struct{ nanos atomic.Int64 }

func (c *fakeClock) Now() time.Time      { return time.Unix(0, c.nanos.Load()) }
func (c *fakeClock) add(d time.Duration) { c.nanos.Add(int64(d)) }
func newLimiter(buckets int) (*Limiter, *fakeClock) {
	c := &fakeClock{}
	c.add(1000 * time.Hour)
	return New(Options{Rates: Defaults(), Now: c.Now, Buckets: buckets}), c
}

// granted makes n requests in a row and returns how many are granted.
func granted(l *Limiter, r Request, n int) (count int) {
	for range n {
		if l.Take(r) == nil {
			count++
		}
	}
	return count
}

func TestExactNumberOfTokens(t *testing.T) {
	callers := map[string]Caller{"person": Person("did:plc:ada"), "token": Token("t1"), "address": Address("192.0.2.1:55")}
	for name, caller := range callers {
		l, clock := newLimiter(0)
		read, write := Request{Wiki: "ada", Caller: caller}, Request{Wiki: "ada", Caller: caller, Write: true}
		if r, w := granted(l, read, 700), granted(l, write, 200); r != 600 || w != 120 {
			t.Errorf("%s: %d reads and %d writes, want 600 and 120", name, r, w)
		}
		clock.add(59*time.Second + 999*time.Millisecond)
		if r, w := granted(l, read, 1), granted(l, write, 1); r+w != 0 {
			t.Errorf("%s: granted more within the minute", name)
		}
		clock.add(time.Second + time.Millisecond) // the minute and one slot
		if r, w := granted(l, read, 700), granted(l, write, 200); r != 600 || w != 120 {
			t.Errorf("%s: %d reads and %d writes after a minute, want 600 and 120", name, r, w)
		}
	}
}

// A caller who stays below the rate is never rejected.
func TestSteadyCallersNeverWait(t *testing.T) {
	l, clock := newLimiter(0)
	r := Request{Wiki: "ada", Caller: Token("t1"), Write: true}
	for i := range 10_000 {
		if err := l.Take(r); err != nil {
			t.Fatalf("write %d, at just under two per second: %v", i, err)
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
		t.Fatal("granted 121 writes")
	}
	seconds, err := strconv.Atoi(over.RetryAfter())
	if err != nil || seconds < 19 || seconds > 21 { // the first 20 were taken 40.5 s ago
		t.Errorf("Retry-After: %s, want about 20", over.RetryAfter())
	}
	clock.add(time.Duration(seconds) * time.Second)
	if n := granted(l, r, 30); n != 20 {
		t.Errorf("%d granted after waiting, want the 20 taken a minute ago", n)
	}
	if want := "Too many requests: the limit is 120 changes per minute for one caller. Nothing was changed. Try again in 21 seconds."; over.Error() != want {
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

func TestWikiLimit(t *testing.T) {
	l, clock := newLimiter(0)
	strangers := 0
	for i := range 20 {
		strangers += granted(l, Request{Wiki: "ada", Caller: Address(fmt.Sprintf("192.0.2.%d:1", i))}, 600)
	}
	if strangers != 6000 {
		t.Errorf("%d reads by strangers, want 6,000", strangers)
	}
	if err := l.Take(Request{Wiki: "ada", Caller: Person("did:plc:ada"), Member: true}); err != nil {
		t.Errorf("strangers used up the members' limit: %v", err)
	}
	if err := l.Take(Request{Wiki: "bob", Caller: Address("192.0.2.19:1")}); err != nil {
		t.Errorf("one wiki used up another wiki's limit: %v", err)
	}
	// A request that the wiki's limit rejected takes no token from its caller.
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
			t.Errorf("%q and %q are counted separately", pair[0], pair[1])
		}
	}
	for _, pair := range [][2]string{{"192.0.2.1:1", "192.0.2.2:1"}, {"[2001:db8::1]:1", "[2001:db8:0:1::1]:1"}, {"", "0.0.0.0:1"}} {
		if Address(pair[0]) == Address(pair[1]) {
			t.Errorf("%q and %q are counted together", pair[0], pair[1])
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
	if l.SignIn("192.0.2.2:1") != nil || l.Take(Request{Caller: Address("192.0.2.1:1")}) != nil {
		t.Error("other callers were rejected")
	}
	if err, want := l.SignIn("192.0.2.1:1"), "Too many requests: the limit is 60 sign-in attempts in 5 minutes for one address"; err == nil || !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), "5 minutes") {
		t.Errorf("error %v, want %s", err, want)
	}
	clock.add(5*time.Minute + 5*time.Second)
	if l.SignIn("192.0.2.1:1") != nil {
		t.Error("still rejected after five minutes")
	}
}

func TestConcurrentCallersShareLimit(t *testing.T) {
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
		t.Errorf("%d wikis are in memory after an hour", n)
	}
}

func TestNilLimiterAllowsEverything(t *testing.T) {
	var l *Limiter
	if l.Take(Request{}) != nil || l.SignIn("") != nil || l.Lookup(Visitor(""), "a.example") != nil || l.Server("a.example") != nil || l.Client("", "a.example") != nil {
		t.Error("rejected")
	}
}

// No minute grants more than the rate, whenever requests arrive. No request is
// rejected if fewer were granted in the last minute and one slot.
func TestAnyMinute(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tokens := rapid.IntRange(1, 8).Draw(t, "tokens")
		clock := &fakeClock{}
		l := New(Options{Rates: RatesFor(tokens, 1), Now: clock.Now})
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
	l := New(Options{Rates: RatesFor(1<<30, 1), Now: time.Now})
	remote := "192.0.2.1:4711"
	b.ReportAllocs()
	for b.Loop() {
		_ = l.Take(Request{Wiki: "ada", Caller: Address(remote)})
	}
}

// The attack: use up the reports of an address, wait until its bucket is idle, and
// let another address's report evict it. No address gets more than ten per hour.
func TestIdleBucketsKeepTheirTokens(t *testing.T) {
	l, clock := newLimiter(0)
	for i := range reports.Tokens {
		if err := l.Report("192.0.2.1:55"); err != nil {
			t.Fatalf("report %d: %v", i, err)
		}
	}
	clock.add(reports.Per - time.Minute)
	for i := range 3 { // each new bucket drops up to two idle ones
		if err := l.Report(fmt.Sprintf("192.0.2.%d:55", 10+i)); err != nil {
			t.Fatal(err)
		}
	}
	if l.Report("192.0.2.1:55") == nil {
		t.Error("granted an eleventh report within the hour")
	}
	rates := Defaults()
	for _, r := range []Rate{rates.Read, rates.Write, rates.WikiRead, rates.WikiWrite, rates.AllRead, rates.AllWrite, rates.SignIn, rates.SignInHost, rates.Client, rates.ClientHost, reports} {
		if r.Per+r.Per/slots >= idleAfter {
			t.Errorf("a bucket of %d per %s is dropped before its tokens return", r.Tokens, r.Per)
		}
	}
}

// Attack: one address reads a few pages each of thousands of wikis, or of names
// without one. It has a total, and neither others nor members behind the same
// address notice.
func TestTotalOfAnAddress(t *testing.T) {
	l, clock := newLimiter(0)
	const stranger = "192.0.2.1:4711"
	reads := 0
	for i := range 1000 {
		reads += granted(l, Request{Wiki: fmt.Sprint("name", i), Caller: Address(stranger)}, 20)
	}
	if reads != 6000 {
		t.Errorf("%d reads from one address, want 6,000", reads)
	}
	writes := 0
	for i := range 1000 {
		writes += granted(l, Request{Wiki: fmt.Sprint("name", i), Caller: Address(stranger), Write: true}, 20)
	}
	if writes != 1200 {
		t.Errorf("%d writes from one address, want 1,200", writes)
	}
	var over *Exceeded
	if err := l.Take(Request{Wiki: "new", Caller: Address(stranger)}); !errors.As(err, &over) || !strings.Contains(err.Error(), "6000 read requests per minute for one caller in all wikis") {
		t.Errorf("%v", err)
	}
	for name, r := range map[string]Request{
		"a member behind it": {Wiki: "ada", Caller: Person("did:plc:ada"), Member: true},
		"an agent behind it": {Wiki: "ada", Caller: Token("t1"), Member: true},
		"another address":    {Wiki: "name0", Caller: Address("192.0.2.2:1")},
		"a person behind it": {Wiki: "name999", Caller: Person("did:plc:bob")},
	} {
		if err := l.Take(r); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	school := 0 // 300 members behind one address
	for i := range 300 {
		school += granted(l, Request{Wiki: fmt.Sprint("class", i%20), Caller: Person(fmt.Sprint("did:plc:pupil", i)), Member: true}, 50)
	}
	if school != 300*50 {
		t.Errorf("%d reads by a school, want %d", school, 300*50)
	}
	clock.add(61 * time.Second)
	if err := l.Take(Request{Wiki: "new", Caller: Address(stranger)}); err != nil {
		t.Errorf("after a minute: %v", err)
	}
}

// Attack: renames that rewrite links in thousands of pages, each for one write.
// Whatever the size of the commits, a caller changes at most five files per write.
func TestOwe(t *testing.T) {
	l, clock := newLimiter(0)
	r := Request{Wiki: "ada", Caller: Token("t1"), Member: true, Write: true}
	commit := func(files int) bool {
		if l.Take(r) != nil {
			return false
		}
		l.Owe(r, Writes(files)-1)
		return true
	}
	for _, files := range []int{0, 1, 5} {
		commit(files)
	}
	if n := granted(l, r, 200); n != 117 {
		t.Errorf("three small commits and %d writes, want 117", n)
	}
	clock.add(61 * time.Second)
	commit(6)
	commit(500)
	if n := granted(l, r, 200); n != 120-2-100 {
		t.Errorf("after 500 files: %d writes left, want 18", n)
	}
	clock.add(61 * time.Second)
	commit(1200) // 240 writes: two minutes'
	var over *Exceeded
	if err := l.Take(r); !errors.As(err, &over) || over.Wait < 120*time.Second || over.Wait > 123*time.Second {
		t.Errorf("after 1,200 files: %v", err)
	}
	if err := l.Take(Request{Wiki: "ada", Caller: Token("t2"), Member: true, Write: true}); err != nil {
		t.Errorf("another token of the wiki waits: %v", err)
	}
	if err := l.Take(Request{Wiki: "ada", Caller: Token("t1"), Member: true}); err != nil {
		t.Errorf("its reads wait: %v", err)
	}
	clock.add(over.Wait - time.Second)
	if l.Take(r) == nil {
		t.Error("granted before the debt is paid")
	}
	clock.add(time.Second)
	if err := l.Take(r); err != nil {
		t.Errorf("after waiting: %v", err)
	}
	clock.add(5 * time.Minute)
	commit(1_000_000)
	if err := l.Take(r); !errors.As(err, &over) || over.Wait > 6*time.Minute {
		t.Errorf("a huge commit: %v", err)
	}
	if err := l.Take(Request{Wiki: "ada", Caller: Token("t2"), Member: true, Write: true}); err != nil {
		t.Errorf("after a huge commit, another token of the wiki waits: %v", err)
	}
	clock.add(24 * time.Hour)
	if n := granted(l, r, 200); n != 120 {
		t.Errorf("a day later: %d writes, want 120", n)
	}
	((*Limiter)(nil)).Owe(r, 1000)
}

// However commits and pauses follow each other, the files changed stay below what
// the writes pay for, and a caller can write after the wait that it was given.
func TestOweAnySequence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tokens := rapid.IntRange(1, 8).Draw(t, "tokens")
		clock := &fakeClock{}
		l := New(Options{Rates: RatesFor(100, tokens), Now: clock.Now})
		r := Request{Wiki: "ada", Caller: Token("t"), Write: true}
		start, paid := clock.Now(), 0
		for range rapid.IntRange(1, 40).Draw(t, "commits") {
			clock.add(time.Duration(rapid.Int64Range(0, int64(100*time.Second)).Draw(t, "pause")))
			err := l.Take(r)
			if over := (*Exceeded)(nil); errors.As(err, &over) {
				if clock.add(over.Wait); l.Take(r) != nil {
					t.Fatalf("rejected after waiting %v", over.Wait)
				}
			}
			minutes := clock.Now().Sub(start).Minutes()
			if float64(paid) >= float64(tokens)*(minutes+1) {
				t.Fatalf("%d writes paid for in %.1f minutes, %d per minute", paid, minutes, tokens)
			}
			files := rapid.IntRange(0, 6*5*tokens).Draw(t, "files")
			l.Owe(r, Writes(files)-1)
			paid += min(max((files+4)/5, 1), 1+maxDebt*tokens)
		}
	})
}
