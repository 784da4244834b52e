package githttp

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const wantType = "application/x-git-upload-pack-request"

// The attack: bodies that decompress to far more, end early, request a hundred
// thousand objects, or aren't git requests. Each is refused quickly, and the next
// clone works.
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
		"bomb":          {zip(strings.Repeat("0", 16<<20)), "gzip", wantType, []int{413}},
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
		versions := []string{"version=2", ""}
		if len(tt.body) < 100 {
			versions = append(versions, "version=2:x", "--exec=x")
		}
		for _, version := range versions {
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

// endless is a body that never ends. It counts the bytes that were read, and
// pauses before each read.
type endless struct {
	text  []byte
	drip  time.Duration
	taken atomic.Int64 // read by the test while the client may still send
}

func (e *endless) Read(p []byte) (int, error) {
	time.Sleep(e.drip)
	n := 0
	if len(e.text) > 0 {
		n = copy(p, e.text[e.taken.Load()%int64(len(e.text)):])
	}
	e.taken.Add(int64(n))
	return n, nil
}

// The attack: endless bodies, fast or slow, plain or compressed, some of them
// decompressing to nothing. Each is cut off in bounded time, after reading no more
// than the limit.
func TestEndlessBodies(t *testing.T) {
	random := make([]byte, 32<<10)
	rand.NewChaCha8([32]byte{}).Read(random)
	gzipHead := "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff" // RFC 1952, then blocks of RFC 1951
	stored := append([]byte{0x00, 0x00, 0x80, 0xff, 0x7f}, random...)
	empty := bytes.Repeat([]byte("\x00\x00\x00\xff\xff"), 5000)
	member := bytes.Repeat([]byte(gzipHead+"\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00"), 1000)
	t.Run("cut off by size", func(t *testing.T) {
		sendEndlessBodies(t, 15*time.Second, map[string]endlessBody{ // enough time for a slow machine to reach the limit
			"plain":        {nil, random, 0, "", []int{413}},
			"zip":          {[]byte(gzipHead), stored[:32<<10+5], 0, "gzip", []int{413}},
			"empty blocks": {[]byte(gzipHead), empty, 0, "gzip", []int{413}},
		})
	})
	t.Run("cut off by time", func(t *testing.T) {
		sendEndlessBodies(t, 300*time.Millisecond, map[string]endlessBody{
			"drops":         {nil, random[:1], 20 * time.Millisecond, "", []int{400}},
			"nothing comes": {nil, nil, 100 * time.Millisecond, "", []int{400}},
			"zipped drops":  {[]byte(gzipHead), empty[:5], 20 * time.Millisecond, "gzip", []int{400}},
			"empty members": {nil, member, 0, "gzip", []int{200, 400}},
		})
	})
}

// An endlessBody starts with first and repeats more.
type endlessBody struct {
	first, more []byte
	drip        time.Duration
	coding      string
	status      []int
}

func sendEndlessBodies(t *testing.T, timeout time.Duration, bodies map[string]endlessBody) {
	defer debug.SetGCPercent(debug.SetGCPercent(100)) // the memory in use is measured
	w := newWorld(t, nil)
	w.door.spools.body = timeout
	for name, tt := range bodies {
		began := time.Now()
		body := &endless{text: tt.more, drip: tt.drip}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got := w.send("POST", "ada", "/repo.git/git-upload-pack", io.MultiReader(bytes.NewReader(tt.first), body), "Content-Type", wantType, "Content-Encoding", tt.coding, "Git-Protocol", "version=2")
		runtime.ReadMemStats(&after)
		if !slices.Contains(tt.status, got.status) {
			t.Errorf("%s: %d %.200q", name, got.status, got.text)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("%s took %s", name, took)
		}
		if taken := body.taken.Load(); taken > 4*maxBody { // includes the buffers in between
			t.Errorf("%s: %d bytes were read", name, taken)
		}
		if grown := int64(after.HeapInuse) - int64(before.HeapInuse); grown > 16<<20 {
			t.Errorf("%s: used %d bytes of memory", name, grown)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(w.dir), ".want-*")); len(left) != 0 {
		t.Errorf("%q were left behind", left)
	}
	w.must(t.TempDir(), "clone", "-q", w.url("ada", ""), "after")
}

// The attack: clients that send half a request, or don't read the answer. They
// hold their connections and nothing else: a clone is still served.
func TestHangingClients(t *testing.T) {
	w := newWorld(t, nil)
	w.fill("ada", 8) // an answer larger than the buffers in between
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
			length += 100 // never sent
		}
		fmt.Fprintf(conn, "POST /repo.git/git-upload-pack HTTP/1.1\r\nHost: ada.robot.localhost:%s\r\nContent-Type: %s\r\nGit-Protocol: version=2\r\nContent-Length: %d\r\n\r\n%s", w.port, wantType, length, body)
	}
	began := time.Now()
	w.must(t.TempDir(), "clone", "-q", w.url("ada", ""), "meanwhile")
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("a clone beside hanging clients took %s", took)
	}
}
