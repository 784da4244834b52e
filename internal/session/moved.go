package session

import (
	"context"
	"encoding/base64"
	"errors"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"

	"robot.wtf/internal/wiki"
)

// Tokens of the service that this one replaces have no prefix: they are 32 bytes in
// base64. Their hashes were moved here. Most are SHA-256, as ours are. The oldest are
// bcrypt. Comparing a secret with such a hash takes 0.3 s of processor time, so it is
// done for one secret at a time and at most as often as the constants below say. Once
// it succeeds, the token gets the usual hash.

// How many secrets a minute are compared with bcrypt hashes: from one address for one
// wiki, from one address, for one wiki, and for all together.
const (
	bcryptTriesFrom  = 3
	bcryptTriesOf    = 6
	bcryptTries      = 9
	bcryptTriesOfAll = 30
)

// isMovedSecret reports whether a secret has the form of those that were moved here.
func isMovedSecret(secret string) bool {
	random, err := base64.RawURLEncoding.DecodeString(secret)
	return err == nil && len(random) == tokenBytes
}

// adoptBcryptToken gives a wiki's moved token its usual hash if the secret is its own,
// and reports whether it is. For other wikis, also missing ones, it takes as long and
// has the same limits, as long as one has such a token.
func (s *Service) adoptBcryptToken(ctx context.Context, secret, slug, address string) (bool, error) {
	id, hash, err := s.store.BcryptToken(ctx, slug)
	if errors.Is(err, wiki.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !s.bcrypt.countAttempt(slug, requestHostname(address), s.now()) {
		return false, errBcryptLimit
	}
	s.bcrypt.comparing.Lock()
	defer s.bcrypt.comparing.Unlock()
	if bcrypt.CompareHashAndPassword([]byte(hash), []byte(secret)) != nil || id == "" {
		return false, nil
	}
	err = s.store.RehashToken(ctx, id, secret)
	if errors.Is(err, wiki.ErrNotFound) {
		err = nil // revoked, or another request was faster
	}
	return err == nil, err
}

var errBcryptLimit = Refuse(TooFast, wiki.Problemf(wiki.ErrTooMany, "", "Too many attempts with old tokens of this wiki. Try again in a minute, or create a new token."))

// bcryptLimits bound the comparisons.
type bcryptLimits struct {
	comparing sync.Mutex // held during a comparison
	mu        sync.Mutex
	minute    int64
	tries     map[[2]string]int // in that minute, by wiki and address; "" is any
}

// countAttempt counts an attempt; it returns false if there were too many.
func (b *bcryptLimits) countAttempt(slug, address string, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if minute := now.Unix() / 60; minute != b.minute || b.tries == nil {
		b.minute, b.tries = minute, map[[2]string]int{}
	}
	limits := map[[2]string]int{{slug, address}: bcryptTriesFrom, {"", address}: bcryptTriesOf, {slug, ""}: bcryptTries, {}: bcryptTriesOfAll}
	for key, limit := range limits {
		if b.tries[key] >= limit {
			return false
		}
	}
	for key := range limits {
		b.tries[key]++
	}
	return true
}
