package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"

	"robot.wtf/internal/config"
	"robot.wtf/internal/durable"
	"robot.wtf/internal/pages"
	"robot.wtf/internal/service"
)

// exportCommand writes a wiki into a file.
type exportCommand struct {
	Wiki   string `required:"" placeholder:"SLUG" help:"Wiki to export."`
	Data   string `required:"" env:"ROBOT_DATA" placeholder:"DIR" type:"path" help:"Data directory."`
	Format string `default:"bundle" enum:"bundle,markdown,site" help:"bundle: a git bundle with the whole history. markdown: a zip of the pages and files, which opens as an Obsidian vault. site: a zip of a static website."`
	Out    string `required:"" placeholder:"FILE" type:"path" help:"File to write. An existing one is replaced once the export is complete."`
}

// Run exports the wiki, in the running service if there is one.
func (c exportCommand) Run(ctx context.Context) error {
	partial := c.Out + ".partial"
	if err := os.Remove(partial); err != nil && !errors.Is(err, fs.ErrNotExist) { // of a killed process
		return err
	}
	err := durable.Create(partial, func(out io.Writer) error {
		return operate(ctx, c.Data, "export", url.Values{"wiki": {c.Wiki}, "format": {c.Format}}, nil, out)
	})
	if err == nil {
		err = durable.Rename(partial, c.Out)
	}
	if err != nil {
		_ = os.Remove(partial)
		return err
	}
	info, err := os.Stat(c.Out)
	if err != nil {
		return err
	}
	fmt.Printf("%s: %d bytes\n", c.Out, info.Size())
	return nil
}

// exportWiki is the operation of exportCommand. Its output is the export.
func exportWiki(ctx context.Context, s *service.Service, args url.Values, _ io.Reader, out io.Writer) error {
	a, err := asOperator(ctx, s, args.Get("wiki"))
	if err != nil {
		return err
	}
	format, err := pages.ParseExportFormat(args.Get("format"))
	if err != nil {
		return userError(err)
	}
	origin := s.WikiOrigin(a.Site().Slug)
	if s.Platform() == "https://"+config.DevHost { // without a running service, nobody knows
		origin = ""
	}
	e, err := s.StartExport(ctx, a, format, origin)
	if err != nil {
		return userError(err)
	}
	defer e.Close()
	if _, err := io.CopyBuffer(out, onlyReader{e}, make([]byte, 1<<20)); err != nil {
		return userError(err)
	}
	return nil
}
