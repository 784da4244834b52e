package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"robot.wtf/internal/background"
	"robot.wtf/internal/backup"
	"robot.wtf/internal/config"
	"robot.wtf/internal/content"
	"robot.wtf/internal/outbound"
	"robot.wtf/internal/watch"
	"robot.wtf/internal/wiki"
)

// measureCommit records a commit in the metrics.
func (s *Service) measureCommit(m content.Measure) {
	s.Metrics.Saved(m.Outcome)
	for stage, took := range map[string]time.Duration{"prepare": m.Prepare, "wait": m.Wait, "stage": m.Stage, "sync": m.Sync} {
		if took > 0 {
			s.Metrics.Stage(stage, took)
		}
	}
}

// Watch starts to check the machine and the service, and to alert the operator.
func (s *Service) Watch() error {
	cfg := s.o.Config
	alerts, err := newNotifiers(cfg, s.background)
	if err != nil {
		return err
	}
	s.measure()
	if dir := cfg.Watch.Backup; dir != "" {
		s.measureBackups(dir)
	}
	s.watcher = watch.Start(watch.Options{Checks: s.checks(), Notifiers: alerts, File: filepath.Join(cfg.Data, "alarms.json"), Background: s.background, Log: s.o.Log})
	return nil
}

// checks returns everything that can raise an alarm.
func (s *Service) checks() []watch.Check {
	cfg := s.o.Config
	checks := []watch.Check{
		watch.DiskCheck("disk", "the data", cfg.Data, watch.DiskUsage), s.checkDatabase, s.checkWikis, s.checkReports, s.checkExports, s.checkPanics, s.checkProblems,
		s.checkLag, s.checkShipping, checkDescriptors, (&errorRate{answered: s.Metrics.Answered}).check,
	}
	if cfg.Watch.Certificate {
		checks = append(checks, (&certificateCheck{
			addresses: []string{s.o.Origins.Platform(), s.o.Origins.Wiki(wiki.HelpSlug)}, client: outbound.New(outboundOptions(cfg, s.background)),
			background: s.background, now: s.o.Now,
		}).check)
	}
	if cfg.Watch.Offsite != "" {
		checks = append(checks, checkOffsite(cfg.Watch.Offsite, s.o.Now))
	}
	if dir := cfg.Watch.Backup; dir != "" {
		checks = append(checks, checkBackup(dir, cfg.Watch.BackupEvery), watch.DiskCheck("backup-disk", "the backups", dir, backupDisk))
	}
	return checks
}

// backupDisk ignores a directory that doesn't exist yet: checkBackup reports that.
func backupDisk(dir string) (used float64, free uint64, err error) {
	used, free, err = watch.DiskUsage(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, 0, nil
	}
	return used, free, err
}

// Notify sends a text to the operator in all configured ways, without a service. It
// fails if there are none.
func Notify(ctx context.Context, cfg config.Config, text string) error {
	all, err := newNotifiers(cfg, nil)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return errors.New("nobody can be notified: set --alert-mail or --alert-webhook")
	}
	var failed []error
	for _, notifier := range all {
		failed = append(failed, notifier.Notify(ctx, watch.Notice{Key: "service", State: "news", Text: text, Time: time.Now().UTC()}))
	}
	return errors.Join(failed...)
}

// newNotifiers returns the configured ways to reach the operator.
func newNotifiers(cfg config.Config, workers *background.Workers) ([]watch.Notifier, error) {
	var all []watch.Notifier
	if m := cfg.Watch.Mail; m != nil {
		all = append(all, watch.Mail{Server: m.Server, From: m.From, To: m.To, User: m.User, Password: m.Password, Service: cfg.Host})
	}
	if cfg.Watch.Webhook != "" {
		hook, err := watch.NewWebhook(cfg.Watch.Webhook, cfg.Host, outbound.New(outboundOptions(cfg, workers)))
		if err != nil {
			return nil, fmt.Errorf("alert webhook: %w", err)
		}
		all = append(all, hook)
	}
	return all, nil
}

func (s *Service) checkDatabase(ctx context.Context) []watch.Condition {
	if err := s.Store.Check(ctx); err != nil && ctx.Err() == nil {
		return []watch.Condition{{Key: "database", Text: fmt.Sprintf("The platform's database can't be written, so nobody can sign in or save: %v.", err)}}
	}
	return nil
}

// maxNamedWikis is how many damaged wikis get an alarm of their own.
const maxNamedWikis = 20

// checkWikis reports wikis that are damaged or missing.
func (s *Service) checkWikis(ctx context.Context) []watch.Condition {
	sites, err := s.Store.AllSites(ctx)
	if err != nil {
		return nil // checkDatabase reports a failing database
	}
	for _, site := range sites {
		if site.PurgeAt.IsZero() && !s.Content.Exists(site.Slug) {
			_ = s.Content.NoteMissing(site.Slug)
		}
	}
	damaged := s.Content.Damaged()
	var found []watch.Condition
	for i, d := range damaged {
		if i == maxNamedWikis {
			found = append(found, watch.Condition{Key: "wikis", Text: fmt.Sprintf("%d wikis are damaged or missing: run robot admin wikis.", len(damaged))})
			break
		}
		text := fmt.Sprintf("The database of %s is missing. The wiki answers 503 until it is restored: robot restore --wiki %s.", d.Slug, d.Slug)
		if !d.Missing {
			text = fmt.Sprintf("The database of %s is damaged (%v). Some or all of its pages answer 503 until it is restored: robot restore --wiki %s --replace.", d.Slug, d.Err, d.Slug)
		}
		found = append(found, watch.Condition{Key: "wiki-" + d.Slug, Text: text})
	}
	return found
}

// checkExports reports export mismatches until the service is restarted, because
// somebody has to find out why.
func (s *Service) checkExports(context.Context) []watch.Condition {
	if s.Exports == nil {
		return nil
	}
	return exportsCondition(s.Exports.Stats().Mismatches)
}

func exportsCondition(mismatches uint64) []watch.Condition {
	if mismatches == 0 {
		return nil
	}
	return []watch.Condition{{Key: "export", Text: fmt.Sprintf(
		"%d exports since the start didn't match the head of their wiki. They weren't served; the log names the wikis.", mismatches)}}
}

// checkReports reports open reports.
func (s *Service) checkReports(ctx context.Context) []watch.Condition {
	n, err := s.Store.OpenReports(ctx)
	if err != nil || n == 0 {
		return nil // checkDatabase reports a failing database
	}
	return []watch.Condition{{Key: "reports", Text: fmt.Sprintf("%d reports from readers are open: run robot admin reports.", n)}}
}

// notifyReport notifies the operator of a report, at most every ten minutes. All
// reports are in the queue.
func (s *Service) notifyReport(slug, reason string) {
	now := time.Now().Unix()
	last := s.lastReport.Load()
	if now-last >= 600 && s.lastReport.CompareAndSwap(last, now) {
		s.watcher.Announce("report", fmt.Sprintf("A page of %s was reported (%s): run robot admin reports.", slug, reason))
	}
}

// verifyEvery is how often backups are verified.
const verifyEvery = 24 * time.Hour

func checkBackup(dir string, every time.Duration) watch.Check {
	return func(context.Context) []watch.Condition {
		status, err := backup.ReadStatus(dir)
		problems := status.Problems(time.Now(), backup.Schedule{Every: every, VerifyEvery: verifyEvery})
		if err != nil {
			problems = []string{err.Error()}
		}
		if len(problems) == 0 {
			return nil
		}
		return []watch.Condition{{Key: "backup", Text: strings.Join(problems, " ")}}
	}
}
