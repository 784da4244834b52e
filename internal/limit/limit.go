// Package limit implements rate limits: their keys and buckets, and how long a
// rejected caller has to wait. Front ends decide what counts as one request.
//
// A bucket holds a number of tokens. Each request takes one, which returns a
// minute later. So no minute grants more than that number of requests, and a
// caller who stays below it never waits. A rejected request takes no tokens.
//
// Each wiki counts its callers separately: one tenant's users and programs
// can't use up another tenant's limits. Nothing is stored on disk.
package limit

import (
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
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
	SignIn              Rate // sign-in attempts per address
	SignInHost          Rate // sign-in attempts that make us contact one foreign host
	Client              Rate // OAuth client registrations and consent requests per address
	ClientHost          Rate // OAuth clients that make us contact one foreign host
}

// Defaults returns the default rates: 600 reads and 120 writes per minute and
// caller, and ten times that per wiki.
func Defaults() Rates { return RatesFor(600, 120) }

// RatesFor derives all rates from a caller's reads and writes per minute. A wiki
// gets ten times as many. Sign-ins get half the writes per five minutes, OAuth
// clients the writes per five minutes, and a foreign host the writes per minute.
func RatesFor(reads, writes int) Rates {
	return Rates{
		Read: Rate{reads, time.Minute}, Write: Rate{writes, time.Minute},
		WikiRead: Rate{10 * reads, time.Minute}, WikiWrite: Rate{10 * writes, time.Minute},
		SignIn: Rate{max(1, writes/2), 5 * time.Minute}, SignInHost: Rate{writes, time.Minute},
		Client: Rate{writes, 5 * time.Minute}, ClientHost: Rate{writes, time.Minute},
	}
}

// A Caller identifies whose tokens a request takes.
type Caller struct {
	kind kind
	name string
	addr netip.Prefix
}

type kind uint8

const (
	byAddress kind = iota
	byPerson
	byToken
	byWiki
	bySignIn
	bySignInHost
	byClient
	byClientHost
	byReport
	kinds // number of kinds
)

// Person is a person in a browser, by DID.
func Person(did string) Caller { return Caller{kind: byPerson, name: did} }

// Token is a program with its own credential, by the credential's id.
func Token(id string) Caller { return Caller{kind: byToken, name: id} }

// Address is an anonymous caller, by http.Request.RemoteAddr. IPv6 addresses of
// one /64 network count as one caller, because each site has at least that many
// (RFC 6177). All invalid addresses count as one.
func Address(remote string) Caller {
	c := Caller{kind: byAddress}
	addrPort, err := netip.ParseAddrPort(remote)
	addr := addrPort.Addr()
	if err != nil {
		if addr, err = netip.ParseAddr(remote); err != nil {
			return c
		}
	}
	addr = addr.Unmap().WithZone("")
	bits := 64
	if addr.Is4() {
		bits = 32
	}
	c.addr, _ = addr.Prefix(bits) // fails only for other bits
	return c
}

// A Request describes one request to a wiki.
type Request struct {
	Wiki   string // slug; "" for the platform
	Caller Caller
	Member bool // of the wiki: others can't use up the members' shared limit
	Write  bool
}

// Take takes a request's tokens from its caller and its wiki. Its error is an
// *Exceeded, in which case it took nothing. A nil Limiter allows everything.
func (l *Limiter) Take(r Request) error {
	if l == nil {
		return nil
	}
	own, shared := l.rates.Read, l.rates.WikiRead
	if r.Write {
		own, shared = l.rates.Write, l.rates.WikiWrite
	}
	takes := [2]withdrawal{{key{r.Caller, r.Wiki, r.Write, false}, own}}
	n := 1
	if r.Wiki != "" {
		takes[1] = withdrawal{key{Caller{kind: byWiki}, r.Wiki, r.Write, r.Member}, shared}
		n = 2
	}
	return l.takeTokens(takes[:n])
}

// SignIn takes a token for a sign-in attempt from an address.
func (l *Limiter) SignIn(remote string) error {
	if l == nil {
		return nil
	}
	c := Address(remote)
	c.kind = bySignIn
	return l.takeTokens([]withdrawal{{key{caller: c}, l.rates.SignIn}})
}

// SignInHost takes a token for looking up an identity at a foreign host, so that
// callers can't use us to flood it. Hosts with the same last two labels count as
// one.
func (l *Limiter) SignInHost(host string) error {
	if l == nil {
		return nil
	}
	return l.takeTokens([]withdrawal{{key{caller: Caller{kind: bySignInHost, name: domain(host)}}, l.rates.SignInHost}})
}

// domain returns the last two labels of a host name, which count as one host.
func domain(host string) string {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if labels := strings.Split(host, "."); len(labels) > 2 {
		host = strings.Join(labels[len(labels)-2:], ".")
	}
	return host
}

// Client takes a token for an OAuth client that registers or asks for consent:
// from its address or, if host is given, from the foreign host that we contact.
func (l *Limiter) Client(remote, host string) error {
	if l == nil {
		return nil
	}
	if host != "" {
		return l.takeTokens([]withdrawal{{key{caller: Caller{kind: byClientHost, name: domain(host)}}, l.rates.ClientHost}})
	}
	c := Address(remote)
	c.kind = byClient
	return l.takeTokens([]withdrawal{{key{caller: c}, l.rates.Client}})
}

// reports is the limit on reports from one address, on every service: anyone with
// more to report can send an email.
var reports = Rate{10, time.Hour}

// Report takes a token for reporting a page from an address: ten per hour.
func (l *Limiter) Report(remote string) error {
	if l == nil {
		return nil
	}
	c := Address(remote)
	c.kind = byReport
	return l.takeTokens([]withdrawal{{key{caller: c}, reports}})
}

// Exceeded is the error for a caller who exceeded a rate limit.
type Exceeded struct {
	Rate  Rate
	Write bool
	Wait  time.Duration // until a token is available again
	kind  kind
}

// Error returns a message for the person who made the request.
func (e *Exceeded) Error() string {
	what := "read requests"
	if e.Write {
		what = "changes"
	}
	whom := "caller"
	switch e.kind {
	case byWiki:
		whom = "wiki"
	case bySignIn:
		what = "sign-in attempts"
		whom = "address"
	case byReport:
		what = "reports"
		whom = "address"
	case bySignInHost:
		what = "sign-in attempts"
		whom = "host"
	case byClient:
		what = "attempts to connect an agent"
		whom = "address"
	case byClientHost:
		what = "attempts to connect an agent"
		whom = "host"
	}
	per := "per minute"
	if e.Rate.Per != time.Minute {
		per = "in " + strconv.FormatFloat(e.Rate.Per.Minutes(), 'g', 3, 64) + " minutes"
	}
	seconds := "1 second"
	if s := e.RetryAfter(); s != "1" {
		seconds = s + " seconds"
	}
	return fmt.Sprintf("Too many requests: the limit is %d %s %s for one %s. Nothing was changed. Try again in %s.", e.Rate.Tokens, what, per, whom, seconds)
}

// Unwrap makes an Exceeded a wiki.ErrTooMany.
func (e *Exceeded) Unwrap() error { return wiki.ErrTooMany }

// RetryAfter returns the value of the Retry-After header (RFC 9110, section
// 10.2.3): the whole seconds, at least 1, until another request is granted.
func (e *Exceeded) RetryAfter() string {
	return strconv.Itoa(max(1, int(math.Ceil(e.Wait.Seconds()))))
}
