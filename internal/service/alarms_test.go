package service

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/await"
	"robot.wtf/internal/outbound"
	"robot.wtf/internal/watch"
)

// wantAlarm fails unless the conditions are one of this key, or none with "".
func wantAlarm(t *testing.T, when string, got []watch.Condition, key string) {
	t.Helper()
	if key == "" && len(got) != 0 || key != "" && (len(got) != 1 || got[0].Key != key) {
		t.Errorf("%s: %v, want %q", when, got, key)
	}
}

func TestLagIsAnAlarm(t *testing.T) {
	wantAlarm(t, "just behind", lagCondition("index-lag", "search index", maxLag-time.Second), "")
	wantAlarm(t, "far behind", lagCondition("index-lag", "search index", maxLag), "index-lag")
	s := &Service{indexer: &indexer{}}
	s.indexer.lag.waiting = map[string]time.Time{"ada": time.Now().Add(-time.Hour)}
	wantAlarm(t, "an hour behind", s.checkLag(t.Context()), "index-lag")
}

func TestDescriptorsAreAnAlarm(t *testing.T) {
	wantAlarm(t, "79 of 100", descriptorsCondition(79, 100), "")
	wantAlarm(t, "80 of 100", descriptorsCondition(80, 100), "descriptors")
	if open, err := os.ReadDir("/dev/fd"); err != nil || len(open) < 3 {
		t.Errorf("%d open files: %v", len(open), err)
	}
}

// Errors are an alarm when they are many and a large part, and only while they last.
func TestErrorRateIsAnAlarm(t *testing.T) {
	var all, failed uint64
	rate := &errorRate{answered: func() (uint64, uint64) { return all, failed }}
	for i, round := range []struct {
		all, failed uint64
		want        string
	}{
		{1000, 500, ""}, // before the first round
		{100, 19, ""},
		{0, 1, "errors"},
		{299, 0, "errors"},
		{2, 0, ""}, // under 5 %
		{0, 0, ""},
		{0, 0, ""},
		{20, 20, "errors"},
	} {
		all, failed = all+round.all, failed+round.failed
		if got := rate.check(t.Context()); len(got) != len(strings.Fields(round.want)) {
			t.Errorf("round %d: %v, want %q", i, got, round.want)
		}
	}
}

func TestOffsiteCopyIsAnAlarm(t *testing.T) {
	file := filepath.Join(t.TempDir(), "copied")
	now := time.Now()
	check := checkOffsite(file, func() time.Time { return now })
	wantAlarm(t, "without the file", check(t.Context()), "offsite")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wantAlarm(t, "just touched", check(t.Context()), "")
	now = now.Add(offsiteAge + time.Minute)
	wantAlarm(t, "touched long ago", check(t.Context()), "offsite")
}

// newCertificate returns a certificate for robot.test that ends at a time.
func newCertificate(t *testing.T, end time.Time) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: end.Add(-90 * 24 * time.Hour), NotAfter: end, DNSNames: []string{"robot.test"},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, pool
}

// The certificate is checked as a stranger sees it, through the guarded client. A
// failure counts when it happens twice in a row.
func TestCertificateIsAnAlarm(t *testing.T) {
	for _, test := range []struct {
		name, address string
		left          time.Duration
		want          string // in the text
	}{
		{"valid", "https://robot.test", 30 * 24 * time.Hour, ""},
		{"ends soon", "https://robot.test", 13*24*time.Hour + time.Hour, "in 13 days"},
		{"ended", "https://robot.test", -time.Hour, "refuse the certificate"},
		{"for another name", "https://help.robot.test", 30 * 24 * time.Hour, "refuse the certificate"},
		{"private address", "https://127.0.0.1", 30 * 24 * time.Hour, "private address"},
		{"unreachable", "https://down.test", 30 * 24 * time.Hour, "can't reach itself"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			certificate, pool := newCertificate(t, time.Now().Add(test.left))
			server := httptest.NewUnstartedServer(http.NotFoundHandler())
			server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
			server.StartTLS()
			t.Cleanup(server.Close)
			at := server.Listener.Addr().String()
			c := &certificateCheck{
				addresses: []string{test.address}, now: time.Now,
				client: outbound.New(outbound.Options{CA: pool, Pins: map[string]string{"robot.test": at, "help.robot.test": at, "down.test": "127.0.0.1:1"}}),
			}
			c.look(t.Context())
			wantAlarm(t, "after one look", c.found, "")
			c.look(t.Context())
			if test.want == "" {
				wantAlarm(t, "valid", c.found, "")
				return
			}
			wantAlarm(t, "after two", c.found, "certificate")
			if !strings.Contains(c.found[0].Text, test.want) {
				t.Errorf("%q, want %q", c.found[0].Text, test.want)
			}
		})
	}
}

// Checks must be quick: they connect in the background, one connection at a time.
func TestCertificateIsLookedAtInTheBackground(t *testing.T) {
	now := time.Now()
	c := &certificateCheck{addresses: []string{"https://down.test"}, now: func() time.Time { return now }, client: &http.Client{Transport: refusing{}}}
	looked := func() (failures int) {
		await.Until(t, "the check ends", await.Long, func() bool {
			c.mu.Lock()
			defer c.mu.Unlock()
			failures = c.failures
			return !c.running
		})
		return failures
	}
	c.check(t.Context())
	c.check(t.Context())
	if got := looked(); got != 1 {
		t.Errorf("looked %d times", got)
	}
	now = now.Add(certificateRetry - time.Second)
	c.check(t.Context())
	if got := looked(); got != 1 {
		t.Errorf("looked %d times before it was due", got)
	}
	now = now.Add(time.Second)
	c.check(t.Context())
	looked()
	wantAlarm(t, "after two failures", c.check(t.Context()), "certificate")
}

type refusing struct{}

func (refusing) RoundTrip(*http.Request) (*http.Response, error) { return nil, http.ErrServerClosed }
