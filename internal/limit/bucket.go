package limit

import (
	"sync"
	"time"
)

// Options of a Limiter.
type Options struct {
	Rates Rates
	Now   func() time.Time
	// Buckets bounds the buckets of each kind (addresses, people, tokens, wikis,
	// sign-ins, hosts); 0 means 16,384. Beyond it, the bucket that was idle longest is
	// dropped and its count is lost. So a flood of addresses loosens the limits
	// for addresses only.
	Buckets int
}

// A Limiter counts the requests of callers in one process.
type Limiter struct {
	rates Rates
	now   func() time.Time
	max   int

	mu    sync.Mutex
	pools [kinds]pool
}

// New returns a Limiter.
func New(o Options) *Limiter {
	l := &Limiter{rates: o.Rates, now: o.Now, max: o.Buckets}
	if l.max == 0 {
		l.max = 16_384
	}
	for i := range l.pools {
		l.pools[i].buckets = map[key]*bucket{}
	}
	return l
}

// Rates returns the limits in force, or the defaults if l is nil.
func (l *Limiter) Rates() Rates {
	if l == nil {
		return Defaults()
	}
	return l.rates
}

// A key identifies a bucket.
type key struct {
	caller Caller
	wiki   string
	write  bool
	member bool
}

// A withdrawal takes one token from a bucket.
type withdrawal struct {
	key  key
	rate Rate
}

// maxWithdrawals is the largest number of buckets of a request: the caller's and its
// network's, in the wiki and in all wikis, and the wiki's.
const maxWithdrawals = 5

// takeTokens takes one token from each bucket, or none if any bucket is empty.
func (l *Limiter) takeTokens(takes []withdrawal) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	var found [maxWithdrawals]*bucket
	for i, t := range takes {
		b := l.touch(t, now)
		if b.taken >= t.rate.Tokens {
			return &Exceeded{Rate: t.rate, Write: t.key.write, Wait: b.wait(now, t.rate), caller: t.key.caller}
		}
		found[i] = b
	}
	for i := range takes {
		found[i].withdraw(1)
	}
	return nil
}

// hasTokens fails with an *Exceeded if any bucket is empty. It takes nothing.
func (l *Limiter) hasTokens(takes []withdrawal) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	for _, t := range takes {
		b := l.pools[t.key.caller.kind].buckets[t.key]
		if b == nil {
			b = new(bucket)
		}
		if b.advance(now, t.rate); b.taken >= t.rate.Tokens {
			return &Exceeded{Rate: t.rate, Wait: b.wait(now, t.rate), caller: t.key.caller}
		}
	}
	return nil
}

// countTokens takes one token from each bucket, even from an empty one.
func (l *Limiter) countTokens(takes []withdrawal) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	for _, t := range takes {
		l.touch(t, now).withdraw(1)
	}
}

// owe adds a debt to each bucket.
func (l *Limiter) owe(takes []withdrawal, tokens int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	for _, t := range takes {
		b := l.touch(t, now)
		b.owed += tokens
		b.pay(t.rate)
	}
}

// touch returns the bucket of a withdrawal as it is now.
func (l *Limiter) touch(t withdrawal, now time.Time) *bucket {
	b := l.pools[t.key.caller.kind].touch(t.key, l.max, now)
	b.advance(now, t.rate)
	return b
}

// slots is the number of parts that a rate's duration is divided into.
const slots = 60

// A bucket counts the tokens taken in the current slot and in each of the 60
// before it, which cover the last Per and part of one more slot.
type bucket struct {
	key          key
	newer, idler *bucket // in the pool's order of use
	used, begun  time.Time
	slot         int // current slot, counted from begun
	counts       [slots + 1]uint32
	taken        int // the sum of counts
	owed         int // tokens to take as soon as they return
}

func (b *bucket) withdraw(tokens int) {
	b.taken += tokens
	b.counts[b.slot%len(b.counts)] += uint32(tokens)
}

// pay takes owed tokens that are available.
func (b *bucket) pay(rate Rate) {
	if now := min(b.owed, rate.Tokens-b.taken); now > 0 {
		b.owed -= now
		b.withdraw(now)
	}
}

// advance returns the tokens that have expired and pays debts from them. If the
// clock was set back to before the bucket began, it returns all of them: better
// than waiting for years.
func (b *bucket) advance(now time.Time, rate Rate) {
	if b.taken == 0 {
		b.begun, b.slot, b.owed = now, 0, 0
		return
	}
	slot := int(now.Sub(b.begun) / (rate.Per / slots))
	turns := 1 + b.owed/max(rate.Tokens, 1) // in which all tokens return once
	if slot-b.slot > slots+turns*len(b.counts) || slot < 0 {
		b.counts, b.taken = [slots + 1]uint32{}, 0
		b.begun, b.slot, b.owed = now, 0, 0
		return
	}
	for b.slot < slot {
		b.nextSlot(rate)
	}
}

// nextSlot returns the tokens of the oldest slot and pays debts from them.
func (b *bucket) nextSlot(rate Rate) {
	b.slot++
	oldest := &b.counts[b.slot%len(b.counts)]
	b.taken -= int(*oldest)
	*oldest = 0
	b.pay(rate)
}

// wait returns the time until a token is available.
func (b *bucket) wait(now time.Time, rate Rate) time.Duration {
	width := rate.Per / slots
	if rate.Tokens < 1 {
		return time.Duration(slots+1) * width // the rate has no tokens
	}
	later := *b
	for later.taken >= rate.Tokens {
		later.nextSlot(rate)
	}
	return b.begun.Add(time.Duration(later.slot) * width).Sub(now)
}

// A pool holds the buckets of one kind in a list, from most to least recently
// used.
type pool struct {
	buckets        map[key]*bucket
	newest, idlest *bucket
}

// idleAfter is longer than every rate's Per, and than every debt: by then all tokens
// of a bucket have returned, so dropping it gives nobody extra requests.
const idleAfter = time.Hour + 10*time.Minute

// touch finds or creates a bucket and moves it to the front of the list. Creating
// one drops up to two idle ones, so a quiet service frees its memory.
func (p *pool) touch(k key, max int, now time.Time) *bucket {
	b := p.buckets[k]
	switch {
	case b == nil:
		for i := 0; p.idlest != nil && (len(p.buckets) >= max || i < 2 && now.Sub(p.idlest.used) > idleAfter); i++ {
			delete(p.buckets, p.idlest.key)
			p.unlink(p.idlest)
		}
		b = &bucket{key: k}
		p.buckets[k] = b
	case b == p.newest:
		b.used = now
		return b
	default:
		p.unlink(b)
	}
	b.used, b.newer, b.idler = now, nil, p.newest
	if p.newest != nil {
		p.newest.newer = b
	}
	p.newest = b
	if p.idlest == nil {
		p.idlest = b
	}
	return b
}

func (p *pool) unlink(b *bucket) {
	if b.newer != nil {
		b.newer.idler = b.idler
	} else {
		p.newest = b.idler
	}
	if b.idler != nil {
		b.idler.newer = b.newer
	} else {
		p.idlest = b.newer
	}
}
