package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strconv"

	"robot.wtf/internal/service"
)

type asideCommand struct {
	Retry string `placeholder:"WIKI" help:"Try everything of this wiki again, and rebuild its index."`
	dataFlag
}

// Run lists the input that background work skips, or makes it try again.
func (c asideCommand) Run(ctx context.Context) error {
	return c.run(ctx, "aside", url.Values{"retry": {c.Retry}})
}

// showAside is the operation of asideCommand.
func showAside(ctx context.Context, s *service.Service, args url.Values, _ io.Reader, out io.Writer) error {
	if name := args.Get("retry"); name != "" {
		return retryAside(ctx, s, name, out)
	}
	list, err := s.Store.Asides(ctx)
	if err != nil {
		return err
	}
	return table(out, "WIKI\tWORK\tSET ASIDE\tVERSION\tSINCE", func(row func(...any)) {
		for _, a := range list {
			slug := a.Wiki
			if slug == "" {
				slug = "-"
			}
			row(slug, a.Work, a.Item, a.Version, day(a.Time))
		}
	})
}

// retryAside clears the list of a wiki, or with "-" that of no wiki.
func retryAside(ctx context.Context, s *service.Service, name string, out io.Writer) error {
	slug := ""
	if name != "-" {
		a, err := asOperator(ctx, s, name)
		if err != nil {
			return err
		}
		slug = a.Site().Slug
	}
	if err := s.ClearAside(ctx, slug); err != nil {
		return err
	}
	fmt.Fprintf(out, "Background work tries everything of %s again.\n", name)
	return nil
}

// countAside returns a remark for each wiki with input that was set aside.
func countAside(ctx context.Context, s *service.Service) (map[string]string, error) {
	list, err := s.Store.Asides(ctx)
	if err != nil {
		return nil, err
	}
	counts, remarks := map[string]int{}, map[string]string{}
	for _, a := range list {
		counts[a.Wiki]++
		remarks[a.Wiki] = ", " + strconv.Itoa(counts[a.Wiki]) + " set aside"
	}
	return remarks, nil
}
