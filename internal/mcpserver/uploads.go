package mcpserver

import (
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"

	"robot.wtf/internal/wiki"
)

const (
	uploadPath = "/-/upload/"
	uploadTime = 15 * time.Minute
)

// Limits of unused addresses. At the service's limit, the wiki with the most
// addresses loses its oldest one, so nobody can use up the addresses of others.
const (
	maxUploads        = 20_000
	maxWikiUploads    = 200
	maxAccountUploads = 100 // of a person, in all wikis
	maxOwnUploads     = 20  // per token or grant
)

// An upload is the file that a one-time address will store, and its author.
type upload struct {
	slug, did, grant    string
	authorization       string
	page, name, message string
	until               time.Time
}

type uploadKey = [sha256.Size]byte // the hash of an address's secret

// uploads holds the unused addresses. It is in memory only: after a restart,
// agents request another.
type uploads struct {
	mu       sync.Mutex
	wikis    map[string]map[uploadKey]upload
	accounts map[string]int
	total    int
	max      int // maxUploads if 0
}

// add creates an address and returns its secret.
func (u *uploads) add(next upload) (string, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := next.until.Add(-uploadTime)
	u.dropExpired(next.slug, now)
	limit := u.max
	if limit == 0 {
		limit = maxUploads
	}
	if u.accounts[next.did] >= maxAccountUploads || u.total >= limit {
		for slug := range u.wikis {
			u.dropExpired(slug, now)
		}
	}
	own := 0
	for _, other := range u.wikis[next.slug] {
		if other.grant == next.grant {
			own++
		}
	}
	if own >= maxOwnUploads || u.accounts[next.did] >= maxAccountUploads || len(u.wikis[next.slug]) >= maxWikiUploads {
		return "", wiki.Problemf(wiki.ErrQuota, "", "Too many unused upload addresses. Use one, or wait 15 minutes.")
	}
	if u.total >= limit {
		u.evict()
	}
	secret := rand.Text()
	u.put(sha256.Sum256([]byte(secret)), next)
	return secret, nil
}

func (u *uploads) put(key uploadKey, next upload) {
	if u.wikis == nil {
		u.wikis, u.accounts = map[string]map[uploadKey]upload{}, map[string]int{}
	}
	if u.wikis[next.slug] == nil {
		u.wikis[next.slug] = map[uploadKey]upload{}
	}
	u.wikis[next.slug][key] = next
	u.accounts[next.did]++
	u.total++
}

func (u *uploads) remove(key uploadKey, old upload) {
	if delete(u.wikis[old.slug], key); len(u.wikis[old.slug]) == 0 {
		delete(u.wikis, old.slug)
	}
	if u.accounts[old.did]--; u.accounts[old.did] == 0 {
		delete(u.accounts, old.did)
	}
	u.total--
}

func (u *uploads) dropExpired(slug string, now time.Time) {
	for key, old := range u.wikis[slug] {
		if old.until.Before(now) {
			u.remove(key, old)
		}
	}
}

// evict removes the oldest address of the wiki with the most.
func (u *uploads) evict() {
	var fullest string
	for slug, list := range u.wikis {
		if len(list) > len(u.wikis[fullest]) {
			fullest = slug
		}
	}
	var oldest uploadKey
	var until time.Time
	for key, old := range u.wikis[fullest] {
		if until.IsZero() || old.until.Before(until) {
			oldest, until = key, old.until
		}
	}
	u.remove(oldest, u.wikis[fullest][oldest])
}

// redeem uses up an address.
func (u *uploads) redeem(secret, slug string, now time.Time) (upload, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	key := sha256.Sum256([]byte(secret))
	found, ok := u.wikis[slug][key]
	if !ok {
		return upload{}, false
	}
	u.remove(key, found)
	return found, now.Before(found.until)
}
