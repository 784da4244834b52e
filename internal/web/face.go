package web

import (
	"net/http"
	"strconv"
)

// serveFace answers with a person's picture. Its name is made of its bytes, and
// it is on every host, so that pages need none but their own.
func (h *Handler) serveFace(v *visit) error {
	face, err := h.o.Tenant.Face(v.ctx(), v.param("id"))
	if err != nil {
		return err
	}
	header := v.w.Header()
	header.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	header.Set("Content-Type", face.MIME)
	header.Set("Cache-Control", "public, max-age=31536000, immutable")
	header.Set("Content-Length", strconv.Itoa(len(face.Data)))
	v.w.WriteHeader(http.StatusOK)
	_, _ = v.w.Write(face.Data)
	return nil
}
