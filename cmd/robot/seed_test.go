package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/config"
	"robot.wtf/internal/pages"
	"robot.wtf/internal/service"
	"robot.wtf/internal/wiki"
)

// seedTest opens a service in a directory and seeds it.
func seedTest(t *testing.T, dir string) *service.Service {
	t.Helper()
	s := openTest(t, dir)
	if err := seed(t.Context(), s.Service, s.clock, seedWikis()); err != nil {
		t.Fatal(err)
	}
	return s.Service
}

type testService struct {
	*service.Service
	clock *clock
}

func openTest(t *testing.T, dir string) testService {
	t.Helper()
	cfg, err := config.Dev("127.0.0.1:0", dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	origins, err := cfg.Origins(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080})
	if err != nil {
		t.Fatal(err)
	}
	cfg.NoSemanticSearch = true
	if err := copyKeys(dir); err != nil {
		t.Fatal(err)
	}
	clock := &clock{}
	s, err := service.Open(t.Context(), service.Options{Config: cfg, Origins: origins, Now: clock.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return testService{s, clock}
}

func access(t *testing.T, s *service.Service, slug string, as wiki.User) wiki.Access {
	t.Helper()
	a, err := s.Tenant.Resolve(t.Context(), slug, wiki.Caller{User: as})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestSeeds(t *testing.T) {
	t.Parallel()
	s := seedTest(t, t.TempDir())
	ctx, ada := t.Context(), people()[0]
	a := access(t, s, "ada", ada)
	log, err := s.Pages.Changelog(ctx, a, pages.LogFilter{Limit: 1000, Ascending: true})
	if err != nil || len(log) != len(adaWiki().history) {
		t.Fatalf("%d commits for %d steps, %v", len(log), len(adaWiki().history), err)
	}
	who := map[string]int{}
	for i, c := range log {
		if i > 0 && !c.Time.After(log[i-1].Time) {
			t.Errorf("%q isn't later than the one before", c.Message)
		}
		if c.Time.After(time.Now()) {
			t.Errorf("%q is in the future", c.Message)
		}
		who[strings.TrimSpace(c.Author.Username+" "+c.Author.Agent)]++
	}
	for _, name := range []string{"ada", "bob", "ada Claude Code", "ada Cursor"} {
		if who[name] == 0 {
			t.Errorf("nothing by %s: %v", name, who)
		}
	}
	index, err := s.Pages.Index(ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	if index.Pages < 30 || index.Pages > 40 {
		t.Errorf("%d pages", index.Pages)
	}
	var wanted []string
	for _, w := range index.Wanted {
		wanted = append(wanted, string(w.Name))
	}
	slices.Sort(wanted)
	want := []string{"Garden/Cold_Frame_Hinges", "Home_Automation/Boiler", "Weather_Station/Brownout_Loop",
		"Weather_Station/Sensors/Soil_Moisture", "Workshop/3D_Printer"}
	for i := range wanted {
		wanted[i] = strings.ReplaceAll(wanted[i], " ", "_")
	}
	if !slices.Equal(wanted, want) {
		t.Errorf("red links %q, want %q", wanted, want)
	}
	var moved *wiki.Redirect
	if _, err := s.Pages.Find(ctx, a, "Workshop/Range_Test"); !errors.As(err, &moved) || moved.To != "/Workshop/LoRa_Range_Test" {
		t.Errorf("the former name: %v", err)
	}
	bob := people()[1]
	if sites, err := s.Tenant.Sites(ctx, bob.DID); err != nil || len(sites) != 2 || sites[0].Site().Public {
		t.Errorf("bob's wikis: %d, %v", len(sites), err)
	}
}

// An interrupted seeding resumes. A finished one changes nothing, whatever people have
// written since.
func TestInterruptedSeedingResumes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	first := openTest(t, dir)
	whole, cut := seedWikis(), seedWikis()
	cut[0].history[20].do = func(context.Context, *seeder, wiki.Access) error { cancel(); return ctx.Err() }
	if err := seed(ctx, first.Service, first.clock, cut); !errors.Is(err, context.Canceled) {
		t.Fatalf("not interrupted: %v", err)
	}
	if time.Since(first.clock.Now()) > time.Minute {
		t.Error("the clock was left in the past")
	}
	head := func() int64 {
		a := access(t, first.Service, "ada", people()[0])
		seq, err := first.Pages.Head(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		return seq
	}
	if got := head(); got != 20 {
		t.Fatalf("interrupted at %d", got)
	}
	for range 2 {
		if err := seed(t.Context(), first.Service, first.clock, whole); err != nil {
			t.Fatal(err)
		}
		if got := head(); got != int64(len(whole[0].history)) {
			t.Errorf("%d commits of %d", got, len(whole[0].history))
		}
	}
}

func TestOneServicePerDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "data")
	lock, err := service.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := service.Lock(dir); err == nil || !strings.Contains(err.Error(), "another robot") {
		t.Errorf("locked twice: %v", err)
	}
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
	again, err := service.Lock(dir)
	if err != nil {
		t.Fatalf("after release: %v", err)
	}
	again.Release()
}
