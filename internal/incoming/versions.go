package incoming

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"robot.wtf/internal/mediawiki"
	"robot.wtf/internal/wiki"
)

// A HistorySource is a Source that also has older versions of its files.
type HistorySource interface {
	Source
	// WriteHistory writes all versions of the listed files as commits on a branch, in
	// the format of git-fast-import(1). List must have been called.
	WriteHistory(ctx context.Context, branch string, out io.Writer, progress func(done, total int)) error
}

// maxRevisions bounds the revisions of an export that is imported with all of them. It is
// the number of commits that a history can have.
const maxRevisions = 100_000

var errTooManyRevisions = wiki.Problemf(wiki.ErrTooLarge, "file", "This export has more than %d revisions, which is the limit. Import only the newest text of each page, or export fewer pages at a time.", maxRevisions)

// A pageRevision is a version of a page.
type pageRevision struct {
	title mediawiki.Title
	mediawiki.Revision
	at time.Time
}

// addRevision records a version of a page of text.
func (e *Export) addRevision(p *mediawiki.Page, r mediawiki.Revision) error {
	if !mediawiki.IsContent(p.Title.Namespace) || r.Model != "" && r.Model != "wikitext" || r.Text.Size > mediawiki.MaxText {
		return nil
	}
	if len(e.revisions) >= maxRevisions {
		return errTooManyRevisions
	}
	at, _ := time.Parse(time.RFC3339, r.Time) // the zero time if it is missing or malformed
	e.revisions = append(e.revisions, pageRevision{p.Title, r, at})
	return nil
}

// WriteHistory implements HistorySource: each revision is a commit by its author. The
// page has its present name in all of them. Redirects are aliases of the newest text. The
// last commit has the files that come with the export.
func (e *Export) WriteHistory(ctx context.Context, branch string, out io.Writer, progress func(done, total int)) error {
	w := &historyWriter{bufio.NewWriter(out), branch}
	slices.SortStableFunc(e.revisions, func(a, b pageRevision) int { return a.at.Compare(b.at) })
	var last time.Time
	for i, r := range e.revisions {
		if err := ctx.Err(); err != nil {
			return err
		}
		progress(i, len(e.revisions))
		file := e.paths[r.title] + ".md"
		page, listed := e.pages[file]
		if !listed {
			continue // a redirect, or it is left out
		}
		text, err := r.Text.Read(e.file)
		if err != nil {
			return e.problem(err)
		}
		var aliases []string
		if r.Text == page.text {
			aliases = e.namesOf[file]
		}
		last = r.at
		w.commit(r.Author, r.at, r.Comment)
		w.file(file, []byte(e.convert(text, r.title, aliases)))
		if err := w.Flush(); err != nil {
			return err
		}
	}
	if len(e.media) > 0 {
		w.commit("MediaWiki", last, "Files of the wiki")
		if err := e.writeMedia(ctx, w.file); err != nil {
			return err
		}
	}
	return w.Flush()
}

// A historyWriter writes commits for git fast-import.
type historyWriter struct {
	*bufio.Writer
	branch string
}

func (w *historyWriter) commit(author string, at time.Time, comment string) {
	name := strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == '<' || r == '>' || r == utf8.RuneError {
			return -1
		}
		return r
	}, author))
	if strings.Trim(name, ".,:;\"'\\ ") == "" {
		name = "unknown"
	}
	signature := fmt.Sprintf("%s <> %d +0000\n", name, max(at.Unix(), 0))
	fmt.Fprintf(w, "commit %s\nauthor %scommitter %s", w.branch, signature, signature)
	w.data([]byte(strings.ToValidUTF8(strings.ReplaceAll(comment, "\x00", ""), "\uFFFD") + "\n"))
}

func (w *historyWriter) file(path string, content []byte) {
	quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(path)
	fmt.Fprintf(w, "M 100644 inline \"%s\"\n", quoted)
	w.data(content)
}

func (w *historyWriter) data(content []byte) {
	fmt.Fprintf(w, "data %d\n%s\n", len(content), content)
}
