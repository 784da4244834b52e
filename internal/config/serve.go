package config

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"robot.wtf/internal/wiki"
)

// ServeFlags are the settings of "robot serve", by flag, environment or file. The
// tags are for package kong.
type ServeFlags struct {
	PublicURL        string   `name:"public-url" env:"ROBOT_PUBLIC_URL" placeholder:"URL" help:"Public address of the service, such as https://robot.wtf. Wikis are its subdomains."`
	Data             string   `name:"data" env:"ROBOT_DATA" placeholder:"DIR" help:"Data directory. Created if missing."`
	Listen           string   `name:"listen" env:"ROBOT_LISTEN" default:"127.0.0.1:8080" placeholder:"ADDR" help:"Address to listen on (${default}), behind a proxy that terminates TLS."`
	TrustedProxy     []string `name:"trusted-proxy" env:"ROBOT_TRUSTED_PROXY" placeholder:"CIDR" help:"Networks of proxies whose X-Forwarded-For is trusted (loopback); \"none\" for none."`
	Signup           string   `name:"signup" env:"ROBOT_SIGNUP" default:"open" placeholder:"WHO" help:"Who can sign up: open (everyone), day (everyone, but a new account waits a day before its first wiki), invitation (people with an invitation link from someone who has a wiki), list (see --signup-list) or closed (nobody). Existing users and people invited to a wiki can always sign in."`
	SignupList       []string `name:"signup-list" env:"ROBOT_SIGNUP_LIST" placeholder:"WHO" help:"Handles or DIDs of people who can sign up at once, unless --signup is closed."`
	NewWikis         int      `name:"new-wikis-per-day" env:"ROBOT_NEW_WIKIS_PER_DAY" default:"200" placeholder:"N" help:"New wikis allowed in 24 hours (${default}); 0 for no limit. Doesn't apply to people in --signup-list."`
	Reads            int      `name:"reads-per-minute" env:"ROBOT_READS_PER_MINUTE" default:"600" placeholder:"N" help:"Read requests allowed per caller and wiki per minute (${default})."`
	Writes           int      `name:"writes-per-minute" env:"ROBOT_WRITES_PER_MINUTE" default:"120" placeholder:"N" help:"Changes allowed per caller and wiki per minute (${default})."`
	Showcase         []string `name:"showcase" env:"ROBOT_SHOWCASE" placeholder:"SLUG" help:"Public wikis to show on the landing page."`
	Name             string   `name:"name" env:"ROBOT_NAME" placeholder:"NAME" help:"Name of the service, in titles, footers, sign-in and commits (the host)."`
	Contact          string   `name:"contact" env:"ROBOT_CONTACT" placeholder:"ADDR" help:"How to reach the operator: an email address or an https address. Shown in footers, and wherever a limit refuses something."`
	Operators        []string `name:"operators" env:"ROBOT_OPERATORS" placeholder:"DID" help:"DIDs of people who can see reports, suspend wikis, take pages down and set limits in the browser."`
	Terms            string   `name:"terms" env:"ROBOT_TERMS" placeholder:"FILE" help:"Terms to show instead of the built-in ones, in Markdown."`
	Privacy          string   `name:"privacy" env:"ROBOT_PRIVACY" placeholder:"FILE" help:"Privacy policy to show instead of the built-in one, in Markdown."`
	MaxPages         int      `name:"max-pages" env:"ROBOT_MAX_PAGES" default:"500" placeholder:"N" help:"Pages that a wiki can have (${default}), unless it has a limit of its own."`
	MaxFiles         int      `name:"max-files" env:"ROBOT_MAX_FILES" default:"20000" placeholder:"N" help:"Pages, redirects and files that a wiki can have together (${default}); at least as many as its pages."`
	MaxMembers       int      `name:"max-members" env:"ROBOT_MAX_MEMBERS" default:"3" placeholder:"N" help:"Members that a wiki can have besides its owner (${default})."`
	MaxMB            int64    `name:"max-mb" env:"ROBOT_MAX_MB" default:"50" placeholder:"MB" help:"Size of a wiki's current files (${default}); ten times that with its history."`
	WikisPerPerson   int      `name:"wikis-per-person" env:"ROBOT_WIKIS_PER_PERSON" default:"1" placeholder:"N" help:"Wikis that one person can own (${default})."`
	HandleResolver   string   `name:"handle-resolver" env:"ROBOT_HANDLE_RESOLVER" default:"https://public.api.bsky.app" placeholder:"URL" help:"Service that resolves handles at sign-in when their own servers don't answer (${default}); none for no service."`
	AccountServer    string   `name:"account-server" env:"ROBOT_ACCOUNT_SERVER" default:"https://bsky.social" placeholder:"URL" help:"Server that the sign-in form offers to people who enter no account, or have none (${default})."`
	NoCompletion     bool     `name:"no-handle-completion" env:"ROBOT_NO_HANDLE_COMPLETION" help:"Don't complete handles on the sign-in form. Without this flag, text typed there is sent to --handle-resolver, through this service."`
	OwnDomains       bool     `name:"own-domains" env:"ROBOT_OWN_DOMAINS" help:"Let owners connect domains of their own to their wikis. The proxy must get certificates for these domains (see deploy/Caddyfile)."`
	NoSemanticSearch bool     `name:"no-semantic-search" env:"ROBOT_NO_SEMANTIC_SEARCH" help:"Search by words only, without the embedding model. Saves memory."`
	MemoryMB         int      `name:"memory-mb" env:"ROBOT_MEMORY_MB" default:"256" placeholder:"MB" help:"Memory target of the garbage collector (${default}). Caches get at most three fifths of it. With less, reading many wikis is slower."`
	WatchFlags
	OpenWikis      int           `name:"open-wikis" env:"ROBOT_OPEN_WIKIS" placeholder:"N" help:"Wikis whose databases are open at once (200, or fewer if the limit on file descriptors is low)."`
	SlowRequest    time.Duration `name:"slow-request" env:"ROBOT_SLOW_REQUEST" default:"2s" placeholder:"DURATION" help:"Log requests that take at least this long (${default}), and where the time was spent; 0 for none."`
	AccessLog      string        `name:"access-log" env:"ROBOT_ACCESS_LOG" enum:"off,on,addresses" default:"off" placeholder:"WHAT" help:"Log each request: off, on, or addresses to include the client's address. Page names, queries and tokens are never logged."`
	AccessLifetime time.Duration `name:"access-lifetime" env:"ROBOT_ACCESS_LIFETIME" default:"168h" placeholder:"DURATION" help:"Lifetime of an agent's access token before it must be refreshed (${default}): a minute to 30 days. Revocation takes effect at once."`

	TestFlags
}

