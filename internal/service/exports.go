package service

import (
	"log/slog"

	"robot.wtf/internal/background"
	"robot.wtf/internal/content"
	"robot.wtf/internal/export"
	"robot.wtf/internal/gitrepo"
)

// openExports returns the exporter that keeps a git repository beside each wiki, or
// nil if git isn't installed.
func openExports(pool *content.Pool, wikis string, workers *background.Workers, log *slog.Logger) *export.Mirror {
	git, err := gitrepo.Find()
	if err != nil {
		log.Warn("git not found: clone and import are disabled", "err", err)
		return nil
	}
	return export.New(export.Options{Content: pool, Git: git, Dir: wikis, Background: workers, Log: log})
}

// measureExports registers the metrics of exports.
func (s *Service) measureExports() {
	if s.Exports == nil {
		return
	}
	s.Metrics.Gauge("robot_export_lag_seconds", "Age of the oldest save that isn't in its wiki's git repository yet.", func() (float64, bool) {
		return s.Exports.Lag().Seconds(), true
	})
	count := func(name, help string, read func(export.Stats) uint64) {
		s.Metrics.Counter(name, help, func() uint64 { return read(s.Exports.Stats()) })
	}
	count("robot_export_commits_total", "Commits exported to git repositories.", func(e export.Stats) uint64 { return e.Commits })
	count("robot_export_rebuilds_total", "Git repositories rebuilt, because they were damaged or an import replaced the history.", func(e export.Stats) uint64 { return e.Rebuilds })
	count("robot_export_mismatches_total", "Exports whose head differed from the stored head. Should be 0.", func(e export.Stats) uint64 { return e.Mismatches })
	count("robot_export_repacks_total", "Repacks.", func(e export.Stats) uint64 { return e.Repacks })
	count("robot_export_failures_total", "Exports and repacks that failed.", func(e export.Stats) uint64 { return e.Failures })
}
