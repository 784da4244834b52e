package web

func (h *Handler) redirectHealth(v *visit) error     { return unmade(v) }
func (h *Handler) showIndex(v *visit) error          { return unmade(v) }
func (h *Handler) showAtom(v *visit) error           { return unmade(v) }
func (h *Handler) showRSS(v *visit) error            { return unmade(v) }
func (h *Handler) showSearch(v *visit) error         { return unmade(v) }
func (h *Handler) redirectSearch(v *visit) error     { return unmade(v) }
func (h *Handler) suggest(v *visit) error            { return unmade(v) }
func (h *Handler) showHealth(v *visit) error         { return unmade(v) }
func (h *Handler) showHelp(v *visit) error           { return unmade(v) }
func (h *Handler) redirectAbout(v *visit) error      { return unmade(v) }
func (h *Handler) showRobots(v *visit) error         { return unmade(v) }
func (h *Handler) showSitemap(v *visit) error        { return unmade(v) }
func (h *Handler) showLLMs(v *visit) error           { return unmade(v) }
func (h *Handler) showLLMsFull(v *visit) error       { return unmade(v) }
func (h *Handler) showLanding(v *visit) error        { return unmade(v) }
func (h *Handler) showDashboard(v *visit) error      { return unmade(v) }
func (h *Handler) showSignIn(v *visit) error         { return unmade(v) }
func (h *Handler) signOut(v *visit) error            { return unmade(v) }
func (h *Handler) grantSSO(v *visit) error           { return unmade(v) }
func (h *Handler) showPlatformRobots(v *visit) error { return unmade(v) }
func (h *Handler) signInAs(v *visit) error           { return unmade(v) }
