package web

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

const (
	revisionsShown = 50 // per page of a history
	commitsShown   = 50 // per page of the changelog
)

// historyPage lists a page's revisions by day.
type historyPage struct {
	Frame
	Name    string
	IsPage  bool // false for an attachment
	Deleted bool
	By      byFilter
	Days    []day[historyEntry]
	From    string // revisions compared by default
	To      string
	Older   string // address of the next page, "" on the last
}

// A historyEntry is one revision, with the address of its changes.
type historyEntry struct {
	wiki.Revision
	Changes  string
	Diffstat pages.Diffstat
}

// byFilter is the form that filters changes by author.
type byFilter struct {
	Action  string // address of the form
	By      string // "people", "agents" or "" for everyone
	Author  string // the requested name, or ""
	Authors pages.Authors
	Groups  bool   // offer to group by session
	Group   string // "sessions", or "" for single changes
}

// Other reports whether the requested author isn't in the lists.
func (f byFilter) Other() bool {
	same := func(name string) bool { return name == f.Author }
	return f.Author != "" && !slices.ContainsFunc(f.Authors.People, same) && !slices.ContainsFunc(f.Authors.Agents, same)
}

// readByFilter reads the form from the query into a filter.
func (h *Handler) readByFilter(v *visit, action string, f *pages.LogFilter) (byFilter, error) {
	by := byFilter{Action: action, Author: strings.TrimSpace(strings.ToValidUTF8(v.query("author"), ""))}
	f.Author = by.Author
	by.By, f.Agents = readBy(v)
	var err error
	by.Authors, err = h.o.Pages.Authors(v.ctx(), v.a)
	return by, err
}

// readBy reads from the query whose changes to show: "agents", "people" or "" for both.
func readBy(v *visit) (by string, agents *bool) {
	switch by = v.query("by"); by {
	case "people", "agents":
		only := by == "agents"
		return by, &only
	}
	return "", nil
}

// chosen reports that the filter leaves something out.
func (f byFilter) chosen() bool { return f.By != "" || f.Author != "" }

// olderURL is the address of the next page, before a commit, with the same filter.
func (f byFilter) olderURL(seq int64) string {
	q := url.Values{"before": {strconv.FormatInt(seq, 10)}}
	for name, value := range map[string]string{"by": f.By, "author": f.Author, "group": f.Group} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return f.Action + "?" + q.Encode()
}

// historyEntries links each revision to its difference from the previous one.
// whole means that the list is complete.
func historyEntries(name string, revisions []wiki.Revision, diffstats []pages.Diffstat, whole bool) []historyEntry {
	entries := make([]historyEntry, len(revisions))
	for i, r := range revisions {
		entries[i] = historyEntry{r, "/-/commit/" + r.Commit, diffstats[i]}
		before := r.Old
		if whole && i+1 < len(revisions) {
			before = revisions[i+1].Commit
		}
		if r.Old != "" && r.New != "" && r.Old != r.New {
			entries[i].Changes = wiki.PathURL(name + "/diff/" + shortID(before) + "/" + shortID(r.Commit))
		}
	}
	return entries
}

// A day groups the items of one day.
type day[T any] struct {
	Label string
	Items []T
}

// groupByDay groups items sorted by time. now determines today.
func groupByDay[T any](items []T, now time.Time, at func(T) time.Time) []day[T] {
	var days []day[T]
	for _, item := range items {
		label := dayLabel(at(item), now)
		if len(days) == 0 || days[len(days)-1].Label != label {
			days = append(days, day[T]{Label: label})
		}
		last := &days[len(days)-1]
		last.Items = append(last.Items, item)
	}
	return days
}

func dayLabel(t, now time.Time) string {
	t, now = t.UTC(), now.UTC()
	switch {
	case t.Format(time.DateOnly) == now.Format(time.DateOnly):
		return "Today"
	case t.Format(time.DateOnly) == now.AddDate(0, 0, -1).Format(time.DateOnly):
		return "Yesterday"
	case t.Year() == now.Year():
		return t.Format("2 January")
	}
	return t.Format("2 January 2006")
}

// beforeSeq returns the paging parameter, a commit's sequence number.
func beforeSeq(v *visit) int64 {
	n, _ := strconv.ParseInt(v.query("before"), 10, 64)
	return max(n, 0)
}

