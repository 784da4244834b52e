package tenant

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"robot.wtf/internal/testdns"
	"robot.wtf/internal/wiki"
)

// A zone is a name server's records. For a name whose CNAME record is "fails", the server
// fails.
type zone struct {
	mu                  sync.Mutex
	cname, a, aaaa, txt map[string]string // by name, without a final dot
}

func newZone() *zone {
	return &zone{cname: map[string]string{}, a: map[string]string{"robot.wtf": "192.0.2.1"}, aaaa: map[string]string{"robot.wtf": "2001:db8::1"}, txt: map[string]string{}}
}

func (z *zone) set(records map[string]string, name, value string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	records[name] = value
}

func (z *zone) answer(m *dnsmessage.Message) {
	z.mu.Lock()
	defer z.mu.Unlock()
	q := m.Questions[0]
	name := strings.ToLower(strings.TrimSuffix(q.Name.String(), "."))
	m.Authoritative = true
	add := func(body dnsmessage.ResourceBody) {
		m.Answers = append(m.Answers, dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(name + "."), Class: q.Class}, Body: body})
	}
	if z.cname[name] == "fails" {
		m.RCode = dnsmessage.RCodeServerFailure
		return
	}
	if text := z.txt[name]; text != "" && q.Type == dnsmessage.TypeTXT {
		add(&dnsmessage.TXTResource{TXT: []string{text}})
		return
	}
	if to := z.cname[name]; to != "" {
		add(&dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName(to + ".")})
		name = to
	}
	if strings.HasSuffix(name, ".robot.wtf") {
		add(&dnsmessage.AResource{A: netip.MustParseAddr(z.a["robot.wtf"]).As4()})
		return
	}
	switch v4, v6 := z.a[name], z.aaaa[name]; {
	case v4 != "" && q.Type == dnsmessage.TypeA:
		add(&dnsmessage.AResource{A: netip.MustParseAddr(v4).As4()})
	case v6 != "" && q.Type == dnsmessage.TypeAAAA:
		add(&dnsmessage.AAAAResource{AAAA: netip.MustParseAddr(v6).As16()})
	case v4 == "" && v6 == "":
		m.RCode = dnsmessage.RCodeNameError
	}
}

// A domainFixture is a fixture with own domains, a clock and a name server.
type domainFixture struct {
	*fixture
	*zone
	clock *time.Time
}

func newDomainFixture(t *testing.T) *domainFixture {
	t.Helper()
	z, clock := newZone(), time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	address := testdns.Serve(t, z.answer)
	names := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}}
	f := newFixtureWith(t, Options{Now: func() time.Time { return clock }, Names: names, Host: "robot.wtf", OwnDomains: true, NameKey: make([]byte, 32), WikisPerPerson: 3})
	return &domainFixture{f, z, &clock}
}

func (f *domainFixture) after(d time.Duration) { *f.clock = f.clock.Add(d) }

// prove sets the records of a domain that ada names for a wiki.
func (f *domainFixture) prove(a wiki.Access, host string) {
	f.t.Helper()
	if err := f.NameDomain(f.t.Context(), a, host); err != nil {
		f.t.Fatal(err)
	}
	d, err := f.Domain(f.t.Context(), a)
	if err != nil || d.State() != "named" {
		f.t.Fatalf("%q, %v", d.State(), err)
	}
	f.set(f.txt, d.TXT, d.Proof)
	f.set(f.cname, host, d.Target)
	f.after(time.Minute)
}

// connect names, proves and connects a domain.
func (f *domainFixture) connect(a wiki.Access, host string) error {
	f.t.Helper()
	f.prove(a, host)
	return f.CheckDomain(f.t.Context(), a)
}

func (f *domainFixture) state(a wiki.Access) string {
	f.t.Helper()
	d, err := f.Domain(f.t.Context(), a)
	if err != nil {
		f.t.Fatal(err)
	}
	return d.State()
}

