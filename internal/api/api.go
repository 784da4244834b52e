// Package api is the REST door of a wiki: /api/v1.
package api

import (
	"log/slog"
	"net/http"
	"time"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/session"
	"robot.wtf/internal/tenant"
)

// Options of a Handler.
type Options struct {
	Pages      *pages.Service
	Tenant     *tenant.Service
	Session    *session.Service
	WikiOrigin func(slug string) string
	Now        func() time.Time
	Log        *slog.Logger
}

// A Handler serves the API.
type Handler struct{}

// New makes a Handler.
func New(o Options) *Handler { panic("contract") }

// ServeWiki answers /api/… on the host of the wiki of a slug, which may not exist.
func (h *Handler) ServeWiki(w http.ResponseWriter, r *http.Request, slug string) { panic("contract") }
