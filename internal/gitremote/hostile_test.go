package gitremote

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/outbound"
	"robot.wtf/internal/slow"
	"robot.wtf/internal/wiki"
)

const someID = "0123456789abcdef0123456789abcdef01234567"

// advertise answers with a capability advertisement.
func advertise(w http.ResponseWriter, lines ...string) {
	w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
	_, _ = io.WriteString(w, packets(append(lines, flush)...))
}

// A hostileServer answers each request with the text for its command.
type hostileServer struct{ capabilities, refs, pack string }

func (s hostileServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
		_, _ = io.WriteString(w, s.capabilities)
		return
	}
	w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
	body, _ := io.ReadAll(r.Body)
	if strings.Contains(string(body), "command=ls-refs\n") {
		_, _ = io.WriteString(w, s.refs)
		return
	}
	_, _ = io.WriteString(w, s.pack)
}

func band(number byte, data string) string {
	return fmt.Sprintf("%04x%c%s", len(data)+5, number, data)
}

func TestHostileServers(t *testing.T) {
	capabilities := packets("version 2", "agent=git/9", "ls-refs=unborn", "fetch=shallow filter", "object-format=sha1", flush)
	heads := packets(someID+" HEAD symref-target:refs/heads/main", someID+" refs/heads/main", flush)
	start := packets("packfile")
	manyRefs := new(strings.Builder)
	for i := range maxRefs + 1 {
		manyRefs.WriteString(packets(fmt.Sprintf("%s refs/heads/b%d", someID, i)))
	}
	for name, tt := range map[string]struct {
		server hostileServer
		want   string
	}{
		"silence":                {hostileServer{}, "connection to example.com broke"},
		"no hexadecimal":         {hostileServer{capabilities: "zzzz"}, "no git repository"},
		"a sign in a length":     {hostileServer{capabilities: "+00aversion 2"}, "no git repository"},
		"reserved length":        {hostileServer{capabilities: "0003"}, "no git repository"},
		"response end":           {hostileServer{capabilities: "0002"}, "no git repository"},
		"longest length":         {hostileServer{capabilities: "ffff" + strings.Repeat("x", 1<<16)}, "no git repository"},
		"a length that lies":     {hostileServer{capabilities: "00ffversion 2\n"}, "connection to example.com broke"},
		"no flush":               {hostileServer{capabilities: packets("version 2", "ls-refs", "fetch")}, "connection to example.com broke"},
		"version 3":              {hostileServer{capabilities: packets("version 3", "ls-refs", "fetch", flush), refs: heads, pack: start + band(1, "PACK") + flush}, "no git repository"},
		"no version":             {hostileServer{capabilities: packets(flush)}, "no git repository"},
		"an announcement alone":  {hostileServer{capabilities: packets("# service=git-upload-pack", "version 2", "version 2", "ls-refs", "fetch", flush), refs: heads, pack: start + band(1, "PACK") + flush}, "no git repository"},
		"capabilities in parts":  {hostileServer{capabilities: packets("version 2", "ls-refs", "fetch", delimiter, flush), refs: heads, pack: start + band(1, "PACK") + flush}, "no git repository"},
		"refs in parts":          {hostileServer{capabilities: capabilities, refs: packets(someID+" HEAD", delimiter, flush)}, "no git repository"},
		"no main branch":         {hostileServer{capabilities: capabilities, refs: packets(someID+" refs/heads/a", someID+" refs/heads/b", flush)}, "which branch"},
		"only a tag":             {hostileServer{capabilities: capabilities, refs: packets(someID+" refs/tags/v1", flush)}, "which branch"},
		"no commands":            {hostileServer{capabilities: packets("version 2", "agent=x", flush)}, "no git repository"},
		"endless capabilities":   {hostileServer{capabilities: packets("version 2") + strings.Repeat(packets("a="+strings.Repeat("x", 1000)), 2000)}, "too many"},
		"an error, with escapes": {hostileServer{capabilities: packets("ERR \x1b[31mno\n\u202epage")}, `refused: "\x1b[31mno\n\u202epage"`},
		"endless refs":           {hostileServer{capabilities: capabilities, refs: manyRefs.String() + flush}, "too many branches and tags: the limit is 20000"},
		"long refs":              {hostileServer{capabilities: capabilities, refs: strings.Repeat(packets(someID+" refs/heads/"+strings.Repeat("x", 60_000)), 200)}, "too many branches"},
		"a ref without a name":   {hostileServer{capabilities: capabilities, refs: packets(someID, flush)}, "no git repository"},
		"a ref without an id":    {hostileServer{capabilities: capabilities, refs: packets("unborn HEAD", flush)}, "no git repository"},
		"only hostile names":     {hostileServer{capabilities: capabilities, refs: packets(someID+" refs/heads/../../x", someID+" refs/heads/a\n"+someID, flush)}, "is empty"},
		"no packfile":            {hostileServer{capabilities: capabilities, refs: heads, pack: packets("acknowledgments", "NAK", flush)}, "no git repository"},
		"an empty answer":        {hostileServer{capabilities: capabilities, refs: heads, pack: flush}, "no git repository"},
		"a pack of nothing":      {hostileServer{capabilities: capabilities, refs: heads, pack: start + flush}, "no git repository"},
		"a wrong side band":      {hostileServer{capabilities: capabilities, refs: heads, pack: start + band(4, "PACK") + flush}, "no git repository"},
		"an empty packet":        {hostileServer{capabilities: capabilities, refs: heads, pack: start + "0004"}, "no git repository"},
		"a delimiter":            {hostileServer{capabilities: capabilities, refs: heads, pack: start + band(1, "PACK") + delimiter}, "no git repository"},
		"another file":           {hostileServer{capabilities: capabilities, refs: heads, pack: start + band(1, "PK\x03\x04") + flush}, "no git repository"},
		"an error in the middle": {hostileServer{capabilities: capabilities, refs: heads, pack: start + band(1, "PACK") + band(3, "out of \x00memory")}, `refused: "out of \x00memory"`},
		"a cut pack":             {hostileServer{capabilities: capabilities, refs: heads, pack: start + band(1, "PACK") + "fff0x"}, "connection to example.com broke"},
		"a large pack":           {hostileServer{capabilities: capabilities, refs: heads, pack: start + strings.Repeat(band(1, "PACK"+strings.Repeat("x", 60_000)), 30) + flush}, "larger than this wiki's limit"},
		"endless progress":       {hostileServer{capabilities: capabilities, refs: heads, pack: start + strings.Repeat(band(2, strings.Repeat("x", 60_000)), 400)}, "no git repository"},
		"endless keepalives":     {hostileServer{capabilities: capabilities, refs: heads, pack: start + strings.Repeat(band(1, ""), 4<<20)}, "no git repository"},
	} {
		client := newClient(t, tt.server.ServeHTTP, outbound.Options{})
		var out countingWriter
		err := client.Bundle(t.Context(), address(t, "https://example.com/repo.git"), 1<<20, &out, nil)
		var problem *wiki.Problem
		if !errors.As(err, &problem) || !strings.Contains(problem.Message, tt.want) || out > 1<<20+1000 {
			t.Errorf("%s: %.300v, %d bytes; want %q", name, err, out, tt.want)
		}
	}
}

