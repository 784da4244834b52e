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
)

// tests are all tests of the package; what they share lies in a directory that
// goes with them.
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

// seedShared makes the data directory of a development service that has run and
// was stopped. It costs more than most tests, which so begin with a copy.
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
	if err := seed(ctx, s, clock, seedWikis()); err != nil {
		return err
	}
	return reindex(ctx, s, url.Values{"wiki": {""}, "workers": {"0"}}, nil, io.Discard)
})

// copySeeded fills a directory with what a development service begins with.
func copySeeded(dir string) error {
	if err := seedShared(); err != nil {
		return err
	}
	if out, err := exec.Command("cp", "-a", sharedDir+"/.", dir).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}
