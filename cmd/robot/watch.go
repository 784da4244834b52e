package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"strings"
	"time"

	"robot.wtf/internal/backup"
	"robot.wtf/internal/config"
	"robot.wtf/internal/content"
	"robot.wtf/internal/outbound"
	"robot.wtf/internal/watch"
)

// measured tells the metrics of a commit.
func (s *service) measured(m content.Measure) {
	s.metrics.Saved(m.Outcome)
	for stage, took := range map[string]time.Duration{"prepare": m.Prepare, "wait": m.Wait, "stage": m.Stage, "sync": m.Sync} {
		if took > 0 {
			s.metrics.Stage(stage, took)
		}
	}
}

// startWatching begins to look after the machine, and to tell the operator.
func (s *service) startWatching(cfg config.Config) error {
	tellers, err := tellers(cfg)
	if err != nil {
		return err
	}
	checks := []watch.Check{watch.DiskCheck("disk", "the data", cfg.Data, watch.DiskUsage), s.checkDatabase, s.checkReports, s.checkExports}
	s.metrics.Gauge("robot_disk_used_ratio", "Part of the data directory's disk that is in use, by bytes or files, whichever is more.", func() (float64, bool) {
		used, _, err := watch.DiskUsage(cfg.Data)
		return used, err == nil
	})
	s.metrics.Gauge("robot_disk_free_bytes", "Bytes that are free on the data directory's disk.", func() (float64, bool) {
		_, free, err := watch.DiskUsage(cfg.Data)
		return float64(free), err == nil
	})
	s.metrics.Gauge("robot_index_lag_seconds", "How long the save that waits longest to be in its search index has waited.", s.indexer.lag.seconds)
	s.metrics.Gauge("robot_unembedded_sections", "Sections of pages that wait to be found by meaning.", func() (float64, bool) {
		_, sections := s.search.Waiting()
		return float64(sections), true
	})
	s.metrics.Gauge("robot_unembedded_wikis", "Wikis that have such sections.", func() (float64, bool) {
		wikis, _ := s.search.Waiting()
		return float64(wikis), true
	})
	if dir := cfg.Watch.Backup; dir != "" {
		checks = append(checks, checkBackup(dir), watch.DiskCheck("backup-disk", "the backups", dir, roomOfBackups))
		s.backupAges(dir)
	}
	s.watcher = watch.Start(watch.Options{Checks: checks, Notifiers: tellers, Log: s.log})
	return nil
}

// roomOfBackups is quiet about a directory that no backup has made yet: that
// there is none is told already.
func roomOfBackups(dir string) (used float64, free uint64, err error) {
	used, free, err = watch.DiskUsage(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, 0, nil
	}
	return used, free, err
}

// tellers are those that are configured.
func tellers(cfg config.Config) ([]watch.Notifier, error) {
	var all []watch.Notifier
	if m := cfg.Watch.Mail; m != nil {
		all = append(all, watch.Mail{Server: m.Server, From: m.From, To: m.To, User: m.User, Password: m.Password, Service: cfg.Host})
	}
	if cfg.Watch.Webhook != "" {
		guarded := outbound.New(outbound.Options{Pins: cfg.Test.Pins, CA: cfg.Test.CA, DNS: cfg.Test.DNS})
		hook, err := watch.NewWebhook(cfg.Watch.Webhook, cfg.Host, guarded)
		if err != nil {
			return nil, fmt.Errorf("--alert-webhook: %w", err)
		}
		all = append(all, hook)
	}
	return all, nil
}

func (s *service) checkDatabase(ctx context.Context) []watch.Condition {
	if err := s.store.Check(ctx); err != nil && ctx.Err() == nil {
		return []watch.Condition{{Key: "database", Text: fmt.Sprintf("The platform's database cannot be written, so nobody can sign in or save: %v.", err)}}
	}
	return nil
}

// checkExports lasts from the first export that did not come to its wiki's head
// until the service is started again: somebody has to find out why.
func (s *service) checkExports(context.Context) []watch.Condition {
	if s.exports == nil {
		return nil
	}
	return exportsCondition(s.exports.Stats().Mismatches)
}

func exportsCondition(mismatches uint64) []watch.Condition {
	if mismatches == 0 {
		return nil
	}
	return []watch.Condition{{Key: "export", Text: fmt.Sprintf(
		"%d times since the start a git repository did not come to the head of its wiki. It was not handed out; the log names the wikis.", mismatches)}}
}

// checkReports lasts while there are reports that nobody has closed.
func (s *service) checkReports(ctx context.Context) []watch.Condition {
	n, err := s.store.OpenReports(ctx)
	if err != nil || n == 0 {
		return nil // a database that fails is told already
	}
	return []watch.Condition{{Key: "reports", Text: fmt.Sprintf("%d reports of readers wait: robot admin reports.", n)}}
}

// reported tells the operator of a report, at most every ten minutes; the queue
// has them all.
func (s *service) reported(slug, reason string) {
	now := time.Now().Unix()
	last := s.lastReport.Load()
	if now-last >= 600 && s.lastReport.CompareAndSwap(last, now) {
		s.watcher.Announce("report", fmt.Sprintf("A page of %s was reported (%s): robot admin reports.", slug, reason))
	}
}

func checkBackup(dir string) watch.Check {
	return func(context.Context) []watch.Condition {
		status, err := backup.Look(dir)
		problems := status.Problems(time.Now())
		if err != nil {
			problems = []string{err.Error()}
		}
		if len(problems) == 0 {
			return nil
		}
		return []watch.Condition{{Key: "backup", Text: strings.Join(problems, " ")}}
	}
}

func (s *service) backupAges(dir string) {
	age := func(of func(backup.Status) time.Time) func() (float64, bool) {
		return func() (float64, bool) {
			status, err := backup.Look(dir)
			at := of(status)
			return time.Since(at).Seconds(), err == nil && !at.IsZero()
		}
	}
	s.metrics.Gauge("robot_backup_age_seconds", "Age of the last finished backup.", age(func(s backup.Status) time.Time { return s.Newest }))
	s.metrics.Gauge("robot_verified_backup_age_seconds", "Age of the last backup that was restored and compared.", age(func(s backup.Status) time.Time { return s.Verified.Taken }))
}

// serveMetrics shows the metrics until ctx ends, and says where; at no address,
// nowhere.
func (s *service) serveMetrics(ctx context.Context, cfg config.Watch) error {
	if cfg.Metrics == "" {
		return nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Metrics)
	if err != nil {
		return fmt.Errorf("--metrics: %w", err)
	}
	server := &http.Server{Handler: s.metrics.Handler(cfg.MetricsToken), ReadHeaderTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second}
	go func() { _ = server.Serve(listener) }() // until it is closed
	context.AfterFunc(ctx, func() { _ = server.Close() })
	fmt.Printf("Metrics http://%s/metrics\n", listener.Addr())
	return nil
}
