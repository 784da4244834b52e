package githttp

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"time"

	"github.com/maypok86/otter/v2"
)

// A client that has commits from before an erasure gets a note that says how to
// give them up. It names them while it negotiates, which can be some requests before the answer that
// has room for a note, so clients are remembered for a while. The cache is only a
// courtesy: if it forgets a client, a note is missing.
type erasedClients = otter.Cache[erasedClient, bool]

type erasedClient struct{ slug, address string }

func (c *call) erasedClient() erasedClient {
	host, _, _ := net.SplitHostPort(c.RemoteAddr)
	return erasedClient{c.access.Site().Slug, host}
}

const (
	maxErasedClients = 4096
	erasedMemory     = 2 * time.Minute
)

func newErasedClients() *erasedClients {
	return otter.Must(&otter.Options[erasedClient, bool]{
		MaximumSize: maxErasedClients, ExpiryCalculator: otter.ExpiryWriting[erasedClient, bool](erasedMemory),
	})
}

var haveLine = regexp.MustCompile(`have ([0-9a-f]{40})`)

// maxHaves bounds the ids of one request that are looked up.
const maxHaves = 64

// hasErased reports whether the client has commits that an erasure rewrote.
func (h *Handler) hasErased(c *call, body []byte) bool {
	client := c.erasedClient()
	if _, known := h.erased.GetIfPresent(client); known {
		return true
	}
	var ids []string
	for _, match := range haveLine.FindAllSubmatch(body, maxHaves) {
		ids = append(ids, string(match[1]))
	}
	if len(ids) == 0 {
		return false
	}
	found, err := h.o.Pages.HasErased(c.Context(), c.access, ids)
	if err != nil || !found {
		return false // a note isn't worth an error
	}
	h.erased.Set(client, true)
	return true
}

// erasedNote is shown by git with "remote: " before each line.
const erasedNote = "Something was erased from this wiki's history, so its commits have new ids.\nTo give up your copy of the former ones:\n    git fetch && git reset --hard origin/main\n"

// A noteWriter passes on an answer of git upload-pack and inserts a note before the
// first packet of its sideband (gitprotocol-pack(5), "Packfile Data").
type noteWriter struct {
	io.Writer
	note string
	told func() // is called when the note was written
	head []byte // an incomplete packet
	done bool   // the note was written, or can't be
}

func (w *noteWriter) Write(data []byte) (int, error) {
	if w.done {
		return w.Writer.Write(data)
	}
	w.head = append(w.head, data...)
	for !w.done {
		packet, complete := w.nextPacket()
		if !complete {
			return len(data), nil
		}
		if len(packet) > 4 && (packet[4] == 1 || packet[4] == 2) {
			w.done = true
			if _, err := fmt.Fprintf(w.Writer, "%04x\x02%s", len(w.note)+5, w.note); err != nil {
				return 0, err
			}
			w.told()
			break
		}
		w.head = w.head[len(packet):]
		if _, err := w.Writer.Write(packet); err != nil {
			return 0, err
		}
	}
	_, err := w.Writer.Write(w.head)
	w.head = nil
	return len(data), err
}

// nextPacket returns the next pkt-line (gitprotocol-common(5)). If the answer isn't
// made of them, it gives up on the note.
func (w *noteWriter) nextPacket() (packet []byte, complete bool) {
	if len(w.head) < 4 {
		return nil, false
	}
	size, err := strconv.ParseUint(string(w.head[:4]), 16, 16)
	if err != nil || bytes.HasPrefix(w.head, []byte("PACK")) {
		w.done = true
		return nil, true
	}
	n := max(int(size), 4) // 0000, 0001 and 0002 have no content
	if len(w.head) < n {
		return nil, false
	}
	return w.head[:n], true
}

// flush writes an incomplete packet at the end of the answer.
func (w *noteWriter) flush() error {
	if len(w.head) == 0 {
		return nil
	}
	_, err := w.Writer.Write(w.head)
	return err
}
