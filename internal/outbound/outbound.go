// Package outbound is the one HTTP client for every request that leaves the
// service for an address that somebody else chose.
//
// It reaches public addresses on port 443 by https, and nothing else: the check
// is made on the address that is really dialled, so a name that changes its
// answer gains nothing, and again for each redirect. It uses no proxy, follows
// at most three redirects of a GET and none of a POST, and bounds time and
// size. Requests carry nothing of ours but what the caller sets.
package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"time"
)

// The bounds of one request, its redirects and its answer included.
const (
	Timeout   = 10 * time.Second
	MaxBody   = 1 << 20 // bytes, after decompression
	redirects = 3
)

// ErrRefused is what a request fails with that the guard does not let out.
var ErrRefused = errors.New("not a public https address")

// ErrTooLarge is what reading a body fails with that is over MaxBody.
var ErrTooLarge = errors.New("answer is too large")

// Options of a client. All are for tests; config refuses them on a service
// that has a public name.
type Options struct {
	// Pins are the addresses to dial for host names, in the place of what DNS
	// says and without looking whether they are public: "pds.test" or
	// "*.test" to "127.0.0.1:8443". TLS is verified as ever.
	Pins map[string]string
	CA   *x509.CertPool // trusted in the place of the system's
	DNS  string         // name server, "127.0.0.1:5353", in the place of the system's
}

// New makes the client.
func New(o Options) *http.Client {
	dial := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second, ControlContext: control, Resolver: Resolver(o)}
	pinned := &net.Dialer{Timeout: 5 * time.Second}
	transport := &http.Transport{
		Proxy: nil, // one from the environment would dial for us, unguarded
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if to := o.pin(address); to != "" {
				return pinned.DialContext(ctx, "tcp", to)
			}
			return dial.DialContext(ctx, network, address)
		},
		TLSClientConfig:        &tls.Config{RootCAs: o.CA, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    5 * time.Second,
		ResponseHeaderTimeout:  Timeout,
		IdleConnTimeout:        30 * time.Second,
		MaxIdleConns:           50,
		MaxIdleConnsPerHost:    2,
		MaxResponseHeaderBytes: 64 << 10,
	}
	return &http.Client{Transport: guard{transport}, Timeout: Timeout, CheckRedirect: checkRedirect}
}

// Resolver asks the name server of the options, or the system's.
func Resolver(o Options) *net.Resolver {
	if o.DNS == "" {
		return net.DefaultResolver
	}
	return &net.Resolver{
		PreferGo: true,
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: 2 * time.Second}).DialContext(ctx, network, o.DNS)
		},
	}
}

// pin is the address to dial for one of the pinned names, or "".
func (o Options) pin(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil || port != "443" || len(o.Pins) == 0 {
		return ""
	}
	host = strings.ToLower(host)
	if to := o.Pins[host]; to != "" {
		return to
	}
	for rest := host; ; {
		_, after, ok := strings.Cut(rest, ".")
		if !ok {
			return ""
		}
		if to := o.Pins["*."+after]; to != "" {
			return to
		}
		rest = after
	}
}

// control looks at the address that is about to be dialled.
func control(_ context.Context, network, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil || to.Port() != 443 || !Public(to.Addr()) || network != "tcp4" && network != "tcp6" {
		return fmt.Errorf("outbound: dial %s %s: %w", network, address, ErrRefused)
	}
	return nil
}

// checkRedirect follows what a GET is sent on to. A POST may carry a secret for
// the host that it was sent to; its redirect is the answer.
func checkRedirect(r *http.Request, via []*http.Request) error {
	if m := via[0].Method; m != http.MethodGet && m != http.MethodHead {
		return http.ErrUseLastResponse
	}
	if len(via) > redirects {
		return fmt.Errorf("outbound: %s: over %d redirects", via[0].URL.Redacted(), redirects)
	}
	return nil
}

// guard checks the address of each request, those of redirects as well, and
// bounds its answer.
type guard struct{ next http.RoundTripper }

func (g guard) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := check(r); err != nil {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, err
	}
	answer, err := g.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if answer.ContentLength > MaxBody && r.Method != http.MethodHead {
		answer.Body.Close()
		return nil, fmt.Errorf("outbound: %s: %w", r.URL.Redacted(), ErrTooLarge)
	}
	answer.Body = &bounded{body: answer.Body, left: MaxBody}
	return answer, nil
}

func check(r *http.Request) error {
	u := r.URL
	if u.Scheme != "https" || u.Hostname() == "" || u.Port() != "" && u.Port() != "443" || u.User != nil {
		return fmt.Errorf("outbound: %s: %w", u.Redacted(), ErrRefused)
	}
	return nil
}

// bounded fails in the place of the first byte that is too many.
type bounded struct {
	body io.ReadCloser
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if len(p) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.body.Read(p)
	if n > b.left {
		n, b.left = b.left, 0
		return n, ErrTooLarge
	}
	b.left -= n
	return n, err
}

func (b *bounded) Close() error { return b.body.Close() }
