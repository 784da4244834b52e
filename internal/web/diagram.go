package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
)

//go:generate go run ./bundle diagram

// diagramGzip is the document that draws a diagram in a frame; see diagram/main.go.
//
//go:embed diagram/diagram.html.gz
var diagramGzip []byte

// diagramURL returns the address, on each host, of the document that draws a diagram.
// It contains a hash of the content.
var diagramURL = sync.OnceValue(func() string {
	sum := sha256.Sum256(diagramGzip)
	return "/-/diagram/" + hex.EncodeToString(sum[:6])
})

// diagramPolicy is the policy of that document. It may run its own script, named by its
// hash, and may connect to nothing. The sandbox takes its origin away, also outside of
// our frames.
var diagramPolicy = sync.OnceValues(func() ([]string, error) {
	document, err := readDiagram()
	if err != nil {
		return nil, err
	}
	_, rest, _ := bytes.Cut(document, []byte("<script>"))
	script := rest[:max(bytes.LastIndex(rest, []byte("</script>")), 0)]
	sum := sha256.Sum256(script)
	return []string{"default-src 'none'; script-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox allow-scripts"}, nil
})

func readDiagram() ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(diagramGzip))
	if err != nil {
		return nil, fmt.Errorf("web: read the diagram document: %w", err)
	}
	document, err := io.ReadAll(z)
	if err != nil {
		return nil, fmt.Errorf("web: read the diagram document: %w", err)
	}
	return document, nil
}

// allowDiagrams lets a page have frames with diagrams, and nothing else: a script that
// ran in such a frame couldn't send the frame to another address.
func (h *Handler) allowDiagrams(v *visit) {
	policy := h.headers.wikiPolicy[0] + "; frame-src " + h.o.Session.Origin(v.r, v.slug) + diagramURL()
	v.policy = []string{policy}
}

// serveDiagram serves the document that draws diagrams. It is stored compressed, and only
// the few clients without gzip make it be unpacked.
func (h *Handler) serveDiagram(v *visit) error {
	if v.r.URL.Path != diagramURL() {
		return h.noSuchAddress(v)
	}
	policy, err := diagramPolicy()
	if err != nil {
		return err
	}
	body, header := diagramGzip, v.w.Header()
	if acceptsGzip(v.r) {
		header.Set("Content-Encoding", "gzip")
	} else if body, err = readDiagram(); err != nil {
		return err
	}
	header["Content-Security-Policy"] = policy
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Cache-Control", "public, max-age=31536000, immutable")
	header.Set("Vary", "Accept-Encoding")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	v.w.WriteHeader(http.StatusOK)
	_, _ = v.w.Write(body)
	return nil
}
