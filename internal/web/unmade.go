package web

import (
	"fmt"

	"robot.wtf/internal/wiki"
)

func unmade(v *visit) error { return fmt.Errorf("web: %s: %w", v.r.URL.Path, wiki.ErrNotFound) }

func (h *Handler) showRename(v *visit) error { return unmade(v) }
func (h *Handler) renamePage(v *visit) error { return unmade(v) }
func (h *Handler) showDelete(v *visit) error { return unmade(v) }
func (h *Handler) deletePage(v *visit) error { return unmade(v) }
func (h *Handler) showCreate(v *visit) error { return unmade(v) }
func (h *Handler) createPage(v *visit) error { return unmade(v) }
func (h *Handler) showRevert(v *visit) error { return unmade(v) }
func (h *Handler) revert(v *visit) error     { return unmade(v) }
