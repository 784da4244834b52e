package config

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"robot.wtf/internal/wiki"
)

// HomeFlags are the settings of "robot home".
type HomeFlags struct {
	Listen           string
	URL              string // "" means http://localhost with the port of Listen
	Data             string
	NoSemanticSearch bool
	ATProto          bool // people can link ATProto accounts and sign in with them
	Test             TestFlags
}

// Home returns the configuration of a service with one wiki at the root of one host.
// Plain http is accepted only for addresses that nobody on the internet can have.
func Home(ctx context.Context, f HomeFlags) (Config, error) {
	if err := checkListen(f.Listen); err != nil {
		return Config{}, fmt.Errorf("--listen: %w", err)
	}
	data, err := filepath.Abs(f.Data)
	if err != nil {
		return Config{}, fmt.Errorf("--data: %w", err)
	}
	c := Config{Listen: f.Listen, Data: data, Host: "localhost", Name: "robot.wtf", Proxies: LoopbackProxies(), NoSemanticSearch: f.NoSemanticSearch, Limits: homeLimits}
	c.home = &homeAddress{scheme: "http"}
	if f.URL != "" {
		if c.Host, c.home.scheme, c.home.port, err = parseHomeURL(f.URL); err != nil {
			return Config{}, fmt.Errorf("--url: %w", err)
		}
	}
	if err := f.atproto(&c); err != nil {
		return Config{}, err
	}
	if c.home.scheme == "https" {
		return c, nil
	}
	c.home.plain = !isLoopbackName(c.Host)
	if err := checkPlainHost(ctx, c.Host); err != nil {
		return Config{}, fmt.Errorf("--url: %w", err)
	}
	if err := checkPlainListen(f.Listen, localAddresses()); err != nil {
		return Config{}, fmt.Errorf("--listen: %w", err)
	}
	return c, nil
}

// handleResolver resolves handles whose own servers don't answer. It is the default of
// "robot serve".
const handleResolver = "https://public.api.bsky.app"

// atproto sets what sign-in with ATProto accounts needs. People's servers send browsers
// back to https addresses and to localhost only.
func (f HomeFlags) atproto(c *Config) (err error) {
	if !f.ATProto {
		return nil
	}
	_, notAddr := netip.ParseAddr(c.Host)
	https := c.home.scheme == "https" && c.home.port == "443" && notAddr != nil
	if !https && !(c.home.scheme == "http" && c.Host == "localhost") {
		return fmt.Errorf("--atproto: people's servers send browsers back only to https addresses with a name and without a port, and to http://localhost, not to %s", f.URL)
	}
	c.home.atproto = true
	c.HandleResolver = handleResolver
	c.Test, err = f.Test.parseTest(c.Host)
	return err
}

// homeLimits are the limits of a wiki that its owner runs for themselves. The sizes
// of one page and one attachment stay, because they protect the process.
var homeLimits = wiki.Limits{Pages: 100_000, Files: 1_000_000, Members: 1000, CurrentBytes: 1 << 40, HistoryBytes: 1 << 40}

// A homeAddress is the public address of "robot home", besides the host.
type homeAddress struct {
	scheme  string
	port    string // "" for the port that the service listens on
	plain   bool   // http, on a name that browsers don't trust like https
	atproto bool   // people can sign in with linked ATProto accounts
}

// Home reports whether the service has one wiki, at the root of its host.
func (c Config) Home() bool { return c.home != nil }

// ATProto reports whether people sign in with ATProto accounts: always, but for "robot
// home", where it has to be asked for.
func (c Config) ATProto() bool { return c.home == nil || c.home.atproto }

// PlainHTTP reports whether browsers reach the service over http by another name
// than localhost, so that others on the network can read along.
func (c Config) PlainHTTP() bool { return c.home != nil && c.home.plain }

