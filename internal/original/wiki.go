package original

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
)

// readWikis reads what each wiki's directory has.
func (r *reader) readWikis(ctx context.Context) error {
	for i := range r.c.Wikis {
		w := &r.c.Wikis[i]
		if w.Problem != "" {
			continue
		}
		_, err := r.disk.Repository(w.Slug)
		if err == nil { // then no file of it leads elsewhere
			w.Head, err = r.disk.head(w.Slug)
		}
		if err != nil {
			w.Problem = err.Error()
			continue
		}
		if err := r.readWikiDB(ctx, w); err != nil {
			w.Problem = "its wiki.db can't be read: " + err.Error()
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// readWikiDB reads a wiki's preferences, members and drafts.
func (r *reader) readWikiDB(ctx context.Context, w *Wiki) error {
	db, err := r.open(ctx, "wikis", w.Slug, "wiki.db")
	if errors.Is(err, errMissing) {
		r.useACLs(w)
		return nil
	}
	if err != nil {
		return err
	}
	defer db.Close()
	preferences, err := readPreferences(ctx, db)
	if err != nil {
		return err
	}
	w.applyPreferences(preferences)
	rows, err := readUsers(ctx, db)
	if err != nil {
		return err
	}
	if _, current := preferences["_schema_version"]; len(rows) == 0 && !current {
		r.useACLs(w)
	}
	for i, row := range rows {
		r.addMember(w, row, i == 0)
	}
	return r.readDrafts(ctx, db, w)
}

// useACLs takes the members from robot.db. Later versions of the original ignored
// them: they count only for a wiki that none of those has opened.
func (r *reader) useACLs(w *Wiki) {
	w.Members = slices.DeleteFunc(slices.Clone(r.acls[w.Slug]), func(m Member) bool { return m.DID == w.Owner })
}

func readPreferences(ctx context.Context, db *sql.DB) (map[string]string, error) {
	found := map[string]string{}
	if columns, err := columnsOf(ctx, db, "preferences"); err != nil || len(columns) == 0 {
		return found, err
	}
	return found, eachRow(ctx, db, func(rows *sql.Rows) error {
		var name, value string
		err := rows.Scan(&name, &value)
		found[name] = value
		return err
	}, `SELECT name, coalesce(value, '') FROM preferences`)
}

// unlike are preferences that have no equivalent, with a sentence for the owner if
// they differ from the original's default.
var unlike = []struct{ name, otherwise, text string }{
	{"CUSTOM_MENU", "", "Your own menu isn't shown. Link to the pages from your home page."},
	{"SIDEBAR_CUSTOM_MENU", "", "Your own menu isn't shown. Link to the pages from your home page."},
	{"RENDERER_HTML_ALLOWLIST", "", "HTML elements that you allowed besides the usual ones are shown as text."},
	{"ROBOTS_TXT", "", "Your rules for search engines don't apply: public wikis can be found, private ones can't."},
	{"COMMIT_MESSAGE", "", "A summary of an edit is optional."},
	{"GIT_REMOTE_PUSH_URL", "", "Changes aren't pushed to another server. Clone the wiki there instead."},
	{"GIT_REMOTE_PULL_URL", "", "Changes aren't pulled from another server."},
}

func (w *Wiki) applyPreferences(p map[string]string) {
	if name := p["SITE_NAME"]; name != "" {
		w.Title = name
	}
	w.Description, w.Home = p["SITE_DESCRIPTION"], strings.TrimSpace(p["HOME_PAGE"])
	w.TextFirst = !strings.EqualFold(p["WIKILINK_STYLE"], "LINK_TITLE")
	switch read := p["READ_ACCESS"]; read {
	case "":
	case "REGISTERED":
		w.Public = false
		w.Changes = append(w.Changes, "Anyone signed in could read it. Now it is private: only its members can.")
	default:
		w.Public = read == "ANONYMOUS"
	}
	switch p["WRITE_ACCESS"] {
	case "ANONYMOUS":
		w.Changes = append(w.Changes, "Anyone could edit it. Now only its owner and editors can.")
	case "REGISTERED":
		w.Changes = append(w.Changes, "Anyone signed in could edit it. Now only its owner and editors can.")
	}
	if isTrue(p["GIT_WEB_SERVER"]) {
		w.Changes = append(w.Changes, "Git can clone and fetch, but no longer push.")
	}
	for _, icon := range []string{p["SITE_LOGO"], p["SITE_ICON"]} {
		if icon != "" && !strings.HasPrefix(icon, "/platform/") {
			w.Changes = append(w.Changes, "Your own logo and icon aren't shown.")
			break
		}
	}
	for _, u := range unlike {
		if p[u.name] != u.otherwise && !slices.Contains(w.Changes, u.text) {
			w.Changes = append(w.Changes, u.text)
		}
	}
}

func isTrue(value string) bool { return strings.EqualFold(value, "true") || value == "1" }

// userRow is a row of a wiki's table of users.
type userRow struct {
	email                        string
	approved, admin, read, write bool
}

func readUsers(ctx context.Context, db *sql.DB) (list []userRow, err error) {
	columns, err := columnsOf(ctx, db, "user")
	if err != nil || len(columns) == 0 {
		return nil, err
	}
	flag := func(name string) string { return "coalesce(" + orNull(columns, name) + ", 0) <> 0" }
	err = eachRow(ctx, db, func(rows *sql.Rows) error {
		var u userRow
		err := rows.Scan(&u.email, &u.approved, &u.admin, &u.read, &u.write)
		list = append(list, u)
		return err
	}, `SELECT coalesce(email, ''), `+strings.Join([]string{flag("is_approved"), flag("is_admin"), flag("allow_read"), flag("allow_write")}, ", ")+` FROM "user" ORDER BY id`)
	return list, err
}

// addMember adds the person of a row, unless it is the owner's own. first says that
// it is the oldest row, which the original made for the owner.
func (r *reader) addMember(w *Wiki, u userRow, first bool) {
	m := Member{Handle: handleOf(u.email)}
	if m.Handle == "" {
		m.Handle, m.Problem, m.Never = u.email, "it is no handle", true
		w.Members = append(w.Members, m)
		return
	}
	known := r.known[m.Handle]
	if len(known) == 1 && known[0] == w.Owner {
		return
	}
	if len(known) > 0 {
		m.DID = known[0]
	}
	m.Editor, m.Admin = u.admin || u.write, u.admin
	switch {
	case len(known) > 1:
		m.Problem = "several people had this handle"
	case len(known) == 0 && first && u.admin:
		m.Problem = "it may be a former handle of the owner"
	case !u.admin && !u.approved:
		m.Problem, m.Never = "they weren't approved", true
	case !u.admin && u.write && !u.read:
		m.Problem = "they couldn't read the wiki"
	}
	w.Members = append(w.Members, m)
}

// maxDraft limits the text of a draft, in bytes.
const maxDraft = 1 << 20

func (r *reader) readDrafts(ctx context.Context, db *sql.DB, w *Wiki) error {
	if columns, err := columnsOf(ctx, db, "drafts"); err != nil || len(columns) == 0 {
		return err
	}
	return eachRow(ctx, db, func(rows *sql.Rows) error {
		var d Draft
		var email string
		if err := rows.Scan(&d.Page, &email, &d.Text); err != nil {
			return err
		}
		d.Handle = handleOf(email)
		if known := r.known[d.Handle]; len(known) == 1 {
			d.DID = known[0]
		}
		if d.Handle != "" {
			w.Drafts = append(w.Drafts, d)
		}
		return nil
	}, `SELECT coalesce(pagepath, ''), coalesce(author_email, ''), coalesce(content, '') FROM drafts WHERE length(content) <= $1 ORDER BY id`, maxDraft)
}
