package config

import (
	"net"
	"net/netip"
	"strings"
	"testing"
)

// Plain http is refused for every address that the internet can reach.
func TestHomeAddresses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		listen, url string
		origin      string // "" if refused
		plain       bool
	}{
		{"127.0.0.1:8080", "", "http://localhost:8080", false},
		{"127.0.0.1:8080", "http://localhost", "http://localhost", false},
		{"127.0.0.1:8080", "http://wiki.localhost:8080", "http://wiki.localhost:8080", false},
		{"127.0.0.1:8080", "http://127.0.0.1:8080/", "http://127.0.0.1:8080", false},
		{"127.0.0.1:8080", "http://192.168.1.5:8080", "http://192.168.1.5:8080", true},
		{"127.0.0.1:8080", "http://100.100.1.2:8080", "http://100.100.1.2:8080", true},
		{"127.0.0.1:8080", "http://NAS.local:8080", "http://nas.local:8080", true},
		{"127.0.0.1:8080", "http://nas", "http://nas", true},
		{"10.0.0.2:8080", "http://wiki.home.arpa:8080", "http://wiki.home.arpa:8080", true},
		{"127.0.0.1:8080", "https://box.tail1234.ts.net", "https://box.tail1234.ts.net", false},
		{"127.0.0.1:8080", "https://wiki.example.org:8443", "https://wiki.example.org:8443", false},
		{"203.0.113.5:8080", "https://wiki.example.org", "https://wiki.example.org", false},

		{"127.0.0.1:8080", "http://203.0.113.5:8080", "", false},
		{"127.0.0.1:8080", "http://wiki.invalid", "", false},
		{"203.0.113.5:8080", "http://localhost:8080", "", false},
		{"127.0.0.1:8080", "http://[2001:db8::1]:8080", "", false},
		{"127.0.0.1:8080", "ftp://localhost", "", false},
		{"127.0.0.1:8080", "http://localhost:8080/wiki", "", false},
		{"127.0.0.1:8080", "http://me@localhost:8080", "", false},
		{"127.0.0.1:8080", "http://a b.local", "", false},
		{"127.0.0.1:8080", "http://evil.example;.local", "", false},
		{"nonsense", "", "", false},
	} {
		cfg, err := Home(t.Context(), HomeFlags{Listen: c.listen, URL: c.url, Data: t.TempDir()})
		if (err == nil) != (c.origin != "") {
			t.Errorf("%s at %s: %v", c.url, c.listen, err)
		}
		if err != nil {
			continue
		}
		origins, err := cfg.Origins(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080})
		if err != nil || origins.Platform() != c.origin || origins.Wiki("ada") != c.origin || cfg.PlainHTTP() != c.plain || !cfg.Home() {
			t.Errorf("%s at %s: %s, plain %t, %v", c.url, c.listen, origins.Platform(), cfg.PlainHTTP(), err)
		}
	}
}

// Servers of accounts send browsers back only to addresses that OAuth for ATProto allows.
func TestHomeWithAccounts(t *testing.T) {
	t.Parallel()
	for address, allowed := range map[string]bool{
		"": true, "http://localhost:9000": true, "https://wiki.example.org": true, "https://box.tail1234.ts.net": true,
		"http://127.0.0.1:8080": false, "http://nas.local": false, "https://wiki.example.org:8443": false, "https://192.168.1.5": false,
	} {
		cfg, err := Home(t.Context(), HomeFlags{Listen: "127.0.0.1:8080", URL: address, Data: t.TempDir(), ATProto: true})
		if (err == nil) != allowed || err != nil && !strings.Contains(err.Error(), "--atproto") {
			t.Errorf("%q: %v", address, err)
		}
		if err == nil && (!cfg.ATProto() || cfg.HandleResolver == "") {
			t.Errorf("%q: sign-in is off", address)
		}
	}
	cfg, err := Home(t.Context(), HomeFlags{Listen: "127.0.0.1:8080", Data: t.TempDir()})
	if err != nil || cfg.ATProto() || !(Config{}).ATProto() {
		t.Errorf("by default: %v, %v", cfg.ATProto(), err)
	}
	if _, err := Home(t.Context(), HomeFlags{Listen: "127.0.0.1:8080", URL: "https://wiki.example.org", Data: t.TempDir(), ATProto: true, Test: TestFlags{TestPLC: "https://plc.test"}}); err == nil {
		t.Error("settings for tests at a public name")
	}
}

// A refusal says what to do.
func TestHomeRefusesPublicHTTP(t *testing.T) {
	t.Parallel()
	_, err := Home(t.Context(), HomeFlags{Listen: "127.0.0.1:8080", URL: "http://203.0.113.5"})
	if err == nil || !strings.Contains(err.Error(), "--url https://") {
		t.Error(err)
	}
	public := []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("203.0.113.5"), netip.MustParseAddr("2001:db8::1")}
	private := []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("192.168.1.5"), netip.MustParseAddr("2001:db8::1")}
	for _, c := range []struct {
		listen  string
		local   []netip.Addr
		refused bool
	}{
		{"127.0.0.1:80", public, false}, {"0.0.0.0:80", public, true}, {":80", public, true},
		{"0.0.0.0:80", private, false}, {":80", private, true}, {"192.168.1.5:80", public, false},
	} {
		if err := checkPlainListen(c.listen, c.local); (err != nil) != c.refused {
			t.Errorf("%s with %v: %v", c.listen, c.local, err)
		}
	}
}

// No setting of "robot serve" makes cookies work over plain http, or turns on local
// accounts.
func TestServeIsNeverHome(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"https://robot.test", "http://robot.test", "http://localhost:8080", "http://192.168.1.5"} {
		cfg, err := ServeFlags{PublicURL: address, Data: t.TempDir(), Listen: "127.0.0.1:0", Reads: 1, Writes: 1, AccessLifetime: 1e12, WatchFlags: WatchFlags{BackupEvery: 1e12}}.Config()
		if cfg.PlainHTTP() || cfg.Home() || cfg.Wiki != "" {
			t.Errorf("%s: plain http or local accounts", address)
		}
		if strings.HasPrefix(address, "http:") && err == nil {
			t.Errorf("%s: accepted", address)
		}
	}
	if cfg, err := Dev("127.0.0.1:0", t.TempDir(), 0); err != nil || cfg.PlainHTTP() || cfg.Home() {
		t.Error("dev:", err)
	}
}
