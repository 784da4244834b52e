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
	header := v.w.Header()
	header.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	header.Set("Content-Type", avatar.MIME)
	header.Set("Cache-Control", "public, max-age=31536000, immutable")
	header.Set("Content-Length", strconv.Itoa(len(avatar.Data)))
	v.w.WriteHeader(http.StatusOK)
	_, _ = v.w.Write(avatar.Data)
	return nil
}
