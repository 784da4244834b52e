package config

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func validFlags() ServeFlags {
	return ServeFlags{PublicURL: "https://robot.wtf", Data: "data", Listen: "127.0.0.1:0", Signup: "open", Reads: 600, Writes: 120, AccessLifetime: time.Hour, WatchFlags: WatchFlags{BackupEvery: time.Hour}}
}

// Each invalid setting is reported by its flag.
func TestServeFlagsInvalid(t *testing.T) {
	if _, err := validFlags().Config(); err != nil {
		t.Fatal(err)
	}
	for setting, changes := range map[string][]func(*ServeFlags){
		"--public-url": {
			func(s *ServeFlags) { s.PublicURL = "" },
			func(s *ServeFlags) { s.PublicURL = "robot.wtf" },
			func(s *ServeFlags) { s.PublicURL = "http://robot.wtf" },
			func(s *ServeFlags) { s.PublicURL = "https://robot.wtf:8443" },
			func(s *ServeFlags) { s.PublicURL = "https://robot.wtf/wiki" },
			func(s *ServeFlags) { s.PublicURL = "https://ada@robot.wtf" },
			func(s *ServeFlags) { s.PublicURL = "https://robot.wtf?x" },
			func(s *ServeFlags) { s.PublicURL = "https://localhost" },
			func(s *ServeFlags) { s.PublicURL = "https://192.0.2.1" },
			func(s *ServeFlags) { s.PublicURL = "https://[2001:db8::1]" },
			func(s *ServeFlags) { s.PublicURL = "https://robot.wtf." },
		},
		"--data":   {func(s *ServeFlags) { s.Data = "" }},
		"--listen": {func(s *ServeFlags) { s.Listen = "8080" }, func(s *ServeFlags) { s.Listen = "127.0.0.1:99999" }},
		"--trusted-proxy": {
			func(s *ServeFlags) { s.TrustedProxy = []string{"caddy"} },
			func(s *ServeFlags) { s.TrustedProxy = []string{"10.0.0.0/8", "none"} },
			func(s *ServeFlags) { s.TrustedProxy = []string{"10.0.0.0/33"} },
		},
		"--signup":            {func(s *ServeFlags) { s.Signup = "some" }, func(s *ServeFlags) { s.Signup = "list" }},
		"--reads-per-minute":  {func(s *ServeFlags) { s.Reads = 0 }},
		"--writes-per-minute": {func(s *ServeFlags) { s.Writes = -1 }},
		"--access-lifetime":   {func(s *ServeFlags) { s.AccessLifetime = 0 }, func(s *ServeFlags) { s.AccessLifetime = 31 * 24 * time.Hour }},
		"--metrics": {
			func(s *ServeFlags) { s.Metrics = "9180" }, func(s *ServeFlags) { s.Metrics = ":9180" }, func(s *ServeFlags) { s.Metrics = "0.0.0.0:9180" },
			func(s *ServeFlags) { s.Metrics, s.MetricsToken = "0.0.0.0:9180", "short" },
		},
		"--open-wikis":         {func(s *ServeFlags) { s.OpenWikis = -1 }},
		"--slow-request":       {func(s *ServeFlags) { s.SlowRequest = -1 }},
		"--backup-every":       {func(s *ServeFlags) { s.BackupEvery = 0 }},
		"--alert-mail":         {func(s *ServeFlags) { s.MailTo = "ada" }},
		"--mail-from":          {func(s *ServeFlags) { s.MailTo, s.MailFrom = "ada@robot.test", "x" }},
		"--mail-server":        {func(s *ServeFlags) { s.MailTo, s.MailServer = "ada@robot.test", "smtp" }},
		"--mail-password-file": {func(s *ServeFlags) { s.MailTo, s.MailPassword = "ada@robot.test", "nowhere" }},
		"--test-pin": {
			func(s *ServeFlags) { s.TestPin = []string{"plc.directory=127.0.0.1:8443"} },
			func(s *ServeFlags) {
				s.PublicURL = "https://robot.wtf.internal"
				s.TestPin = []string{"*=127.0.0.1:8443"}
			},
			func(s *ServeFlags) {
				s.PublicURL = "https://robot.wtf.internal"
				s.TestPin = []string{"*.test=localhost:8443"}
			},
			func(s *ServeFlags) {
				s.PublicURL = "https://internal.wtf"
				s.TestPin = []string{"*.test=127.0.0.1:8443"}
			},
		},
		"--name":             {func(s *ServeFlags) { s.Name = "a<b" }, func(s *ServeFlags) { s.Name = strings.Repeat("x", 61) }, func(s *ServeFlags) { s.Name = "a\nb" }},
		"--contact":          {func(s *ServeFlags) { s.Contact = "us" }, func(s *ServeFlags) { s.Contact = "javascript:alert(1)" }, func(s *ServeFlags) { s.Contact = "Ada <a@b.example>" }},
		"--operators":        {func(s *ServeFlags) { s.Operators = []string{"ada.example"} }},
		"--terms":            {func(s *ServeFlags) { s.Terms = "nowhere.md" }},
		"--privacy":          {func(s *ServeFlags) { s.Privacy = "." }},
		"--max-pages":        {func(s *ServeFlags) { s.MaxPages = -1 }},
		"--max-members":      {func(s *ServeFlags) { s.MaxMembers = 1_000_001 }},
		"--max-mb":           {func(s *ServeFlags) { s.MaxMB = -1 }},
		"--wikis-per-person": {func(s *ServeFlags) { s.WikisPerPerson = -1 }},
		"--account-server":   {func(s *ServeFlags) { s.AccountServer = "bsky.social" }},
		"--handle-resolver":  {func(s *ServeFlags) { s.HandleResolver = "http://resolver.test" }, func(s *ServeFlags) { s.HandleResolver = "https://resolver.test/xrpc" }},
		"--test-ca":          {func(s *ServeFlags) { s.TestCA = "ca.pem" }, func(s *ServeFlags) { s.PublicURL = "https://a.test"; s.TestCA = "nowhere.pem" }},
		"--test-dns":         {func(s *ServeFlags) { s.TestDNS = "127.0.0.1:53" }},
		"--test-plc":         {func(s *ServeFlags) { s.TestPLC = "https://plc.test" }, func(s *ServeFlags) { s.PublicURL = "https://a.test"; s.TestPLC = "http://plc.test" }},
		"--test-lifetime":    {func(s *ServeFlags) { s.TestLifetime = time.Second }},
	} {
		for i, change := range changes {
			s := validFlags()
			change(&s)
			if _, err := s.Config(); err == nil || !strings.Contains(err.Error(), setting) {
				t.Errorf("%s, %d: %v", setting, i, err)
			}
		}
	}
}

