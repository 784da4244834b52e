package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"robot.wtf/internal/service"
	"robot.wtf/internal/wiki"
)

// dataFlag names the data directory of an operator's command. If a service is using
// it, that service runs the command.
type dataFlag struct {
	Data string `required:"" env:"ROBOT_DATA" placeholder:"DIR" type:"path" help:"Data directory."`
}

func (f dataFlag) run(ctx context.Context, name string, args url.Values) error {
	return operate(ctx, f.Data, name, args, nil, os.Stdout)
}

type wikisCommand struct{ dataFlag }

// Run lists the wikis.
func (c wikisCommand) Run(ctx context.Context) error { return c.run(ctx, "wikis", nil) }

type hostsCommand struct{ dataFlag }

// Run lists the servers that host accounts.
func (c hostsCommand) Run(ctx context.Context) error { return c.run(ctx, "hosts", nil) }

type usersCommand struct{ dataFlag }

// Run lists the users.
func (c usersCommand) Run(ctx context.Context) error { return c.run(ctx, "users", nil) }

type auditCommand struct {
	Wiki  string `arg:"" optional:"" help:"Only entries of this wiki."`
	Limit int    `default:"100" placeholder:"N" help:"Number of entries (${default})."`
	dataFlag
}

// Run shows the newest entries of the audit log.
func (c auditCommand) Run(ctx context.Context) error {
	return c.run(ctx, "audit", url.Values{"wiki": {c.Wiki}, "limit": {strconv.Itoa(c.Limit)}})
}

// whoFlag names a wiki or a user.
type whoFlag struct {
	Name string `arg:"" help:"Slug of a wiki, or with --user a username, handle or DID."`
	User bool   `help:"NAME is a user, not a wiki."`
}

func (w whoFlag) args() url.Values {
	return url.Values{"name": {w.Name}, "user": {strconv.FormatBool(w.User)}}
}

// hostFlag makes the name that of a host.
type hostFlag struct {
	Host bool `xor:"kind" help:"NAME is the server (PDS) that hosts accounts: all of them, also at its subdomains, and new ones."`
}

func (f hostFlag) add(args url.Values) url.Values {
	args.Set("host", strconv.FormatBool(f.Host))
	return args
}

type suspendCommand struct {
	whoFlag
	hostFlag
	Reason string `placeholder:"TEXT" help:"Reason to show to the members."`
	dataFlag
}

// Run suspends a wiki or a user.
func (c suspendCommand) Run(ctx context.Context) error {
	args := c.add(c.args())
	args.Set("reason", c.Reason)
	return c.run(ctx, "suspend", args)
}

type resumeCommand struct {
	whoFlag
	hostFlag
	dataFlag
}

// Run ends a suspension.
func (c resumeCommand) Run(ctx context.Context) error { return c.run(ctx, "resume", c.add(c.args())) }

type deleteCommand struct {
	whoFlag
	Now bool `help:"Delete for good now, without the seven days for restoring."`
	dataFlag
}

// Run deletes a wiki or an account.
func (c deleteCommand) Run(ctx context.Context) error {
	args := c.args()
	args.Set("now", strconv.FormatBool(c.Now))
	return c.run(ctx, "delete", args)
}

type quotaCommand struct {
	Wiki         string `arg:"" help:"Slug of the wiki."`
	Pages        *int   `placeholder:"N" help:"Number of pages. For every limit, 0 restores the default; limits you omit stay as they are."`
	Files        *int   `placeholder:"N" help:"Pages, redirects and other files together."`
	Members      *int   `placeholder:"N" help:"Members besides the owner."`
	CurrentMB    *int64 `name:"current-mb" placeholder:"N" help:"All current files."`
	HistoryMB    *int64 `name:"history-mb" placeholder:"N" help:"All files with history."`
	PageKB       *int64 `name:"page-kb" placeholder:"N" help:"One page."`
	AttachmentMB *int64 `name:"attachment-mb" placeholder:"N" help:"One attachment."`
	dataFlag
}

