package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"robot.wtf/internal/session"
)

// adminCommand is for whoever runs the service.
type adminCommand struct {
	Keys struct {
		Rotate rotateCommand `cmd:"" help:"Make a new key for sessions; those that people have go on. Stop the service first."`
	} `cmd:"" help:"Look after the keys."`
	Status statusCommand `cmd:"" help:"Say which process has a data directory."`
}

type statusCommand struct {
	Data string `required:"" env:"ROBOT_DATA" placeholder:"DIR" type:"path" help:"Data directory."`
}

// Run asks the running service.
func (c statusCommand) Run(ctx context.Context) error {
	return operate(ctx, c.Data, "status", nil, nil, os.Stdout)
}

type rotateCommand struct {
	Data string `required:"" env:"ROBOT_DATA" placeholder:"DIR" type:"path" help:"Data directory."`
}

// Run makes the new key.
func (c rotateCommand) Run() (err error) {
	lock, err := lockDir(c.Data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.release()) }()
	return session.RotateKeys(filepath.Join(c.Data, "keys"))
}
