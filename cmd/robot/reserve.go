package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"

	"robot.wtf/internal/service"
	"robot.wtf/internal/wiki"
)

type reserveCommand struct {
	Names   []string `arg:"" optional:"" placeholder:"NAME" help:"Names that no new wiki can have. Without one, lists those that you have reserved."`
	Release bool     `help:"Release the names instead."`
	dataFlag
}

// Run reserves names, releases them or lists them.
func (c reserveCommand) Run(ctx context.Context) error {
	return c.run(ctx, "reserve", url.Values{"name": c.Names, "release": {strconv.FormatBool(c.Release)}})
}

// reserve is the operation of reserveCommand.
func reserve(ctx context.Context, s *service.Service, args url.Values, _ io.Reader, out io.Writer) error {
	operator := wiki.Caller{Operator: true}
	release := args.Get("release") == "true"
	for _, name := range args["name"] {
		name = strings.ToLower(name)
		if err := s.Tenant.ReserveName(ctx, operator, name, release); err != nil {
			return userError(err)
		}
		fmt.Fprintf(out, "%s: %s\n", name, map[bool]string{false: "reserved", true: "released"}[release])
	}
	if len(args["name"]) > 0 {
		return nil
	}
	names, err := s.Tenant.ReservedNames(ctx, operator)
	if err != nil {
		return err
	}
	for _, name := range names {
		fmt.Fprintln(out, name)
	}
	return nil
}
