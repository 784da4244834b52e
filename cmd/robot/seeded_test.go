package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/exec"
	"sync"
	"testing"

	"robot.wtf/internal/config"
	"robot.wtf/internal/service"
	"robot.wtf/internal/testdisk"
)

// inMemory runs tests with their temporary directories in memory.
type inMemory struct{ tests }

func (m inMemory) Run() int { return testdisk.Run(m.tests) }

// tests runs all tests of the package with a shared directory, which it deletes at
// the end.
type tests struct{ *testing.M }

var sharedDir string

func (m tests) Run() int {
	var err error
	if sharedDir, err = os.MkdirTemp("", "robot-tests-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(sharedDir)
	return m.M.Run()
}

// seedShared creates the data directory of a development service that ran once. It is
// slower than most tests, so they start with a copy.
var seedShared = sync.OnceValue(func() (err error) {
	ctx := context.Background()
	cfg, err := config.Dev("127.0.0.1:0", sharedDir, 0)
	if err != nil {
		return err
	}
	origins, err := cfg.Origins(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80})
	if err != nil {
		return err
	}
	clock := &clock{}
	s, err := service.Open(ctx, service.Options{Config: cfg, Origins: origins, People: seededPeople{}, Now: clock.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	s.StopIndexing() // it would embed pages that reindex embeds again
	if err := seed(ctx, s, clock, seedWikis()); err != nil {
		return err
	}
	if err := writeHelp(ctx, s, cfg.Host); err != nil {
		return err
	}
	for _, w := range seedWikis() {
		if err := reindex(ctx, s, url.Values{"wiki": {w.owner}, "workers": {"0"}}, nil, io.Discard); err != nil {
			return err
		}
	}
	return nil
})

// copySeeded copies the data of a new development service into a directory.
func copySeeded(dir string) error {
	return copyShared("/.", dir)
}

// copyKeys creates a data directory that has only the keys of a service. It is faster
// than creating new ones.
func copyKeys(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return copyShared("/keys", dir)
}

func copyShared(what, dir string) error {
	if err := seedShared(); err != nil {
		return err
	}
	if out, err := exec.Command("cp", "-a", sharedDir+what, dir).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}
