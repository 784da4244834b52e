package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"robot.wtf/internal/atproto"
	"robot.wtf/internal/session"
)

// adminCommand is for whoever runs the service.
type adminCommand struct {
	Keys struct {
		Rotate rotateCommand `cmd:"" help:"Make new keys, for sessions and for signing in; nobody is signed out. Stop the service first."`
	} `cmd:"" help:"Look after the keys."`
	Wikis    wikisCommand    `cmd:"" help:"List all wikis."`
	Users    usersCommand    `cmd:"" help:"List all people."`
	Suspend  suspendCommand  `cmd:"" help:"Close a wiki on every door, or keep a person out, within a second."`
	Resume   resumeCommand   `cmd:"" help:"Take a suspension back."`
	Quota    quotaCommand    `cmd:"" help:"Show or set the limits of one wiki."`
	Delete   deleteCommand   `cmd:"" help:"Delete a wiki or an account."`
	Audit    auditCommand    `cmd:"" help:"Show who changed what."`
	Reindex  reindexCommand  `cmd:"" help:"Build search indexes anew."`
	Reports  reportsCommand  `cmd:"" help:"List what readers have reported, and close it."`
	Takedown takedownCommand `cmd:"" help:"Show a page or file no more, in any version, on any door (451), for legal reasons."`
	Putback  putbackCommand  `cmd:"" help:"Take a takedown back."`
	Status   statusCommand   `cmd:"" help:"Say which process has a data directory."`
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

// Run makes the new keys.
func (c rotateCommand) Run() (err error) {
	lock, err := lockDir(c.Data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.release()) }()
	dir := filepath.Join(c.Data, "keys")
	if err := session.RotateKeys(dir); err != nil {
		return err
	}
	fmt.Println("Sessions: a new key; those that people have go on.")
	made, err := atproto.RotateKey(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist): // a directory of robot dev, which signs nobody in
	case err != nil:
		return err
	case made:
		fmt.Println("Signing in: a new key, which signs ten minutes after the service has started.")
	default:
		fmt.Println("Signing in: a new key is on its way already, and stays.")
	}
	return nil
}