// Run sets the given limits of a wiki, then shows all of them.
func (c quotaCommand) Run(ctx context.Context) error {
	args := url.Values{"wiki": {c.Wiki}}
	set := func(name string, value *int64) {
		if value != nil {
			args.Set(name, strconv.FormatInt(*value, 10))
		}
	}
	wide := func(n *int) *int64 {
		if n == nil {
			return nil
		}
		w := int64(*n)
		return &w
	}
	set("pages", wide(c.Pages))
	set("files", wide(c.Files))
	set("members", wide(c.Members))
	set("current", c.CurrentMB)
	set("history", c.HistoryMB)
	set("page", c.PageKB)
	set("attachment", c.AttachmentMB)
	return c.run(ctx, "quota", args)
}

type reindexCommand struct {
	Wiki    string `arg:"" optional:"" help:"Only this wiki."`
	Workers int    `default:"0" placeholder:"N" help:"Texts to embed in parallel. 0 means one less than the number of CPUs."`
	dataFlag
}

// Run rebuilds search indexes.
func (c reindexCommand) Run(ctx context.Context) error {
	return c.run(ctx, "reindex", url.Values{"wiki": {c.Wiki}, "workers": {strconv.Itoa(c.Workers)}})
}

type reportsCommand struct {
	All   bool  `help:"Include closed reports."`
	Close int64 `placeholder:"ID" help:"Close this report."`
	dataFlag
}

// Run lists reports from readers, or closes one.
func (c reportsCommand) Run(ctx context.Context) error {
	return c.run(ctx, "reports", url.Values{"all": {strconv.FormatBool(c.All)}, "close": {strconv.FormatInt(c.Close, 10)}})
}

type takedownCommand struct {
	Wiki   string `arg:"" help:"Slug of the wiki."`
	Page   string `arg:"" help:"Name of the page, or of a file with its folder."`
	Reason string `placeholder:"TEXT" help:"Reason to show to readers and to the owner."`
	dataFlag
}

// Run takes a page down.
func (c takedownCommand) Run(ctx context.Context) error {
	return c.run(ctx, "takedown", url.Values{"wiki": {c.Wiki}, "page": {c.Page}, "reason": {c.Reason}})
}

type putbackCommand struct {
	Wiki string `arg:"" help:"Slug of the wiki."`
	Page string `arg:"" help:"Name of the page or file."`
	dataFlag
}

// Run undoes a takedown.
func (c putbackCommand) Run(ctx context.Context) error {
	return c.run(ctx, "putback", url.Values{"wiki": {c.Wiki}, "page": {c.Page}})
}

// The operations behind the commands.

// takeDown hides a page. The audit entry also raises the wiki's version, which
// invalidates cached pages.
func takeDown(ctx context.Context, s *service.Service, args url.Values, _ io.Reader, out io.Writer) error {
	a, err := asOperator(ctx, s, args.Get("wiki"))
	if err != nil {
		return err
	}
	file, err := s.Pages.TakeDown(ctx, a, args.Get("page"), args.Get("reason"))
	if err != nil {
		return err
	}
	if err := s.Store.AuditSiteChange(ctx, a.Site().Slug, "page.withhold", file+": "+args.Get("reason")); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s of %s is hidden (451), and the wiki can't be cloned; the owner sees this on the dashboard\n", file, a.Site().Slug)
	return nil
}

func putBack(ctx context.Context, s *service.Service, args url.Values, _ io.Reader, out io.Writer) error {
	a, err := asOperator(ctx, s, args.Get("wiki"))
	if err != nil {
		return err
	}
	file, err := s.Pages.LiftTakedown(ctx, a, args.Get("page"))
	if err != nil {
		return err
	}
	if err := s.Store.AuditSiteChange(ctx, a.Site().Slug, "page.release", file); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s of %s is visible again\n", file, a.Site().Slug)
	return nil
}

func asOperator(ctx context.Context, s *service.Service, slug string) (wiki.Access, error) {
	a, err := s.Tenant.Resolve(ctx, slug, wiki.Caller{Operator: true})
	if errors.Is(err, wiki.ErrNotFound) {
		return a, fmt.Errorf("there is no wiki %q: robot admin wikis lists them", slug)
	}
	return a, err
}

func findPerson(ctx context.Context, s *service.Service, name string) (wiki.User, error) {
	u, err := s.Store.FindUser(ctx, strings.TrimPrefix(name, "@"))
	if errors.Is(err, wiki.ErrNotFound) {
		return u, fmt.Errorf("there is no user %q: robot admin users lists them", name)
	}
	return u, err
}

