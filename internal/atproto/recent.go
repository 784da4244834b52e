package atproto

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/bluesky-social/indigo/atproto/identity"

	"robot.wtf/internal/limit"
)

// Limits of recent lookups.
const (
	recentLifetime = 30 * time.Second
	maxRecent      = 4096
	maxRecentEach  = 32      // results of lookups that one asker paid for
	maxRecentURL   = 2 << 10 // bytes of a server's address
)

// recent remembers the results of lookups for 30 seconds, so that repeating one
// contacts nobody. An account that exists is remembered for its asker only: it
// would tell others about a sign-in. The absence of an account is remembered for
// everyone; other failures aren't remembered. Each asker has a share, and when
// all shares together are too much, the asker with the most results loses one.
type recent struct {
	mu     sync.Mutex
	by     map[recentKey]*recentResult
	owners map[limit.Caller][]*recentResult // oldest first
}

// A recentKey identifies a lookup. Its asker is zero for results that everyone
// can use.
type recentKey struct {
	asker limit.Caller
	id    string
}

type recentResult struct {
	key     recentKey
	owner   limit.Caller // who paid for it
	expires time.Time
	account *identity.Identity
	err     error
}

func newRecent() *recent {
	return &recent{by: map[recentKey]*recentResult{}, owners: map[limit.Caller][]*recentResult{}}
}

// find returns the result of a recent lookup, or false.
func (r *recent) find(asker limit.Caller, id string, now time.Time) (*identity.Identity, error, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, key := range []recentKey{{asker, id}, {id: id}} {
		if found := r.by[key]; found != nil && now.Before(found.expires) {
			return found.account, found.err, true
		}
	}
	return nil, nil, false
}

// add remembers the result of an asker's lookup.
func (r *recent) add(asker limit.Caller, id string, account *identity.Identity, err error, now time.Time) {
	result := &recentResult{key: recentKey{id: id}, owner: asker, expires: now.Add(recentLifetime), err: err}
	switch {
	case err == nil:
		result.key.asker = asker
		if result.account = compact(account); result.account == nil {
			return
		}
	case !errors.Is(err, errNobody) && !errors.Is(err, identity.ErrDIDNotFound):
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if old := r.by[result.key]; old != nil {
		r.drop(old)
	}
	for own := r.owners[asker]; len(own) > 0 && (len(own) >= maxRecentEach || !now.Before(own[0].expires)); own = r.owners[asker] {
		r.drop(own[0])
	}
	if len(r.by) >= maxRecent {
		r.drop(r.owners[r.largestOwner()][0])
	}
	r.by[result.key] = result
	r.owners[asker] = append(r.owners[asker], result)
}

// largestOwner returns the asker with the most results.
func (r *recent) largestOwner() (largest limit.Caller) {
	most := 0
	for owner, own := range r.owners {
		if len(own) > most {
			largest, most = owner, len(own)
		}
	}
	return largest
}

// forget drops what an asker knows about an account, which may have changed.
func (r *recent) forget(asker limit.Caller, ids ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range ids {
		if old := r.by[recentKey{asker, id}]; old != nil {
			r.drop(old)
		}
	}
}

func (r *recent) drop(old *recentResult) {
	delete(r.by, old.key)
	own := r.owners[old.owner]
	if i := slices.Index(own, old); i >= 0 {
		own = slices.Delete(own, i, i+1)
	}
	if r.owners[old.owner] = own; len(own) == 0 {
		delete(r.owners, old.owner)
	}
}

// compact returns the parts of an account that a sign-in needs, or nil if they are
// too large to keep. The document that they come from can have a megabyte.
func compact(account *identity.Identity) *identity.Identity {
	server := account.PDSEndpoint()
	if len(server) > maxRecentURL {
		return nil
	}
	small := &identity.Identity{DID: account.DID, Handle: account.Handle}
	if server != "" {
		small.Services = map[string]identity.ServiceEndpoint{"atproto_pds": {Type: "AtprotoPersonalDataServer", URL: server}}
	}
	return small
}
