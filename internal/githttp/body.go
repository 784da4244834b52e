package githttp

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"robot.wtf/internal/wiki"
)

// maxBody bounds a decoded request: about 80,000 ids that the client wants or has.
// Clients send fewer at a time.
const maxBody = 4 << 20

// smallBody is the largest request kept in memory; larger ones go to a file.
const smallBody = 64 << 10

// A body is a complete, decoded request body.
type body struct {
	text []byte
	file *os.File // unnamed; used instead of text for large bodies
}

func (b *body) reader() io.Reader {
	if b.file != nil {
		return b.file
	}
	return bytes.NewReader(b.text)
}

func (b *body) close() {
	if b.file != nil {
		b.file.Close()
	}
}

// readBody reads the whole request before a process starts. Both the compressed
// and the decoded body are limited to maxBody, and it must arrive in time.
func (h *Handler) readBody(c *call) (*body, error) {
	if err := http.NewResponseController(c.w).SetReadDeadline(time.Now().Add(h.spools.body)); err != nil {
		return nil, err
	}
	var in io.Reader = http.MaxBytesReader(c.w, c.Body, maxBody)
	switch coding := c.Header.Get("Content-Encoding"); coding {
	case "", "identity":
	case "gzip", "x-gzip":
		unzipped, err := gzip.NewReader(in)
		if err != nil {
			return nil, badBody(err)
		}
		unzipped.Multistream(false) // git sends one member
		in = unzipped
	default:
		return nil, errMedia
	}
	in = io.LimitReader(in, maxBody+1)
	b := new(body)
	var err error
	if b.text, err = io.ReadAll(io.LimitReader(in, smallBody)); err != nil {
		return nil, badBody(err)
	}
	if len(b.text) < smallBody {
		return b, nil
	}
	if b.file, err = os.CreateTemp(h.o.Spool, ".want-"); err != nil {
		return nil, err
	}
	os.Remove(b.file.Name())
	n, err := io.Copy(b.file, io.MultiReader(bytes.NewReader(b.text), in))
	if err == nil && n > maxBody {
		err = errBodyLimit
	}
	if err != nil {
		b.close()
		return nil, badBody(err)
	}
	if _, err := b.file.Seek(0, io.SeekStart); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

var errBodyLimit = errors.New("githttp: body too large")

func badBody(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.Is(err, errBodyLimit) || errors.As(err, &tooLarge) {
		return wiki.Problemf(wiki.ErrTooLarge, "", "This request is too large: at most %d MB.", maxBody>>20)
	}
	return wiki.Problemf(wiki.ErrMalformed, "", "The request is incomplete, or isn't encoded as its Content-Encoding says.")
}
