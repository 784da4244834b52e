package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"

	"robot.wtf/internal/atproto"
	"robot.wtf/internal/service"
)

// adminCommand is for whoever runs the service.
type adminCommand struct {
	Keys struct {
		Rotate rotateCommand `cmd:"" help:"Make new keys, for sessions and for signing in; nobody is signed out."`
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

type rotateCommand struct{ dataFlag }

// Run makes the new keys.
func (c rotateCommand) Run(ctx context.Context) error { return c.run(ctx, "rotate-keys", nil) }

// rotateKeys is the operation of rotateCommand.
func rotateKeys(ctx context.Context, s *service.Service, _ url.Values, _ io.Reader, out io.Writer) error {
	if err := s.Session.RotateKeys(); err != nil {
		return err
	}
	fmt.Fprintln(out, "Sessions: a new key; those that people have go on.")
	made, when := false, "ten minutes from now"
	var err error
	if s.SignIn != nil {
		made, err = s.SignIn.RotateKey()
	} else {
		when = "ten minutes after the service has started"
		made, err = atproto.RotateKey(s.KeyDir())
	}
	switch {
	case errors.Is(err, fs.ErrNotExist): // a directory of robot dev, which signs nobody in
	case err != nil:
		return err
	case made:
		fmt.Fprintf(out, "Signing in: a new key, which signs %s.\n", when)
	default:
		fmt.Fprintln(out, "Signing in: a new key is on its way already, and stays.")
	}
	return s.Store.OperatorAct(ctx, "keys.rotate")
}