// minMemoryMB is what an idle service needs.
const minMemoryMB = 64

// TestFlags are settings for tests. They are rejected unless the public address is a
// test name.
type TestFlags struct {
	TestPin      []string      `name:"test-pin" env:"ROBOT_TEST_PIN" hidden:"" placeholder:"NAME=ADDR" help:"Dial ADDR for outgoing requests to NAME. For tests: rejected unless the public address is a test name."`
	TestCA       string        `name:"test-ca" env:"ROBOT_TEST_CA" hidden:"" placeholder:"FILE" help:"Trust this CA for outgoing requests. For tests, like --test-pin."`
	TestDNS      string        `name:"test-dns" env:"ROBOT_TEST_DNS" hidden:"" placeholder:"ADDR" help:"Use this name server. For tests, like --test-pin."`
	TestPLC      string        `name:"test-plc" env:"ROBOT_TEST_PLC" hidden:"" placeholder:"URL" help:"Use this PLC directory. For tests, like --test-pin."`
	TestLifetime time.Duration `name:"test-lifetime" env:"ROBOT_TEST_LIFETIME" hidden:"" placeholder:"DURATION" help:"How long a sign-in can take. For tests, like --test-pin."`
}

// A Test holds settings allowed only on a service with a test name.
type Test struct {
	Pins     map[string]string
	CA       *x509.CertPool
	DNS      string
	PLC      string
	Lifetime time.Duration
}

