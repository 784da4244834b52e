// Package limit implements rate limits: their keys and buckets, and how long a
// rejected caller has to wait. Front ends decide what counts as one request.
//
// A bucket holds a number of tokens. Each request takes one, which returns a
// minute later. So no minute grants more than that number of requests, and a
// caller who stays below it never waits. A rejected request takes no tokens.
//
// Each wiki counts its callers separately: one tenant's users and programs
// can't use up another tenant's limits. Nothing is stored on disk.
//
// Each limit says who it is counted against:
//
//   - Take: the caller on one wiki (a person, a credential, or an address by
//     its /64 network), the caller on all wikis together, existing or not, and
//     the wiki, members apart from everyone else.
//   - SignIn, Client, Report, Invitation, Completion: the address, by its /56 network.
//   - Lookup: the asker, a person or an address by its /56 network. Whether
//     the lookup succeeds makes no difference.
//   - Lookup with Found, and Client with Fetched: also the foreign host, but only
//     for its successful answers. So mistyped names can't use up the
//     limit of a host that others need.
//   - Server with Served: the server that signs people in, for each successful
//     start.
//
// An IPv4 address counts alone. An IPv6 address also counts against its /48
// network, which gets ten times the tokens of one address. A foreign host counts
// by its full name, and also with its domain, which gets ten times the tokens, or
// a hundred times if the domain gives names to many users.
//
// A commit costs one write per five files that it changes. How many these are is
// known only afterwards (links to rewrite, merges, retries), and text that
// somebody wrote must not be refused for it. So a request takes one write before
// the work, and the rest is a debt: its tokens are taken as soon as they are free,
// and until then the caller can't write.
package limit

import (
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"time"

	"robot.wtf/internal/wiki"
)

// A Rate is the capacity of a bucket: Tokens, and each one returns Per after it
// was taken, or up to a sixtieth of Per later.
type Rate struct {
	Tokens int
	Per    time.Duration
}

// Rates are the limits of a service.
type Rates struct {
	Read, Write         Rate // per caller and wiki; a caller is a person, a token or an address
	WikiRead, WikiWrite Rate // per wiki: all members together, and all others together
	AllRead, AllWrite   Rate // per caller, in all wikis together, existing or not
	SignIn              Rate // sign-in attempts per address
	Lookup              Rate // handles and DIDs looked up per asker; a misspelled one costs up to four
	SignInHost          Rate // successful lookups of identities per foreign host name
	Client              Rate // OAuth client registrations and consent requests per address
	ClientHost          Rate // successful fetches of OAuth client documents per foreign host name
}

// Defaults returns the default rates: 600 reads and 120 writes per minute and
// caller in one wiki, and ten times that per wiki, and per caller in all wikis.
func Defaults() Rates { return RatesFor(600, 120) }

// RatesFor derives all rates from a caller's reads and writes per minute. A wiki
// gets ten times as many, as does a caller for all wikis together. Sign-ins get
// half the writes per five minutes, lookups twice the writes, OAuth clients the
// writes per five minutes, and a foreign host name the writes per minute.
func RatesFor(reads, writes int) Rates {
	return Rates{
		Read: Rate{reads, time.Minute}, Write: Rate{writes, time.Minute},
		WikiRead: Rate{10 * reads, time.Minute}, WikiWrite: Rate{10 * writes, time.Minute},
		AllRead: Rate{10 * reads, time.Minute}, AllWrite: Rate{10 * writes, time.Minute},
		SignIn: Rate{max(1, writes/2), 5 * time.Minute}, Lookup: Rate{2 * writes, 5 * time.Minute}, SignInHost: Rate{writes, time.Minute},
		Client: Rate{writes, 5 * time.Minute}, ClientHost: Rate{writes, time.Minute},
	}
}

// A Caller identifies whose tokens a request takes.
type Caller struct {
	kind kind
	name string
	addr netip.Prefix

	everywhere bool // in all wikis together
}

type kind uint8

const (
	byAddress kind = iota
	byPerson
	byToken
	byWiki
	bySignIn
	byLookup
	bySignInHost
	byServer
	byClient
	byClientHost
	byReport
	byInvitation
	byCompletion
	kinds // number of kinds
)

