package server

import (
	"net/http"
	"net/netip"
	"strings"
)

// clientAddr returns the address that front ends see as RemoteAddr: the peer or,
// if that is a trusted proxy, the last address in X-Forwarded-For that isn't
// one. Anyone could have written the addresses before it.
func (s *Server) clientAddr(r *http.Request) string {
	if len(r.Header["X-Forwarded-For"]) == 0 {
		return r.RemoteAddr
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !s.isProxy(peer.Addr()) {
		return r.RemoteAddr
	}
	client := r.RemoteAddr
	hops := strings.Split(strings.Join(r.Header["X-Forwarded-For"], ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		hop := strings.TrimSpace(hops[i])
		addr, err := netip.ParseAddr(hop)
		if err != nil { // some proxies add the port
			withPort, err := netip.ParseAddrPort(hop)
			if err != nil {
				return client
			}
			addr = withPort.Addr()
		}
		client = netip.AddrPortFrom(addr.Unmap().WithZone(""), 0).String()
		if !s.isProxy(addr) {
			return client
		}
	}
	return client
}

func (s *Server) isProxy(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	for _, p := range s.opts.Proxies {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}
