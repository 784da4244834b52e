package githttp

import (
	"bytes"
	"compress/gzip"
	"fmt"

	"net"
	"strings"
	"testing"
	"time"
)

const wantType = "application/x-git-upload-pack-request"

// The attack: bodies that unfold, that end too early, that ask for a hundred
// thousand things, that are something else. Each is refused in little time, and
// the next clone works.
func TestHostileBodies(t *testing.T) {
	w := newWorld(t, nil)
	w.must(t.TempDir(), "clone", "-q", w.url("ada", ""), "before")
	zip := func(text string) []byte {
		var out bytes.Buffer
		z := gzip.NewWriter(&out)
		z.Write([]byte(text))
		z.Close()
		return out.Bytes()
	}
	want := "0032want " + strings.Repeat("a", 40) + "\n"
	for name, tt := range map[string]struct {
		body   []byte
		coding string
		kind   string
		status []int
	}{
		"bomb":          {zip(strings.Repeat("0", 64<<20)), "gzip", wantType, []int{413}},
		"100,000 wants": {[]byte(strings.Repeat(want, 100_000) + "00000009done\n"), "", wantType, []int{413}},
		"60,000 wants":  {[]byte(strings.Repeat(want, 60_000) + "00000009done\n"), "", wantType, []int{200, 400}},
		"zipped wants":  {zip(strings.Repeat(want, 100_000)), "gzip", wantType, []int{413}},
		"cut short":     {[]byte("0032want aaaa"), "", wantType, []int{200, 400}},
		"cut zip":       {zip(want)[:12], "gzip", wantType, []int{400}},
		"no zip":        {[]byte("0000"), "gzip", wantType, []int{400}},
		"unknown zip":   {[]byte("0000"), "br", wantType, []int{415}},
		"other type":    {[]byte("0000"), "", "text/plain", []int{415}},
		"nonsense":      {[]byte("zzzz"), "", wantType, []int{200, 400}},
		"long line":     {[]byte("ffff" + strings.Repeat("x", 70_000)), "", wantType, []int{200, 400}},
		"nothing":       {nil, "", wantType, []int{200, 400}},
		"an argument":   {[]byte("0021command=--upload-pack=touch x0000"), "", wantType, []int{200, 400}},
	} {
		for _, version := range []string{"version=2", "version=2:x", "version=1\x01", "--exec=x", ""} {
			if strings.ContainsRune(version, 1) {
				continue // a client library refuses to send it
			}
			began := time.Now()
			got := w.send("POST", "ada", "/repo.git/git-upload-pack", bytes.NewReader(tt.body), "Content-Type", tt.kind, "Content-Encoding", tt.coding, "Git-Protocol", version)
			ok := false
			for _, status := range tt.status {
				ok = ok || got.status == status
			}
			if !ok || strings.Contains(got.text, w.dir) {
				t.Errorf("%s, %q: %d %.200q", name, version, got.status, got.text)
			}
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("%s took %s", name, took)
			}
		}
	}
	w.must(t.TempDir(), "clone", "-q", w.url("ada", ""), "after")
}

// The attack: clients that send half a request, or take nothing of the answer.
// They hold their connections and nothing else: a clone meanwhile is served.
func TestHangingClients(t *testing.T) {
	w := newWorld(t, nil)
	for i := range 40 { // an answer that does not fit into the buffers on the way
		var text strings.Builder
		for k := range 20_000 {
			fmt.Fprintf(&text, "%x\n", uint64(i*20_000+k)*0x9e3779b97f4a7c15)
		}
		w.save("ada", fmt.Sprint("Page_", i), text.String())
	}
	clone := w.must(t.TempDir(), "ls-remote", w.url("ada", ""))
	head, _, _ := strings.Cut(clone, "\t")
	request := "0011command=fetch0001000fno-progress0032want " + head + "\n0009done\n0000"
	for i := range 30 {
		conn, err := net.Dial("tcp", "127.0.0.1:"+w.port)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		body, length := request, len(request)
		if i%2 == 0 {
			length += 100 // it never comes
		}
		fmt.Fprintf(conn, "POST /repo.git/git-upload-pack HTTP/1.1\r\nHost: ada.robot.localhost:%s\r\nContent-Type: %s\r\nGit-Protocol: version=2\r\nContent-Length: %d\r\n\r\n%s", w.port, wantType, length, body)
	}
	began := time.Now()
	w.must(t.TempDir(), "clone", "-q", w.url("ada", ""), "meanwhile")
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("a clone beside hanging clients took %s", took)
	}
}