// table prints rows in aligned columns.
func table(out io.Writer, head string, rows func(row func(cells ...any))) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, head)
	rows(func(cells ...any) {
		for i, c := range cells {
			if i > 0 {
				fmt.Fprint(w, "\t")
			}
			fmt.Fprint(w, printable(fmt.Sprint(c)))
		}
		fmt.Fprintln(w)
	})
	return w.Flush()
}

// printable removes control characters, so that users' text can't control the
// operator's terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return ' '
		}
		return r
	}, text)
}

func day(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02")
}

// state says whether a wiki or account is suspended or will be deleted.
func state(suspended, ending time.Time) string {
	switch {
	case !ending.IsZero():
		return "ends " + day(ending)
	case !suspended.IsZero():
		return "suspended " + day(suspended)
	}
	return "ok"
}

func listWikis(ctx context.Context, s *service.Service, _ url.Values, _ io.Reader, out io.Writer) error {
	list, err := s.Store.AllSites(ctx)
	if err != nil {
		return err
	}
	aside, err := countAside(ctx, s)
	if err != nil {
		return err
	}
	var slugs []string
	for _, site := range list {
		slugs = append(slugs, site.Slug)
	}
	sizes, err := s.Sizes(ctx, slugs)
	if err != nil {
		return err
	}
	return table(out, "WIKI\tOWNER\tVISIBILITY\tPAGES\tMB\tMB WITH HISTORY\tMEMBERS\tCREATED\tSTATE", func(row func(...any)) {
		for _, site := range list {
			visibility := "private"
			if site.Public {
				visibility = "public"
			}
			pages, current, history := "?", "?", "?" // list a wiki that can't be opened, too
			if size, ok := sizes[site.Slug]; ok {
				pages, current, history = strconv.Itoa(size.Pages), megabytes(size.Current), megabytes(size.History)
			}
			standing := state(site.Suspended, site.PurgeAt)
			if damage := damageOf(s, site.Slug); damage != "" && site.PurgeAt.IsZero() {
				standing = strings.TrimPrefix(standing+", "+damage, "ok, ")
			}
			row(site.Slug, "@"+site.OwnerHandle, visibility, pages, current, history, site.Members, day(site.Created), standing+aside[site.Slug])
		}
	})
}

// damageOf describes the state of a wiki's files: "missing", "damaged", or "".
func damageOf(s *service.Service, slug string) string {
	if !s.Content.Exists(slug) {
		return "missing"
	}
	for _, d := range s.Content.Damaged() {
		if d.Slug == slug {
			return "damaged"
		}
	}
	return ""
}

func megabytes(n int64) string { return strconv.FormatFloat(float64(n)/(1<<20), 'f', 1, 64) }

func listUsers(ctx context.Context, s *service.Service, _ url.Values, _ io.Reader, out io.Writer) error {
	list, err := s.Store.AllUsers(ctx)
	if err != nil {
		return err
	}
	return table(out, "USERNAME\tHANDLE\tDID\tCREATED\tLAST SIGN-IN\tSTATE", func(row func(...any)) {
		for _, u := range list {
			name := u.Username
			if name == "" {
				name = "-"
			}
			row(name, "@"+u.Handle, u.DID, day(u.Created), day(u.Seen), state(u.Suspended, u.PurgeAt))
		}
	})
}

func showAudit(ctx context.Context, s *service.Service, args url.Values, _ io.Reader, out io.Writer) error {
	limit, err := strconv.Atoi(args.Get("limit"))
	if err != nil || limit < 1 {
		return errors.New("--limit must be at least 1")
	}
	list, err := s.Store.AuditAll(ctx, args.Get("wiki"), limit)
	if err != nil {
		return err
	}
	return table(out, "TIME\tWHO\tWIKI\tWHAT\tDETAIL", func(row func(...any)) {
		for _, e := range list {
			row(e.Time.UTC().Format(time.RFC3339), e.Actor, e.Slug, e.Action, e.Detail)
		}
	})
}

