package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"robot.wtf/internal/config"
	"robot.wtf/internal/service"
)

// openService opens a locked data directory with the real clock.
func openService(ctx context.Context, cfg config.Config, origins config.Origins, log *slog.Logger) (*service.Service, error) {
	return service.Open(ctx, service.Options{Config: cfg, Origins: origins, Version: version(), Revision: revision(), Now: time.Now, Log: log})
}

// listenAndServe calls serve with a listener at an address, for a service on a person's
// own machine. A stop during startup isn't an error.
func listenAndServe(ctx context.Context, address string, serve func(net.Listener) error) error {
	listener, err := listen(ctx, address)
	if err != nil {
		return fmt.Errorf("%w (choose another address with --listen, 127.0.0.1:0 for any free port)", err)
	}
	defer listener.Close()
	err = serve(listener)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

// textLog returns a log for people: from a level on, or of everything.
func textLog(level slog.Level, verbose bool) *slog.Logger {
	if verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}
