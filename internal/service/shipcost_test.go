package service

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/config"
	"robot.wtf/internal/content"
	"robot.wtf/internal/wiki"
)

// TestShippingCost measures how much longer saves take while a service ships, against
// one beside it that doesn't.
func TestShippingCost(t *testing.T) {
	if os.Getenv("ROBOT_LONG") == "" {
		t.Skip("a measurement: set ROBOT_LONG=1")
	}
	var wikis [2]*content.Wiki
	for i := range wikis {
		cfg, err := config.Dev("127.0.0.1:0", t.TempDir(), 0)
		if err != nil {
			t.Fatal(err)
		}
		cfg.NoSemanticSearch, cfg.Watch.Ship, cfg.Watch.Backup = true, i == 1, filepath.Join(t.TempDir(), "backups")
		s, err := Open(t.Context(), Options{Config: cfg, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if err := s.Content.Create(t.Context(), "ada"); err != nil {
			t.Fatal(err)
		}
		w, release, err := s.Content.Open(t.Context(), "ada")
		if err != nil {
			t.Fatal(err)
		}
		defer release()
		wikis[i] = w
	}
	var took [2][]time.Duration
	for n := range 1600 {
		i := n % 2
		time.Sleep(15 * time.Millisecond) // 33 saves a second for each wiki
		start := time.Now()
		_, err := wikis[i].Commit(context.Background(), content.Request{
			Author: wiki.Caller{User: wiki.User{DID: "did:plc:ada", Username: "ada"}}, Limits: wiki.DefaultLimits,
			Edits: []content.Edit{{Path: fmt.Sprintf("Page%d.md", n/2%100), Data: []byte(strings.Repeat(fmt.Sprint("text ", n/2), 200)), Base: content.BaseAny}},
		})
		if err != nil {
			t.Fatal(err)
		}
		took[i] = append(took[i], time.Since(start))
	}
	var median [2]time.Duration
	for i := range took {
		slices.Sort(took[i])
		median[i] = took[i][len(took[i])/2]
	}
	t.Logf("measured: p50 of a save %s without shipping, %s with it: %+.1f %%", median[0], median[1], 100*(float64(median[1])/float64(median[0])-1))
}
