package content

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/wiki"
)

// recordCommit writes a commit: blobs, files, trees, the commit object, changes,
// the head and links.
func (s *staging) recordCommit(now time.Time, changes []stagedChange) (wiki.Commit, error) {
	if err := s.checkFileSizes(); err != nil {
		return wiki.Commit{}, err
	}
	before := s.meta
	uploads, err := s.storeBlobs(changes)
	if err != nil {
		return wiki.Commit{}, err
	}
	if err := s.checkQuotas(before, uploads); err != nil {
		return wiki.Commit{}, err
	}
	if err := s.writeFiles(changes); err != nil {
		return wiki.Commit{}, err
	}
	tree, err := s.writeTrees(changes)
	if err != nil {
		return wiki.Commit{}, err
	}
	c, raw := s.buildCommit(now, tree, changes)
	if err := s.advanceHead(c, raw, changes); err != nil {
		return wiki.Commit{}, err
	}
	return c, s.writeLinks(changes) // last, because another goroutine may still be finding them
}

// checkFileSizes checks new content against the limits for one file. A file that is
// over its limit already can be made smaller in steps.
func (s *staging) checkFileSizes() error {
	l := s.r.Limits
	for _, f := range s.order {
		if f.path == "" || f.data == nil || f.was != nil && f.size <= f.was.old.Size {
			continue
		}
		_, isPage := wiki.PageOf(f.path)
		switch {
		case isPage && f.size > l.PageBytes:
			return wiki.Problemf(wiki.ErrTooLarge, "content", "A page can be at most %s; this one is %s. Split it into several pages.", formatBytes(l.PageBytes), formatBytes(f.size))
		case !isPage && f.size > l.AttachmentBytes:
			return wiki.Problemf(wiki.ErrTooLarge, "file", "A file can be at most %s; this one is %s.", formatBytes(l.AttachmentBytes), formatBytes(f.size))
		}
	}
	return nil
}

// storeBlobs stores new blobs and adds the bytes it wrote to the history's size. It reports
// whether any of them belongs to an attachment.
func (s *staging) storeBlobs(changes []stagedChange) (uploads bool, err error) {
	for _, ch := range changes {
		f := ch.file
		if f == nil || f.data == nil {
			continue
		}
		var deflated []byte
		if f.ready != nil {
			deflated = f.ready.deflated
		} else {
			deflated = deflate(f.data)
		}
		stored, err := s.storeBlob(f, deflated)
		if err != nil {
			return false, err
		}
		if stored {
			_, isPage := wiki.PageOf(f.path)
			s.meta.history += int64(len(deflated))
			uploads = uploads || !isPage
		}
	}
	return uploads, nil
}

// storeBlob stores a blob unless the wiki has it, and reports whether it did.
func (s *staging) storeBlob(f *staged, deflated []byte) (bool, error) {
	if s.blob == f.blob {
		return false, nil // of another file of the commit
	}
	if s.blob != "" || len(deflated) > maxCommitData {
		return s.tx.insertBlob(f.blob, f.size, deflated)
	}
	var known bool
	err := s.tx.queryRow(s.tx.context(), "SELECT EXISTS (SELECT 1 FROM blobs WHERE wiki = $1 AND oid = $2)", s.tx.w.slug, f.blob).Scan(&known)
	if err == nil && !known {
		s.blob, s.data = f.blob, storedBlob{f.size, deflated}
	}
	return s.blob == f.blob, err
}

