package main

import (
	"log/slog"
	"net/http"

	"robot.wtf/internal/config"
	"robot.wtf/internal/content"
	"robot.wtf/internal/githttp"
	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/pages"
)

// openExports keeps a git repository beside each wiki; nil where there is no
// git: all else works without.
func openExports(pool *content.Pool, wikis string, log *slog.Logger) *pages.Exporter {
	git, err := gitrepo.Find()
	if err != nil {
		log.Warn("nothing can be cloned or imported", "err", err)
		return nil
	}
	return pages.NewExporter(pages.ExportOptions{Content: pool, Git: git, Dir: wikis, Log: log})
}

// clones is the door of git.
func (s *service) clones(cfg config.Config, origins config.Origins) func(http.ResponseWriter, *http.Request, string) {
	return githttp.New(githttp.Options{
		Pages: s.pages, Tenant: s.tenant, Session: s.session, WikiOrigin: origins.Wiki, Limits: s.limits, Spool: cfg.Data, Log: s.log,
	}).ServeWiki
}
