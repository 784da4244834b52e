package gitremote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"robot.wtf/internal/outbound"
	"robot.wtf/internal/testdns"
	"robot.wtf/internal/wiki"
)

// Attack: addresses of machines that only this server can reach, in all notations,
// and of protocols that run commands or read files. Names ending in .example.org
// resolve to the address in them: 10-0-0-1.example.org to 10.0.0.1.
const forbidden = `
file:///etc/passwd
file://localhost/srv/repo.git
/srv/repo.git
../repo.git
ssh://git@127.0.0.1/repo.git
git@127.0.0.1:repo.git
git://127.0.0.1/repo.git
git+ssh://127.0.0.1/repo.git
ext::sh -c touch%20/tmp/pwned
fd::17
http://127.0.0.1/repo.git
ftp://127.0.0.1/repo.git
gopher://127.0.0.1:443/_x
dict://127.0.0.1:443/x
data:text/plain,x
javascript:alert(1)
--upload-pack=touch
-c core.sshCommand=x
https:127.0.0.1/repo.git
https:///repo.git
//127.0.0.1/repo.git
https://127.0.0.1/repo.git
https://127.0.0.1:443/repo.git
https://127.0.0.1:22/repo.git
https://127.0.0.1:8443/repo.git
https://127.1/repo.git
https://127.0.1/repo.git
https://2130706433/repo.git
https://0x7f000001/repo.git
https://0x7f.0.0.1/repo.git
https://0x7f.1/repo.git
https://0177.0.0.1/repo.git
https://017700000001/repo.git
https://127.000.000.001/repo.git
https://0/repo.git
https://0.0.0.0/repo.git
https://00.00.00.00/repo.git
https://１２７.0.0.1/repo.git
https://①②⑦.⓪.⓪.①/repo.git
https://127。0。0。1/repo.git
https://127.0.0.1./repo.git
https://localhost/repo.git
https://LOCALHOST/repo.git
https://localhost./repo.git
https://ⓛocalhost/repo.git
https://localhost.localdomain/repo.git
https://127.0.0.1%00.example.com/repo.git
https://127.0.0.1%2f.example.com/repo.git
https://example.com@127.0.0.1/repo.git
https://example.com:x@127.0.0.1/repo.git
https://127.0.0.1\@example.com/repo.git
https://127.0.0.1#@example.com/repo.git
https://127.0.0.1?@example.com/repo.git
https://10.0.0.1/repo.git
https://100.64.0.1/repo.git
https://172.16.0.1/repo.git
https://192.168.0.1/repo.git
https://198.18.0.1/repo.git
https://169.254.1.1/repo.git
https://169.254.169.254/latest/meta-data
https://168.63.129.16/machine/x
https://100.100.100.200/latest/meta-data
https://192.0.0.192/opc/v2/x
https://[::1]/repo.git
https://[::]/repo.git
https://[0:0:0:0:0:0:0:1]/repo.git
https://[::ffff:127.0.0.1]/repo.git
https://[::ffff:7f00:1]/repo.git
https://[::ffff:a9fe:a9fe]/repo.git
https://[::127.0.0.1]/repo.git
https://[64:ff9b::7f00:1]/repo.git
https://[64:ff9b::169.254.169.254]/repo.git
https://[64:ff9b:1::7f00:1]/repo.git
https://[2002:7f00:1::]/repo.git
https://[2001:0:4136:e378:8000:63bf:80ff:fffe]/repo.git
https://[fe80::1]/repo.git
https://[fe80::1%25eth0]/repo.git
https://[fc00::1]/repo.git
https://[fd00:ec2::254]/repo.git
https://[ff02::1]/repo.git
https://224.0.0.1/repo.git
https://255.255.255.255/repo.git
https://127-0-0-1.example.org/repo.git
https://10-0-0-1.example.org/ada/notes/wiki
https://192-168-1-1.example.org/repo.git
https://169-254-169-254.example.org/latest/meta-data
https://0-0-0-0.example.org/repo.git
https://100-64-0-1.example.org/repo.git
https://xn--bcher-kva.127-0-0-1.example.org/repo.git
https://bücher.10-0-0-1.example.org/repo.git
https://metadata.google.internal/computeMetadata/v1
https://rebind.example.org/repo.git
`

