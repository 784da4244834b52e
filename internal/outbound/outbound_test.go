package outbound

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"robot.wtf/internal/testdns"
)

// Addresses that must not be dialed, and public ones next to them.
const private = `0.0.0.0 0.1.2.3 10.0.0.0 10.0.0.1 10.255.255.255 100.64.0.0 100.64.0.1 100.100.100.200 100.127.255.255
127.0.0.0 127.0.0.1 127.1.2.3 127.255.255.255 168.63.129.16 169.254.0.0 169.254.169.254 169.254.170.2 169.254.255.255
172.16.0.0 172.16.0.1 172.31.255.255 192.0.0.0 192.0.0.192 192.0.0.255 192.0.2.1 192.31.196.1 192.52.193.1 192.88.99.1
192.168.0.0 192.168.1.1 192.168.255.255 192.175.48.6 198.18.0.0 198.19.255.255 198.51.100.7 203.0.113.9
224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.254 255.255.255.255
:: ::1 ::2 ::127.0.0.1 ::169.254.169.254 ::ffff:0.0.0.0 ::ffff:10.0.0.1 ::ffff:127.0.0.1 ::ffff:169.254.169.254
::ffff:192.168.0.1 ::ffff:172.16.0.1 ::ffff:100.64.0.1 ::ffff:7f00:1 ::ffff:0:127.0.0.1 ::ffff:0:8.8.8.8
64:ff9b::127.0.0.1 64:ff9b::10.0.0.1 64:ff9b::8.8.8.8 64:ff9b::a9fe:a9fe 64:ff9b:1::1 64:ff9b:1::10.0.0.1
100::1 100:0:0:1::1 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:2::1 2001:10::1 2001:20::1 2001:1ff::1
2001:db8::1 2001:db8:ffff::1 2002:7f00:1::1 2002:a00:1::1 2002:c0a8:101::1 2002:808:808::1 2620:4f:8000::1 3fff::1 3fff:fff::1
4000::1 5f00::1 8000::1 fc00::1 fd00::1 fd00:ec2::254 fd12:3456:789a::1 fdff:ffff::1 fe80::1 fe80::1%eth0 fe80::a9fe:a9fe
fec0::1 feff::1 ff00::1 ff01::1 ff02::1 ff02::2 ff05::2 ff0e::1 ffff::1 2606:4700:4700::1111%eth0`

const public = `1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 99.255.255.255 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0
168.63.129.15 168.63.129.17 169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 192.0.1.0 192.0.3.0 192.88.98.1 192.167.255.255 192.169.0.0
198.17.255.255 198.20.0.0 198.51.99.1 198.51.101.1 203.0.112.1 203.0.114.1 223.255.255.255
2000::1 2001:200::1 2001:4860:4860::8888 2001:db7::1 2001:db9::1 2003::1 2606:4700:4700::1111 2a00:1450::1 3ffe::1 ::ffff:8.8.8.8 ::ffff:1.1.1.1`

func TestPublic(t *testing.T) {
	cases := 0
	for list, want := range map[string]bool{private: false, public: true} {
		for _, text := range strings.Fields(list) {
			cases++
			a, err := netip.ParseAddr(text)
			if err != nil {
				t.Fatal(err)
			}
			if IsPublic(a) != want {
				t.Errorf("IsPublic(%s) = %t", a, !want)
			}
			// The dialer's check agrees.
			err = checkDial(t.Context(), "tcp6", netip.AddrPortFrom(a, 443).String(), nil)
			if (err == nil) != want || err != nil && !errors.Is(err, ErrRefused) {
				t.Errorf("dial %s: %v", a, err)
			}
		}
	}
	if IsPublic(netip.Addr{}) {
		t.Error("IsPublic(netip.Addr{}) = true")
	}
	t.Logf("%d addresses", cases)
}

func TestDialOnlyPort443(t *testing.T) {
	for _, tt := range []struct{ network, address string }{
		{"tcp4", "8.8.8.8:80"}, {"tcp4", "8.8.8.8:22"}, {"tcp4", "8.8.8.8:8443"}, {"tcp4", "8.8.8.8:0"},
		{"udp4", "8.8.8.8:443"}, {"unix", "/run/x"}, {"tcp", "8.8.8.8:443"}, {"tcp4", "dns.google:443"}, {"tcp4", ""},
	} {
		if err := checkDial(t.Context(), tt.network, tt.address, nil); !errors.Is(err, ErrRefused) {
			t.Errorf("%s %s: %v", tt.network, tt.address, err)
		}
	}
}