// Config validates all settings. Its error explains each invalid one.
func (s ServeFlags) Config() (Config, error) {
	c := Config{Listen: s.Listen, Reads: s.Reads, Writes: s.Writes, Showcase: s.Showcase, NoSemanticSearch: s.NoSemanticSearch, MemoryMB: s.MemoryMB, OwnDomains: s.OwnDomains, NewWikis: s.NewWikis, AccessLifetime: s.AccessLifetime}
	var errs []error
	invalid := func(setting string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("--%s: %w", setting, err))
		}
	}
	var err error
	c.Host, err = publicHost(s.PublicURL)
	invalid("public-url", err)
	c.public = err == nil
	invalid("listen", checkListen(s.Listen))
	if s.Data == "" {
		invalid("data", errors.New("a data directory is required"))
	} else {
		c.Data, err = filepath.Abs(s.Data)
		invalid("data", err)
	}
	c.Proxies, err = parseProxies(s.TrustedProxy)
	invalid("trusted-proxy", err)
	c.Signup, err = ParseSignup(s.Signup, s.SignupList)
	invalid("signup", err)
	if s.MemoryMB != 0 && s.MemoryMB < minMemoryMB { // 0 means the default
		invalid("memory-mb", fmt.Errorf("must be at least %d", minMemoryMB))
	}
	if s.NewWikis < 0 {
		invalid("new-wikis-per-day", errors.New("must be 0 or more"))
	}
	if s.Reads < 1 {
		invalid("reads-per-minute", errors.New("must be at least 1"))
	}
	if s.Writes < 1 {
		invalid("writes-per-minute", errors.New("must be at least 1"))
	}
	if s.AccessLifetime < time.Minute || s.AccessLifetime > 30*24*time.Hour {
		invalid("access-lifetime", errors.New("must be between 1m and 720h"))
	}
	if c.OpenWikis = s.OpenWikis; s.OpenWikis < 0 {
		invalid("open-wikis", errors.New("must be 0 or more"))
	}
	if c.SlowRequest = s.SlowRequest; s.SlowRequest < 0 {
		invalid("slow-request", errors.New("must be 0 or more"))
	}
	if s.AccessLog != "off" {
		c.AccessLog = Access(s.AccessLog)
	}
	s.parseOperator(&c, invalid)
	c.HandleResolver, err = parseOrigin(s.HandleResolver)
	invalid("handle-resolver", err)
	c.AccountServer, err = parseOrigin(s.AccountServer)
	invalid("account-server", err)
	c.Completion = !s.NoCompletion
	c.Watch = s.parseWatch(c.Host, invalid)
	c.Test, err = s.parseTest(c.Host)
	if err != nil {
		errs = append(errs, err)
	}
	if isTestName(c.Host) && len(c.Test.Pins) == 0 {
		c.Watch.Certificate = false // nobody can connect to it
	}
	return c, errors.Join(errs...)
}

// parseOperator checks what the operator says about the service and its limits.
func (s ServeFlags) parseOperator(c *Config, invalid func(setting string, err error)) {
	c.Name, c.Contact, c.WikisPerPerson = strings.TrimSpace(s.Name), strings.TrimSpace(s.Contact), s.WikisPerPerson
	invalid("name", checkName(c.Name))
	invalid("contact", checkContact(c.Contact))
	c.Operators = s.Operators
	for _, did := range s.Operators {
		if !strings.HasPrefix(did, "did:plc:") && !strings.HasPrefix(did, "did:web:") {
			invalid("operators", fmt.Errorf("%q is not a DID; handles can change hands", did))
		}
	}
	var err error
	c.Terms, err = readPolicy(s.Terms)
	invalid("terms", err)
	c.Privacy, err = readPolicy(s.Privacy)
	invalid("privacy", err)
	for setting, n := range map[string]int64{"max-pages": int64(s.MaxPages), "max-files": int64(s.MaxFiles), "max-members": int64(s.MaxMembers), "max-mb": s.MaxMB, "wikis-per-person": int64(s.WikisPerPerson)} {
		if n < 0 || n > 1_000_000 { // 0 means the default
			invalid(setting, errors.New("must be between 0 and 1000000; 0 means the default"))
		}
	}
	c.Limits = wiki.Limits{Pages: s.MaxPages, Files: s.MaxFiles, Members: s.MaxMembers, CurrentBytes: s.MaxMB << 20, HistoryBytes: 10 * s.MaxMB << 20}
}

// parseOrigin returns the origin of another service, or "".
func parseOrigin(address string) (string, error) {
	if address == "" || address == "none" {
		return "", nil
	}
	host, err := publicHost(address)
	if err != nil {
		return "", fmt.Errorf("%q must be an https origin such as https://example.org, or none", address)
	}
	return "https://" + host, nil
}

// checkName checks a name that becomes the committer's, where git allows no angle
// brackets.
func checkName(name string) error {
	if len(name) > 60 || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) || r == '<' || r == '>' }) {
		return fmt.Errorf("%q must be at most 60 bytes of visible characters, without < and >", name)
	}
	return nil
}

func checkContact(contact string) error {
	if contact == "" {
		return nil
	}
	if a, err := mail.ParseAddress(contact); err == nil && a.Address == contact {
		return nil
	}
	if u, err := url.Parse(contact); err != nil || u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("%q must be an email address or an https address", contact)
	}
	return nil
}

// maxPolicy limits the size of terms and of a privacy policy, in bytes.
const maxPolicy = 200_000

func readPolicy(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	text, err := os.ReadFile(file)
	switch {
	case err != nil:
		return "", err
	case len(text) > maxPolicy || !utf8.Valid(text) || strings.TrimSpace(string(text)) == "":
		return "", fmt.Errorf("%s must be text in UTF-8, at most %d bytes", file, maxPolicy)
	}
	return string(text), nil
}

