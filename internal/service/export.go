package service

import (
	"context"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/web"
	"robot.wtf/internal/wiki"
)

// StartExport starts to export a wiki. origin is that of its host, "" if it isn't
// known.
func (s *Service) StartExport(ctx context.Context, a wiki.Access, format pages.ExportFormat, origin string) (*pages.Export, error) {
	return s.Pages.StartExport(ctx, a, pages.ExportRequest{
		Format: format, Origin: origin,
		Assets: func() (pages.SiteAssets, error) { return web.WikiAssets(ctx, s.Tenant, a) },
		Byline: func(author wiki.Author) string { return s.Tenant.Byline(ctx, author) },
	})
}

// WikiOrigin returns the origin of a wiki's host.
func (s *Service) WikiOrigin(slug string) string { return s.o.Origins.Wiki(slug) }