// URLs with private addresses, spelled in ways that text filters have missed.
func TestRefusedURLs(t *testing.T) {
	client := New(Options{DNS: testdns.ServeAddresses(t, func(string) string { return "127.0.0.1" })})
	for _, address := range []string{
		"http://example.org/", "ftp://example.org/", "file:///etc/passwd", "gopher://example.org/", "https:///x", "//example.org/",
		"https://example.org:80/", "https://example.org:8443/", "https://example.org:22/", "https://user@example.org/", "https://user:pass@example.org/",
		"https://127.0.0.1/", "https://127.0.0.1:443/", "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/", "https://[fe80::1%25lo]/",
		"https://169.254.169.254/latest/meta-data/", "https://[fd00:ec2::254]/", "https://10.0.0.1/", "https://[64:ff9b::7f00:1]/", "https://[2002:7f00:1::]/",
		"https://2130706433/", "https://0x7f000001/", "https://0177.0.0.1/", "https://127.1/", "https://0/", "https://localhost/", "https://LOCALHOST/",
		"https://rebound.example.org/", "https://localtest.me/", "https://127.0.0.1.nip.io/",
	} {
		response, err := client.Get(address)
		if err == nil {
			response.Body.Close()
			t.Errorf("%s was requested", address)
			continue
		}
		if !errors.Is(err, ErrRefused) && !strings.Contains(err.Error(), "lookup") && !strings.Contains(err.Error(), "no Host") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// TestNamesOfPrivateAddresses requests names that resolve to each private
// address, the addresses themselves, and redirects to them from a public
// server. None is dialed.
func TestNamesOfPrivateAddresses(t *testing.T) {
	addresses := strings.Fields(private)
	client := New(Options{DNS: testdns.ServeAddresses(t, func(name string) string {
		var i int
		if _, err := fmt.Sscanf(name, "case-%d.", &i); err != nil {
			return "127.0.0.1"
		}
		return addresses[i]
	})})
	redirecting := newPinnedClient(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Query().Get("to"), http.StatusFound)
	})
	refused := func(client *http.Client, address string) {
		t.Helper()
		response, err := client.Get(address)
		if err == nil {
			response.Body.Close()
		}
		if !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", address, err)
		}
	}
	cases := 0
	for i, text := range addresses {
		a := netip.MustParseAddr(text)
		literal := "https://" + a.String() + "/"
		if a.Is6() {
			literal = "https://[" + strings.Replace(a.String(), "%", "%25", 1) + "]/"
		}
		if a.Zone() == "" { // DNS has no zones
			refused(client, fmt.Sprintf("https://case-%d.example.org/", i))
			cases++
		}
		if a.Is4() || a.Zone() == "" {
			refused(client, literal)
			refused(redirecting, "https://example.com/?to="+url.QueryEscape(literal))
			cases += 2
		}
	}
	t.Logf("measured: %d requests", cases)
}

// Attack: a name that resolves to a public address when checked and a private one
// when dialed. The only check is on the dialed address.
func TestRebinding(t *testing.T) {
	var asked atomic.Int64
	client := New(Options{DNS: testdns.ServeAddresses(t, func(string) string {
		if asked.Add(1) == 1 {
			return "169.254.169.254"
		}
		return "127.0.0.1"
	})})
	for range 3 {
		if _, err := client.Get("https://rebound.example.org/"); !errors.Is(err, ErrRefused) {
			t.Errorf("error %v, want ErrRefused", err)
		}
	}
	if asked.Load() < 3 {
		t.Errorf("name server was asked %d times, want at least 3", asked.Load())
	}
}

// newPinnedClient returns a client for a test TLS server named example.com.
func newPinnedClient(t *testing.T, f http.HandlerFunc) *http.Client {
	t.Helper()
	server := httptest.NewUnstartedServer(f)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	server.TLS = &tls.Config{}
	server.StartTLS()
	t.Cleanup(server.Close)
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	return New(Options{Pins: map[string]string{"example.com": server.Listener.Addr().String(), "*.example.org": server.Listener.Addr().String()}, CA: pool})
}

func TestPins(t *testing.T) {
	client := newPinnedClient(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Host) })
	if response, err := client.Get("https://EXAMPLE.com/"); err != nil || response.StatusCode != 200 {
		t.Errorf("pinned: %v", err)
	}
	if _, err := client.Get("https://a.b.example.org/"); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("accepted a certificate for another name: %v", err)
	}
	for _, address := range []string{"https://example.com:8443/", "http://example.com/"} {
		if _, err := client.Get(address); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", address, err)
		}
	}
	o := Options{Pins: map[string]string{"*.example.org": "x"}}
	for address, want := range map[string]string{"a.example.org:443": "x", "a.b.example.org:443": "x", "example.org:443": "", "a.example.org:80": "", "example.orga:443": ""} {
		if got := o.pin(address); got != want {
			t.Errorf("%s: %q", address, got)
		}
	}
}