// refusedBefore reports an error from before any connection to the address: of the
// parser, the resolver, or the check of the dialed address.
func refusedBefore(err error) bool {
	return errors.As(err, new(*wiki.Problem)) || errors.Is(err, outbound.ErrRefused) || errors.As(err, new(*net.DNSError)) ||
		err != nil && strings.Contains(err.Error(), "invalid URL")
}

func TestForbiddenAddresses(t *testing.T) {
	var asked atomic.Int64
	client := New(outbound.Options{DNS: testdns.ServeAddresses(t, func(name string) string {
		if strings.HasPrefix(name, "rebind.") && asked.Add(1) == 1 {
			return "169.254.169.254"
		}
		return addressIn(name)
	})})
	cases := strings.Split(strings.Trim(forbidden, "\n"), "\n")
	for _, text := range cases {
		if err := prepare(t.Context(), client, text); !refusedBefore(err) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if asked.Load() == 0 {
		t.Error("the name server was never asked")
	}
	t.Logf("%d addresses", len(cases))
}

// Attack: a public server redirects to each of the addresses, or hands out
// redirects without an end.
func TestForbiddenRedirects(t *testing.T) {
	cases := strings.Split(strings.Trim(forbidden, "\n"), "\n")
	var target atomic.Value
	client := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", target.Load().(string)+"/info/refs?service=git-upload-pack")
		w.WriteHeader(http.StatusFound)
	}, outbound.Options{DNS: testdns.ServeAddresses(t, addressIn)})
	for _, to := range append(cases, "https://example.com/again.git") {
		if !strings.Contains(to, "://") {
			continue // relative to the public server
		}
		target.Store(to)
		err := prepare(t.Context(), client, "https://example.com/repo.git")
		if !refusedBefore(err) && !isBadRedirect(err) {
			t.Errorf("%s: %v", to, err)
		}
	}
}

// isBadRedirect reports addresses that Go doesn't parse, and too many redirects.
func isBadRedirect(err error) bool {
	return err != nil && (strings.Contains(err.Error(), "failed to parse Location") || strings.Contains(err.Error(), "more than 3 redirects"))
}

// A POST that is redirected isn't followed, not even to the same server.
func TestCommandsAreNotRedirected(t *testing.T) {
	var followed atomic.Bool
	client := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodGet:
			advertise(w, "version 2", "ls-refs", "fetch")
		case strings.HasPrefix(r.URL.Path, "/repo.git"):
			http.Redirect(w, r, "/other.git/git-upload-pack", http.StatusTemporaryRedirect)
		default:
			followed.Store(true)
		}
	}, outbound.Options{})
	if err := client.Bundle(t.Context(), address(t, "https://example.com/repo.git"), 1<<20, io.Discard, nil); err == nil || followed.Load() {
		t.Errorf("a command was redirected: %v", err)
	}
}

func prepare(ctx context.Context, c *Client, text string) error {
	a, err := ParseAddress(text)
	if err != nil {
		return err
	}
	_, err = (&fetch{client: c, address: a}).prepare(ctx)
	return err
}

// addressIn returns the IPv4 address in a name such as 10-0-0-1.example.org, or the
// loopback address.
func addressIn(name string) string {
	for label := range strings.SplitSeq(name, ".") {
		var a, b, c, d byte
		if n, _ := fmt.Sscanf(label, "%d-%d-%d-%d", &a, &b, &c, &d); n == 4 {
			return netip.AddrFrom4([4]byte{a, b, c, d}).String()
		}
	}
	return "127.0.0.1"
}
