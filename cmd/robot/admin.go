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

// adminCommand groups the operator's commands.
type adminCommand struct {
	Keys struct {
		Rotate rotateCommand `cmd:"" help:"Create new keys for sessions and for signing in. Nobody is signed out."`
	} `cmd:"" help:"Manage the keys."`
	Wikis       wikisCommand       `cmd:"" help:"List all wikis."`
	New         newCommand         `cmd:"" help:"List wikis that became public recently, with the hosts they link to."`
	Users       usersCommand       `cmd:"" help:"List all users."`
	Hosts       hostsCommand       `cmd:"" help:"List the servers (PDS) that host accounts."`
	Invite      inviteCommand      `cmd:"" help:"Create an invitation link, for sign-up by invitation."`
	Invitations invitationsCommand `cmd:"" help:"List who invited whom, and revoke invitations."`
	Suspend     suspendCommand     `cmd:"" help:"Close a wiki, lock out a user, or lock out all users of a host, on every front end, within a second."`
	Resume      resumeCommand      `cmd:"" help:"End a suspension."`
	Quota       quotaCommand       `cmd:"" help:"Show or set the limits of one wiki."`
	Transfer    transferCommand    `cmd:"" help:"Make another person the owner of a wiki, where its owner has lost their account."`
	Reserve     reserveCommand     `cmd:"" help:"Keep names from new wikis."`
	Delete      deleteCommand      `cmd:"" help:"Delete a wiki or an account."`
	Audit       auditCommand       `cmd:"" help:"Show who changed what."`
	Reindex     reindexCommand     `cmd:"" help:"Rebuild search indexes."`
	Reports     reportsCommand     `cmd:"" help:"List reports from readers, and close them."`
	Takedown    takedownCommand    `cmd:"" help:"Hide a page or file in all versions, for legal reasons (451)."`
	Putback     putbackCommand     `cmd:"" help:"Undo a takedown."`
	Keep        keepCommand        `cmd:"" help:"Keep a backup from being pruned, such as the last one before an upgrade."`
	Aside       asideCommand       `cmd:"" help:"List pages and wikis that background work skips after a panic, and try them again."`
	Check       checkCommand       `cmd:"" help:"Read everything in the wikis' databases, and report damage."`
	Drain       drainCommand       `cmd:"" help:"Make /ready fail, so that a proxy sends no more requests."`
	Top         topCommand         `cmd:"" help:"Watch the running service for a few seconds, and show the cost of each wiki: CPU, requests, saves, bytes."`
	Status      statusCommand      `cmd:"" help:"Show which process is using a data directory."`
}

type statusCommand struct {
	Data string `required:"" env:"ROBOT_DATA" placeholder:"DIR" type:"path" help:"Data directory."`
}

// Run asks the running service.
func (c statusCommand) Run(ctx context.Context) error {
	return operate(ctx, c.Data, "status", nil, nil, os.Stdout)
}

type rotateCommand struct{ dataFlag }

// Run creates the new keys.
func (c rotateCommand) Run(ctx context.Context) error { return c.run(ctx, "rotate-keys", nil) }

// rotateKeys is the operation of rotateCommand.
func rotateKeys(ctx context.Context, s *service.Service, _ url.Values, _ io.Reader, out io.Writer) error {
	if err := s.Session.RotateKeys(); err != nil {
		return err
	}
	fmt.Fprintln(out, "Sessions: created a new key; existing sessions continue.")
	made, when := false, "in ten minutes"
	var err error
	if s.SignIn != nil {
		made, err = s.SignIn.RotateKey()
	} else {
		when = "ten minutes after the service starts"
		made, err = atproto.RotateKey(s.KeyDir())
	}
	switch {
	case errors.Is(err, fs.ErrNotExist): // robot dev has no key for signing in
	case err != nil:
		return err
	case made:
		fmt.Fprintf(out, "Signing in: created a new key, in use %s.\n", when)
	default:
		fmt.Fprintln(out, "Signing in: a new key was created earlier and isn't in use yet; it stays.")
	}
	return s.Store.AuditServiceChange(ctx, "keys.rotate")
}
