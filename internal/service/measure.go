package service

import (
	"context"
	"sync"
	"time"

	"robot.wtf/internal/backup"
	"robot.wtf/internal/outbound"
	"robot.wtf/internal/sqlite"
	"robot.wtf/internal/store"
	"robot.wtf/internal/watch"
)

// measure registers the metrics that are read at each scrape.
func (s *Service) measure() {
	s.Metrics.Build(s.o.Version, s.o.Revision)
	s.measureDisk()
	s.measureSizes()
	s.measureSearch()
	s.measureShipping()
	for _, kind := range sqlite.Failures() {
		s.Metrics.Counter("robot_database_errors_total", "Failures of storage that requests or background work met, by kind.", func() uint64 { return sqlite.Failed(kind) }, "kind", kind)
	}
	for _, kind := range outbound.Failures() {
		s.Metrics.Counter("robot_outgoing_failures_total", "Requests to other servers that failed, by kind.", func() uint64 { return outbound.Failed(kind) }, "kind", kind)
	}
}

func (s *Service) measureDisk() {
	data := s.o.Config.Data
	s.Metrics.Gauge("robot_disk_used_ratio", "Used part of the data directory's disk, by bytes or by files, whichever is more.", func() (float64, bool) {
		used, _, err := watch.DiskUsage(data)
		return used, err == nil
	})
	s.Metrics.Gauge("robot_disk_free_bytes", "Free bytes on the data directory's disk.", func() (float64, bool) {
		_, free, err := watch.DiskUsage(data)
		return float64(free), err == nil
	})
}

// countsFor is how long counts of the platform's rows are kept between scrapes.
const countsFor = 30 * time.Second

// measureSizes registers how much there is of what the platform keeps.
func (s *Service) measureSizes() {
	counts := newKept(countsFor, s.Store.Counts)
	row := func(name, help string, read func(store.Counts) int) {
		s.Metrics.Gauge(name, help, func() (float64, bool) {
			c, err := counts.get()
			return float64(read(c)), err == nil
		})
	}
	row("robot_wikis", "Wikis, suspended ones included.", func(c store.Counts) int { return c.Wikis })
	row("robot_users", "People with an account.", func(c store.Counts) int { return c.Users })
	row("robot_members", "Memberships in wikis, besides their owners.", func(c store.Counts) int { return c.Members })
	row("robot_sessions", "Browser sessions that haven't expired.", func(c store.Counts) int { return c.Sessions })
	s.Metrics.Gauge("robot_open_wikis", "Wikis whose database is open.", func() (float64, bool) { return float64(s.Content.OpenWikis()), true })
	s.Metrics.Gauge("robot_damaged_wikis", "Wikis whose files are missing or can't all be read.", func() (float64, bool) {
		return float64(len(s.Content.Damaged())), true
	})
}

func (s *Service) measureSearch() {
	s.Metrics.Gauge("robot_index_lag_seconds", "Age of the oldest save that isn't in its search index yet.", s.indexer.lag.seconds)
	s.Metrics.Gauge("robot_unembedded_sections", "Sections of pages that aren't embedded yet.", func() (float64, bool) {
		_, sections := s.Search.Backlog()
		return float64(sections), true
	})
	s.Metrics.Gauge("robot_unembedded_wikis", "Wikis that have such sections.", func() (float64, bool) {
		wikis, _ := s.Search.Backlog()
		return float64(wikis), true
	})
	s.Metrics.Counter("robot_embedded_sections_total", "Sections of pages that were embedded.", s.Search.Embedded)
}

// measureBackups registers when the last backups in a directory were finished.
func (s *Service) measureBackups(dir string) {
	when := func(timeOf func(backup.Status) time.Time) func() (float64, bool) {
		return func() (float64, bool) {
			status, err := backup.ReadStatus(dir)
			at := timeOf(status)
			return float64(at.UnixMilli()) / 1000, err == nil && !at.IsZero()
		}
	}
	s.Metrics.Gauge("robot_backup_timestamp_seconds", "Time of the last finished backup.", when(func(s backup.Status) time.Time { return s.Newest }))
	s.Metrics.Gauge("robot_verified_backup_timestamp_seconds", "Time of the last backup that was verified.", when(func(s backup.Status) time.Time { return s.Verified.Taken }))
}

// A kept value is read again when it is older than a time. The same scrape asks for it
// several times.
type kept[T any] struct {
	mu    sync.Mutex
	read  func(context.Context) (T, error)
	last  time.Time
	stays time.Duration
	value T
	err   error
}

func newKept[T any](stays time.Duration, read func(context.Context) (T, error)) *kept[T] {
	return &kept[T]{read: read, stays: stays}
}

func (k *kept[T]) get() (T, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.last.IsZero() || time.Since(k.last) > k.stays {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		k.value, k.err = k.read(ctx)
		k.last = time.Now()
	}
	return k.value, k.err
}
