package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"robot.wtf/internal/backup"
)

type keepCommand struct {
	Snapshot string `arg:"" optional:"" help:"Name of a backup, or \"newest\". Without one, all backups are listed, and which are kept."`
	Backup   string `required:"" env:"ROBOT_BACKUP" placeholder:"DIR" type:"path" help:"Directory with the backups."`
	Release  bool   `help:"Let this backup be pruned like the others."`
}

// Run keeps or releases a backup, or lists all of them.
func (c keepCommand) Run(ctx context.Context) (err error) {
	if c.Snapshot == "" && c.Release {
		return errors.New("name the backup to release: robot admin keep lists the backups")
	}
	r, err := openBackups(ctx, c.Backup, c.Snapshot != "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	name := c.Snapshot
	if name == "newest" {
		newest, err := r.Snapshot("")
		if err != nil {
			return err
		}
		name = newest.Name()
	}
	switch {
	case name == "":
		return listKept(r)
	case c.Release:
		if err := r.Release(name); err != nil {
			return err
		}
		fmt.Printf("Backup %s is released: it will be pruned like the others\n", name)
		return nil
	}
	if err := r.Keep(name); err != nil {
		return err
	}
	fmt.Printf("Backup %s stays until you release it. Until then, it also holds what people delete\n", name)
	return nil
}

func listKept(r *backup.Repository) error {
	kept, err := r.Kept()
	if err != nil {
		return err
	}
	all, err := r.Snapshots()
	if err != nil {
		return err
	}
	return table(os.Stdout, "BACKUP\tKEPT", func(row func(...any)) {
		for _, name := range all {
			mark := ""
			if slices.Contains(kept, name) {
				mark = "until released"
			}
			row(name, mark)
		}
	})
}
