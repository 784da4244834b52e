package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"robot.wtf/internal/background"
	"robot.wtf/internal/config"
	"robot.wtf/internal/server"
)

// serveMetrics serves the metrics until ctx ends, if an address is configured, and
// prints where.
func serveMetrics(ctx context.Context, metrics *server.Metrics, cfg config.Watch) error {
	if cfg.Metrics == "" {
		return nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Metrics)
	if err != nil {
		return fmt.Errorf("--metrics: %w", err)
	}
	web := &http.Server{Handler: metrics.Handler(cfg.MetricsToken), ReadHeaderTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second}
	background.Start(func() error { return web.Serve(listener) }) // until it is closed
	background.Start(func() error { <-ctx.Done(); return web.Close() })
	fmt.Printf("Metrics http://%s/metrics\n", listener.Addr())
	return nil
}
