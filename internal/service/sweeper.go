package service

import (
	"context"
	"log/slog"
	"time"

	"robot.wtf/internal/background"
)

// sweepEvery is how long something can outlive its grace period.
const sweepEvery = 10 * time.Minute

// A sweeper regularly purges deleted wikis and accounts, and expired grants, and
// compresses histories.
type sweeper struct {
	wait   func()
	cancel context.CancelFunc
}

type sweepable interface {
	// Sweep can be called at any time, and retries what failed before.
	Sweep(ctx context.Context) error
}

func startSweeper(log *slog.Logger, workers *background.Workers, services ...sweepable) *sweeper {
	ctx, cancel := context.WithCancel(context.Background())
	s := &sweeper{cancel: cancel}
	s.wait = workers.Loop(ctx, "sweep", func(ctx context.Context) {
		for tick := time.Tick(sweepEvery); ; {
			select {
			case <-ctx.Done():
				return
			case <-tick:
				for _, service := range services {
					err := workers.Try(background.Job{Work: "sweep"}, func() error { return service.Sweep(ctx) })
					if err != nil && ctx.Err() == nil {
						log.Error("sweep failed", "err", err)
					}
				}
			}
		}
	})
	return s
}

func (s *sweeper) stop() {
	if s != nil {
		s.cancel()
		s.wait()
	}
}
