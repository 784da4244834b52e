// Package config turns the flags, environment and settings file of a service
// into one validated Config. It opens no network connection and no database, and
// leaves it to cmd/robot to act on the settings.
package config

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strconv"
	"time"

	"robot.wtf/internal/wiki"
)

// A Config holds all settings of a service.
type Config struct {
	Listen string // host:port; port 0 means any free port
	Data   string // data directory, absolute
	// Host is the platform's host name. Wikis are its subdomains.
	Host string
	// Reads and Writes are the requests allowed per minute, caller and wiki.
	// With 0 reads there are no rate limits.
	Reads, Writes int
	// AccessLifetime is how long an agent's access token is valid; 0 means the
	// default.
	AccessLifetime time.Duration
	// Proxies are the trusted sources of X-Forwarded-For.
	Proxies []netip.Prefix
	// Showcase lists the slugs of wikis shown on the landing page, if public.
	Showcase []string
	// NoSemanticSearch disables the embedding model.
	NoSemanticSearch bool
	MemoryMB         int    // target of the garbage collector; 0 means DefaultMemoryMB
	Signup           Signup // the sign-up policy
	NewWikis         int    // allowed in 24 hours; 0 for no limit
	Watch            Watch  // metrics and alerts
	// Wiki is the slug of the only wiki, for "robot home". Its caller sets it.
	Wiki string
	// Limits are those of wikis without their own; 0 means the default.
	Limits wiki.Limits
	// WikisPerPerson is how many wikis one person can own; 0 means 1.
	WikisPerPerson int
	Name           string   // of the service, "" for the host
	Operators      []string // DIDs of people with the operator's pages
	HandleResolver string   // origin of the service that resolves handles whose servers don't answer, or ""
	AccountServer  string   // origin of the server for people who enter no account, or ""
	Completion     bool     // complete handles on the sign-in form
	OwnDomains     bool     // wikis can have own domains
	Contact        string   // email or web address of the operator, or ""
	Terms, Privacy string   // in Markdown, instead of ours; or ""
	OpenWikis      int      // databases open at once; 0 for the default
	// SlowRequest is how long a request must take to be logged; 0 for never.
	SlowRequest time.Duration
	AccessLog   Access
	Test        Test // zero except in tests of "robot serve"

	public bool         // the service has a public address, served by an https proxy
	https  string       // in development, the port of an https proxy; "" for none
	home   *homeAddress // nil except for "robot home"
}

// An Access says which requests are logged.
type Access string

// The choices. Without one, only failed and slow requests are logged.
const (
	AccessOff       Access = ""
	AccessOn        Access = "on"
	AccessAddresses Access = "addresses" // with the address of the client
)

// DefaultMemoryMB is enough for some hundred wikis in use at a time.
const DefaultMemoryMB = 256

// Memory is the garbage collector's memory target, in bytes.
func (c Config) Memory() int64 { return int64(cmp.Or(c.MemoryMB, DefaultMemoryMB)) << 20 }

// ServiceName is the service's name for people.
func (c Config) ServiceName() string { return cmp.Or(c.Name, c.Host) }

// LoopbackProxies returns the proxies trusted by default.
func LoopbackProxies() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
}

// DevHost is the platform's host in development. Browsers resolve subdomains of
// localhost themselves and trust them like https (RFC 6761, section 6.3).
const DevHost = "robot.localhost"

// Dev returns the configuration of a development service. If https isn't 0, a
// local proxy terminates TLS on that port.
func Dev(listen, data string, https int) (Config, error) {
	_, port, err := net.SplitHostPort(listen)
	if err != nil {
		return Config{}, fmt.Errorf("--listen %q is not an address such as 127.0.0.1:8080", listen)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return Config{}, fmt.Errorf("--listen %q: the port must be a number up to 65535", listen)
	}
	if data, err = filepath.Abs(data); err != nil {
		return Config{}, fmt.Errorf("--data: %w", err)
	}
	c := Config{Listen: listen, Data: data, Host: DevHost, Name: "robot.wtf", Proxies: LoopbackProxies()}
	if https < 0 || https > 65535 {
		return Config{}, fmt.Errorf("--https %d: the port must be a number up to 65535", https)
	}
	if https > 0 {
		c.https = strconv.Itoa(https)
	}
	return c, nil
}

// Secure reports whether to send Strict-Transport-Security (RFC 6797). In
// development it isn't sent, because other programs use localhost too.
func (c Config) Secure() bool { return c.public }

// Offline returns the configuration for work on a data directory without a service.
func Offline(data string) (Config, Origins) {
	return Config{Data: data, Host: DevHost, Name: "robot.wtf", Proxies: LoopbackProxies()}, Origins{scheme: "https", host: DevHost, port: "443"}
}

// IsLoopback reports whether only this machine can reach an address.
func IsLoopback(listening net.Addr) bool {
	tcp, ok := listening.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// Origins are the public addresses of a service.
type Origins struct {
	scheme, host, port string
	single             bool // the only wiki is at the root of the platform's host
}

// Origins returns the public addresses of a service. In development it derives
// them from the address that the service or its proxy listens on.
func (c Config) Origins(listening net.Addr) (Origins, error) {
	switch {
	case c.home != nil:
		return c.homeOrigins(listening)
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

// Platform returns the origin of the platform's host.
func (o Origins) Platform() string { return o.origin(o.host) }

// Wiki returns the origin of a wiki's host.
func (o Origins) Wiki(slug string) string {
	if o.single {
		return o.Platform()
	}
	return o.origin(slug + "." + o.host)
}

func (o Origins) origin(host string) string {
	defaultPort := "443"
	if o.scheme == "http" {
		defaultPort = "80"
	}
	if o.port != defaultPort {
		host = net.JoinHostPort(host, o.port)
	}
	return (&url.URL{Scheme: o.scheme, Host: host}).String()
}
