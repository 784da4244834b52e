package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/alecthomas/kong"

	"robot.wtf/internal/config"
	"robot.wtf/internal/service"
)

// serveCommand runs the production service.
type serveCommand struct {
	config.ServeFlags
	Config  kong.ConfigFlag `env:"ROBOT_CONFIG" placeholder:"FILE" help:"JSON file with settings, named like the flags."`
	Verbose bool            `short:"v" help:"Log every request, not only failures."`
	Notify  string          `placeholder:"TEXT" help:"Send TEXT to the operator as alarms are sent, and exit. The data directory isn't used."`
	Log     string          `enum:"json,text" default:"json" env:"ROBOT_LOG" help:"Log format: json or text."`
}

// Run serves until ctx ends.
func (c serveCommand) Run(ctx context.Context) (err error) {
	cfg, err := c.ServeFlags.Config()
	if err != nil {
		return err
	}
	if c.Notify != "" {
		return service.Notify(ctx, cfg, c.Notify)
	}
	level := slog.LevelInfo
	if c.Verbose {
		level = slog.LevelDebug
	}
	var handler slog.Handler = slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level})
	if c.Log == "text" {
		handler = slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level})
	}
	log := slog.New(handler)
	service.LimitMemory(cfg)
	lock, err := service.Lock(cfg.Data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	if err := refuseDevData(cfg.Data); err != nil {
		return err
	}
	listener, err := listen(ctx, cfg.Listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	defer listener.Close()
	origins, err := cfg.Origins(listener.Addr())
	if err != nil {
		return err
	}
	s, err := openService(ctx, cfg, origins, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	// From here on only the handlers can fail the start. What else is missing raises an
	// alarm, and everything that works is served.
	updateHelp(ctx, s, cfg.Host, log)
	if socket, err := openSocket(s, cfg.Data, log); err != nil {
		s.NoteProblem("socket", fmt.Sprintf("robot admin doesn't reach the running service, because its socket couldn't be created: %v.", err))
	} else {
		defer func() { err = errors.Join(err, socket.close()) }()
	}
	front, err := s.Handler(nil)
	if err != nil {
		return err
	}
	if err := serveMetrics(ctx, s.Metrics, cfg.Watch); err != nil {
		s.NoteProblem("metrics", fmt.Sprintf("Metrics aren't served: %v.", err))
	}
	if err := s.Watch(); err != nil {
		return err
	}
	fmt.Printf("robot serve is ready at %s\nListen  http://%s\nData    %s\n", origins.Platform(), listener.Addr(), cfg.Data)
	if err := notify("READY=1"); err != nil {
		log.Error("reporting to systemd failed", "err", err)
	}
	err = front.Serve(ctx, listener)
	return errors.Join(err, notify("STOPPING=1"))
}
