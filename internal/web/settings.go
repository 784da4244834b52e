package web

func (h *Handler) showSettings(v *visit) error { return unmade(v) }
func (h *Handler) saveSettings(v *visit) error { return unmade(v) }
