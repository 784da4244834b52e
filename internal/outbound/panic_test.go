package outbound

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"robot.wtf/internal/background"
	"robot.wtf/internal/testdns"
)

// A panic in any step of connecting, on whichever goroutine, fails that request
// and is reported. It would end the process otherwise, and the next request works.
func TestPanicWhileConnecting(t *testing.T) {
	for _, work := range []string{"dial", "resolve", "check-address"} {
		t.Run(work, func(t *testing.T) {
			broken, reported := true, new(atomic.Int64)
			var log strings.Builder
			o := Options{
				DNS: testdns.ServeAddresses(t, func(string) string { return "127.0.0.1" }),
				Background: background.New(background.Options{
					Log: slog.New(slog.NewTextHandler(&log, nil)),
					Before: func(j background.Job) {
						if j.Work == work && broken {
							panic("cannot happen")
						}
					},
					Panicked: func(*background.Panic) { reported.Add(1) },
				}),
			}
			client := New(o)
			if _, err := client.Get("https://example.org/"); err == nil || errors.Is(err, ErrRefused) {
				t.Errorf("a request whose %s panics: %v", work, err)
			}
			if reported.Load() == 0 || !strings.Contains(log.String(), "cannot happen") {
				t.Errorf("%d panics reported, log: %s", reported.Load(), log.String())
			}
			broken = false
			if _, err := client.Get("https://example.org/"); !errors.Is(err, ErrRefused) {
				t.Errorf("the next request isn't checked as usual: %v", err)
			}
		})
	}
}

// Without Workers, a panic is recovered as well.
func TestPanicWithoutWorkers(t *testing.T) {
	dial := Options{}.guarded("dial", func(context.Context, string, string) (net.Conn, error) { panic("cannot happen") })
	if _, err := dial(t.Context(), "tcp", "example.org:443"); err == nil {
		t.Error("no error")
	}
}
