package outbound

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
)

// The kinds of failed requests.
const (
	failedRefused  = "refused" // not a public https address
	failedName     = "name"    // the name can't be resolved
	failedTLS      = "tls"     // the certificate is invalid
	failedTimeout  = "timeout" // no answer in time
	failedTooLarge = "too_large"
	failedStatus   = "status" // an answer with a status from 500
	failedOther    = "other"  // the connection failed
)

var kinds = []string{failedName, failedOther, failedRefused, failedStatus, failedTimeout, failedTLS, failedTooLarge}

// failures counts the failures of this process by kind.
var failures = func() map[string]*atomic.Uint64 {
	counts := map[string]*atomic.Uint64{}
	for _, kind := range kinds {
		counts[kind] = new(atomic.Uint64)
	}
	return counts
}()

// Failures returns the kinds of failures that Failed counts.
func Failures() []string { return kinds }

// Failed returns how many requests of this process failed in a way.
func Failed(kind string) uint64 { return failures[kind].Load() }

// count counts the outcome of a request, if it is a failure. A request that its
// caller gave up isn't one.
func count(r *http.Request, response *http.Response, err error) {
	if kind := kindOf(response, err); kind != "" && r.Context().Err() == nil {
		failures[kind].Add(1)
	}
}

func kindOf(response *http.Response, err error) string {
	var invalid *tls.CertificateVerificationError
	var name *net.DNSError
	var slow net.Error
	switch {
	case err == nil && response.StatusCode >= 500:
		return failedStatus
	case err == nil:
		return ""
	case errors.Is(err, ErrRefused):
		return failedRefused
	case errors.Is(err, ErrTooLarge):
		return failedTooLarge
	case errors.As(err, &invalid):
		return failedTLS
	case errors.As(err, &name):
		return failedName
	case errors.As(err, &slow) && slow.Timeout():
		return failedTimeout
	}
	return failedOther
}
