package server

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"robot.wtf/internal/timing"
)

// lineOf returns the log's only line about a request.
func lineOf(t *testing.T, log *bytes.Buffer) string {
	t.Helper()
	var lines []string
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, "request") {
			lines = append(lines, line)
		}
	}
	log.Reset()
	if len(lines) > 1 {
		t.Fatalf("%d lines: %q", len(lines), lines)
	}
	return strings.Join(lines, "")
}

// A slow request says where its time was spent; a stream of events isn't slow.
func TestSlowRequestsAreLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s := newTestServer(&log, nil)
		s.opts.Slow = time.Hour
		kind := "text/html"
		s.opts.Wiki = func(w http.ResponseWriter, r *http.Request, _ string) {
			end := timing.Measure(r.Context(), timing.Git)
			time.Sleep(2 * time.Second)
			end()
			w.Header().Set("Content-Type", kind)
			_, _ = w.Write([]byte("12345"))
		}
		ask := func() string {
			sendRequest(s, "GET", "ada.robot.localhost", "/Secret_Page?q=secret")
			return lineOf(t, &log)
		}
		if got := ask(); strings.Contains(got, "level=WARN") {
			t.Errorf("a fast one: %s", got)
		}
		s.opts.Slow = time.Second
		got := ask()
		for _, want := range []string{"level=WARN", `msg="slow request"`, "route=page", "store_ms=0", "content_ms=0", "index_ms=0", "git_ms=2000", "bytes=5", "status=200"} {
			if !strings.Contains(got, want) {
				t.Errorf("no %s in %s", want, got)
			}
		}
		if kind = "text/event-stream"; strings.Contains(ask(), "slow") {
			t.Error("a stream is slow")
		}
	})
}

// The access log has a line for each request, without content, and the client's
// address only if the operator wants it.
func TestAccessLog(t *testing.T) {
	var log bytes.Buffer
	s := newTestServer(&log, nil)
	ask := func() string {
		sendRequest(s, "GET", "ada.robot.localhost", "/Secret_Page?q=secret", "Authorization", "Bearer secret")
		return lineOf(t, &log)
	}
	if got := ask(); strings.Contains(got, "level=INFO") {
		t.Errorf("without being asked for: %s", got)
	}
	for _, address := range []bool{false, true} {
		s.opts.Access, s.opts.AccessAddress = true, address
		got := ask()
		if !strings.Contains(got, "level=INFO") || !strings.Contains(got, "host=ada.robot.localhost") || !strings.Contains(got, "route=page") {
			t.Errorf("the line is %s", got)
		}
		if strings.Contains(got, "ecret") || strings.Contains(got, "192.0.2.1") != address {
			t.Errorf("with addresses %t: %s", address, got)
		}
	}
}
