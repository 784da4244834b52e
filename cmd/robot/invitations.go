package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"time"

	"robot.wtf/internal/service"
	"robot.wtf/internal/tenant"
	"robot.wtf/internal/web"
	"robot.wtf/internal/wiki"
)

type inviteCommand struct{ dataFlag }

// Run creates an invitation and prints its link.
func (c inviteCommand) Run(ctx context.Context) error { return c.run(ctx, "invite", nil) }

type invitationsCommand struct {
	All    bool   `help:"Include invitations that were revoked or have expired."`
	Revoke string `placeholder:"ID" help:"Revoke this invitation."`
	dataFlag
}

// Run lists invitations, or revokes one.
func (c invitationsCommand) Run(ctx context.Context) error {
	return c.run(ctx, "invitations", url.Values{"all": {strconv.FormatBool(c.All)}, "revoke": {c.Revoke}})
}

// invite is the operation of inviteCommand. Only a running service knows its address and
// its sign-up policy.
func invite(ctx context.Context, s *service.Service, _ url.Values, _ io.Reader, out io.Writer) error {
	if !s.Tenant.ByInvitation() {
		return errors.New("there is no sign-up by invitation: start the service with --signup invitation, then run this command while it runs")
	}
	code, err := s.Tenant.NewInvitation(ctx, wiki.Caller{Operator: true})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s%s/%s\nSend it to one person. It works once, until %s, and isn't shown again.\n", s.Platform(), web.InvitationPath, code, day(time.Now().Add(tenant.InvitationLifetime)))
	return nil
}

// listInvitations is the operation of invitationsCommand.
func listInvitations(ctx context.Context, s *service.Service, args url.Values, _ io.Reader, out io.Writer) error {
	operator := wiki.Caller{Operator: true}
	if id := args.Get("revoke"); id != "" {
		if err := s.Tenant.RevokeInvitation(ctx, operator, id); errors.Is(err, wiki.ErrNotFound) {
			return fmt.Errorf("there is no unused invitation %q: robot admin invitations lists them", id)
		} else if err != nil {
			return err
		}
		fmt.Fprintf(out, "invitation %s is revoked\n", id)
		return nil
	}
	list, err := s.Tenant.Invitations(ctx, operator)
	if err != nil {
		return err
	}
	return table(out, "ID\tBY\tCREATED\tEXPIRES\tSTATE\tUSED BY", func(row func(...any)) {
		for _, i := range list {
			if !i.Open && i.Used.IsZero() && args.Get("all") != "true" {
				continue
			}
			row(i.ID, handle(i.Inviter, "operator"), day(i.Created), day(i.Expires), invitationState(i), handle(i.Guest, "-"))
		}
	})
}

// handle returns a user's handle, or absent for the zero user.
func handle(u wiki.User, absent string) string {
	if u.DID == "" {
		return absent
	}
	return "@" + cmp.Or(u.Handle, u.DID)
}

func invitationState(i tenant.Invitation) string {
	switch {
	case !i.Used.IsZero():
		return "used " + day(i.Used)
	case !i.Revoked.IsZero():
		return "revoked " + day(i.Revoked)
	case i.Open:
		return "open"
	}
	return "ended" // expired, or the inviter's wiki is closed
}