func suspend(ctx context.Context, s *service.Service, args url.Values, _ io.Reader, out io.Writer) error {
	name, why := args.Get("name"), args.Get("reason")
	if args.Get("host") == "true" {
		return suspendHost(ctx, s, name, why, out)
	}
	if args.Get("user") == "true" {
		u, err := findPerson(ctx, s, name)
		if err != nil {
			return err
		}
		if err := s.Tenant.CheckPerson(u); err != nil {
			return err
		}
		if err := s.Store.SuspendUser(ctx, u.DID, why); errors.Is(err, wiki.ErrNotFound) {
			return fmt.Errorf("@%s is already suspended", u.Handle)
		} else if err != nil {
			return err
		}
		fmt.Fprintf(out, "@%s is locked out, and their wiki is closed\n", u.Handle)
		return nil
	}
	a, err := asOperator(ctx, s, name)
	if err != nil {
		return err
	}
	if err := s.Tenant.Suspend(ctx, a, why); err != nil {
		return err
	}
	s.Session.Wake(name)
	fmt.Fprintf(out, "%s is closed\n", name)
	return nil
}

func resume(ctx context.Context, s *service.Service, args url.Values, _ io.Reader, out io.Writer) error {
	name := args.Get("name")
	if args.Get("host") == "true" {
		return resumeHost(ctx, s, name, out)
	}
	if args.Get("user") == "true" {
		u, err := findPerson(ctx, s, name)
		if err != nil {
			return err
		}
		if err := s.Store.ResumeUser(ctx, u.DID); errors.Is(err, wiki.ErrNotFound) {
			return fmt.Errorf("@%s is not suspended", u.Handle)
		} else if err != nil {
			return err
		}
		fmt.Fprintf(out, "@%s can sign in again\n", u.Handle)
		return nil
	}
	a, err := asOperator(ctx, s, name)
	if err != nil {
		return err
	}
	if err := s.Tenant.Resume(ctx, a); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s is open again\n", name)
	return nil
}

// cleanHost returns a host name as it is stored, or an error for anything else.
func cleanHost(name string) (string, error) {
	host := strings.ToLower(strings.TrimSuffix(name, "."))
	if !strings.Contains(host, ".") || strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789.-") != "" || strings.HasPrefix(host, ".") {
		return "", fmt.Errorf("%q must be a host name, such as pds.example.org: robot admin hosts lists them", name)
	}
	return host, nil
}

func suspendHost(ctx context.Context, s *service.Service, name, why string, out io.Writer) error {
	host, err := cleanHost(name)
	if err != nil {
		return err
	}
	accounts, slugs, err := s.Store.SuspendHost(ctx, host, strings.TrimSpace(why))
	if errors.Is(err, wiki.ErrNotFound) {
		return fmt.Errorf("%s is already suspended", host)
	}
	if err != nil {
		return err
	}
	for _, slug := range slugs {
		s.Session.Wake(slug)
	}
	fmt.Fprintf(out, "%d accounts at %s are locked out, and %d wikis are closed; nobody can sign in from there\n", accounts, host, len(slugs))
	return nil
}

