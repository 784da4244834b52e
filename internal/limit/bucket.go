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

// takeTokens takes one token from each bucket, or none if any bucket is empty.
func (l *Limiter) takeTokens(takes []withdrawal) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	var found [3]*bucket
	for i, t := range takes {
		b := l.pools[t.key.caller.kind].touch(t.key, l.max, now)
		b.advance(now, t.rate.Per/slots)
		if b.taken >= t.rate.Tokens {
			return &Exceeded{Rate: t.rate, Write: t.key.write, Wait: b.wait(now, t.rate.Per/slots), caller: t.key.caller}
		}
		found[i] = b
	}
	for i := range takes {
		found[i].count()
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
		if b.advance(now, t.rate.Per/slots); b.taken >= t.rate.Tokens {
			return &Exceeded{Rate: t.rate, Wait: b.wait(now, t.rate.Per/slots), caller: t.key.caller}
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
		b := l.pools[t.key.caller.kind].touch(t.key, l.max, now)
		b.advance(now, t.rate.Per/slots)
		b.count()
	}
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
}

// count takes a token in the current slot.
func (b *bucket) count() {
	b.taken++
	b.counts[b.slot%len(b.counts)]++
}

// advance returns the tokens that have expired. If the clock was set back to
// before the bucket began, it returns all of them: better than waiting for years.
func (b *bucket) advance(now time.Time, width time.Duration) {
	if b.taken == 0 {
		b.begun, b.slot = now, 0
		return
	}
	slot := int(now.Sub(b.begun) / width)
	if slot-b.slot > slots || slot < 0 {
		b.counts, b.taken = [slots + 1]uint32{}, 0
		b.begun, b.slot = now, 0
		return
	}
	for b.slot < slot {
		b.slot++
		oldest := &b.counts[b.slot%len(b.counts)]
		b.taken -= int(*oldest)
		*oldest = 0
	}
}

// wait returns the time until the oldest taken token returns.
func (b *bucket) wait(now time.Time, width time.Duration) time.Duration {
	for slot := b.slot - slots; slot <= b.slot; slot++ {
		if slot >= 0 && b.counts[slot%len(b.counts)] > 0 {
			back := b.begun.Add(time.Duration(slot+slots+1) * width)
			return back.Sub(now)
		}
	}
	return time.Duration(slots+1) * width // the rate has no tokens
}

// A pool holds the buckets of one kind in a list, from most to least recently
// used.
type pool struct {
	buckets        map[key]*bucket
	newest, idlest *bucket
}

// idleAfter is longer than every rate's Per: by then all tokens of a bucket have
// returned, so dropping it gives nobody extra requests.
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
