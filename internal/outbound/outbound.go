// Package outbound provides the HTTP client for all requests to addresses chosen
// by others. Its callers own the content of requests and responses.
//
// The client reaches only public addresses, by https on port 443. It checks the
// address that is actually dialed, so DNS rebinding gains nothing, and repeats
// the check for each redirect. It uses no proxy, follows at most three redirects
// of a GET and none of a POST, and bounds time and size. Requests carry only
// what the caller sets. A panic while connecting fails only that request.
package outbound

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"robot.wtf/internal/background"
)

// Limits for one request, including redirects and the response. Options can set
// others for a client.
const (
	Timeout      = 10 * time.Second
	MaxBody      = 1 << 20 // bytes, after decompression
	maxRedirects = 3
)

// ErrRefused is the error for a request to an address that isn't allowed.
var ErrRefused = errors.New("not a public https address")

// ErrTooLarge is the error for reading a body larger than the client's limit.
var ErrTooLarge = errors.New("response is too large")

// Options for a client. Pins, CA and DNS are for tests; package config rejects them
// on a service with a public name.
type Options struct {
	Background *background.Workers // reports panics while connecting; can be nil
	Timeout    time.Duration       // of a request with its response; 0 means the constant
	MaxBody    int64               // bytes of a response; 0 means the constant
	Idle       time.Duration       // ends a connection that is silent for so long; 0 for none
	// Pins map host names to addresses that are dialed without DNS and without
	// the check for public addresses: "pds.test" or "*.test" to
	// "127.0.0.1:8443". TLS is still verified.
	Pins map[string]string
	CA   *x509.CertPool // replaces the system's trusted CAs
	DNS  string         // replaces the system's name server: "127.0.0.1:5353"
}

// New returns a client.
func New(o Options) *http.Client {
	o.Timeout, o.MaxBody = cmp.Or(o.Timeout, Timeout), cmp.Or(o.MaxBody, MaxBody)
	transport := &http.Transport{
		Proxy:                  nil, // a proxy from the environment would bypass the check
		DialContext:            o.dialer(),
		TLSClientConfig:        &tls.Config{RootCAs: o.CA, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    5 * time.Second,
		ResponseHeaderTimeout:  Timeout,
		IdleConnTimeout:        30 * time.Second,
		MaxIdleConns:           50,
		MaxIdleConnsPerHost:    2,
		MaxResponseHeaderBytes: 64 << 10,
	}
	if o.Idle > 0 {
		transport.ResponseHeaderTimeout = o.Idle
	}
	return &http.Client{Transport: guardedTransport{transport, o.MaxBody}, Timeout: o.Timeout, CheckRedirect: checkRedirect}
}

// A dialFunc opens a connection. The standard library calls it on goroutines of its
// own, where a panic would end the process.
type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// guarded returns a dialFunc that turns a panic of dial into its error.
func (o Options) guarded(work string, dial dialFunc) dialFunc {
	return func(ctx context.Context, network, address string) (conn net.Conn, err error) {
		err = o.Background.Try(background.Job{Work: work}, func() (err error) {
			conn, err = dial(ctx, network, address)
			return err
		})
		return conn, err
	}
}

// dialer returns the client's dialFunc.
func (o Options) dialer() dialFunc {
	pinned := &net.Dialer{Timeout: 5 * time.Second}
	public := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second, Resolver: Resolver(o)}
	// One connection can dial several addresses, each on a goroutine of its own.
	public.ControlContext = func(ctx context.Context, network, address string, raw syscall.RawConn) error {
		return o.Background.Try(background.Job{Work: "check-address"}, func() error { return checkDial(ctx, network, address, raw) })
	}
	return o.guarded("dial", func(ctx context.Context, network, address string) (net.Conn, error) {
		dialer := public
		if to := o.pin(address); to != "" {
			dialer, network, address = pinned, "tcp", to
		}
		conn, err := dialer.DialContext(ctx, network, address)
		if err != nil || o.Idle <= 0 {
			return conn, err
		}
		return idleConn{conn, o.Idle}, nil
	})
}

// An idleConn fails to read when the other side is silent for too long.
type idleConn struct {
	net.Conn
	idle time.Duration
}

func (c idleConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.idle)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// Resolver returns a resolver for the name server in the options, or the system's.
func Resolver(o Options) *net.Resolver {
	if o.DNS == "" {
		return net.DefaultResolver
	}
	return &net.Resolver{
		PreferGo: true,
		Dial: o.guarded("resolve", func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: 2 * time.Second}).DialContext(ctx, network, o.DNS)
		}),
	}
}

// pin returns the address to dial for a pinned name, or "".
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

// checkDial checks the address that is about to be dialed.
func checkDial(_ context.Context, network, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil || to.Port() != 443 || !IsPublic(to.Addr()) || network != "tcp4" && network != "tcp6" {
		return fmt.Errorf("outbound: dial %s %s: %w", network, address, ErrRefused)
	}
	return nil
}

// checkRedirect follows redirects of GET and HEAD. A POST can carry a secret for
// one host, so its redirect is returned as the response.
func checkRedirect(r *http.Request, via []*http.Request) error {
	if m := via[0].Method; m != http.MethodGet && m != http.MethodHead {
		return http.ErrUseLastResponse
	}
	if len(via) > maxRedirects {
		return fmt.Errorf("outbound: %s: more than %d redirects", via[0].URL.Redacted(), maxRedirects)
	}
	return nil
}

// guardedTransport checks the URL of each request, including redirects, and
// bounds the response.
type guardedTransport struct {
	next http.RoundTripper
	max  int64 // bytes of a response
}

func (g guardedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := g.roundTrip(r)
	count(r, response, err)
	return response, err
}

func (g guardedTransport) roundTrip(r *http.Request) (*http.Response, error) {
	if err := checkURL(r.URL); err != nil {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, err
	}
	response, err := g.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if response.ContentLength > g.max && r.Method != http.MethodHead {
		response.Body.Close()
		return nil, fmt.Errorf("outbound: %s: %w", r.URL.Redacted(), ErrTooLarge)
	}
	response.Body = &boundedBody{body: response.Body, left: g.max, givenUp: r.Context().Err}
	return response, nil
}

func checkURL(u *url.URL) error {
	if u.Scheme != "https" || u.Hostname() == "" || u.Port() != "" && u.Port() != "443" || u.User != nil {
		return fmt.Errorf("outbound: %s: %w", u.Redacted(), ErrRefused)
	}
	return nil
}

// boundedBody fails with ErrTooLarge after left bytes, and when the request was given up
// or its time was over. With HTTP/2 the server learns of that first and can end the
// response before the client does, so its end alone doesn't say that it is whole.
type boundedBody struct {
	givenUp func() error
	body    io.ReadCloser
	left    int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.body.Read(p)
	if int64(n) > b.left {
		n, b.left = int(b.left), 0
		return n, ErrTooLarge
	}
	b.left -= int64(n)
	if err == io.EOF {
		err = cmp.Or(b.givenUp(), err)
	}
	return n, err
}

func (b *boundedBody) Close() error { return b.body.Close() }