func (f *domainFixture) sweepNow() {
	f.t.Helper()
	if err := f.Sweep(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
}

func TestDomainNames(t *testing.T) {
	t.Parallel()
	s := New(Options{Host: "robot.wtf"})
	for typed, want := range map[string]string{
		"wiki.example.org": "wiki.example.org", " https://Wiki.Example.org/ ": "wiki.example.org", "example.org.": "example.org",
		"bücher.example.org": "xn--bcher-kva.example.org", "http://a.b.c.d.example.org": "a.b.c.d.example.org",
		"": "", "example": "", "localhost": "", "192.0.2.1": "", "[::1]": "", "::1": "", "wiki.example.org/path": "", "wiki.example.org:8443": "",
		"robot.wtf": "", "ada.robot.wtf": "", "x.ada.robot.wtf": "", "wtf": "", "a..org": "", "-a.org": "", "a-.org": "", "a_b.org": "", "*.example.org": "",
		"wiki.test": "", "wiki.local": "", "wiki.internal": "", "a.onion": "", "1.0.0.127.in-addr.arpa": "", "user@example.org": "",
		"example.org?x": "", "example.org#x": "", "a b.org": "", strings.Repeat("a", 64) + ".org": "", strings.Repeat("a.", 130) + "org": "",
	} {
		got, err := s.parseDomain(typed)
		if got != want || (err == nil) != (want != "") || err != nil && !errors.Is(err, wiki.ErrInvalid) {
			t.Errorf("%q: %q, %v, want %q", typed, got, err, want)
		}
	}
}

// A domain is connected once both records are there, and only for the wiki and the owner
// whose proof they have.
func TestConnectDomain(t *testing.T) {
	t.Parallel()
	f := newDomainFixture(t)
	ctx, a := t.Context(), f.access(ada)
	for _, u := range []wiki.User{bob, cleo} {
		for what, err := range map[string]error{"name": f.NameDomain(ctx, f.access(u), "wiki.example.org"), "check": f.CheckDomain(ctx, f.access(u)), "disconnect": f.DisconnectDomain(ctx, f.access(u))} {
			if !errors.Is(err, wiki.ErrDenied) {
				t.Errorf("%s as %s: %v", what, u.Username, err)
			}
		}
	}
	if err := f.NameDomain(ctx, a, "wiki.example.org"); err != nil {
		t.Fatal(err)
	}
	d, err := f.Domain(ctx, a)
	if err != nil || d.TXT != "_robot-wiki.wiki.example.org" || d.Target != "ada.robot.wtf" || !slices.Equal(d.Addresses, []string{"192.0.2.1", "2001:db8::1"}) {
		t.Fatalf("%+v, %v", d, err)
	}
	try := func(want string) {
		t.Helper()
		f.after(time.Minute)
		err := f.CheckDomain(ctx, a)
		if err == nil && want != "" || err != nil && (want == "" || !strings.Contains(err.Error(), want)) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	try("TXT record")
	f.set(f.txt, d.TXT, "robot-wiki="+strings.Repeat("0", 32))
	try("TXT record")
	f.set(f.txt, d.TXT, d.Proof)
	try("doesn't point to this service")
	f.set(f.a, "wiki.example.org", "192.0.2.99")
	try("doesn't point to this service")
	f.set(f.cname, "wiki.example.org", "fails")
	try("didn't answer")
	f.set(f.cname, "wiki.example.org", "")
	f.set(f.a, "wiki.example.org", "192.0.2.1")
	f.set(f.aaaa, "wiki.example.org", "2001:db8::99") // half of its visitors would come to somebody else
	try("doesn't point to this service")
	f.set(f.aaaa, "wiki.example.org", "2001:db8::1")
	if f.CertifiesDomain(ctx, "wiki.example.org") {
		t.Error("a domain without proof gets a certificate")
	}
	try("")
	if f.state(a) != "connected" || !f.CertifiesDomain(ctx, "wiki.example.org") || f.CertifiesDomain(ctx, "other.example.org") {
		t.Error("it isn't connected, or too much is")
	}
	if err := f.NameDomain(ctx, a, "other.example.org"); !errors.Is(err, wiki.ErrInvalid) {
		t.Errorf("a second domain: %v", err)
	}
	if err := f.CheckDomain(ctx, a); err == nil || !strings.Contains(err.Error(), "Try again in") {
		t.Errorf("looked at again at once: %v", err)
	}
}

// Naming a domain gives no right to it, and the proof of one wiki is none for another.
func TestDomainOfAnotherWiki(t *testing.T) {
	t.Parallel()
	f := newDomainFixture(t)
	ctx, a := t.Context(), f.access(ada)
	dora := f.newMember(t, "dora", wiki.Viewer)
	hers, err := f.Resolve(ctx, "dora", dora)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.NameDomain(ctx, hers, "wiki.example.org"); err != nil { // squatting
		t.Fatal(err)
	}
	if err := f.connect(a, "wiki.example.org"); err != nil {
		t.Fatalf("while another wiki only names it: %v", err)
	}
	if err := f.CheckDomain(ctx, hers); err == nil || !strings.Contains(err.Error(), "TXT") {
		t.Errorf("with ada's proof: %v", err)
	}
	if err := f.connect(hers, "wiki.example.org"); err == nil || !strings.Contains(err.Error(), "another wiki") {
		t.Errorf("while it is ada's: %v", err)
	}
	if err := f.DisconnectDomain(ctx, a); err != nil {
		t.Fatal(err)
	}
	if f.state(a) != "released" || f.CertifiesDomain(ctx, "wiki.example.org") {
		t.Error("it is still connected")
	}
	if err := f.connect(hers, "wiki.example.org"); err == nil || !strings.Contains(err.Error(), "30 days") {
		t.Errorf("when ada has disconnected it: %v", err)
	}
	if err := f.connect(a, "wiki.example.org"); err != nil {
		t.Errorf("ada takes it back: %v", err)
	}
	if err := f.DisconnectDomain(ctx, a); err != nil {
		t.Fatal(err)
	}
	f.after(reserveDomain)
	f.sweepNow()
	if err := f.connect(hers, "wiki.example.org"); err != nil {
		t.Errorf("after 30 days: %v", err)
	}
}

// One wiki can't cause certificates without end.
func TestDomainsADay(t *testing.T) {
	t.Parallel()
	f := newDomainFixture(t)
	a := f.access(ada)
	for _, host := range []string{"a.example.org", "b.example.org", "c.example.org", "d.example.org", "e.example.org"} {
		if err := f.connect(a, host); err != nil {
			t.Fatal(err)
		}
		if err := f.DisconnectDomain(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.connect(a, "f.example.org"); err == nil || !strings.Contains(err.Error(), "tomorrow") {
		t.Errorf("the sixth: %v", err)
	}
	f.after(24 * time.Hour)
	if err := f.CheckDomain(t.Context(), a); err != nil {
		t.Errorf("a day later: %v", err)
	}
}

// A domain that points elsewhere is disconnected after seven days, with notice. One
// whose name servers fail for a while isn't touched.
func TestDomainChecks(t *testing.T) {
	t.Parallel()
	f := newDomainFixture(t)
	ctx, a := t.Context(), f.access(ada)
	if err := f.connect(a, "wiki.example.org"); err != nil {
		t.Fatal(err)
	}
	notices := func() (texts []string) {
		list, err := f.Notices(ctx, ada.DID)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range list {
			texts = append(texts, n.Text)
		}
		return texts
	}
	day := func(want string) {
		t.Helper()
		for range 24 {
			f.after(time.Hour)
			f.sweepNow()
		}
		f.after(time.Minute)
		if got := f.state(a); got != want {
			t.Fatalf("%s, want %s", got, want)
		}
	}
	day("connected")
	f.set(f.cname, "wiki.example.org", "fails")
	day("connected")
	f.set(f.cname, "wiki.example.org", "elsewhere.example.net")
	f.set(f.a, "elsewhere.example.net", "192.0.2.99")
	day("lost")
	if got := notices(); len(got) != 1 || !strings.Contains(got[0], "will be disconnected on 10 December 2026") {
		t.Errorf("%q", got)
	}
	if f.CertifiesDomain(ctx, "wiki.example.org") {
		t.Error("a lost domain gets a certificate")
	}
	f.set(f.cname, "wiki.example.org", "ada.robot.wtf")
	if err := f.CheckDomain(ctx, a); err != nil || f.state(a) != "connected" { // the owner needn't wait for the daily check
		t.Fatalf("%s, %v", f.state(a), err)
	}
	f.set(f.cname, "wiki.example.org", "")
	f.after(2 * time.Hour) // the next check is due within the day
	for range 7 {
		day("lost")
	}
	day("released")
	if got := notices(); len(got) != 4 || !strings.Contains(got[0], "was disconnected") {
		t.Errorf("%q", got)
	}
}

// Name servers that never answer don't hold a domain forever.
func TestSilentDomain(t *testing.T) {
	t.Parallel()
	f := newDomainFixture(t)
	a := f.access(ada)
	if err := f.connect(a, "wiki.example.org"); err != nil {
		t.Fatal(err)
	}
	f.set(f.cname, "wiki.example.org", "fails")
	f.after(20 * 24 * time.Hour) // the service was down
	f.sweepNow()
	if got := f.state(a); got != "lost" {
		t.Fatalf("after one silent check: %s", got)
	}
	f.after(keepLostDomain)
	f.sweepNow()
	if got := f.state(a); got != "released" {
		t.Errorf("after a week: %s", got)
	}
}

// A wiki that is being deleted has no domain, and gets it back when it is restored. After
// the purge nobody gets the domain for 30 days.
func TestDomainOfDeletedWiki(t *testing.T) {
	t.Parallel()
	f := newDomainFixture(t)
	ctx, a := t.Context(), f.access(ada)
	if err := f.connect(a, "wiki.example.org"); err != nil {
		t.Fatal(err)
	}
	if err := f.DeleteWiki(ctx, a, "ada"); err != nil {
		t.Fatal(err)
	}
	if f.CertifiesDomain(ctx, "wiki.example.org") {
		t.Error("a wiki that is being deleted gets a certificate")
	}
	if err := f.RestoreWiki(ctx, wiki.Caller{User: ada}, "ada"); err != nil {
		t.Fatal(err)
	}
	if !f.CertifiesDomain(ctx, "wiki.example.org") {
		t.Error("a restored wiki gets no certificate")
	}
	if err := f.DeleteWiki(ctx, f.access(ada), "ada"); err != nil {
		t.Fatal(err)
	}
	f.after(Grace)
	f.sweepNow()
	if _, err := f.db.DomainAt(ctx, "wiki.example.org"); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("after the purge: %v", err)
	}
	person := wiki.User{DID: "did:plc:dora", Handle: "dora.test"}
	if _, err := f.Create(ctx, person, "dora"); err != nil {
		t.Fatal(err)
	}
	dora, err := f.Resolve(ctx, "dora", wiki.Caller{User: person})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.connect(dora, "wiki.example.org"); err == nil || !strings.Contains(err.Error(), "30 days") {
		t.Errorf("after the purge: %v", err)
	}
	f.after(reserveDomain)
	if err := f.CheckDomain(ctx, dora); err != nil {
		t.Errorf("30 days later: %v", err)
	}
}

// A wiki that changes hands loses its domain, whose DNS is the former owner's. The new
// owner can connect it with a proof of their own.
func TestDomainOfTransferredWiki(t *testing.T) {
	t.Parallel()
	f := newDomainFixture(t)
	ctx, a := t.Context(), f.access(ada)
	if err := f.connect(a, "wiki.example.org"); err != nil {
		t.Fatal(err)
	}
	wen := f.newMember(t, "wen", wiki.Viewer)
	if err := f.Offer(ctx, a, wen.User.DID); err != nil {
		t.Fatal(err)
	}
	if !f.CertifiesDomain(ctx, "wiki.example.org") {
		t.Error("an offer changes something")
	}
	if err := f.Accept(ctx, wen, "ada"); err != nil {
		t.Fatal(err)
	}
	if f.CertifiesDomain(ctx, "wiki.example.org") {
		t.Error("it is still connected")
	}
	hers, err := f.Resolve(ctx, "ada", wen)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.NameDomain(ctx, hers, "wiki.example.org"); err != nil {
		t.Fatal(err)
	}
	f.after(time.Minute)
	if err := f.CheckDomain(ctx, hers); err == nil || !strings.Contains(err.Error(), "TXT") {
		t.Errorf("with the former owner's proof: %v", err)
	}
	if err := f.connect(hers, "wiki.example.org"); err != nil {
		t.Errorf("with her own: %v", err)
	}
}

// Where the operator doesn't offer domains, those that exist stay and are still checked.
func TestDomainsNotOffered(t *testing.T) {
	t.Parallel()
	f := newDomainFixture(t)
	ctx, a := t.Context(), f.access(ada)
	if err := f.connect(a, "wiki.example.org"); err != nil {
		t.Fatal(err)
	}
	f.ownDomains = false
	f.set(f.cname, "wiki.example.org", "")
	f.after(25 * time.Hour)
	f.sweepNow()
	if got := f.state(a); got != "lost" {
		t.Errorf("not checked: %s", got)
	}
	if err := f.DisconnectDomain(ctx, a); err != nil {
		t.Fatal(err)
	}
	if err := f.NameDomain(ctx, a, "wiki.example.org"); !errors.Is(err, wiki.ErrInvalid) {
		t.Errorf("a new one: %v", err)
	}
}
