package githttp

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"robot.wtf/internal/gitrepo"
)

// A full clone contains everything in the wiki's packs, so they are sent unchanged:
// no process, no search, no compression (docs/adr/0019). git answers all other
// fetches.

// readFullClone parses a fetch command of protocol 2 (gitprotocol-v2(5)) by a
// client that has nothing and wants everything. ok is false for other requests.
func readFullClone(body []byte) (wants []string, ok bool) {
	arguments, ok := readCommand(body, "fetch")
	if !ok {
		return nil, false
	}
	done, offsets := false, false
	for _, line := range arguments {
		id, isWant := strings.CutPrefix(line, "want ")
		switch {
		case isWant:
			wants = append(wants, id)
		case line == "done":
			done = true
		case line == "ofs-delta":
			offsets = true
		case line == "thin-pack" || line == "no-progress" || line == "include-tag":
		default: // have, shallow, deepen, filter and future arguments
			return nil, false
		}
	}
	return wants, done && offsets && len(wants) > 0
}

// sendFullClone sends the content of a wiki's packs to a client that wants the
// tips of its refs, including main. It returns false, having sent nothing, if git
// must answer instead.
func (h *Handler) sendFullClone(c *call, wants []string) (sent bool, err error) {
	refs, err := h.readRefs(c)
	if err != nil || !wantsTips(wants, refs) {
		return false, nil // git reports the error
	}
	_, answer, done, err := h.answers.start(c)
	if err != nil {
		return true, err
	}
	defer done()
	packs, err := h.openPacks(c)
	if packs == nil {
		return false, err
	}
	defer packs.Close()
	c.w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
	buf := buffers.Get().(*[bufferBytes]byte)
	defer buffers.Put(buf)
	client := &pacedWriter{w: answer, bounds: h.spools.bounds, began: time.Now()}
	out := newSideband(client, buf[:])
	if _, err = packs.WriteTo(out); err == nil {
		err = out.end()
	}
	if errors.Is(err, gitrepo.ErrDamaged) {
		h.o.Log.Warn("pack is damaged", "wiki", c.access.Site().Slug, "err", err)
		if _, leave, err := h.o.Pages.Repository(c.Context(), c.access); err == nil {
			leave(true) // verify it in full before the next answer
		}
	}
	switch {
	case err == nil:
		answer.finish()
		return true, nil
	case client.sent == 0 && answer.isEvicted():
		return true, errBusy
	case client.sent == 0:
		return false, nil // nothing was sent yet
	}
	panic(http.ErrAbortHandler) // so that the client notices
}

// wantsTips reports whether all wanted ids are tips of refs, including main.
func wantsTips(wants []string, refs []ref) bool {
	main := false
	for _, id := range wants {
		known := false
		for _, r := range refs {
			if r.id == id {
				known = true
				main = main || r.name == gitrepo.Main
			}
		}
		if !known {
			return false
		}
	}
	return main
}

// maxCompared bounds the number of objects whose ids (20 bytes each) are compared.
const maxCompared = 1_000_000

// openPacks opens a wiki's packs. It returns nil if they can't be sent unchanged.
func (h *Handler) openPacks(c *call) (*gitrepo.Packs, error) {
	repo, leave, err := h.o.Pages.Repository(c.Context(), c.access)
	if err != nil {
		return nil, err
	}
	defer leave(false)
	packs, err := repo.OpenPacks()
	if err != nil {
		return nil, nil // git reports the error
	}
	if packs.Objects() == 0 || packs.Objects() > maxCompared || !h.disjoint.check(c.access.Site().Slug, packs) {
		packs.Close()
		return nil, nil
	}
	return packs, nil
}

// disjointCache holds, by slug, whether a wiki's packs share no object. The zero
// value is empty.
type disjointCache struct {
	mu    sync.Mutex
	wikis map[string]verdict
}

type verdict struct {
	packs    string // key of the packs
	disjoint bool
}

func (d *disjointCache) check(slug string, packs *gitrepo.Packs) bool {
	d.mu.Lock()
	defer d.mu.Unlock() // held while reading, because that takes the most memory here
	known, ok := d.wikis[slug]
	if ok && known.packs == packs.Key() {
		return known.disjoint
	}
	disjoint, err := packs.Disjoint()
	if err != nil {
		return false
	}
	if d.wikis == nil || len(d.wikis) >= maxCacheWikis {
		d.wikis = map[string]verdict{}
	}
	d.wikis[slug] = verdict{packs.Key(), disjoint}
	return disjoint
}

// A sideband splits a pack into packets (gitprotocol-pack(5), side-band-64k).
type sideband struct {
	out    io.Writer
	buf    []byte
	packet int // start of the current packet in buf
}

const (
	maxPacket  = 65520 // bytes, including its length
	bandPack   = 1
	packetHead = 5 // length and band
)

// newSideband starts the packfile section of an answer. buf must have room for
// some packets.
func newSideband(out io.Writer, buf []byte) *sideband {
	s := &sideband{out: out, buf: append(buf[:0], "000dpackfile\n"...)}
	s.open()
	return s
}

func (s *sideband) Write(data []byte) (n int, err error) {
	for len(data) > 0 {
		if len(s.buf)-s.packet == maxPacket || len(s.buf) == cap(s.buf) {
			if err := s.close(); err != nil {
				return n, err
			}
			s.open()
		}
		part := min(len(data), maxPacket-(len(s.buf)-s.packet), cap(s.buf)-len(s.buf))
		s.buf = append(s.buf, data[:part]...)
		data, n = data[part:], n+part
	}
	return n, nil
}

func (s *sideband) open() {
	s.packet = len(s.buf)
	s.buf = append(s.buf, 0, 0, 0, 0, bandPack)
}

func (s *sideband) seal() { copy(s.buf[s.packet:], fmt.Sprintf("%04x", len(s.buf)-s.packet)) }

// close ends a packet, and flushes the buffer if it has little room left.
func (s *sideband) close() error {
	s.seal()
	if cap(s.buf)-len(s.buf) > maxPacket/2 {
		return nil
	}
	return s.flush()
}

func (s *sideband) flush() error {
	_, err := s.out.Write(s.buf)
	s.buf = s.buf[:0]
	return err
}

// end sends the remaining packets and a flush packet.
func (s *sideband) end() error {
	s.seal()
	if err := s.flush(); err != nil {
		return err
	}
	_, err := s.out.Write([]byte("0000"))
	return err
}

// pacedWriter writes to a client and fails if the client is too slow.
type pacedWriter struct {
	w http.ResponseWriter
	bounds
	began time.Time
	sent  int64
}

func (p *pacedWriter) Write(data []byte) (int, error) {
	deadline := time.Now().Add(p.write)
	if slow := p.began.Add(p.start + time.Duration(p.sent/p.slowest)*time.Second); slow.Before(deadline) {
		deadline = slow
	}
	if err := http.NewResponseController(p.w).SetWriteDeadline(deadline); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	n, err := p.w.Write(data)
	p.sent += int64(n)
	return n, err
}
