package main

import (
	"errors"

	"robot.wtf/internal/config"
)

// rateFlags are the rate limits of one caller in one wiki.
type rateFlags struct {
	ReadsPerMinute  int `default:"600" placeholder:"N" help:"Read requests allowed per caller and wiki per minute (${default})."`
	WritesPerMinute int `default:"120" placeholder:"N" help:"Changes allowed per caller and wiki per minute (${default})."`
}

// limit checks the rates and adds them to the configuration.
func (f rateFlags) limit(cfg *config.Config) error {
	if f.ReadsPerMinute < 1 || f.WritesPerMinute < 1 {
		return errors.New("--reads-per-minute and --writes-per-minute must be at least 1")
	}
	cfg.Reads, cfg.Writes = f.ReadsPerMinute, f.WritesPerMinute
	return nil
}