// parseHomeURL returns the parts of the address of a wiki. port is "443" or "80" if
// the address has none.
func parseHomeURL(address string) (host, scheme, port string, err error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return "", "", "", fmt.Errorf("%q must be like http://localhost:8080 or https://wiki.example.org: no path", address)
	}
	host = strings.ToLower(u.Hostname())
	addr, notAddr := netip.ParseAddr(host)
	switch {
	case notAddr != nil && (host == "" || strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789.-") != "" || strings.HasSuffix(host, ".") || strings.HasPrefix(host, ".")):
		return "", "", "", fmt.Errorf("%q isn't a host name", host)
	case notAddr == nil && addr.Is6():
		return "", "", "", fmt.Errorf("%q must be a name or an IPv4 address", host)
	}
	port = u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return host, u.Scheme, port, nil
}

// isLoopbackName reports whether browsers trust http at a host like https (W3C
// Secure Contexts, section 3.1).
func isLoopbackName(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && addr.IsLoopback()
}

// privateNames are endings of names that exist only in a local network (RFC 6761,
// 6762 and 8375, .internal, and names that routers use).
var privateNames = []string{"local", "lan", "home", "internal", "localhost", "localdomain", "test", "home.arpa", "fritz.box"}

const errPublicPlain = "everyone on the internet could read along, passwords included, because %s is a public address and http isn't encrypted. Use https: with --url https://%s and a proxy in front (Caddy, or tailscale serve). To use the wiki only in your network, give a private address, such as --url http://192.168.1.5:8080"

// checkPlainHost refuses http at a host that the internet can reach. A name with
// dots must be known to be private, or lead only to private addresses.
func checkPlainHost(ctx context.Context, host string) error {
	if addr, err := netip.ParseAddr(host); err == nil {
		if isPrivate(addr) {
			return nil
		}
		return fmt.Errorf(errPublicPlain, host, "wiki.example.org")
	}
	if !strings.Contains(host, ".") || slices.ContainsFunc(privateNames, func(end string) bool { return strings.HasSuffix(host, "."+end) }) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil || len(addrs) == 0 || slices.ContainsFunc(addrs, func(a netip.Addr) bool { return !isPrivate(a) }) {
		return fmt.Errorf(errPublicPlain, host, host)
	}
	return nil
}

// sharedNetwork is for carriers and private overlays (RFC 6598).
var sharedNetwork = netip.MustParsePrefix("100.64.0.0/10")

// isPrivate reports whether an address can't be reached from the internet.
func isPrivate(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || sharedNetwork.Contains(a)
}

// checkPlainListen refuses to listen for http on a public address of this machine,
// whose addresses are local.
func checkPlainListen(listen string, local []netip.Addr) error {
	at, err := net.ResolveTCPAddr("tcp", listen)
	if err != nil {
		return err
	}
	addr, _ := netip.AddrFromSlice(at.IP)
	addr = addr.Unmap()
	if addr.IsValid() && !addr.IsUnspecified() {
		local = []netip.Addr{addr}
	}
	onlyV4 := addr.Is4() && addr.IsUnspecified()
	for _, a := range local {
		if !isPrivate(a) && !(onlyV4 && a.Is6()) {
			return fmt.Errorf("%s includes %s, a public address, and http isn't encrypted: listen on a private one, such as --listen 127.0.0.1:%d, or use https with --url https://wiki.example.org", listen, a, at.Port)
		}
	}
	return nil
}

// localAddresses returns the addresses of this machine, nil if they are unknown.
func localAddresses() []netip.Addr {
	nets, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var list []netip.Addr
	for _, n := range nets {
		if p, err := netip.ParsePrefix(n.String()); err == nil {
			list = append(list, p.Addr().Unmap())
		}
	}
	return list
}

// homeOrigins are the addresses of "robot home".
func (c Config) homeOrigins(listening net.Addr) (Origins, error) {
	port := c.home.port
	if port == "" {
		if listening == nil {
			return Origins{}, errors.New("config: the port is unknown")
		}
		var err error
		if _, port, err = net.SplitHostPort(listening.String()); err != nil {
			return Origins{}, err
		}
	}
	return Origins{scheme: c.home.scheme, host: c.Host, port: port, single: true}, nil
}
