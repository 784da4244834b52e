package web

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

// exportPage offers the wiki in each format.
type exportPage struct {
	Frame
	Stats pages.Stats
	Sizes map[pages.ExportFormat]pages.ExportSize
}

func (h *Handler) showExport(v *visit) error {
	stats, err := h.o.Pages.Stats(v.ctx(), v.a)
	if err != nil {
		return err
	}
	sizes, err := h.o.Pages.ExportSizes(v.ctx(), v.a)
	if err != nil {
		return err
	}
	p := &exportPage{Frame: h.frame(v, "Export"), Stats: stats, Sizes: sizes}
	p.NoIndex, p.Pages = true, stats.Pages
	return h.render(v, http.StatusOK, "export", p)
}

// Size returns the size of a download for people, "" if it isn't known.
func (p *exportPage) Size(format pages.ExportFormat) string {
	switch size := p.Sizes[format]; {
	case size.Bytes == 0 && format == pages.ExportMarkdown:
		return humanBytes(p.Stats.CurrentBytes) + " unpacked"
	case size.Bytes == 0:
		return ""
	case size.About:
		return "about " + humanBytes(size.Bytes)
	default:
		return humanBytes(size.Bytes)
	}
}

// downloadExport sends the wiki in one format while it is being made. An error aborts
// the response, so that a truncated file isn't mistaken for a complete one.
func (h *Handler) downloadExport(v *visit) error {
	format, err := pages.ParseExportFormat(v.param("format"))
	if err != nil {
		return err
	}
	if v.r.Method == http.MethodHead {
		h.setExportHeaders(v, format)
		return nil
	}
	e, err := h.o.Pages.StartExport(v.ctx(), v.a, pages.ExportRequest{
		Format: format, Origin: h.home(v), Byline: h.byline,
		Assets: func() (pages.SiteAssets, error) { return WikiAssets(v.ctx(), h.o.Tenant, v.a) },
	})
	if err != nil {
		return err
	}
	defer e.Close()
	buf := make([]byte, 128<<10)
	n, err := e.Read(buf)
	if n == 0 && err != nil {
		return err
	}
	h.setExportHeaders(v, format)
	out := &pacedWriter{ResponseWriter: v.w, control: http.NewResponseController(v.w), left: downloadStart}
	for err == nil || n > 0 {
		if _, gone := out.Write(buf[:n]); gone != nil {
			panic(http.ErrAbortHandler)
		}
		n, err = e.Read(buf)
	}
	if !errors.Is(err, io.EOF) {
		if v.ctx().Err() == nil {
			h.o.Log.ErrorContext(v.ctx(), "export failed", "wiki", v.slug, "format", format, "err", err)
		}
		panic(http.ErrAbortHandler)
	}
	return nil
}

func (h *Handler) setExportHeaders(v *visit, format pages.ExportFormat) {
	header := v.w.Header()
	h.headers.setFor(header, v)
	header.Set("Content-Type", format.MIME())
	header.Set("Content-Disposition", fmt.Sprintf(`attachment; filename=%q`, format.FileName(v.slug)))
	header.Set("Cache-Control", "no-store")
	header["Vary"] = varyValue
}

const (
	// downloadStall is how long a client may read nothing.
	downloadStall = time.Minute
	// A client must read slowestDownload on average after downloadStart: the rest of
	// the file takes disk space.
	slowestDownload = 32 << 10 // bytes a second
	downloadStart   = time.Minute
)

// A pacedWriter sends an answer of any size to a client that never stalls for
// downloadStall and isn't slower than slowestDownload. The time in which there is
// nothing to send doesn't count.
type pacedWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	left    time.Duration // that the client can take at this point
}

func (p *pacedWriter) Write(data []byte) (int, error) {
	began := time.Now()
	_ = p.control.SetWriteDeadline(began.Add(min(p.left, downloadStall))) // not supported by every server
	n, err := p.ResponseWriter.Write(data)
	if err == nil {
		err = p.control.Flush()
	}
	if errors.Is(err, http.ErrNotSupported) {
		err = nil
	}
	p.left += time.Duration(n)*time.Second/slowestDownload - time.Since(began)
	if err == nil && p.left <= 0 {
		err = fmt.Errorf("web: send export: %w", wiki.ErrTooMany)
	}
	return n, err
}