// Person is a person in a browser, by DID.
func Person(did string) Caller { return Caller{kind: byPerson, name: did} }

// Token is a program with its own credential, by the credential's id.
func Token(id string) Caller { return Caller{kind: byToken, name: id} }

// Address is an anonymous reader, by http.Request.RemoteAddr. IPv6 addresses of
// one /64 network count as one caller, because each site has at least that many
// (RFC 6177). All invalid addresses count as one.
func Address(remote string) Caller { return byNetwork(byAddress, remote, 64) }

// Visitor is an anonymous person who signs in or makes us contact other hosts.
// IPv6 addresses of one /56 network, which homes usually get, count as one.
func Visitor(remote string) Caller { return byNetwork(byLookup, remote, 56) }

// byNetwork returns the caller at an address: an IPv4 address, or an IPv6 network
// with a prefix of that many bits.
func byNetwork(k kind, remote string, bits int) Caller {
	c := Caller{kind: k}
	addrPort, err := netip.ParseAddrPort(remote)
	addr := addrPort.Addr()
	if err != nil {
		if addr, err = netip.ParseAddr(remote); err != nil {
			return c
		}
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is4() {
		bits = 32
	}
	c.addr, _ = addr.Prefix(bits) // fails only for other bits
	return c
}

// Network names the network of an address, for shares of stored rows: an IPv4
// address, or the IPv6 /48 network, because most sites have one.
func Network(remote string) string { return byNetwork(byAddress, remote, networkBits).String() }

// String returns a key that differs for different callers of a kind.
func (c Caller) String() string {
	if c.addr.IsValid() {
		return c.addr.String()
	}
	return c.name
}

// A Request describes one request to a wiki.
type Request struct {
	Wiki   string // slug; "" for the platform
	Caller Caller
	Member bool // of the wiki: others can't use up the members' shared limit
	Write  bool
}

// Take takes a request's tokens from its caller, in this wiki and in all, and from
// its wiki. Its error is an *Exceeded, in which case it took nothing. A nil Limiter
// allows everything.
func (l *Limiter) Take(r Request) error {
	if l == nil {
		return nil
	}
	return l.takeTokens(l.withdrawals(make([]withdrawal, 0, maxWithdrawals), r))
}

// withdrawals appends the withdrawals for a request, its caller's own first.
func (l *Limiter) withdrawals(takes []withdrawal, r Request) []withdrawal {
	own, shared, all := l.rates.Read, l.rates.WikiRead, l.rates.AllRead
	if r.Write {
		own, shared, all = l.rates.Write, l.rates.WikiWrite, l.rates.AllWrite
	}
	everywhere := r.Caller
	everywhere.everywhere = true
	takes = withNetwork(takes, key{r.Caller, r.Wiki, r.Write, false}, own)
	takes = withNetwork(takes, key{everywhere, "", r.Write, false}, all)
	if r.Wiki != "" {
		takes = append(takes, withdrawal{key{Caller{kind: byWiki}, r.Wiki, r.Write, r.Member}, shared})
	}
	return takes
}

// An IPv6 network of networkBits gets networkFactor times the tokens of an address
// in it: a site that owns 65,536 networks can't take as many times the tokens.
const (
	networkBits   = 48
	networkFactor = 10
)

// withNetwork appends the withdrawals for a caller: from its own bucket and, for
// an IPv6 address, from that of the surrounding network.
func withNetwork(takes []withdrawal, k key, r Rate) []withdrawal {
	takes = append(takes, withdrawal{k, r})
	if address := k.caller.addr.Addr(); address.Is6() {
		k.caller.addr, _ = address.Prefix(networkBits)
		takes = append(takes, withdrawal{k, Rate{networkFactor * r.Tokens, r.Per}})
	}
	return takes
}

// takeFrom takes a token from the bucket of a kind for an address.
func (l *Limiter) takeFrom(k kind, remote string, r Rate) error {
	return l.takeTokens(withNetwork(nil, key{caller: byNetwork(k, remote, 56)}, r))
}

// Writes returns the number of writes that a commit costs.
func Writes(files int) int { return max(1, (files+filesPerWrite-1)/filesPerWrite) }

// filesPerWrite is the number of changed files that one write pays for.
const filesPerWrite = 5

// maxDebt bounds the debt of one commit, as a multiple of the caller's tokens: so
// many minutes pass until the caller of a huge commit can write again.
const maxDebt = 5

// Owe charges writes that Take didn't take, because the request has turned out to
// cost more than one.
func (l *Limiter) Owe(r Request, writes int) {
	if l == nil || writes < 1 {
		return
	}
	r.Write = true
	l.owe(l.withdrawals(nil, r), min(writes, maxDebt*l.rates.Write.Tokens))
}

// SignIn takes a token for a sign-in attempt from an address.
func (l *Limiter) SignIn(remote string) error {
	if l == nil {
		return nil
	}
	return l.takeFrom(bySignIn, remote, l.rates.SignIn)
}

// reports is the limit on reports from one address, on every service: anyone with
// more to report can send an email.
var reports = Rate{10, time.Hour}

// Report takes a token for reporting a page from an address: ten per hour.
func (l *Limiter) Report(remote string) error {
	if l == nil {
		return nil
	}
	return l.takeFrom(byReport, remote, reports)
}

// invitations is the limit on invitation links opened at one address, on every
// service. It leaves room for a class that shares an address.
var invitations = Rate{60, 10 * time.Minute}

// Invitation takes a token for trying the code of an invitation: 60 per ten minutes and
// address.
func (l *Limiter) Invitation(remote string) error {
	if l == nil {
		return nil
	}
	return l.takeFrom(byInvitation, remote, invitations)
}

// Exceeded is the error for a caller who exceeded a rate limit.
type Exceeded struct {
	Rate   Rate
	Write  bool
	Wait   time.Duration // until a token is available again
	caller Caller        // whose bucket is empty
}

// completions is the limit on completed handles for one address, on every service.
var completions = Rate{30, time.Minute}

// Completion takes a token for completing a handle: 30 per minute and address.
func (l *Limiter) Completion(remote string) error {
	if l == nil {
		return nil
	}
	return l.takeFrom(byCompletion, remote, completions)
}

// Error returns a message for the person who made the request.
func (e *Exceeded) Error() string {
	per := "per minute"
	if e.Rate.Per != time.Minute {
		per = "in " + strconv.FormatFloat(e.Rate.Per.Minutes(), 'g', 3, 64) + " minutes"
	}
	seconds := "1 second"
	if s := e.RetryAfter(); s != "1" {
		seconds = s + " seconds"
	}
	return fmt.Sprintf("Too many requests: the limit is %d %s %s for one %s. Nothing was changed. Try again in %s.", e.Rate.Tokens, e.what(), per, e.whom(), seconds)
}

// what names the requests that are limited.
func (e *Exceeded) what() string {
	switch e.caller.kind {
	case bySignIn, bySignInHost, byServer:
		return "sign-in attempts"
	case byLookup:
		return "account lookups"
	case byReport:
		return "reports"
	case byInvitation:
		return "invitation links"
	case byCompletion:
		return "completed handles"
	case byClient, byClientHost:
		return "attempts to connect an agent"
	}
	if e.Write {
		return "changes"
	}
	return "read requests"
}

// whom says who the limit is counted against.
func (e *Exceeded) whom() string {
	if e.caller.addr.Addr().Is6() && e.caller.addr.Bits() == networkBits {
		return "network"
	}
	switch e.caller.kind {
	case byWiki:
		return "wiki"
	case bySignInHost, byServer, byClientHost:
		return "host"
	case byLookup:
		if e.caller.name != "" {
			return "account"
		}
		return "address"
	case bySignIn, byReport, byClient, byInvitation, byCompletion:
		return "address"
	}
	if e.caller.everywhere {
		return "caller in all wikis"
	}
	return "caller"
}

// Unwrap makes an Exceeded a wiki.ErrTooMany.
func (e *Exceeded) Unwrap() error { return wiki.ErrTooMany }

// RetryAfter returns the value of the Retry-After header (RFC 9110, section
// 10.2.3): the whole seconds, at least 1, until another request is granted.
func (e *Exceeded) RetryAfter() string {
	return strconv.Itoa(max(1, int(math.Ceil(e.Wait.Seconds()))))
}