func (h *Handler) showHistory(v *visit) error {
	newest, err := h.o.Pages.History(v.ctx(), v.a, v.name, 0, 1)
	if err != nil {
		return err
	}
	p := &historyPage{Name: v.name}
	filter := pages.LogFilter{Before: beforeSeq(v), Limit: revisionsShown + 1}
	if p.By, err = h.readByFilter(v, wiki.PathURL(v.name+"/history"), &filter); err != nil {
		return err
	}
	revisions, err := h.o.Pages.HistoryBy(v.ctx(), v.a, v.name, filter)
	if err != nil {
		return err
	}
	if len(revisions) > revisionsShown {
		revisions = revisions[:revisionsShown]
		p.Older = p.By.olderURL(revisions[revisionsShown-1].Seq)
	}
	if len(revisions) == 0 && !p.By.chosen() {
		return wiki.Problemf(wiki.ErrNotFound, "", "There are no older versions.")
	}
	p.selectNewest(revisions)
	diffstats, err := h.o.Pages.Diffstats(v.ctx(), v.a, revisions)
	if err != nil {
		return err
	}
	name, isPage := wiki.PageOf(newest[0].Path)
	p.IsPage, p.Deleted = isPage, newest[0].New == ""
	if isPage {
		p.Name = string(name)
		p.Frame = h.pageFrame(v, "History of "+name.Title(), name, "history")
		p.Head.Exists = !p.Deleted
	} else {
		p.Name = newest[0].Path
		p.Frame = h.frame(v, "History of "+p.Name)
		p.NoIndex = true
		p.Head = &Head{Name: wiki.PageName(p.Name), Crumbs: crumbs(p.Name), Here: p.Name}
	}
	p.Days = groupByDay(historyEntries(p.Name, revisions, diffstats, !p.By.chosen()), h.o.Now(), func(e historyEntry) time.Time { return e.Time })
	return h.render(v, http.StatusOK, "history", p)
}

// selectNewest selects the two newest revisions shown for comparison.
func (p *historyPage) selectNewest(revisions []wiki.Revision) {
	for i, r := range revisions[:min(2, len(revisions))] {
		p.From = r.Commit
		if i == 0 {
			p.To = r.Commit
		}
	}
}

// compareVersions redirects to the diff of two revisions, or restores one.
func (h *Handler) compareVersions(v *visit) error {
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, 64<<10)
	if err := parseForm(v.r); err != nil {
		return err
	}
	if revision := v.r.PostForm.Get("restore"); revision != "" {
		saved, err := h.o.Pages.Restore(v.ctx(), v.a, v.name, revision, pages.Write{})
		if err != nil {
			return err
		}
		notice := "restoredversion"
		switch {
		case saved.Unchanged:
			notice = "unchanged"
		case saved.Created && saved.Name != "":
			notice = "restoredpage"
		}
		return h.redirect(v, h.tell(v, wiki.PathURL(savedPath(saved, v.name)), notice))
	}
	return h.redirectToDiff(v, v.r.PostForm)
}

// savedPath is the path of the saved page or file, or asked if it has none.
func savedPath(saved pages.Saved, asked string) string {
	switch {
	case saved.Name != "":
		return string(saved.Name)
	case saved.Path != "":
		return saved.Path
	}
	return asked
}

func (h *Handler) redirectToDiff(v *visit, form url.Values) error {
	from, to := form.Get("rev_a"), form.Get("rev_b")
	if from == "" || to == "" {
		return wiki.Problemf(wiki.ErrInvalid, "rev_a", "Pick two versions to compare them.")
	}
	from, to, err := h.o.Pages.InOrder(v.ctx(), v.a, from, to)
	if err != nil {
		return err
	}
	return h.redirect(v, wiki.PathURL(v.name+"/diff/"+from+"/"+to))
}

// diffPage compares two revisions of a page.
type diffPage struct {
	Frame
	*pages.FileDiff
	Name                     string // page or file
	FromRevision, ToRevision string
}

func (h *Handler) showDiff(v *visit) error {
	var from, to string
	switch len(v.rest) {
	case 0:
		return h.redirectToDiff(v, v.r.URL.Query())
	case 2:
		to = v.rest[1]
		fallthrough
	case 1:
		from = v.rest[0]
	}
	diff, err := h.o.Pages.Diff(v.ctx(), v.a, v.name, from, to)
	if err != nil {
		return err
	}
	p := &diffPage{FileDiff: diff, Name: diff.Path, FromRevision: from, ToRevision: to}
	if p.ToRevision == "" {
		p.ToRevision = diff.New.Commit
	}
	if diff.Page != "" {
		p.Name = string(diff.Page)
		p.Frame = h.pageFrame(v, "Changes to "+diff.Page.Title(), diff.Page, "history")
	} else {
		p.Frame = h.frame(v, "Changes to "+diff.Path)
		p.NoIndex = true
		p.Head = &Head{Name: wiki.PageName(diff.Path), Crumbs: crumbs(diff.Path), Here: diff.Path}
	}
	return h.render(v, http.StatusOK, "diff", p)
}

// blamePage shows the author of each line.
type blamePage struct {
	Frame
	Runs           []blameRun
	People, Agents int // lines
	Revision       string
}

// A blameRun is a run of lines last changed by one revision.
type blameRun struct {
	Revision wiki.Revision
	First    pages.BlameLine
	Rest     []pages.BlameLine
}

