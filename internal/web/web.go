// Package web is the browser's door: the pages of the platform and of the wikis.
// Reading needs no JavaScript and editing works without it.
package web

import (
	"log/slog"
	"net/http"
	"time"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/session"
	"robot.wtf/internal/tenant"
	"robot.wtf/internal/wiki"
)

// Options of a Handler.
type Options struct {
	Pages    *pages.Service
	Tenant   *tenant.Service
	Session  *session.Service
	Platform string // origin of the platform, "https://robot.wtf", without a final slash
	// WikiOrigin gives the origin of a wiki's host.
	WikiOrigin func(slug string) string
	// People, in development, are offered for signing in; nil otherwise, and
	// then POST /auth/dev does not exist.
	People     []wiki.User
	CacheBytes int64 // bound of the finished pages kept, 64 MiB when 0
	Now        func() time.Time
	Log        *slog.Logger
}

// A Handler serves both kinds of hosts. Its server has already found out which
// host is meant, checked the raw path and set a request id.
type Handler struct{}

// New makes a Handler; it parses all templates.
func New(o Options) (*Handler, error) { panic("contract") }

// ServePlatform answers on the platform's host.
func (h *Handler) ServePlatform(w http.ResponseWriter, r *http.Request) { panic("contract") }

// ServeWiki answers on the host of the wiki of a slug, which may not exist.
func (h *Handler) ServeWiki(w http.ResponseWriter, r *http.Request, slug string) { panic("contract") }
