package mcpserver

import (
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"

	"robot.wtf/internal/wiki"
)

const (
	uploadPath    = "/-/upload/"
	uploadTime    = 15 * time.Minute
	maxUploads    = 1000 // unused addresses
	maxOwnUploads = 20   // per token
)

// An upload is the file that a one-time address will store, and its author.
type upload struct {
	slug, authorization string
	page, name, message string
	until               time.Time
}

// uploads holds the unused addresses by the hash of their secret. It is in
// memory only: after a restart, agents request another.
type uploads struct {
	mu   sync.Mutex
	open map[[sha256.Size]byte]upload
}

// add creates an address and returns its secret.
func (u *uploads) add(next upload) (string, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	own := 0
	for hash, other := range u.open {
		switch {
		case other.until.Before(next.until.Add(-uploadTime)):
			delete(u.open, hash)
		case other.authorization == next.authorization:
			own++
		}
	}
	if own >= maxOwnUploads || len(u.open) >= maxUploads {
		return "", wiki.Problemf(wiki.ErrQuota, "", "Too many unused upload addresses. Use one, or wait 15 minutes.")
	}
	if u.open == nil {
		u.open = map[[sha256.Size]byte]upload{}
	}
	secret := rand.Text()
	u.open[sha256.Sum256([]byte(secret))] = next
	return secret, nil
}

// take uses up an address.
func (u *uploads) take(secret, slug string, now time.Time) (upload, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	hash := sha256.Sum256([]byte(secret))
	found, ok := u.open[hash]
	if !ok || found.slug != slug {
		return upload{}, false
	}
	delete(u.open, hash)
	return found, now.Before(found.until)
}
