package config

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A Serve is what "robot serve" is told, by flag, environment or file. The tags
// are kong's.
type Serve struct {
	PublicURL    string   `name:"public-url" env:"ROBOT_PUBLIC_URL" placeholder:"URL" help:"Address of the service as people type it, such as https://robot.wtf. Wikis are its subdomains."`
	Data         string   `name:"data" env:"ROBOT_DATA" placeholder:"DIR" help:"Data directory; made if there is none."`
	Listen       string   `name:"listen" env:"ROBOT_LISTEN" default:"127.0.0.1:8080" placeholder:"ADDR" help:"Address to listen on (${default}), for the proxy that does TLS."`
	TrustedProxy []string `name:"trusted-proxy" env:"ROBOT_TRUSTED_PROXY" placeholder:"CIDR" help:"Networks of proxies whose X-Forwarded-For is believed (loopback); \"none\" for none."`
	Signup       string   `name:"signup" env:"ROBOT_SIGNUP" default:"open" placeholder:"WHO" help:"Who may have a new account: open (everybody), list (those of --signup-list) or closed (nobody). Who has one or was invited to a wiki can always sign in."`
	SignupList   []string `name:"signup-list" env:"ROBOT_SIGNUP_LIST" placeholder:"WHO" help:"Handles or DIDs for --signup list."`
	Reads        int      `name:"reads-per-minute" env:"ROBOT_READS_PER_MINUTE" default:"600" placeholder:"N" help:"Requests to read that one caller has a minute in one wiki (${default})."`
	Writes       int      `name:"writes-per-minute" env:"ROBOT_WRITES_PER_MINUTE" default:"120" placeholder:"N" help:"Changes that one caller has a minute in one wiki (${default})."`
	Showcase     []string `name:"showcase" env:"ROBOT_SHOWCASE" placeholder:"SLUG" help:"Public wikis that the landing page shows."`
	WordsOnly    bool     `name:"words-only" env:"ROBOT_WORDS_ONLY" help:"Search by words alone, without the model: nothing is found by its meaning, and memory is saved."`
	WatchFlags
	Access       time.Duration `name:"access-lifetime" env:"ROBOT_ACCESS_LIFETIME" default:"168h" placeholder:"DURATION" help:"How long an agent's access token is good for before it is refreshed (${default}): a minute to 30 days. What is revoked ends at once."`
	TestPin      []string      `name:"test-pin" env:"ROBOT_TEST_PIN" hidden:"" placeholder:"NAME=ADDR" help:"Dial ADDR for outgoing requests to NAME. For tests: refused unless the public address is a test name."`
	TestCA       string        `name:"test-ca" env:"ROBOT_TEST_CA" hidden:"" placeholder:"FILE" help:"Trust this CA for outgoing requests. For tests, as --test-pin."`
	TestDNS      string        `name:"test-dns" env:"ROBOT_TEST_DNS" hidden:"" placeholder:"ADDR" help:"Ask this name server. For tests, as --test-pin."`
	TestPLC      string        `name:"test-plc" env:"ROBOT_TEST_PLC" hidden:"" placeholder:"URL" help:"Ask this PLC directory. For tests, as --test-pin."`
	TestLifetime time.Duration `name:"test-lifetime" env:"ROBOT_TEST_LIFETIME" hidden:"" placeholder:"DURATION" help:"How long a sign-in may take. For tests, as --test-pin."`
}

// A Test is what only a service with a test name can be told.
type Test struct {
	Pins     map[string]string
	CA       *x509.CertPool
	DNS      string
	PLC      string
	Lifetime time.Duration
}

// Config checks all settings and says of each that is wrong what it should be.
func (s Serve) Config() (Config, error) {
	c := Config{Listen: s.Listen, Reads: s.Reads, Writes: s.Writes, Showcase: s.Showcase, WordsOnly: s.WordsOnly, Access: s.Access}
	var errs []error
	wrong := func(setting string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("--%s: %w", setting, err))
		}
	}
	var err error
	c.Host, err = publicHost(s.PublicURL)
	wrong("public-url", err)
	c.public = err == nil
	wrong("listen", checkListen(s.Listen))
	if s.Data == "" {
		wrong("data", errors.New("name the directory that holds everything"))
	} else {
		c.Data, err = filepath.Abs(s.Data)
		wrong("data", err)
	}
	c.Proxies, err = proxies(s.TrustedProxy)
	wrong("trusted-proxy", err)
	c.Signup, err = signup(s.Signup, s.SignupList)
	wrong("signup", err)
	if s.Reads < 1 {
		wrong("reads-per-minute", errors.New("is a number from 1"))
	}
	if s.Writes < 1 {
		wrong("writes-per-minute", errors.New("is a number from 1"))
	}
	if s.Access < time.Minute || s.Access > 30*24*time.Hour {
		wrong("access-lifetime", errors.New("is a minute to 720h"))
	}
	c.Watch = s.watch(c.Host, wrong)
	c.Test, err = s.test(c.Host)
	if err != nil {
		errs = append(errs, err)
	}
	return c, errors.Join(errs...)
}

