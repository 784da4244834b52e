package main

import (
	"log/slog"
	"net/http"

	"robot.wtf/internal/config"
	"robot.wtf/internal/content"
	"robot.wtf/internal/export"
	"robot.wtf/internal/githttp"
	"robot.wtf/internal/gitrepo"
)

// openExports starts the git mirror. It returns nil without git: everything else
// works without it.
func openExports(pool *content.Pool, wikis string, log *slog.Logger) *export.Mirror {
	git, err := gitrepo.Find()
	if err != nil {
		log.Warn("git not found: clone and import are disabled", "err", err)
		return nil
	}
	return export.New(export.Options{Content: pool, Git: git, Dir: wikis, Log: log})
}

// measureExports registers the metrics of the git mirror.
func (s *service) measureExports() {
	if s.exports == nil {
		return
	}
	s.metrics.Gauge("robot_export_lag_seconds", "How long the save that waits longest to be in its wiki's git repository has waited.", func() (float64, bool) {
		return s.exports.Lag().Seconds(), true
	})
	count := func(name, help string, read func(export.Stats) uint64) {
		s.metrics.Gauge(name, help, func() (float64, bool) { return float64(read(s.exports.Stats())), true })
	}
	count("robot_export_commits", "Commits exported to git repositories since the start.", func(e export.Stats) uint64 { return e.Commits })
	count("robot_export_rebuilds", "Git repositories made anew since the start: damaged, or of before an import.", func(e export.Stats) uint64 { return e.Rebuilds })
	count("robot_export_mismatches", "Times that what is stored did not give what its ids promise. An alarm.", func(e export.Stats) uint64 { return e.Mismatches })
	count("robot_export_repacks", "Repacks since the start.", func(e export.Stats) uint64 { return e.Repacks })
	count("robot_export_failures", "Exports and repacks that ended in an error since the start.", func(e export.Stats) uint64 { return e.Failures })
}

// clones is the door of git.
func (s *service) clones(cfg config.Config, origins config.Origins) func(http.ResponseWriter, *http.Request, string) {
	return githttp.New(githttp.Options{
		Pages: s.pages, Tenant: s.tenant, Session: s.session, WikiOrigin: origins.Wiki, Limits: s.limits, Spool: cfg.Data, Log: s.log,
	}).ServeWiki
}
