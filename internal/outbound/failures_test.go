package outbound

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"testing"
)

// Each outcome has one kind, and only failures have one.
func TestKindsOfFailures(t *testing.T) {
	answer := func(status int) *http.Response { return &http.Response{StatusCode: status} }
	for _, c := range []struct {
		response *http.Response
		err      error
		want     string
	}{
		{answer(200), nil, ""}, {answer(404), nil, ""}, {answer(503), nil, "status"},
		{nil, fmt.Errorf("x: %w", ErrRefused), "refused"}, {nil, ErrTooLarge, "too_large"},
		{nil, &tls.CertificateVerificationError{Err: errors.New("expired")}, "tls"},
		{nil, &net.DNSError{IsNotFound: true}, "name"}, {nil, &net.OpError{Err: os.ErrDeadlineExceeded}, "timeout"}, {nil, errors.New("reset"), "other"},
	} {
		if got := kindOf(c.response, c.err); got != c.want {
			t.Errorf("%v, %v: %q, want %q", c.response, c.err, got, c.want)
		}
	}
	for _, kind := range Failures() {
		Failed(kind) // panics on a kind without a count
	}
}

// The client counts its failures, but not what its caller gave up.
func TestFailuresAreCounted(t *testing.T) {
	client := New(Options{})
	before := Failed(failedRefused)
	ask := func(ctx context.Context) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://robot.test:8443/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Do(request); !errors.Is(err, ErrRefused) {
			t.Fatal(err)
		}
	}
	ask(t.Context())
	given, giveUp := context.WithCancel(t.Context())
	giveUp()
	if request, err := http.NewRequestWithContext(given, http.MethodGet, "https://robot.test:8443/", nil); err == nil {
		_, _ = client.Transport.RoundTrip(request)
	}
	if got := Failed(failedRefused) - before; got != 1 {
		t.Errorf("counted %d", got)
	}
}
