package web

func (h *Handler) showAttachments(v *visit) error       { return unmade(v) }
func (h *Handler) showAllAttachments(v *visit) error    { return unmade(v) }
func (h *Handler) attach(v *visit) error                { return unmade(v) }
func (h *Handler) attachInline(v *visit) error          { return unmade(v) }
func (h *Handler) redirectToAttachments(v *visit) error { return unmade(v) }
func (h *Handler) showAttachment(v *visit) error        { return unmade(v) }
func (h *Handler) changeAttachment(v *visit) error      { return unmade(v) }
func (h *Handler) upload(v *visit) error                { return unmade(v) }

// serveAttachment answers /{page}/a/{file}[/{revision}].
func (h *Handler) serveAttachment(v *visit) error { return unmade(v) }

// serveThumbnail answers /{page}/t/{file}[/{size}].
func (h *Handler) serveThumbnail(v *visit) error { return unmade(v) }

// serveFile answers a path that is a file's, with ?revision= and the
// parameters of thumbnails. showPage calls it.
func (h *Handler) serveFile(v *visit, path string) error { return unmade(v) }
