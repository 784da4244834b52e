package service

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"robot.wtf/internal/config"
)

// While the target is away, saves go on and an alarm says since when. Stopping the
// service ships the rest.
func TestShippingAlarm(t *testing.T) {
	t.Parallel()
	dir, backups := t.TempDir(), filepath.Join(t.TempDir(), "backups")
	cfg, err := config.Dev("127.0.0.1:0", dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	cfg.NoSemanticSearch, cfg.Watch.Ship, cfg.Watch.Backup = true, true, backups
	var now atomic.Int64 // in minutes after start
	start := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { return start.Add(time.Duration(now.Load()) * time.Minute) }
	if err := os.WriteFile(backups, nil, 0o600); err != nil { // no directory
		t.Fatal(err)
	}
	s, err := Open(t.Context(), Options{Config: cfg, Now: clock, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Content.Create(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
	if err := s.shipper.Load().Ship(t.Context()); err == nil {
		t.Fatal("it shipped to a file")
	}
	if found := s.checkShipping(t.Context()); len(found) != 0 {
		t.Errorf("at once: %v", found)
	}
	now.Store(2)
	found := s.checkShipping(t.Context())
	if len(found) != 1 || found[0].Key != "shipping" || !strings.Contains(found[0].Text, start.Format(time.RFC3339)) || !strings.Contains(found[0].Text, backups+"/log: not a directory") {
		t.Errorf("after two minutes: %v", found)
	}
	if err := os.Remove(backups); err != nil {
		t.Fatal(err)
	}
	if err := s.shipper.Load().Ship(context.Background()); err != nil {
		t.Fatal(err)
	}
	if found := s.checkShipping(t.Context()); len(found) != 0 {
		t.Errorf("after it caught up: %v", found)
	}
	if err := s.Content.Create(t.Context(), "bob"); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if stats := s.shipper.Load().Stats(); !stats.Behind.IsZero() {
		t.Errorf("the service stopped without shipping everything: %+v", stats)
	}
}
