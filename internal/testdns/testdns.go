// Package testdns is a name server for tests.
package testdns

import (
	"net"
	"net/netip"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"robot.wtf/internal/background"
)

// Serve starts a name server until the test ends, and returns its address. answer turns
// a message with one question into the response to it.
func Serve(t testing.TB, answer func(*dnsmessage.Message)) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := background.Start(func() error {
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return err // closed
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			m.Response, m.Additionals = true, nil
			answer(&m)
			if packed, err := m.Pack(); err == nil {
				_, _ = conn.WriteTo(packed, from)
			}
		}
	})
	t.Cleanup(func() { conn.Close(); _ = server.Wait() })
	return conn.LocalAddr().String()
}

// ServeAddresses is Serve for questions about addresses: each name has the address that
// address returns, or none if that is "".
func ServeAddresses(t testing.TB, address func(name string) string) string {
	t.Helper()
	return Serve(t, func(m *dnsmessage.Message) {
		q := m.Questions[0]
		header := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}
		switch ip, _ := netip.ParseAddr(address(q.Name.String())); {
		case q.Type == dnsmessage.TypeA && ip.Is4():
			m.Answers = []dnsmessage.Resource{{Header: header, Body: &dnsmessage.AResource{A: ip.As4()}}}
		case q.Type == dnsmessage.TypeAAAA && ip.Is6():
			m.Answers = []dnsmessage.Resource{{Header: header, Body: &dnsmessage.AAAAResource{AAAA: ip.As16()}}}
		}
	})
}
