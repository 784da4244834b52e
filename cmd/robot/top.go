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
)

type topCommand struct {
	Seconds int `default:"5" placeholder:"N" help:"How long to watch (${default}), up to 60."`
	dataFlag
}

// Run shows what each wiki costs right now.
func (c topCommand) Run(ctx context.Context) error {
	return c.run(ctx, "top", url.Values{"seconds": {strconv.Itoa(c.Seconds)}})
}

// maxTop is how many wikis are listed.
const maxTop = 40

func showTop(ctx context.Context, s *service.Service, args url.Values, _ io.Reader, out io.Writer) error {
	seconds, err := strconv.Atoi(args.Get("seconds"))
	if err != nil || seconds < 1 || seconds > 60 {
		return errors.New("--seconds must be between 1 and 60")
	}
	if !s.Serving() {
		return errors.New("no service is running on this data directory: start it, then try again")
	}
	costs, err := s.SampleCosts(ctx, time.Duration(seconds)*time.Second)
	if err != nil {
		return err
	}
	share := func(d time.Duration) string { return fmt.Sprintf("%.1f", d.Seconds()/float64(seconds)*100) }
	err = table(out, "WIKI\tCPU %\tEMBEDDING CPU %\tREQUESTS\tSAVES\tMB SENT", func(row func(...any)) {
		for _, c := range costs[:min(len(costs), maxTop)] {
			row(cmp.Or(c.Wiki, "-"), share(c.CPU), share(c.Embedded), c.Requests, c.Saves, megabytes(c.Sent))
		}
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "Over %d seconds; 100 %% is one processor. \"-\" is work for no wiki in particular: the platform's pages, garbage collection and upkeep. Programs that the service starts, such as git, aren't counted.\n", seconds)
	return err
}