// checkQuotas updates the counters and rejects commits that make the wiki grow
// beyond its limits. A commit that makes it smaller always succeeds. A full history
// rejects only uploads.
func (s *staging) checkQuotas(before meta, uploads bool) error {
	l, m := s.r.Limits, &s.meta
	for _, f := range s.order {
		_, wasPage := wiki.PageOf(f.old.Path)
		_, isPage := wiki.PageOf(f.path)
		m.pages += boolToInt(isPage) - boolToInt(wasPage)
		m.files += boolToInt(f.path != "") - boolToInt(f.old.Path != "")
		m.current += f.size - f.old.Size
	}
	switch {
	case m.pages > before.pages && m.pages > l.Pages:
		return wiki.Problemf(wiki.ErrQuota, "path", "This wiki has %d of %d pages. Delete or merge some pages before you create another; editing still works."+wiki.RunItYourself, before.pages, l.Pages)
	case m.files > before.files && m.files > l.Files:
		return wiki.Problemf(wiki.ErrQuota, "path", "This wiki has %d of %d pages and files. Delete some before you add another; editing still works."+wiki.RunItYourself, before.files, l.Files)
	case m.current > before.current && m.current > l.CurrentBytes:
		return wiki.Problemf(wiki.ErrQuota, "content", "This wiki is full: its files can be at most %s together, and would be %s. Delete some attachments first."+wiki.RunItYourself, formatBytes(l.CurrentBytes), formatBytes(m.current))
	case uploads && m.history > l.HistoryBytes:
		return wiki.Problemf(wiki.ErrQuota, "file", "This wiki's history is full: it can be at most %s, and would be %s. No more files can be uploaded; pages can still be edited."+wiki.RunItYourself, formatBytes(l.HistoryBytes), formatBytes(m.history))
	}
	return nil
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// formatBytes formats an exact size, followed by a rounded one if it is large:
// "1,048,577 bytes (1 MB)".
func formatBytes(n int64) wiki.Own {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	switch {
	case n >= 1<<20:
		return wiki.Own(fmt.Sprintf("%s bytes (%d MB)", digits, n>>20))
	case n >= 10<<10:
		return wiki.Own(fmt.Sprintf("%s bytes (%d KB)", digits, n>>10))
	}
	return wiki.Own(digits + " bytes")
}

// writeFiles updates the table of files. Names are freed before they are used
// again.
func (s *staging) writeFiles(changes []stagedChange) error {
	slug, seq := s.tx.w.slug, s.meta.seq+1
	for _, f := range s.order {
		if f.old.Path == "" || f.old.Path == f.path {
			continue
		}
		if err := s.tx.exec("DELETE FROM files WHERE wiki = $1 AND path = $2", slug, f.old.Path); err != nil {
			return err
		}
		if err := s.tx.setLinks(f.old.Path, nil); err != nil {
			return err
		}
	}
	for _, ch := range changes {
		f := ch.file
		if f == nil {
			continue
		}
		if f.old.Path != f.path {
			if err := s.checkPlacement(f.path); err != nil {
				return err
			}
		}
		if err := s.tx.exec(`INSERT INTO files (wiki, path, dir, key, blob, mode, size, seq) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (wiki, path) DO UPDATE SET blob = excluded.blob, mode = excluded.mode, size = excluded.size, seq = excluded.seq`,
			slug, f.path, parentFolder(f.path), f.key, f.blob, f.mode, f.size, seq); err != nil {
			return err
		}
	}
	return nil
}

// writeLinks stores the links of the pages that were written.
func (s *staging) writeLinks(changes []stagedChange) error {
	for _, ch := range changes {
		if ch.file == nil {
			continue
		}
		if err := s.writePageLinks(ch.file); err != nil {
			return err
		}
	}
	return nil
}

// writePageLinks stores the links of one page.
func (s *staging) writePageLinks(f *staged) error {
	if _, ok := wiki.PageOf(f.path); !ok || s.tx.w.o.Links == nil {
		return nil
	}
	if p := f.ready; p != nil && p.path == f.path {
		return s.tx.setLinks(f.path, p.links())
	}
	data, err := s.readCurrent(f)
	if err != nil {
		return err
	}
	return s.tx.setLinks(f.path, s.tx.w.findLinks(f.path, data))
}

// The committer of the service's commits; any service of this kind has the email.
const (
	committerName  = "robot.wtf" // unless the operator chose another
	committerEmail = "noreply@robot.wtf"
)

func (w *Wiki) committer(at time.Time) gitrepo.Signature {
	return gitrepo.Signature{Name: cmp.Or(w.o.Name, committerName), Email: committerEmail, Time: at}
}

// buildCommit makes the commit object: the author is "username <DID>" (a handle if
// there is no username), the committer is the service, times are whole seconds in
// UTC and never before the parent's, whatever the clock says. The trailers Agent,
// Client and Grant come from the authenticated caller; moves and merges have
// trailers of their own (moveTrailers).
func (s *staging) buildCommit(now time.Time, tree string, changes []stagedChange) (wiki.Commit, []byte) {
	at := time.UnixMilli(max(now.UnixMilli(), s.meta.time)).UTC().Truncate(time.Second)
	who := s.r.Author
	c := wiki.Commit{
		Seq: s.meta.seq + 1, Time: at, Message: s.messageOrDefault(changes),
		Author: wiki.Author{Username: who.User.AuthorName(), DID: who.User.DID, Agent: who.Agent, Client: who.Client, Grant: who.Grant},
	}
	object := gitrepo.Commit{Tree: tree, Committer: s.tx.w.committer(at), Author: gitrepo.Signature{Name: c.Author.Username, Email: who.User.DID, Time: at}}
	if s.meta.head != "" {
		c.Parents = []string{s.meta.head}
		object.Parents = c.Parents
	}
	var trailers []gitrepo.Trailer
	for _, ch := range changes {
		if t, ok := moveTrailer(ch.Change); ok {
			trailers = append(trailers, t)
		}
		c.Changes = append(c.Changes, ch.Change)
	}
	trailers = append(trailers, takingTrailers(s.r.Takes, changes)...)
	for _, t := range []gitrepo.Trailer{{Key: "Agent", Value: who.Agent}, {Key: "Client", Value: who.Client}, {Key: "Grant", Value: who.Grant}} {
		if t.Value != "" {
			trailers = append(trailers, t)
		}
	}
	trailers = append(trailers, s.r.acceptedTrailers()...)
	object.Message = gitrepo.AppendTrailers(c.Message+"\n", trailers)
	raw := gitrepo.EncodeCommit(object)
	c.ID = gitrepo.ObjectID("commit", raw)
	return c, raw
}

// messageOrDefault returns the request's message without reserved trailers, or a
// description of the changes if that is empty.
func (s *staging) messageOrDefault(changes []stagedChange) string {
	if text := stripReservedTrailers(gitrepo.CleanMessage(s.r.Message)); text != "" {
		return text
	}
	ch := changes[0]
	verb := map[wiki.ChangeKind]string{wiki.Added: "Create", wiki.Modified: "Edit", wiki.Deleted: "Delete", wiki.Moved: "Move"}[ch.Kind]
	what := ch.Path
	if name, ok := wiki.PageOf(what); ok {
		what = string(name)
	}
	if len(changes) > 1 {
		return fmt.Sprintf("%s %s and %d more", verb, what, len(changes)-1)
	}
	return verb + " " + what
}

// reservedTrailers are the trailers that only this service writes.
var reservedTrailers = append([]string{"Agent", "Client", "Grant", acceptedBy}, moveTrailers...)

func isReservedTrailer(key string) bool {
	return slices.ContainsFunc(reservedTrailers, func(o string) bool { return strings.EqualFold(o, strings.TrimSpace(key)) })
}

// stripReservedTrailers removes forged trailers about agents, grants, moves or people who accepted from a
// message, and its trailing newlines.
func stripReservedTrailers(message string) string {
	if hidesTrailers(message) {
		title, rest, _ := strings.Cut(message, "\n\n")
		message = strings.TrimRight(title+"\n\n"+dropReservedLines(rest), "\n")
	}
	for {
		_, trailers := gitrepo.CutTrailers(message)
		if !slices.ContainsFunc(trailers, func(t gitrepo.Trailer) bool { return isReservedTrailer(t.Key) }) {
			return strings.TrimRight(message, "\n")
		}
		// All lines of the last paragraph with such a key, with their continuations.
		message = strings.TrimRight(message, "\n")
		start := strings.LastIndex(message, "\n\n") + 2
		kept := dropReservedLines(message[start:] + "\n")
		if message[start:]+"\n" == kept { // impossible, but must not loop forever
			return message
		}
		message = message[:start] + kept
	}
}

// hidesTrailers reports whether git could read trailers from another paragraph than
// the last, because it skips comments, and a list of conflicts at the end.
func hidesTrailers(message string) bool {
	for line := range strings.Lines(message) {
		if strings.HasPrefix(line, "#") || strings.HasPrefix(line, "Conflicts:") {
			return true
		}
	}
	return false
}

// dropReservedLines drops lines with reserved keys and their continuation lines.
func dropReservedLines(text string) string {
	var kept strings.Builder
	dropping := false
	for line := range strings.Lines(text) {
		if key, _, ok := strings.Cut(line, ":"); !strings.HasPrefix(line, " ") && !strings.HasPrefix(line, "\t") {
			dropping = ok && isReservedTrailer(key)
		}
		if !dropping {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// insertCommit writes a commit's row, which makes it the head, with the wiki's totals
// after it, and the blob that is stored in the row, "" if none is.
func (t *tx) insertCommit(c wiki.Commit, raw []byte, total meta, blob string, b storedBlob) error {
	session, errA := t.findSession(c)
	keys, errB := packKeys(c.Changes)
	if err := errors.Join(errA, errB); err != nil {
		return err
	}
	a := c.Author
	if err := t.exec(`INSERT INTO commits (wiki, seq, oid, parents, raw, username, did, agent, client, grant_id, imported, time, message, session, keys, pages, files, current_bytes, history_bytes, blob, blob_size, data)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19 + (SELECT saved_bytes FROM state WHERE wiki = $1), $20, $21, $22)`,
		t.w.slug, c.Seq, c.ID, strings.Join(c.Parents, " "), raw, a.Username, a.DID, a.Agent, a.Client, a.Grant, a.Imported, c.Time.UnixMilli(), c.Message, session,
		keys, total.pages, total.files, total.current, total.history, blob, b.size, b.data); err != nil {
		return err
	}
	return t.summarizeSpan(c.Seq)
}

// advanceHead writes the commit and its changes. The commit's number is one that no
// other can have taken meanwhile.
func (s *staging) advanceHead(c wiki.Commit, raw []byte, changes []stagedChange) error {
	m := &s.meta
	if err := s.tx.insertCommit(c, raw, *m, s.blob, s.data); err != nil {
		return err
	}
	for n, ch := range changes {
		var mode uint32
		var size int64
		if ch.file != nil {
			mode, size = ch.file.mode, ch.file.size
		}
		if err := s.tx.insertChange(c.Seq, n, ch.Change, mode, size); err != nil {
			return err
		}
	}
	if err := s.tx.insertTakings(c.Seq, s.r.Takes); err != nil {
		return err
	}
	m.seq, m.head = c.Seq, c.ID
	return nil
}

// lastCommitOf returns the commit that last changed a file, or the newest one if
// there is no such file.
func (s *staging) lastCommitOf(path string) (wiki.Commit, error) {
	seq := s.meta.seq
	if f := s.files[wiki.Key(path)]; f != nil && f.old.Seq > 0 {
		seq = f.old.Seq
	}
	if seq == 0 {
		return wiki.Commit{}, nil
	}
	return commitBySeq(s.tx.context(), s.tx, s.tx.w.slug, seq)
}

func parentFolder(p string) string {
	if d := path.Dir(p); d != "." {
		return d
	}
	return ""
}
