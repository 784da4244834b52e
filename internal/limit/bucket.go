package limit

import (
	"sync"
	"time"
)

// Options of a Limiter.
type Options struct {
	Rates Rates
	Now   func() time.Time
	// Buckets bounds those kept of each kind (addresses, people, tokens, wikis,
	// sign-ins), 16,384 when 0. Beyond it the one that was idle longest is
	// forgotten, and with it what was taken: a flood of addresses loosens the
	// limits of addresses, and of nobody else.
	Buckets int
}

// A Limiter counts the callers of one process.
type Limiter struct {
	rates Rates
	now   func() time.Time
	max   int

	mu    sync.Mutex
	pools [kinds]pool
}

// New makes a Limiter.
func New(o Options) *Limiter {
	l := &Limiter{rates: o.Rates, now: o.Now, max: o.Buckets}
	if l.max == 0 {
		l.max = 16384
	}
	for i := range l.pools {
		l.pools[i].buckets = map[key]*bucket{}
	}
	return l
}

// Rates are the limits that it was made with; the defaults where it is nil.
func (l *Limiter) Rates() Rates {
	if l == nil {
		return Defaults()
	}
	return l.rates
}

// A key is what a bucket is for.
type key struct {
	caller Caller
	wiki   string
	write  bool
	member bool
}

type take struct {
	key  key
	rate Rate
}

// take takes one token of each bucket, or of none.
func (l *Limiter) take(takes []take) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	var found [2]*bucket
	for i, t := range takes {
		b := l.pools[t.key.caller.kind].touch(t.key, l.max, now)
		b.advance(now, t.rate.Per/slots)
		if b.taken >= t.rate.Tokens {
			return &Exceeded{Rate: t.rate, Write: t.key.write, Wait: b.wait(now, t.rate.Per/slots), kind: t.key.caller.kind}
		}
		found[i] = b
	}
	for i := range takes {
		found[i].taken++
		found[i].counts[found[i].slot%len(found[i].counts)]++
	}
	return nil
}

// slots is how many parts the time of a rate is cut into.
const slots = 60

// A bucket knows how many tokens were taken in the present slot and in each of
// the 60 before it: those within the last Per, and a part of a slot more.
type bucket struct {
	key          key
	newer, idler *bucket // in the pool's order of use
	used, begun  time.Time
	slot         int // since begun
	counts       [slots + 1]uint32
	taken        int // the sum of counts
}

// advance gives back the tokens whose time is over. A clock set back to before
// the bucket was begun gives all of them back: better than years of waiting.
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

// wait is how long it is until the oldest token that is out comes back.
func (b *bucket) wait(now time.Time, width time.Duration) time.Duration {
	for slot := b.slot - slots; slot <= b.slot; slot++ {
		if slot >= 0 && b.counts[slot%len(b.counts)] > 0 {
			back := b.begun.Add(time.Duration(slot+slots+1) * width)
			return back.Sub(now)
		}
	}
	return time.Duration(slots+1) * width // a rate of no tokens
}

// A pool is the buckets of one kind, with a list from the newest in use to the
// one idle longest.
type pool struct {
	buckets        map[key]*bucket
	newest, idlest *bucket
}

// idleAfter is longer than any rate's Per: a bucket that old is as good as new.
const idleAfter = 10 * time.Minute

// touch finds or makes a bucket and makes it the newest. Making one forgets up
// to two that are idle, so a quiet service gives its memory back.
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
