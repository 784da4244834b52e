package limit

import (
	"strings"

	"golang.org/x/net/publicsuffix"
)

// Lookup takes a token from an asker (a Person or a Visitor) for looking up an
// identity. It fails if the asker or the foreign host has no tokens left.
// host is "" if no host that others chose will be contacted. If the lookup
// succeeds, report it with Found.
func (l *Limiter) Lookup(asker Caller, host string) error {
	if l == nil {
		return nil
	}
	if err := l.hasTokens(hostTakes(bySignInHost, host, l.rates.SignInHost)); err != nil {
		return err
	}
	asker.kind = byLookup
	return l.takeTokens(withNetwork(nil, key{caller: asker}, l.rates.Lookup))
}

// Found takes a token from the host of a successful lookup.
func (l *Limiter) Found(host string) {
	if l != nil {
		l.countTokens(hostTakes(bySignInHost, host, l.rates.SignInHost))
	}
}

// Server fails if a server that signs people in has no tokens left. If the sign-in
// starts there, report it with Served.
func (l *Limiter) Server(host string) error {
	if l == nil {
		return nil
	}
	return l.hasTokens(hostTakes(byServer, host, l.serverRate()))
}

// Served takes a token from a server at which a sign-in started.
func (l *Limiter) Served(host string) {
	if l != nil {
		l.countTokens(hostTakes(byServer, host, l.serverRate()))
	}
}

// serverRate is the limit of one server. Unlike the name of one handle, it serves
// many people, so it gets as much as a domain.
func (l *Limiter) serverRate() Rate { return times(domainFactor, l.rates.SignInHost) }

// Client takes a token for an OAuth client that registers or asks for consent
// from its address. If host is given, it takes nothing but fails if that host has
// no tokens left for a client document; report a fetched one with Fetched.
func (l *Limiter) Client(remote, host string) error {
	if l == nil {
		return nil
	}
	if host != "" {
		return l.hasTokens(hostTakes(byClientHost, host, l.rates.ClientHost))
	}
	return l.takeFrom(byClient, remote, l.rates.Client)
}

// Fetched takes a token from the host of a client document.
func (l *Limiter) Fetched(host string) {
	if l != nil {
		l.countTokens(hostTakes(byClientHost, host, l.rates.ClientHost))
	}
}

// The tokens of a domain and of a registry, compared with one host name.
const (
	domainFactor   = 10
	registryFactor = 100
)

// registries are domains that give host names to many users or serve many of
// them, in addition to those in the public suffix list.
var registries = map[string]bool{
	"bsky.social":    true, // handles, and the authorization server
	"bsky.network":   true, // *.host.bsky.network, Bluesky's PDS hosts
	"brid.gy":        true, // handles of bridged accounts
	"blacksky.app":   true,
	"eurosky.social": true,
}

// Domain is the registrable domain of a host name: "example.co.uk" for
// "docs.example.co.uk". Below a suffix that gives names to many users, it is the
// user's own name.
func Domain(host string) string {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	domain, err := publicsuffix.EffectiveTLDPlusOne(host)
	if err != nil { // the host is itself a suffix
		return host
	}
	return domain
}

// IsRegistry reports whether a host belongs to a domain that serves many users.
func IsRegistry(host string) bool { return registries[Domain(host)] }

// hostTakes returns the withdrawals for contacting a host: from the bucket of its
// full name, that of its registrable domain and its subdomains, and that of all
// names under a public suffix that belongs to a company. It returns none for "".
// So one name or domain can't use up the tokens of another one in a registry.
func hostTakes(k kind, host string, r Rate) []withdrawal {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "" {
		return nil
	}
	take := func(name string, r Rate) withdrawal {
		return withdrawal{key{caller: Caller{kind: k, name: name}}, r}
	}
	domain := Domain(host)
	full, shared := r, times(domainFactor, r)
	if registries[domain] {
		shared = times(registryFactor, r)
		if k == byServer { // each one serves many people
			full = shared
		}
	}
	takes := []withdrawal{take(host, full), take("*."+domain, shared)}
	if suffix, icann := publicsuffix.PublicSuffix(host); !icann && strings.Contains(suffix, ".") {
		takes = append(takes, take("*."+suffix, times(registryFactor, r)))
	}
	return takes
}

// times returns a rate of n times the tokens.
func times(n int, r Rate) Rate { return Rate{n * r.Tokens, r.Per} }
