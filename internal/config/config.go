// Package config holds what a service is told when it starts, checked.
package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strconv"
	"time"
)

// A Config is all that a service is told.
type Config struct {
	Listen string // host:port; port 0 is any free one
	Data   string // data directory, absolute
	// Host is the platform's host name; wikis are its subdomains.
	Host string
	// Reads and Writes are how many a minute one caller has in one wiki; with 0
	// reads there are no rate limits.
	Reads, Writes int
	// Access is how long an agent's access token is good for; 0 for the usual.
	Access time.Duration
	// Proxies are the peers whose X-Forwarded-For is believed.
	Proxies []netip.Prefix
	// Showcase holds the slugs of the wikis that the landing page shows, those
	// of them that are public.
	Showcase []string
	// WordsOnly leaves search without its model.
	WordsOnly bool
	Signup    Signup // who may have a new account
	Watch     Watch  // how the operator learns how it is
	Test      Test   // zero but in tests of "robot serve"

	public bool   // it has a public address, which a proxy in front of it serves by https
	https  string // in development, the port of such a proxy; "" for none
}

// Loopbacks are the proxies that are trusted unless others are named.
func Loopbacks() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
}

// DevHost is the platform's host in development. Browsers resolve names below
// localhost themselves and trust them like https (RFC 6761, section 6.3).
const DevHost = "robot.localhost"

// Dev is the configuration of a development service. With an https port, a proxy
// at that port of this machine does TLS in front of it; 0 is for none.
func Dev(listen, data string, https int) (Config, error) {
	_, port, err := net.SplitHostPort(listen)
	if err != nil {
		return Config{}, fmt.Errorf("--listen %q is not an address such as 127.0.0.1:8080", listen)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return Config{}, fmt.Errorf("--listen %q: the port is a number up to 65535", listen)
	}
	if data, err = filepath.Abs(data); err != nil {
		return Config{}, fmt.Errorf("--data: %w", err)
	}
	c := Config{Listen: listen, Data: data, Host: DevHost, Proxies: Loopbacks()}
	if https < 0 || https > 65535 {
		return Config{}, fmt.Errorf("--https %d: the port is a number up to 65535", https)
	}
	if https > 0 {
		c.https = strconv.Itoa(https)
	}
	return c, nil
}

// Secure reports whether browsers shall come back by https alone (RFC 6797). They
// are never told so in development: other programs have names below localhost.
func (c Config) Secure() bool { return c.public }

// Offline is for work on a data directory that no service has: nothing listens.
func Offline(data string) (Config, Origins) {
	return Config{Data: data, Host: DevHost, Proxies: Loopbacks()}, Origins{scheme: "https", host: DevHost, port: "443"}
}

// Loopback reports whether only this machine can reach an address.
func Loopback(listening net.Addr) bool {
	tcp, ok := listening.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// Origins are the addresses of a service that people type.
type Origins struct {
	scheme, host, port string
}

// Origins of a service: its public address, or in development the one that it or
// its proxy listens on.
func (c Config) Origins(listening net.Addr) (Origins, error) {
	switch {
	case c.public:
		return Origins{scheme: "https", host: c.Host, port: "443"}, nil
	case c.https != "":
		return Origins{scheme: "https", host: c.Host, port: c.https}, nil
	}
	_, port, err := net.SplitHostPort(listening.String())
	if err != nil {
		return Origins{}, err
	}
	return Origins{scheme: "http", host: c.Host, port: port}, nil
}

// Platform is the origin of the platform's host.
func (o Origins) Platform() string { return o.origin(o.host) }

// Wiki is the origin of a wiki's host.
func (o Origins) Wiki(slug string) string { return o.origin(slug + "." + o.host) }

func (o Origins) origin(host string) string {
	usual := "443"
	if o.scheme == "http" {
		usual = "80"
	}
	if o.port != usual {
		host = net.JoinHostPort(host, o.port)
	}
	return (&url.URL{Scheme: o.scheme, Host: host}).String()
}