type countingWriter int64

func (c *countingWriter) Write(p []byte) (int, error) {
	*c += countingWriter(len(p))
	return len(p), nil
}

// A bundle is a text of lines. Attack: names that would add lines to it.
func TestHostileNames(t *testing.T) {
	server := hostileServer{
		packets("version 2", "ls-refs", "fetch", flush),
		packets(someID+" HEAD", someID+" refs/heads/ok", someID+" refs/heads/a\n"+someID+" refs/heads/b", someID+" refs/heads/\x00",
			someID+" refs/heads/x.lock", someID+" refs/remotes/x", someID+" refs/heads/"+strings.Repeat("l", 2000), someID+" refs/tags/-x", flush),
		packets("packfile") + band(1, "PACKxxxx") + flush,
	}
	client := newClient(t, server.ServeHTTP, outbound.Options{})
	var out bytes.Buffer
	if err := client.Bundle(t.Context(), address(t, "https://example.com/repo.git"), 1<<20, &out, nil); err != nil {
		t.Fatal(err)
	}
	want := "# v2 git bundle\n" + someID + " HEAD\n" + someID + " refs/heads/ok\n" + someID + " refs/tags/-x\n\nPACKxxxx"
	if out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}

// Attack: a pack that unpacks to a thousand times its size, 300 MB in the slow tier, and
// packs whose header or refs lie.
func TestPackBombs(t *testing.T) {
	git, err := gitrepo.Find()
	if err != nil {
		t.Skip(err)
	}
	large := 30 << 20
	if slow.Enabled() {
		large = 300 << 20
	}
	for name, pack := range map[string]string{
		"a bomb":             blobPack(1, large),
		"too many objects":   blobPack(5_000_000, 10),
		"without the commit": blobPack(1, 10),
	} {
		var framed strings.Builder
		framed.WriteString(packets("packfile"))
		for rest := pack; rest != ""; {
			n := min(len(rest), 60_000)
			framed.WriteString(band(1, rest[:n]))
			rest = rest[n:]
		}
		server := hostileServer{packets("version 2", "ls-refs", "fetch", flush), packets(someID+" HEAD", flush), framed.String() + flush}
		client := newClient(t, server.ServeHTTP, outbound.Options{})
		var bundle bytes.Buffer
		if err := client.Bundle(t.Context(), address(t, "https://example.com/repo.git"), 1<<20, &bundle, nil); err != nil {
			t.Fatal(err)
		}
		_, err := git.Receive(t.Context(), filepath.Join(t.TempDir(), "r.git"), &bundle, 1<<20)
		var refused *gitrepo.Refused
		if !errors.As(err, &refused) {
			t.Errorf("%s: %v, want it refused", name, err)
		}
	}
}