// publicHost is the host of the public address. Other servers know ours by it:
// they want https, a name with a dot, and no port (atproto.com/specs/oauth).
func publicHost(address string) (string, error) {
	if address == "" {
		return "", errors.New("say what people type to get here, such as https://robot.wtf")
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.User != nil || u.Port() != "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("%q is not like https://robot.wtf: https, a host name, no port and no path", address)
	}
	host := strings.ToLower(u.Hostname())
	if _, err := netip.ParseAddr(host); err == nil || !strings.Contains(strings.Trim(host, "."), ".") || strings.HasSuffix(host, ".") {
		return "", fmt.Errorf("%q is not a host name with a dot: wikis are its subdomains, and an address has none", host)
	}
	return host, nil
}

func checkListen(address string) error {
	if _, err := net.ResolveTCPAddr("tcp", address); err != nil || !strings.Contains(address, ":") {
		return fmt.Errorf("%q is not an address such as 127.0.0.1:8080", address)
	}
	return nil
}

func proxies(list []string) ([]netip.Prefix, error) {
	if len(list) == 0 {
		return Loopbacks(), nil
	}
	var all []netip.Prefix
	for _, text := range list {
		if text == "none" && len(list) == 1 {
			return nil, nil
		}
		p, err := netip.ParsePrefix(text)
		if addr, aerr := netip.ParseAddr(text); aerr == nil {
			p, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil {
			return nil, fmt.Errorf("%q is not a network such as 10.0.0.0/8, an address, or \"none\"", text)
		}
		all = append(all, p.Masked())
	}
	return all, nil
}

// A Signup says who may have a new account. The zero value lets everybody in.
type Signup struct {
	closed bool
	list   []string // handles and DIDs in small letters
}

func signup(who string, list []string) (Signup, error) {
	switch who {
	case "open", "":
		return Signup{}, nil
	case "closed":
		return Signup{closed: true}, nil
	case "list":
		s := Signup{closed: true}
		for _, entry := range list {
			s.list = append(s.list, strings.ToLower(strings.TrimPrefix(strings.TrimSpace(entry), "@")))
		}
		if len(s.list) == 0 {
			return s, errors.New("list needs --signup-list with handles or DIDs")
		}
		return s, nil
	}
	return Signup{}, fmt.Errorf("%q is not open, list or closed", who)
}

// Admits reports whether somebody may have a new account.
func (s Signup) Admits(did, handle string) bool {
	return !s.closed || slices.Contains(s.list, strings.ToLower(did)) || slices.Contains(s.list, strings.ToLower(handle))
}

// testName reports whether a host name can be none of the public internet's
// (RFC 6761, and .internal, which ICANN has set aside).
func testName(host string) bool {
	top := host[strings.LastIndexByte(host, '.')+1:]
	return top == "internal" || top == "test" || top == "localhost"
}

func (s Serve) test(host string) (Test, error) {
	t := Test{Pins: map[string]string{}, DNS: s.TestDNS, PLC: s.TestPLC, Lifetime: s.TestLifetime}
	used := ""
	for setting, set := range map[string]bool{
		"test-pin": len(s.TestPin) > 0, "test-ca": s.TestCA != "", "test-dns": s.TestDNS != "", "test-plc": s.TestPLC != "", "test-lifetime": s.TestLifetime != 0,
	} {
		if set {
			used = setting
		}
	}
	if used == "" {
		return Test{}, nil
	}
	if !testName(host) {
		return Test{}, fmt.Errorf("--%s: only for a service with a test name (.internal, .test, .localhost), not %q", used, host)
	}
	for _, pin := range s.TestPin {
		name, to, ok := strings.Cut(pin, "=")
		if _, err := netip.ParseAddrPort(to); err != nil || !ok || name == "" || name == "*" {
			return Test{}, fmt.Errorf("--test-pin: %q is not like *.test=127.0.0.1:8443", pin)
		}
		t.Pins[strings.ToLower(name)] = to
	}
	if s.TestPLC != "" && !strings.HasPrefix(s.TestPLC, "https://") {
		return Test{}, fmt.Errorf("--test-plc: %q is not https", s.TestPLC)
	}
	if s.TestCA != "" {
		text, err := os.ReadFile(s.TestCA)
		if err != nil {
			return Test{}, fmt.Errorf("--test-ca: %w", err)
		}
		t.CA = x509.NewCertPool()
		if !t.CA.AppendCertsFromPEM(text) {
			return Test{}, fmt.Errorf("--test-ca: %s holds no certificate", s.TestCA)
		}
	}
	return t, nil
}