func resumeHost(ctx context.Context, s *service.Service, name string, out io.Writer) error {
	host, err := cleanHost(name)
	if err != nil {
		return err
	}
	accounts, err := s.Store.ResumeHost(ctx, host)
	if errors.Is(err, wiki.ErrNotFound) {
		return fmt.Errorf("%s is not suspended", host)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d accounts at %s can sign in again\n", accounts, host)
	return nil
}

func listHosts(ctx context.Context, s *service.Service, _ url.Values, _ io.Reader, out io.Writer) error {
	list, err := s.Store.AllHosts(ctx)
	if err != nil {
		return err
	}
	return table(out, "HOST\tACCOUNTS\tNEW THIS WEEK\tWIKIS\tSTATE\tREASON", func(row func(...any)) {
		for _, h := range list {
			row(cmp.Or(h.Host, "(unknown)"), h.Accounts, h.New, h.Wikis, state(h.Suspended, time.Time{}), h.Why)
		}
	})
}

func remove(ctx context.Context, s *service.Service, args url.Values, _ io.Reader, out io.Writer) error {
	name, now := args.Get("name"), args.Get("now") == "true"
	if args.Get("user") == "true" {
		u, err := findPerson(ctx, s, name)
		if err != nil {
			return err
		}
		return removePerson(ctx, s, u, now, out)
	}
	a, err := asOperator(ctx, s, name)
	if err != nil {
		return err
	}
	if err := s.Tenant.Remove(ctx, a, now); err != nil {
		return err
	}
	if now {
		fmt.Fprintf(out, "%s is deleted; backups keep it for up to 35 days\n", name)
	} else {
		fmt.Fprintf(out, "%s is closed and will be deleted in seven days; until then its owner can restore it\n", name)
	}
	return nil
}

func removePerson(ctx context.Context, s *service.Service, u wiki.User, now bool, out io.Writer) error {
	if err := s.Tenant.RemovePerson(ctx, wiki.Caller{Operator: true}, u.DID, now); err != nil {
		return err
	}
	if now {
		fmt.Fprintf(out, "the account of @%s and their wiki are deleted\n", u.Handle)
	} else {
		fmt.Fprintf(out, "the account of @%s and their wiki are closed and will be deleted in seven days\n", u.Handle)
	}
	return nil
}

func setQuota(ctx context.Context, s *service.Service, args url.Values, _ io.Reader, out io.Writer) error {
	a, err := asOperator(ctx, s, args.Get("wiki"))
	if err != nil {
		return err
	}
	own, err := s.Tenant.OwnLimits(ctx, a)
	if err != nil {
		return err
	}
	changed := false
	pages, files, members := int64(own.Pages), int64(own.Files), int64(own.Members)
	for name, field := range map[string]struct {
		value *int64
		unit  int64
	}{
		"pages": {&pages, 1}, "files": {&files, 1}, "members": {&members, 1}, "current": {&own.CurrentBytes, 1 << 20}, "history": {&own.HistoryBytes, 1 << 20},
		"page": {&own.PageBytes, 1 << 10}, "attachment": {&own.AttachmentBytes, 1 << 20},
	} {
		if !args.Has(name) {
			continue
		}
		n, err := strconv.ParseInt(args.Get(name), 10, 64)
		if err != nil || n < 0 || n > 1<<31 {
			return fmt.Errorf("the limit for %s must be 0 or more", name)
		}
		*field.value, changed = n*field.unit, true
	}
	own.Pages, own.Files, own.Members = int(pages), int(files), int(members)
	if changed {
		if err := s.Tenant.SetLimits(ctx, a, own); err != nil {
			return err
		}
		if a, err = asOperator(ctx, s, args.Get("wiki")); err != nil {
			return err
		}
	}
	l := a.Site().Limits
	return table(out, "LIMIT\tVALUE\tSET FOR", func(row func(...any)) {
		source := func(own int64) string {
			if own == 0 {
				return "all wikis"
			}
			return "this wiki"
		}
		row("pages", l.Pages, source(int64(own.Pages)))
		row("pages and files", l.Files, source(int64(own.Files)))
		row("members", l.Members, source(int64(own.Members)))
		row("current MB", megabytes(l.CurrentBytes), source(own.CurrentBytes))
		row("MB with history", megabytes(l.HistoryBytes), source(own.HistoryBytes))
		row("KB per page", l.PageBytes>>10, source(own.PageBytes))
		row("MB per attachment", megabytes(l.AttachmentBytes), source(own.AttachmentBytes))
	})
}

func showReports(ctx context.Context, s *service.Service, args url.Values, _ io.Reader, out io.Writer) error {
	if id, _ := strconv.ParseInt(args.Get("close"), 10, 64); id > 0 {
		if err := s.Store.CloseReport(ctx, id); errors.Is(err, wiki.ErrNotFound) {
			return fmt.Errorf("there is no open report %d", id)
		} else if err != nil {
			return err
		}
		fmt.Fprintf(out, "report %d is closed\n", id)
		return nil
	}
	list, err := s.Store.Reports(ctx, args.Get("all") == "true")
	if err != nil {
		return err
	}
	return table(out, "ID\tTIME\tWIKI\tPAGE\tREASON\tFROM\tSTATE\tWORDS", func(row func(...any)) {
		for _, r := range list {
			from, state := r.Sender, "open"
			if from == "" {
				from = "-"
			}
			if !r.Closed.IsZero() {
				state = "closed " + day(r.Closed)
			}
			row(r.ID, r.Time.UTC().Format(time.RFC3339), r.Slug, r.Page, r.Reason, from, state, r.Words)
		}
	})
}
