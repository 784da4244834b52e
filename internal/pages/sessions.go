package pages

import (
	"context"
	"slices"
	"strings"
	"time"

	"robot.wtf/internal/content"
	"robot.wtf/internal/wiki"
)

// A Session is a run of commits by one grant, or by one person without a grant, with no
// pause of more than 30 minutes.
type Session struct {
	ID         string // of its first commit
	First      int64  // seq of its first commit
	Last       int64  // seq of its last commit
	Author     wiki.Author
	Start, End time.Time
	Count      int           // number of commits
	Files      []SessionFile // in order of their first change
	Partial    bool          // some commits or changes weren't read, so Files isn't complete
	About      string        // the messages of its commits, shortened
	Commits    []wiki.Commit // oldest first, without hidden files
}

// A SessionFile is the change of a file from before a session to after it, with the
// changes of others in between.
type SessionFile struct {
	wiki.Change
	Page    wiki.PageName // "" for attachments
	Edits   int           // number of changes
	Keys    []string      // of its names in the session
	Seq     int64         // of the last change
	Waiting bool          // the reader has yet to review a part of it
}

const (
	// maxSessionCommits bounds the commits read of one session.
	maxSessionCommits = 1000
	// maxListedCommits bounds them in lists of sessions.
	maxListedCommits = 100
)

// Sessions lists sessions, those that began last first. The filter is that of
// content.Wiki.Sessions.
func (s *Service) Sessions(ctx context.Context, a wiki.Access, f LogFilter) ([]Session, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	all, err := w.Sessions(ctx, f, maxListedCommits)
	if err != nil {
		return nil, err
	}
	list := make([]Session, len(all))
	for i, session := range all {
		list[i] = newSession(session)
	}
	return list, nil
}

// Session reads the session of a commit. It tells a member which of its changes they
// have yet to review.
func (s *Service) Session(ctx context.Context, a wiki.Access, id string) (Session, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return Session{}, err
	}
	defer release()
	found, err := sessionOf(ctx, w, id)
	if err != nil {
		return Session{}, err
	}
	list := []Session{newSession(found)}
	if a.Role() >= wiki.Viewer {
		err = s.markWaiting(ctx, w, a.Caller().User.DID, list)
	}
	return list[0], err
}

// sessionOf reads the session of a commit by the commit's id.
func sessionOf(ctx context.Context, w *content.Wiki, id string) (content.Session, error) {
	c, err := commitByID(ctx, w, id)
	if err != nil {
		return content.Session{}, err
	}
	return w.SessionOf(ctx, c.Seq, maxSessionCommits)
}

// newSession combines the commits of a session. It has at least one.
func newSession(s content.Session) Session {
	first, partial := s.Commits[0], len(s.Commits) < s.Count
	for i := range s.Commits {
		s.Commits[i].Changes = visibleChanges(s.Commits[i].Changes)
		partial = partial || s.Commits[i].Cut
	}
	return Session{
		ID: first.ID, First: s.First, Last: s.Last, Author: first.Author, Start: s.Start, End: s.End, Count: s.Count,
		Files: combineChanges(s.Commits), Partial: partial, About: aboutCommits(s.Commits), Commits: s.Commits,
	}
}

// Pages returns the number of pages that the session changed.
func (s Session) Pages() (n int) {
	for _, f := range s.Files {
		n += boolToInt(f.Page != "")
	}
	return n
}

// Waiting returns the number of files with changes that the reader has yet to review.
func (s Session) Waiting() (n int) {
	for _, f := range s.Files {
		n += boolToInt(f.Waiting)
	}
	return n
}

// combineChanges joins the changes of commits, in order, to one change of each file. A
// file that they created and deleted again is left out.
func combineChanges(commits []wiki.Commit) []SessionFile {
	var files []*SessionFile
	now := map[string]*SessionFile{} // by current key
	for _, c := range commits {
		for _, ch := range c.Changes {
			key, before := wiki.Key(ch.Path), wiki.Key(ch.Path)
			if ch.From != "" {
				before = wiki.Key(ch.From)
			}
			f := now[before]
			if f == nil {
				f = &SessionFile{Change: wiki.Change{From: ch.Path, Old: ch.Old}}
				if ch.From != "" {
					f.From = ch.From
				}
				files = append(files, f)
			} else if before != key {
				delete(now, before)
			}
			f.extend(ch, c.Seq, key, before)
			now[key] = f
		}
	}
	list := make([]SessionFile, 0, len(files))
	for _, f := range files {
		if f.settle() {
			list = append(list, *f)
		}
	}
	return list
}

// extend adds a change of the file.
func (f *SessionFile) extend(ch wiki.Change, seq int64, keys ...string) {
	f.Path, f.New, f.Seq = ch.Path, ch.New, seq
	f.Edits++
	for _, key := range keys {
		if !slices.Contains(f.Keys, key) {
			f.Keys = append(f.Keys, key)
		}
	}
}

// settle sets the kind of the whole change and reports whether there is one. Until
// then, From is the first path.
func (f *SessionFile) settle() bool {
	switch {
	case f.Old == "" && f.New == "":
		return false
	case f.Old == "":
		f.Kind, f.From = wiki.Added, ""
	case f.New == "":
		f.Kind, f.Path, f.From = wiki.Deleted, f.From, ""
	case f.From != f.Path:
		f.Kind = wiki.Moved
	default:
		f.Kind, f.From = wiki.Modified, ""
	}
	f.Page, _ = wiki.PageOf(f.Path)
	return true
}

// maxAbout bounds the summary of a session, in bytes.
const maxAbout = 240

// aboutCommits summarizes commits by the first lines of their messages. Messages that
// only name the page, as the service writes them, count if there are no others.
func aboutCommits(commits []wiki.Commit) string {
	var told, plain []string
	for _, c := range commits {
		subject, _, _ := strings.Cut(c.Message, "\n")
		subject = strings.TrimRight(strings.TrimSpace(subject), ".")
		list := &told
		if subject == "" || isPlainMessage(subject) {
			list = &plain
		}
		if subject != "" && !slices.Contains(*list, subject) {
			*list = append(*list, subject)
		}
	}
	if len(told) == 0 {
		told = plain
	}
	return truncate(strings.Join(told, "; "), maxAbout)
}

// isPlainMessage reports whether a message only says which page was saved.
func isPlainMessage(subject string) bool {
	verb, _, _ := strings.Cut(subject, " ")
	return slices.Contains([]string{"Create", "Edit", "Update", "Save"}, verb) && !strings.Contains(subject, ":")
}

// SessionStats counts the lines that each session added and removed, file by file. The
// counts are cached; after a time, those of the other sessions stay unknown.
func (s *Service) SessionStats(ctx context.Context, a wiki.Access, sessions []Session, within time.Duration) ([]Diffstat, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	var revisions []wiki.Revision
	for _, session := range sessions {
		for _, f := range session.Files {
			revisions = append(revisions, wiki.Revision{Change: f.Change})
		}
	}
	each, err := s.diffstats(ctx, w, revisions, min(within, maxDiffstatTime))
	if err != nil {
		return nil, err
	}
	sums := make([]Diffstat, len(sessions))
	for i, session := range sessions {
		sums[i].Known = !session.Partial
		for range session.Files {
			sums[i].Added, sums[i].Removed = sums[i].Added+each[0].Added, sums[i].Removed+each[0].Removed
			sums[i].Known = sums[i].Known && each[0].Known
			each = each[1:]
		}
	}
	return sums, nil
}
