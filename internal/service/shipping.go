package service

import (
	"context"
	"fmt"
	"time"

	"robot.wtf/internal/shipping"
	"robot.wtf/internal/watch"
)

// platformWrote returns the function that the platform's database calls after each
// write; nil if nothing is shipped.
func (s *Service) platformWrote() func() {
	if !s.o.Config.Watch.Ship {
		return nil
	}
	return func() { s.wrote(shipping.PlatformName) }
}

// wikiWrote is like platformWrote for the databases of wikis.
func (s *Service) wikiWrote() func(slug string) {
	if !s.o.Config.Watch.Ship {
		return nil
	}
	return func(slug string) { s.wrote(shipping.WikiName(slug)) }
}

// wrote marks a database to be shipped. The shipper finds earlier
// writes when it starts.
func (s *Service) wrote(name string) {
	if shipper := s.shipper.Load(); shipper != nil {
		shipper.Wrote(name)
	}
}

// startShipping starts to ship commits to the backup directory, if that is configured.
func (s *Service) startShipping() {
	cfg := s.o.Config.Watch
	if !cfg.Ship {
		return
	}
	s.shipper.Store(shipping.Start(shipping.Options{
		Data: s.o.Config.Data, Target: shipping.LogIn(cfg.Backup), Recipients: cfg.Recipients,
		Hold: s.holdDatabase, MaxHeld: max(1, s.openWikis/2),
		Background: s.background, Now: s.o.Now, Log: s.o.Log,
	}))
}

// holdDatabase implements shipping.Options.Hold.
func (s *Service) holdDatabase(ctx context.Context, name string) (shipping.Database, func(), error) {
	slug := shipping.Slug(name)
	if slug == "" {
		return s.Store, func() {}, nil
	}
	return s.Content.Open(ctx, slug)
}

// maxUnshipped is how old a save can be that isn't shipped.
const maxUnshipped = time.Minute

// checkShipping reports that the directory to ship to can't be written, or that
// something can't be read.
func (s *Service) checkShipping(context.Context) []watch.Condition {
	shipper := s.shipper.Load()
	if shipper == nil {
		return nil
	}
	stats := shipper.Stats()
	if stats.Behind.IsZero() || s.o.Now().Sub(stats.Behind) < maxUnshipped {
		return nil
	}
	cause := "."
	if stats.Err != nil {
		cause = fmt.Sprintf(": %v.", stats.Err)
	}
	return []watch.Condition{{Key: "shipping", Text: fmt.Sprintf(
		"Saves made since %s aren't shipped to %s yet%s The service works, but losing this machine now would lose them.", stats.Behind.UTC().Format(time.RFC3339), s.o.Config.Watch.Backup, cause)}}
}

// measureShipping registers how far shipping is.
func (s *Service) measureShipping() {
	shipper := s.shipper.Load()
	if shipper == nil {
		return
	}
	s.Metrics.Gauge("robot_shipped_timestamp_seconds", "Time of the last shipped object.", func() (float64, bool) {
		last := shipper.Stats().Last
		return float64(last.UnixMilli()) / 1000, !last.IsZero()
	})
	s.Metrics.Gauge("robot_shipping_lag_seconds", "Age of the oldest save that isn't shipped.", func() (float64, bool) {
		if since := shipper.Stats().Behind; !since.IsZero() {
			return s.o.Now().Sub(since).Seconds(), true
		}
		return 0, true
	})
	s.Metrics.Counter("robot_shipped_bytes_total", "Bytes shipped to the backup directory.", func() uint64 { return shipper.Stats().Bytes })
	s.Metrics.Counter("robot_shipped_bases_total", "Databases that were shipped as a whole.", func() uint64 { return shipper.Stats().Bases })
	s.Metrics.Counter("robot_shipping_failures_total", "Failed attempts to ship.", func() uint64 { return shipper.Stats().Failures })
}