func TestServeFlagsValid(t *testing.T) {
	s := validFlags()
	s.PublicURL, s.TestPin, s.TestDNS = "https://Robot.WTF.internal/", []string{"*.test=127.0.0.1:8443"}, "127.0.0.1:53"
	c, err := s.Config()
	if err != nil || c.Host != "robot.wtf.internal" || c.Test.Pins["*.test"] != "127.0.0.1:8443" {
		t.Errorf("%+v, %v", c, err)
	}
	o, err := c.Origins(nil)
	if err != nil || o.Platform() != "https://robot.wtf.internal" || o.Wiki("ada") != "https://ada.robot.wtf.internal" || !c.Secure() {
		t.Errorf("%s, %s, %v", o.Platform(), o.Wiki("ada"), err)
	}
}

// In development, the address is the one that the service, or the proxy in front
// of it, listens on.
func TestDevOrigins(t *testing.T) {
	listening := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}
	for https, want := range map[int]string{0: "http://ada.robot.localhost:8080", 8443: "https://ada.robot.localhost:8443", 443: "https://ada.robot.localhost"} {
		c, err := Dev("127.0.0.1:8080", t.TempDir(), https)
		if err != nil {
			t.Fatal(err)
		}
		o, err := c.Origins(listening)
		if err != nil || o.Wiki("ada") != want || c.Secure() {
			t.Errorf("--https %d: %s, want %s; %v", https, o.Wiki("ada"), want, err)
		}
	}
	for _, https := range []int{-1, 65536} {
		if _, err := Dev("127.0.0.1:8080", t.TempDir(), https); err == nil {
			t.Errorf("--https %d was accepted", https)
		}
	}
}

func TestProxies(t *testing.T) {
	for _, tt := range []struct {
		list []string
		peer string
		want bool
	}{
		{nil, "127.0.0.1", true}, {nil, "::1", true}, {nil, "10.0.0.1", false},
		{[]string{"none"}, "127.0.0.1", false},
		{[]string{"10.0.0.0/8"}, "127.0.0.1", false}, {[]string{"10.0.0.0/8"}, "10.9.9.9", true},
		{[]string{"192.0.2.7"}, "192.0.2.7", true}, {[]string{"192.0.2.7"}, "192.0.2.8", false},
	} {
		all, err := parseProxies(tt.list)
		if err != nil {
			t.Fatal(err)
		}
		got := false
		for _, p := range all {
			got = got || p.Contains(netip.MustParseAddr(tt.peer))
		}
		if got != tt.want {
			t.Errorf("%q trusts %s: %t", tt.list, tt.peer, got)
		}
	}
}

func TestSignup(t *testing.T) {
	for who, want := range map[string][3]bool{"open": {true, true, true}, "day": {true, true, true}, "closed": {}, "list": {true, true, false}, "invitation": {true, true, false}} {
		s, err := ParseSignup(who, []string{"@Ada.Example.org", "did:plc:bob"})
		if err != nil {
			t.Fatal(err)
		}
		got := [3]bool{s.Admits("did:plc:ada", "ada.example.org"), s.Admits("did:plc:bob", "handle.invalid"), s.Admits("did:plc:cleo", "cleo.test")}
		if got != want || s.ByInvitation() != (who == "invitation") {
			t.Errorf("%s: %v, want %v; by invitation: %t", who, got, want, s.ByInvitation())
		}
	}
}
