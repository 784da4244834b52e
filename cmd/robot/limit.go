package main

import (
	"errors"

	"robot.wtf/internal/config"
)

// rateFlags are how fast one caller may go on in one wiki.
type rateFlags struct {
	ReadsPerMinute  int `default:"600" placeholder:"N" help:"Requests to read that one caller has a minute in one wiki (${default})."`
	WritesPerMinute int `default:"120" placeholder:"N" help:"Changes that one caller has a minute in one wiki (${default})."`
}

// limit puts the rates into the configuration.
func (f rateFlags) limit(cfg *config.Config) error {
	if f.ReadsPerMinute < 1 || f.WritesPerMinute < 1 {
		return errors.New("--reads-per-minute and --writes-per-minute are numbers from 1")
	}
	cfg.Reads, cfg.Writes = f.ReadsPerMinute, f.WritesPerMinute
	return nil
}
