package main

import (
	"context"
	"log/slog"
	"time"

	"robot.wtf/internal/config"
	"robot.wtf/internal/service"
)

// openService opens a locked data directory with the real clock.
func openService(ctx context.Context, cfg config.Config, origins config.Origins, log *slog.Logger) (*service.Service, error) {
	return service.Open(ctx, service.Options{Config: cfg, Origins: origins, Version: version(), Revision: revision(), Now: time.Now, Log: log})
}