// blobPack returns a pack with one blob of zeros and the given number of objects in
// its header (gitformat-pack(5)).
func blobPack(objects uint32, size int) string {
	var pack bytes.Buffer
	pack.WriteString("PACK")
	_ = binary.Write(&pack, binary.BigEndian, []uint32{2, objects})
	head, rest := byte(3<<4|size&15), size>>4
	for ; rest > 0; rest >>= 7 {
		pack.WriteByte(head | 0x80)
		head = byte(rest & 0x7f)
	}
	pack.WriteByte(head)
	z := zlib.NewWriter(&pack)
	_, _ = io.CopyN(z, zeros{}, int64(size))
	_ = z.Close()
	sum := sha1.Sum(pack.Bytes())
	pack.Write(sum[:])
	return pack.String()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// Attack: servers that hold a fetch as long as they can.
func TestSlowServers(t *testing.T) {
	server := hostileServer{
		packets("version 2", "ls-refs", "fetch", flush), packets(someID+" HEAD", flush),
		packets("packfile") + band(1, "PACK"),
	}
	for name, drip := range map[string]string{"silent": "", "drip": band(1, "x"), "keepalives": band(1, "")} {
		o := serve(t, func(w http.ResponseWriter, r *http.Request) {
			server.ServeHTTP(w, r)
			for strings.Contains(r.URL.Path, "upload-pack") && r.Context().Err() == nil {
				_, _ = io.WriteString(w, drip)
				_ = http.NewResponseController(w).Flush()
				select {
				case <-r.Context().Done():
				case <-time.After(2 * time.Millisecond):
				}
			}
		}, outbound.Options{})
		o.Timeout, o.MaxBody = maxTime, maxTransfer
		if drip == "" {
			o.Idle = 200 * time.Millisecond
		}
		seconds := 0
		client := &Client{outbound.New(o), func() time.Time { seconds++; return time.Unix(int64(seconds), 0) }}
		began := time.Now()
		head := &fetch{client: client, address: address(t, "https://example.com/repo.git"), base: "https://example.com/repo.git"}
		err := head.explain(head.bundle(t.Context(), someID, &packWriter{out: io.Discard, left: 1 << 20, now: client.now}))
		if !errors.Is(err, wiki.ErrUnavailable) || !strings.Contains(err.Error(), "too slow") || time.Since(began) > 10*time.Second {
			t.Errorf("%s: %v after %s, want it refused as too slow", name, err, time.Since(began))
		}
	}
}

// A fetch as a whole has a bound, also while a server counts objects.
func TestWholeTime(t *testing.T) {
	o := serve(t, func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
	}, outbound.Options{})
	o.Timeout = 100 * time.Millisecond
	err := (&Client{outbound.New(o), time.Now}).Bundle(t.Context(), address(t, "https://example.com/a.git"), 1, io.Discard, nil)
	if !errors.Is(err, wiki.ErrUnavailable) || !strings.Contains(err.Error(), "too slow") {
		t.Errorf("%v, want it refused as too slow", err)
	}
}

// FuzzAnswers reads hostile answers with each parser. No answer adds lines to a
// bundle, or leads to more data than it has.
func FuzzAnswers(f *testing.F) {
	for _, seed := range []string{
		packets("# service=git-upload-pack", flush, "version 2", "ls-refs", "fetch=shallow", flush),
		packets(someID+" HEAD symref-target:refs/heads/main peeled:"+someID, someID+" refs/tags/a", flush),
		packets("packfile") + band(2, "x") + band(1, "PACKx") + band(1, "") + flush, packets("shallow-info"), packets("ERR no"),
		"0000", "0001", "0002", "0004", "fff0", "zzzz", "-001", "0005\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, answer string) {
		read := func(max int64) *packetReader { return newPacketReader(strings.NewReader(answer), max) }
		if _, err := readCapabilities(read(maxCapabilityLen)); err != nil {
			_ = (&fetch{}).explain(err)
		}
		refs, err := readRefs(read(maxRefsLen))
		for name, id := range refs.ids {
			if strings.ContainsAny(name+id, "\n\x00 ") || len(name) > maxRefName || err != nil {
				t.Errorf("ref %q %q", id, name)
			}
		}
		var out countingWriter
		in := read(-1)
		if startPack(in) == nil {
			_ = copyPack(in, &packWriter{out: &out, left: 100, now: time.Now})
		}
		if int(out) > min(len(answer), 100) {
			t.Errorf("wrote %d bytes of an answer of %d", out, len(answer))
		}
	})
}
