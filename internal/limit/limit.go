// Package limit says how fast one caller may go on: rate limits, their keys and
// buckets, and how long to wait.
//
// A bucket holds a number of tokens; each request takes one, and each token
// comes back a minute after it was taken. So never more than that number are
// granted within any minute, and whoever keeps below it never waits. What is
// refused takes nothing.
//
// Callers are counted for each wiki apart: what one tenant's people or programs
// do can use up nothing of another's. Nothing is kept on disk.
package limit

import (
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// A Rate is what a bucket holds: this many tokens, each of which comes back Per
// after it was taken, or up to a sixtieth of Per later.
type Rate struct {
	Tokens int
	Per    time.Duration
}

// Rates are the limits of a service.
type Rates struct {
	Read, Write         Rate // of one caller in one wiki: a person's browser, a token, or an address
	WikiRead, WikiWrite Rate // of one wiki: its members together, and all others together
	SignIn              Rate // sign-ins begun from one address
	SignInHost          Rate // sign-ins that make us ask one foreign host
	Client              Rate // OAuth clients that register or ask for consent from one address
	ClientHost          Rate // OAuth clients that make us ask one foreign host
}

// Defaults are 600 reads and 120 writes a minute for a caller, and ten times
// that for a wiki.
func Defaults() Rates { return RatesOf(600, 120) }

// RatesOf are the rates that go with a caller's reads and writes a minute: ten
// times as many for a wiki, half the writes for sign-ins in five minutes, as many
// as the writes for a foreign host, and for an OAuth client in five minutes.
func RatesOf(reads, writes int) Rates {
	return Rates{
		Read: Rate{reads, time.Minute}, Write: Rate{writes, time.Minute},
		WikiRead: Rate{10 * reads, time.Minute}, WikiWrite: Rate{10 * writes, time.Minute},
		SignIn: Rate{max(1, writes/2), 5 * time.Minute}, SignInHost: Rate{writes, time.Minute},
		Client: Rate{writes, 5 * time.Minute}, ClientHost: Rate{writes, time.Minute},
	}
}

// A Caller is whose tokens a request takes.
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
	kinds // how many there are
)

// Person is somebody in a browser, by DID.
func Person(did string) Caller { return Caller{kind: byPerson, name: did} }

// Token is a program with a credential of its own, by the credential's id.
func Token(id string) Caller { return Caller{kind: byToken, name: id} }

// Address is somebody unknown, by what http.Request.RemoteAddr says. Who has one
// IPv6 address has 2^64 of them, so those of one network count together (RFC
// 6177 gives each site at least a /64). What is no address counts as one.
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
	c.addr, _ = addr.Prefix(bits) // fails for other bits only
	return c
}

// A Request is what is asked for in one wiki.
type Request struct {
	Wiki   string // slug; "" for the platform
	Caller Caller
	Member bool // of the wiki: strangers cannot use up what its members have together
	Write  bool
}

// Take takes the tokens of a request, of its caller and of its wiki. The error
// is an *Exceeded, and then nothing was taken. A nil Limiter allows everything.
func (l *Limiter) Take(r Request) error {
	if l == nil {
		return nil
	}
	own, shared := l.rates.Read, l.rates.WikiRead
	if r.Write {
		own, shared = l.rates.Write, l.rates.WikiWrite
	}
	takes := [2]take{{key{r.Caller, r.Wiki, r.Write, false}, own}}
	n := 1
	if r.Wiki != "" {
		takes[1] = take{key{Caller{kind: byWiki}, r.Wiki, r.Write, r.Member}, shared}
		n = 2
	}
	return l.take(takes[:n])
}

// SignIn takes a token for beginning to sign in from an address.
func (l *Limiter) SignIn(remote string) error {
	if l == nil {
		return nil
	}
	c := Address(remote)
	c.kind = bySignIn
	return l.take([]take{{key{caller: c}, l.rates.SignIn}})
}

// SignInHost takes a token for asking a foreign host who somebody is, so that
// nobody makes us a flood to it. Names below one domain count together by their
// last two labels.
func (l *Limiter) SignInHost(host string) error {
	if l == nil {
		return nil
	}
	return l.take([]take{{key{caller: Caller{kind: bySignInHost, name: domain(host)}}, l.rates.SignInHost}})
}

// domain is what counts as one foreign host: the last two labels of its name.
func domain(host string) string {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if labels := strings.Split(host, "."); len(labels) > 2 {
		host = strings.Join(labels[len(labels)-2:], ".")
	}
	return host
}

// Client takes a token for an OAuth client that registers, or asks for consent,
// from an address, or that makes us ask a foreign host where one is named.
func (l *Limiter) Client(remote, host string) error {
	if l == nil {
		return nil
	}
	if host != "" {
		return l.take([]take{{key{caller: Caller{kind: byClientHost, name: domain(host)}}, l.rates.ClientHost}})
	}
	c := Address(remote)
	c.kind = byClient
	return l.take([]take{{key{caller: c}, l.rates.Client}})
}

// Report takes a token for a report of a page from an address: ten an hour, in
// every service, for whoever has more to say writes a mail.
func (l *Limiter) Report(remote string) error {
	if l == nil {
		return nil
	}
	c := Address(remote)
	c.kind = byReport
	return l.take([]take{{key{caller: c}, Rate{10, time.Hour}}})
}

// Exceeded is the error of who is too fast.
type Exceeded struct {
	Rate  Rate
	Write bool
	Wait  time.Duration // until there is a token again
	kind  kind
}

// Error is a sentence for whoever was refused.
func (e *Exceeded) Error() string {
	what := "requests to read"
	if e.Write {
		what = "changes"
	}
	whom := "one caller"
	switch e.kind {
	case byWiki:
		whom = "one wiki"
	case bySignIn:
		what = "tries to sign in"
		whom = "one address"
	case byReport:
		what = "reports"
		whom = "one address"
	case bySignInHost:
		what = "tries to sign in"
		whom = "one host"
	case byClient:
		what = "tries to connect an agent"
		whom = "one address"
	case byClientHost:
		what = "tries to connect an agent"
		whom = "one host"
	}
	per := "a minute"
	if e.Rate.Per != time.Minute {
		per = "in " + strconv.FormatFloat(e.Rate.Per.Minutes(), 'g', 3, 64) + " minutes"
	}
	seconds := "1 second"
	if s := e.RetryAfter(); s != "1" {
		seconds = s + " seconds"
	}
	return fmt.Sprintf("That was too fast: %s can have %d %s %s. Nothing was changed; try again in %s.", whom, e.Rate.Tokens, what, per, seconds)
}

// RetryAfter is the value of that header (RFC 9110, 10.2.3): whole seconds, at
// least 1, after which one more request is granted.
func (e *Exceeded) RetryAfter() string {
	return strconv.Itoa(max(1, int(math.Ceil(e.Wait.Seconds()))))
}