// publicHost returns the host of the public address. It identifies us to other
// servers, which require https, a name with a dot, and no port
// (atproto.com/specs/oauth).
func publicHost(address string) (string, error) {
	if address == "" {
		return "", errors.New("the public address is required, such as https://robot.wtf")
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.User != nil || u.Port() != "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("%q must be like https://robot.wtf: https, a host name, no port and no path", address)
	}
	host := strings.ToLower(u.Hostname())
	if _, err := netip.ParseAddr(host); err == nil || !strings.Contains(strings.Trim(host, "."), ".") || strings.HasSuffix(host, ".") {
		return "", fmt.Errorf("%q must be a host name with a dot, not an IP address: wikis are its subdomains", host)
	}
	return host, nil
}

func checkListen(address string) error {
	if _, err := net.ResolveTCPAddr("tcp", address); err != nil || !strings.Contains(address, ":") {
		return fmt.Errorf("%q is not an address such as 127.0.0.1:8080", address)
	}
	return nil
}

func parseProxies(list []string) ([]netip.Prefix, error) {
	if len(list) == 0 {
		return LoopbackProxies(), nil
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

// A Signup is the policy for new accounts and their first wikis. The zero value
// admits everyone at once.
type Signup struct {
	closed  bool          // to people who aren't listed
	invited bool          // people with an invitation are admitted
	wait    time.Duration // of people who aren't listed
	list    []string      // lowercase handles and DIDs
}

// newAccountWait is how long a new account waits with --signup day.
const newAccountWait = 24 * time.Hour

// ParseSignup returns the policy of a name, with the people it lists.
func ParseSignup(who string, list []string) (Signup, error) {
	var s Signup
	for _, entry := range list {
		s.list = append(s.list, strings.ToLower(strings.TrimPrefix(strings.TrimSpace(entry), "@")))
	}
	switch who {
	case "open", "":
	case "day":
		s.wait = newAccountWait
	case "invitation":
		s.closed, s.invited = true, true
	case "closed":
		s.closed, s.list = true, nil
	case "list":
		s.closed = true
		if len(s.list) == 0 {
			return s, errors.New("list requires --signup-list with handles or DIDs")
		}
	default:
		return Signup{}, fmt.Errorf("%q must be open, day, invitation, list or closed", who)
	}
	return s, nil
}

// Admits reports whether a person can create an account without an invitation.
func (s Signup) Admits(did, handle string) bool { return !s.closed || s.Lists(did, handle) }

// ByInvitation reports whether people with an invitation can create an account.
func (s Signup) ByInvitation() bool { return s.invited }

// Lists reports whether the operator's list names a person.
func (s Signup) Lists(did, handle string) bool {
	return slices.Contains(s.list, strings.ToLower(did)) || slices.Contains(s.list, strings.ToLower(handle))
}

// Wait is how long people who aren't listed wait for their first wiki.
func (s Signup) Wait() time.Duration { return s.wait }

// isTestName reports whether a host name can't exist on the public internet
// (RFC 6761, and .internal, which ICANN has reserved).
func isTestName(host string) bool {
	top := host[strings.LastIndexByte(host, '.')+1:]
	return top == "internal" || top == "test" || top == "localhost"
}

func (s TestFlags) parseTest(host string) (Test, error) {
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
	if !isTestName(host) {
		return Test{}, fmt.Errorf("--%s: only allowed with a test name (.internal, .test, .localhost), not %q", used, host)
	}
	for _, pin := range s.TestPin {
		name, to, ok := strings.Cut(pin, "=")
		if _, err := netip.ParseAddrPort(to); err != nil || !ok || name == "" || name == "*" {
			return Test{}, fmt.Errorf("--test-pin: %q must be like *.test=127.0.0.1:8443", pin)
		}
		t.Pins[strings.ToLower(name)] = to
	}
	if s.TestPLC != "" && !strings.HasPrefix(s.TestPLC, "https://") {
		return Test{}, fmt.Errorf("--test-plc: %q must be an https URL", s.TestPLC)
	}
	if s.TestCA != "" {
		text, err := os.ReadFile(s.TestCA)
		if err != nil {
			return Test{}, fmt.Errorf("--test-ca: %w", err)
		}
		t.CA = x509.NewCertPool()
		if !t.CA.AppendCertsFromPEM(text) {
			return Test{}, fmt.Errorf("--test-ca: %s has no certificate", s.TestCA)
		}
	}
	return t, nil
}