func TestRedirects(t *testing.T) {
	var secret atomic.Bool
	client := newPinnedClient(t, func(w http.ResponseWriter, r *http.Request) {
		n, _ := strings.CutPrefix(r.URL.Path, "/")
		switch {
		case n == "0":
			fmt.Fprint(w, "here")
		case n == "secret":
			secret.Store(true)
		case strings.HasPrefix(n, "to/"):
			http.Redirect(w, r, r.URL.Query().Get("to"), http.StatusTemporaryRedirect)
		default:
			http.Redirect(w, r, fmt.Sprintf("/%d", int(n[0]-'0')-1), http.StatusFound)
		}
	})
	for n, ok := range map[int]bool{0: true, 1: true, 3: true, 4: false, 9: false} {
		response, err := client.Get(fmt.Sprintf("https://example.com/%d", n))
		if (err == nil) != ok {
			t.Errorf("%d redirects: %v", n, err)
		}
		if err == nil {
			response.Body.Close()
		}
	}
	for _, to := range []string{"http://example.com/0", "https://127.0.0.1/", "https://example.com:8443/0", "file:///etc/passwd", "https://[::1]/", "https://u@example.com/0"} {
		if _, err := client.Get("https://example.com/to/?to=" + to); !errors.Is(err, ErrRefused) {
			t.Errorf("redirect to %s: %v", to, err)
		}
	}
	response, err := client.Post("https://example.com/to/?to=/secret", "text/plain", strings.NewReader("secret"))
	if err != nil || response.StatusCode != http.StatusTemporaryRedirect || secret.Load() {
		t.Errorf("a POST was redirected: %v", err)
	}
}

func TestBodies(t *testing.T) {
	client := newPinnedClient(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/full":
			_, _ = w.Write(make([]byte, MaxBody))
		case "/declared":
			w.Header().Set("Content-Length", fmt.Sprint(MaxBody+1))
			_, _ = w.Write(make([]byte, MaxBody+1))
		case "/endless":
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		case "/bomb":
			var buf bytes.Buffer
			z := gzip.NewWriter(&buf)
			_, _ = z.Write(make([]byte, 20<<20))
			_ = z.Close()
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(buf.Bytes())
		case "/header":
			w.Header().Set("X-Long", strings.Repeat("x", 1<<20))
		}
	})
	read := func(path string) (int, error) {
		response, err := client.Get("https://example.com" + path)
		if err != nil {
			return 0, err
		}
		defer response.Body.Close()
		n, err := io.Copy(io.Discard, response.Body)
		return int(n), err
	}
	if n, err := read("/full"); n != MaxBody || err != nil {
		t.Errorf("maximum size: %d, %v", n, err)
	}
	for _, path := range []string{"/declared", "/endless", "/bomb"} {
		if n, err := read(path); n > MaxBody || !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %d, %v", path, n, err)
		}
	}
	if _, err := read("/header"); err == nil {
		t.Error("accepted 1 MiB of headers")
	}
}

// A server that drips or stays silent can't hold a request for longer than the
// client's timeout.
func TestSlowServers(t *testing.T) {
	client := newPinnedClient(t, func(w http.ResponseWriter, r *http.Request) {
		for drip := time.Tick(10 * time.Millisecond); r.Context().Err() == nil; {
			if r.URL.Path == "/drip" {
				_, _ = w.Write([]byte("x"))
				w.(http.Flusher).Flush()
			}
			select {
			case <-drip:
			case <-r.Context().Done():
			}
		}
	})
	client.Timeout = 300 * time.Millisecond
	for _, path := range []string{"/drip", "/silent"} {
		start := time.Now()
		response, err := client.Get("https://example.com" + path)
		if err == nil {
			_, err = io.Copy(io.Discard, response.Body)
			response.Body.Close()
		}
		if took := time.Since(start); err == nil || took > 20*time.Second {
			t.Errorf("%s: %v after %s, want a timeout", path, err, took)
		}
	}
}

func TestNoProxy(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	t.Setenv("ALL_PROXY", "http://127.0.0.1:1")
	client := newPinnedClient(t, func(w http.ResponseWriter, r *http.Request) {})
	if _, err := client.Get("https://example.com/"); err != nil {
		t.Error(err)
	}
	if client.Timeout != 10*time.Second {
		t.Errorf("timeout %s, want 10s", client.Timeout)
	}
}
