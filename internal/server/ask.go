package server

import (
	"fmt"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// askPath is where a proxy asks whether to get a certificate for a host. It is served
// only at addresses that belong to no wiki, such as 127.0.0.1:8080.
const askPath = "/domains/ask"

// asksPerSecond limits the questions of the proxy, which strangers cause with the names
// in their TLS handshakes.
const asksPerSecond = 200

// An askLimit counts the questions of the current second.
type askLimit struct {
	mu     sync.Mutex
	second int64
	asked  int
}

// take reports whether one more question is answered now.
func (l *askLimit) take(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if second := now.Unix(); second != l.second {
		l.second, l.asked = second, 0
	}
	l.asked++
	return l.asked <= asksPerSecond
}

// serveAsk answers whether the proxy may get a certificate for ?domain=, from memory:
// 200 if it may. Requests that the proxy passes on from others have the header
// X-Forwarded-For and aren't answered.
func (s *Server) serveAsk(w http.ResponseWriter, r *http.Request) bool {
	if s.opts.Certify == nil || r.URL.Path != askPath || r.Method != http.MethodGet || !s.isFromProxy(r) {
		return false
	}
	status, text := http.StatusForbidden, "no"
	switch {
	case !s.asks.take(time.Now()):
		status, text = http.StatusTooManyRequests, "too many questions"
	case s.opts.Certify(r.Context(), r.URL.Query().Get("domain")):
		status, text = http.StatusOK, "yes"
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	fmt.Fprintln(w, text)
	return true
}

// isFromProxy reports whether this machine or a trusted proxy sent a request itself.
func (s *Server) isFromProxy(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && len(r.Header["X-Forwarded-For"]) == 0 && (peer.Addr().Unmap().IsLoopback() || s.isProxy(peer.Addr()))
}
