package web

import (
	"net/http"
	"strconv"
)

// serveAvatar serves a person's picture. Its id is a hash of its content. Every host
// serves it, so that pages load nothing from other hosts.
func (h *Handler) serveAvatar(v *visit) error {
	avatar, err := h.o.Tenant.Avatar(v.ctx(), v.param("id"))
	if err != nil {
		return err
	}
	writePicture(v, avatar.MIME, "public, max-age=31536000, immutable", avatar.Data)
	return nil
}

// writePicture sends an image that the service made. It can run nothing, even if a browser
// opens it as a page.
func writePicture(v *visit, kind, cache string, data []byte) {
	header := v.w.Header()
	header.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	header.Set("Content-Type", kind)
	header.Set("Cache-Control", cache)
	header.Set("Content-Length", strconv.Itoa(len(data)))
	v.w.WriteHeader(http.StatusOK)
	_, _ = v.w.Write(data)
}