// Lines returns the number of lines in the run.
func (r blameRun) Lines() int { return 1 + len(r.Rest) }

func (h *Handler) showBlame(v *visit) error {
	p := &blamePage{}
	if len(v.rest) > 0 {
		p.Revision = v.rest[0]
	}
	lines, err := h.o.Pages.Blame(v.ctx(), v.a, v.name, p.Revision)
	if err != nil {
		return err
	}
	for _, line := range lines {
		if line.Revision.Author.Agent != "" {
			p.Agents++
		} else {
			p.People++
		}
		if n := len(p.Runs); n > 0 && p.Runs[n-1].Revision.Commit == line.Revision.Commit {
			p.Runs[n-1].Rest = append(p.Runs[n-1].Rest, line)
			continue
		}
		p.Runs = append(p.Runs, blameRun{Revision: line.Revision, First: line})
	}
	name := wiki.PageName(v.name)
	if found, err := h.o.Pages.Find(v.ctx(), v.a, v.name); err == nil && found.Kind == pages.KindPage {
		name = wiki.PageName(found.Path)
	}
	p.Frame = h.pageFrame(v, "Who wrote "+name.Title(), name, "blame")
	return h.render(v, http.StatusOK, "blame", p)
}

// commitPage is one commit with its diffs.
type commitPage struct {
	Frame
	Commit  wiki.Commit
	Diffs   []*pages.FileDiff
	More    int // number of files not compared
	Added   int
	Removed int
	// CanErase reports whether the reader can erase the commit's content.
	CanErase bool
}

func (h *Handler) showCommit(v *visit) error {
	commit, diffs, err := h.o.Pages.Commit(v.ctx(), v.a, v.param("id"))
	if err != nil {
		return err
	}
	p := &commitPage{Frame: h.frame(v, commitSummary(commit)), Commit: commit, Diffs: diffs}
	p.NoIndex, p.CanErase = true, v.a.Can(wiki.Configure) && len(commit.Changes) > 0
	p.More = max(0, len(commit.Changes)-len(diffs))
	for _, d := range diffs {
		p.Added, p.Removed = p.Added+d.Added, p.Removed+d.Removed
	}
	return h.render(v, http.StatusOK, "commit", p)
}

// changelogPage lists commits, or sessions, by day.
type changelogPage struct {
	Frame
	By       byFilter
	Days     []day[logEntry]
	Sessions []day[sessionRow]
	Older    string
}

// A logEntry is a commit in a list, with its first changes.
type logEntry struct {
	wiki.Commit
	Shown []pageChange
	More  int // number of changes not shown
}

type pageChange struct {
	wiki.Change
	Page wiki.PageName // "" for attachments
}

// logEntries returns list entries for commits.
func logEntries(commits []wiki.Commit) []logEntry {
	const shown = 6 // changes per commit
	entries := make([]logEntry, len(commits))
	for i, c := range commits {
		e := logEntry{Commit: c, More: max(0, len(c.Changes)-shown)}
		for _, change := range c.Changes[:len(c.Changes)-e.More] {
			page, _ := wiki.PageOf(change.Path)
			e.Shown = append(e.Shown, pageChange{change, page})
		}
		entries[i] = e
	}
	return entries
}

func (h *Handler) showChangelog(v *visit) error {
	f := pages.LogFilter{Before: beforeSeq(v), Limit: commitsShown + 1}
	p := &changelogPage{Frame: h.frame(v, "Changes")}
	p.NoIndex, p.Feed = true, true
	var err error
	if p.By, err = h.readByFilter(v, "/-/changelog", &f); err != nil {
		return err
	}
	if p.By.Groups = true; v.query("group") == "sessions" {
		p.By.Group = "sessions"
		return h.showSessions(v, p, f)
	}
	if from := v.param("from"); from != "" { // An Otter Wiki pages by starting commit
		c, _, err := h.o.Pages.Commit(v.ctx(), v.a, from)
		if err != nil {
			return err
		}
		f.Before = c.Seq + 1
	}
	commits, err := h.o.Pages.Changelog(v.ctx(), v.a, f)
	if err != nil {
		return err
	}
	if len(commits) > commitsShown {
		commits = commits[:commitsShown]
		p.Older = p.By.olderURL(commits[commitsShown-1].Seq)
	}
	p.Days = groupByDay(logEntries(commits), h.o.Now(), func(e logEntry) time.Time { return e.Time })
	return h.render(v, http.StatusOK, "changelog", p)
}

// redirectLog redirects An Otter Wiki's second address of the changelog.
func (h *Handler) redirectLog(v *visit) error {
	to := "/-/changelog"
	if from := v.param("from"); from != "" {
		to += wiki.PathURL(from)
	}
	return h.redirectWith(v, http.StatusFound, to)
}
