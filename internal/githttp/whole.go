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

// Who clones a wiki as a whole wants all that its packs hold, so they are sent as
// they are: no process, no search, no compression. Whatever else is asked, git
// answers.

// readWholeRequest reads a request fetch of protocol 2 (gitprotocol-v2(5)) from a
// client that has nothing yet and leaves nothing out.
func readWholeRequest(body []byte) (wants []string, ok bool) {
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
		default: // have, shallow, deepen, filter and what is to come
			return nil, false
		}
	}
	return wants, done && offsets && len(wants) > 0
}

// sendWhole sends all that a wiki's packs hold to a client that wants the tips
// of its refs, main among them. It reports false, and has sent nothing, where git
// has to answer.
func (h *Handler) sendWhole(c *call, wants []string) (sent bool, err error) {
	refs, err := h.refs(c)
	if err != nil || !tips(wants, refs) {
		return false, nil // git says what is wrong
	}
	done, err := h.enter()
	if err != nil {
		return true, err
	}
	defer done()
	packs, err := h.packs(c)
	if packs == nil {
		return false, err
	}
	defer packs.Close()
	c.w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
	buf := buffers.Get().(*[bufferBytes]byte)
	defer buffers.Put(buf)
	client := &paced{w: c.w, bounds: h.spools.bounds, began: time.Now()}
	out := newSideband(client, buf[:])
	if _, err = packs.WriteTo(out); err == nil {
		err = out.end()
	}
	if errors.Is(err, gitrepo.ErrDamaged) {
		h.o.Log.Warn("a pack is damaged", "wiki", c.access.Site().Slug, "err", err)
		if _, leave, err := h.o.Pages.Repository(c.Context(), c.access); err == nil {
			leave(true) // it is read as a whole before the next answer
		}
	}
	switch {
	case err == nil:
		return true, nil
	case client.sent == 0:
		return false, nil // nobody has noticed
	}
	panic(http.ErrAbortHandler) // let the client see that it is cut off
}

// tips reports that all that is wanted are refs, main among them.
func tips(wants []string, refs []ref) bool {
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

// maxWhole bounds the objects whose ids are compared, at 20 bytes each.
const maxWhole = 1_000_000

// packs opens a wiki's packs; nil where they cannot be sent as they are.
func (h *Handler) packs(c *call) (*gitrepo.Packs, error) {
	repo, leave, err := h.o.Pages.Repository(c.Context(), c.access)
	if err != nil {
		return nil, err
	}
	defer leave(false)
	packs, err := repo.OpenPacks()
	if err != nil {
		return nil, nil // git says what is wrong
	}
	if packs.Objects() == 0 || packs.Objects() > maxWhole || !h.disjoint.of(c.access.Site().Slug, packs) {
		packs.Close()
		return nil, nil
	}
	return packs, nil
}

// disjoint remembers of wikis whether their packs are, by slug. The zero value is
// ready for use.
type disjoint struct {
	mu    sync.Mutex
	wikis map[string]verdict
}

type verdict struct {
	packs string // their key
	is    bool
}

func (d *disjoint) of(slug string, packs *gitrepo.Packs) bool {
	d.mu.Lock()
	defer d.mu.Unlock() // also while it reads: at once, it needs the most memory here
	known, ok := d.wikis[slug]
	if ok && known.packs == packs.Key() {
		return known.is
	}
	is, err := packs.Disjoint()
	if err != nil {
		return false
	}
	if d.wikis == nil || len(d.wikis) >= maxRefsWikis {
		d.wikis = map[string]verdict{}
	}
	d.wikis[slug] = verdict{packs.Key(), is}
	return is
}

// A sideband makes packets of a pack (gitprotocol-pack(5), side-band-64k), some
// at a time.
type sideband struct {
	out    io.Writer
	buf    []byte
	packet int // where the last one begins
}

const (
	maxPacket  = 65520 // bytes with its length
	bandPack   = 1
	packetHead = 5 // length and band
)

// newSideband begins the part of an answer that is a pack. buf is its buffer, with
// room for some packets.
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

// close ends a packet, and sends all when there is no room for much of another.
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

// end sends the rest.
func (s *sideband) end() error {
	s.seal()
	if err := s.flush(); err != nil {
		return err
	}
	_, err := s.out.Write([]byte("0000"))
	return err
}

// paced writes to a client, and cuts it off when it is too slow.
type paced struct {
	w http.ResponseWriter
	bounds
	began time.Time
	sent  int64
}

func (p *paced) Write(data []byte) (int, error) {
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
