package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"

	"robot.wtf/internal/service"
	"robot.wtf/internal/wiki"
)

type transferCommand struct {
	Wiki string `arg:"" placeholder:"WIKI" help:"Wiki whose owner has lost their account."`
	DID  string `arg:"" placeholder:"DID" help:"DID of the new owner."`
	dataFlag
}

// Run gives the wiki to another person.
func (c transferCommand) Run(ctx context.Context) error {
	return c.run(ctx, "transfer", url.Values{"wiki": {c.Wiki}, "did": {c.DID}})
}

// transfer is the operation of transferCommand.
func transfer(ctx context.Context, s *service.Service, args url.Values, _ io.Reader, out io.Writer) error {
	a, err := asOperator(ctx, s, args.Get("wiki"))
	if err != nil {
		return err
	}
	did, former := args.Get("did"), a.Site().OwnerDID
	if err := s.Tenant.Transfer(ctx, a, did); err != nil {
		return userError(err)
	}
	fmt.Fprintf(out, "%s belongs to %s now; %s has no access, and their tokens and agents for it have ended\n", a.Site().Slug, did, former)
	if u, err := s.Store.User(ctx, did); err != nil && !errors.Is(err, wiki.ErrNotFound) {
		return err
	} else if u.Handle == "" {
		fmt.Fprintln(out, "this person hasn't signed in here yet: check that the DID is right")
	}
	return nil
}
