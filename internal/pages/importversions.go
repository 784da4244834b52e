package pages

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/incoming"
	"robot.wtf/internal/wiki"
)

// receiveVersions makes a repository of all versions of an export's pages. From then on,
// the upload is imported as that repository, within the same limits. An export is at most
// the wiki's limit for its history, and pages hardly grow by being converted.
func (i *importRun) receiveVersions(ctx context.Context, source incoming.HistorySource) error {
	only, err := i.w.HasOnlySeeds(ctx)
	room, errRoom := i.s.content.ScratchRoom()
	switch {
	case err != nil || errRoom != nil:
		return errors.Join(err, errRoom)
	case !only || i.request.Into != "":
		return wiki.Problemf(wiki.ErrInvalid, "file", "Older versions become the history of a wiki, so they can only be imported into one that nobody has edited, and not into a folder. Import the newest text of each page instead.")
	case i.s.mirror == nil:
		return errNoGit
	case room < 3*i.u.Size:
		return errNoRoom()
	}
	listing, err := source.List(ctx)
	if err != nil {
		return err
	}
	pages := 0
	for _, f := range listing.Files {
		pages += boolToInt(f.IsPage())
	}
	if most := i.limits().Pages; pages > most {
		return i.refuseHistory([]string{fmt.Sprintf("The export has %d pages; this wiki can have at most %d.", pages, most)})
	}
	turn, err := i.s.content.Turns().TakeTurn(ctx, i.w.Slug())
	if err != nil {
		return err
	}
	defer turn.End()
	step := i.count("Converting every version")
	dir := i.u.path("versions")
	received, err := i.s.mirror.Git().ReceiveCommits(ctx, dir, func(out io.Writer) error {
		return source.WriteHistory(ctx, gitrepo.Main, out, func(done, total int) {
			_ = turn.Check(ctx) // WriteHistory looks at the context, too
			step(done, total)
		})
	})
	if err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	i.u.received, i.u.versions = received, listing
	return nil
}

// describeVersions lets the preview of a history tell about the export that it is made of.
func (i *importRun) describeVersions(v *ImportPreview) {
	if l := i.u.versions; l != nil {
		v.Kind, v.About, v.Notes, v.Versions = cmp.Or(l.Kind, v.Kind), l.About, l.Notes, true
	}
}
