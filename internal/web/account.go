package web

import (
	"archive/zip"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/session"
	"robot.wtf/internal/tenant"
	"robot.wtf/internal/wiki"
)

const accountPath = "/app/account"

// accountRoutes are the routes of the dashboard and account page.
func accountRoutes() []route {
	return []route{
		{pattern: "GET /app/account", handle: (*Handler).showAccount},
		{pattern: "GET " + ownFeedPath, handle: (*Handler).showOwnFeedPage},
		{pattern: "POST " + ownFeedPath, handle: (*Handler).changeOwnFeed},
		{pattern: "GET " + ownFeedPath + "/{secret}", handle: (*Handler).showOwnFeed},
		{pattern: "GET /app/export", handle: (*Handler).exportAccount},
		{pattern: "POST /app/tokens", handle: (*Handler).changePersonalTokens},
		{pattern: "POST /app/agents", handle: (*Handler).disconnectOwnAgent},
		{pattern: "POST /app/sessions", handle: (*Handler).endSessions},
		{pattern: "POST /app/leave", handle: (*Handler).leaveWiki},
		{pattern: "POST /app/offers", handle: (*Handler).answerOffer},
		{pattern: "POST /app/restore", handle: (*Handler).restoreWiki},
		{pattern: "POST /app/account/delete", handle: (*Handler).deleteAccount},
		{pattern: "POST /app/account/keep", handle: (*Handler).keepAccount},
	}
}

// dashboardPage lists a person's wikis.
type dashboardPage struct {
	Frame
	Notices     []tenant.Notice // from the operator, about the person's own wiki
	Own, Shared []siteCard
	Offers      []wiki.Access            // wikis that their owners want to hand to the person
	Endings     []tenant.PendingDeletion // own wikis that can be restored
	Leaving     time.Time                // when the account will be purged; zero for never
	NoWiki      string                   // why the person can't create a wiki now, or ""
	Logins      []session.Login
	Invites     bool // sign-up is by invitation
	More        bool // the person can own another wiki
}

// siteCard is a wiki on the dashboard.
type siteCard struct {
	wiki.Site
	Role    wiki.Role
	Pages   int
	Members []wiki.Member // besides the owner
	Bytes   int64
	Waiting string // number of changes that wait for the person's review, or ""
}

func (h *Handler) showDashboard(v *visit) error {
	if v.caller.Anonymous() {
		return h.redirectWith(v, http.StatusFound, "/auth/login?return_to=%2Fapp%2F")
	}
	p := &dashboardPage{Frame: h.frame(v, "Dashboard"), Invites: h.o.Tenant.ByInvitation()}
	p.NoIndex = true
	err := h.o.Tenant.CanCreate(v.ctx(), v.caller.User)
	var refused *wiki.Problem
	if err != nil && !errors.As(err, &refused) {
		return err
	} else if err != nil {
		p.NoWiki = refused.Message
	}
	if p.Leaving, err = h.o.Tenant.AccountPurgeTime(v.ctx(), v.caller.User.DID); err != nil {
		return err
	}
	if p.Endings, err = h.o.Tenant.PendingDeletions(v.ctx(), v.caller); err != nil {
		return err
	}
	if p.Offers, err = h.o.Tenant.Offers(v.ctx(), v.caller); err != nil {
		return err
	}
	if p.Logins, err = h.o.Session.Sessions(v.ctx(), v.caller); err != nil {
		return err
	}
	if p.Notices, err = h.o.Tenant.Notices(v.ctx(), v.caller.User.DID); err != nil {
		return err
	}
	sites, err := h.o.Tenant.Sites(v.ctx(), v.caller.User.DID)
	if err != nil {
		return err
	}
	for _, a := range sites {
		card, err := h.makeSiteCard(v, a)
		if err != nil {
			return err
		}
		if a.Role() == wiki.Owner {
			p.Own = append(p.Own, card)
		} else {
			p.Shared = append(p.Shared, card)
		}
	}
	_, max := h.o.Tenant.Limits()
	p.More = len(p.Own) > 0 && len(p.Own)+len(p.Endings) < max && p.NoWiki == ""
	return h.render(v, http.StatusOK, "dashboard", p)
}

func (h *Handler) makeSiteCard(v *visit, a wiki.Access) (siteCard, error) {
	card := siteCard{Site: a.Site(), Role: a.Role()}
	if err := h.finishWiki(v, a); err != nil {
		return card, err
	}
	stats, err := h.o.Pages.Stats(v.ctx(), a)
	if err != nil {
		return card, err
	}
	card.Pages, card.Bytes = stats.Pages, stats.CurrentBytes
	members, err := h.o.Tenant.Members(v.ctx(), a)
	if err != nil {
		return card, err
	}
	card.Members = members[1:]
	card.Waiting = shownCount(h.o.Pages.CountWaiting(v.ctx(), a))
	return card, nil
}

// requireSignIn responds to anonymous callers. It reports true if it has
// responded.
func (h *Handler) requireSignIn(v *visit) (done bool, err error) {
	if !v.caller.Anonymous() {
		return false, nil
	}
	if reads(v.r) {
		return true, h.redirectWith(v, http.StatusFound, "/auth/login?return_to="+url.QueryEscape(v.r.URL.Path))
	}
	return true, wiki.Problemf(wiki.ErrDenied, "", "You're no longer signed in, so nothing was changed. Sign in and try again.")
}

// accountPage manages the person's sessions, agents and tokens, and offers export
// and deletion.
type accountPage struct {
	Frame
	failure
	Person  wiki.User
	Word    string // typed to confirm deletion
	Wiki    string // host of the person's wiki, or ""
	Logins  []session.Login
	Agents  []agentRow
	Tokens  []*session.Token
	Secret  string // of a new token
	Name    string // as typed
	Leaving time.Time

	Invitations invitationList
}

func (h *Handler) showAccount(v *visit) error {
	if done, err := h.requireSignIn(v); done {
		return err
	}
	return h.renderAccount(v, http.StatusOK, &accountPage{})
}

func (h *Handler) renderAccount(v *visit, status int, p *accountPage) error {
	p.Frame, p.Person = h.frame(v, "Account"), v.caller.User
	p.NoIndex, p.Word = true, tenant.AccountConfirmation(v.caller.User)
	var err error
	if p.Logins, err = h.o.Session.Sessions(v.ctx(), v.caller); err != nil {
		return err
	}
	if p.Tokens, err = h.o.Session.PersonalTokens(v.ctx(), v.caller); err != nil {
		return err
	}
	if p.Agents, err = h.ownAgents(v); err != nil {
		return err
	}
	if err := p.Invitations.fill(h, v); err != nil {
		return err
	}
	if p.Leaving, err = h.o.Tenant.AccountPurgeTime(v.ctx(), v.caller.User.DID); err != nil {
		return err
	}
	if v.caller.User.Username != "" {
		_, p.Wiki, _ = strings.Cut(h.o.WikiOrigin(v.caller.User.Username), "://")
	}
	v.w.Header().Set("Cache-Control", "no-store")
	return h.render(v, status, "account", p)
}

// handleAccountForm reads a form of the account page and calls do with it. If that
// fails, it renders the page again with the error.
func (h *Handler) handleAccountForm(v *visit, required string, do func(form url.Values, p *accountPage) (answered bool, err error)) error {
	if done, err := h.requireSignIn(v); done {
		return err
	}
	form, err := h.readForm(v, smallForm, required)
	if form == nil {
		return err
	}
	p := &accountPage{Name: strings.ToValidUTF8(form.Get("name"), "")}
	if err == nil {
		var answered bool
		if answered, err = do(form, p); answered {
			return err
		}
	}
	wrong, ok := h.formFailure(v, err)
	if !ok {
		return err
	}
	p.failure = wrong
	return h.renderAccount(v, wrong.Status, p)
}

func (h *Handler) changePersonalTokens(v *visit) error {
	return h.handleAccountForm(v, "action", func(form url.Values, p *accountPage) (bool, error) {
		switch form.Get("action") {
		case "make":
			secret, _, err := h.o.Session.NewPersonalToken(v.ctx(), v.caller, p.Name, form.Get("scope") != "write")
			if err != nil {
				return false, err
			}
			p.Secret, p.Name = secret, ""
			return true, h.renderAccount(v, http.StatusOK, p)
		case "revoke":
			if err := h.o.Session.RevokePersonalToken(v.ctx(), v.caller, form.Get("id")); err != nil {
				return false, err
			}
			return true, h.redirect(v, h.tell(v, accountPath, "revoked"))
		}
		return false, wiki.Problemf(wiki.ErrInvalid, "action", "This form couldn't be read. Open the page and try again from there.")
	})
}

// endSessions ends one session, or all of them with the id "all".
func (h *Handler) endSessions(v *visit) error {
	return h.handleAccountForm(v, "id", func(form url.Values, p *accountPage) (bool, error) {
		to, err := h.endSession(v, form.Get("id"))
		if err != nil {
			return false, err
		}
		return true, h.redirect(v, to)
	})
}

func (h *Handler) deleteAccount(v *visit) error {
	return h.handleAccountForm(v, "confirm", func(form url.Values, p *accountPage) (bool, error) {
		if err := h.o.Tenant.DeleteAccount(v.ctx(), v.caller, form.Get("confirm")); err != nil {
			return false, err
		}
		h.o.Session.ClearCookies(v.w)
		return true, h.redirect(v, h.tell(v, "/auth/login", "accountended"))
	})
}

func (h *Handler) keepAccount(v *visit) error {
	if done, err := h.requireSignIn(v); done {
		return err
	}
	if err := h.o.Tenant.KeepAccount(v.ctx(), v.caller); err != nil {
		return err
	}
	return h.redirect(v, h.tell(v, dashboardPath, "kept"))
}

func (h *Handler) restoreWiki(v *visit) error {
	if done, err := h.requireSignIn(v); done {
		return err
	}
	form, err := h.readForm(v, smallForm, "slug")
	if err != nil {
		return err
	}
	if err := h.o.Tenant.RestoreWiki(v.ctx(), v.caller, form.Get("slug")); err != nil {
		return err
	}
	return h.redirect(v, h.tell(v, dashboardPath, "restored"))
}

func (h *Handler) leaveWiki(v *visit) error {
	if done, err := h.requireSignIn(v); done {
		return err
	}
	form, err := h.readForm(v, smallForm, "slug")
	if err != nil {
		return err
	}
	a, err := h.o.Tenant.Resolve(v.ctx(), form.Get("slug"), v.caller)
	if err != nil {
		return err
	}
	if err := h.o.Tenant.Leave(v.ctx(), a); err != nil {
		return err
	}
	return h.redirect(v, h.tell(v, dashboardPath, "left"))
}

// answerOffer accepts or declines a wiki that its owner wants to hand to the person.
func (h *Handler) answerOffer(v *visit) error {
	if done, err := h.requireSignIn(v); done {
		return err
	}
	form, err := h.readForm(v, smallForm, "slug", "action")
	if err != nil {
		return err
	}
	slug, notice := form.Get("slug"), ""
	switch form.Get("action") {
	case "accept":
		notice, err = "accepted", h.o.Tenant.Accept(v.ctx(), v.caller, slug)
	case "decline":
		notice, err = "declined", h.o.Tenant.Decline(v.ctx(), v.caller, slug)
	default:
		err = wiki.Problemf(wiki.ErrInvalid, "action", "This form couldn't be read. Open the dashboard and try again from there.")
	}
	if err != nil {
		return err
	}
	return h.redirect(v, h.tell(v, dashboardPath, notice))
}

// accountExport is account.json in an export.
type accountExport struct {
	Exported    time.Time            `json:"exported"`
	DID         string               `json:"did"`
	Username    string               `json:"username"`
	Handle      string               `json:"handle"`
	Name        string               `json:"name"`
	Admitted    time.Time            `json:"admitted,omitzero"` // by an invitation
	Wikis       []exportedWiki       `json:"wikis"`
	Tokens      []exportedToken      `json:"personal_tokens"`
	Agents      []exportedAgent      `json:"connected_agents"`
	Sessions    []exportedSignIn     `json:"sessions"`
	Invitations []exportedInvitation `json:"invitations,omitempty"`
	Feed        *exportedFeed        `json:"notifications,omitempty"`
}

type exportedWiki struct {
	Slug        string           `json:"slug"`
	Role        string           `json:"role"`
	Title       string           `json:"title,omitempty"`
	Description string           `json:"description,omitempty"`
	Public      bool             `json:"public"`
	Home        string           `json:"home,omitempty"`
	Wikilinks   string           `json:"wikilinks,omitempty"`
	Lang        string           `json:"lang,omitempty"`
	Agents      wiki.Mode        `json:"agents,omitempty"`
	Accent      string           `json:"accent,omitempty"`
	Footer      string           `json:"footer,omitempty"`
	AsHandle    bool             `json:"as_handle,omitempty"`
	Publication string           `json:"publication,omitempty"`
	Imports     []exportedImport `json:"imports,omitempty"` // the newest ones, of the person's own wiki
	Members     []exportedMember `json:"members,omitempty"` // only of the person's own wiki
	Tokens      []exportedToken  `json:"tokens"`
	Links       []exportedLink   `json:"secret_links,omitempty"`
	Watched     []exportedWatch  `json:"watched,omitempty"`
}

// exportedWatch is a page that the person watches, by its name at that time.
type exportedWatch struct {
	Page    string    `json:"page"`
	Created time.Time `json:"created"`
}

// exportedFeed is what the person is notified of, and the feed for it without its secret.
type exportedFeed struct {
	Without []string  `json:"without,omitempty"` // kinds of events that it leaves out
	AtOnce  bool      `json:"at_once"`
	Created time.Time `json:"created"`
	LastUse time.Time `json:"last_use,omitzero"`
}

// exportedLink is a secret link without its secret.
type exportedLink struct {
	Page    string    `json:"page,omitempty"` // "" for the feed
	Created time.Time `json:"created"`
	LastUse time.Time `json:"last_use,omitzero"`
}

// exportedImport is an import, and who vouches for its text.
type exportedImport struct {
	Commit    string    `json:"commit"`
	Source    string    `json:"source,omitempty"`
	Time      time.Time `json:"time"`
	VouchedBy string    `json:"vouched_by,omitempty"`
}

type exportedMember struct {
	DID      string `json:"did"`
	Username string `json:"username,omitempty"`
	Handle   string `json:"handle"`
	Role     string `json:"role"`
}

type exportedToken struct {
	Name     string    `json:"name"`
	ReadOnly bool      `json:"read_only"`
	Mode     wiki.Mode `json:"mode"`
	Created  time.Time `json:"created"`
	LastUse  time.Time `json:"last_use,omitzero"`
}

type exportedAgent struct {
	Wiki     string    `json:"wiki"`
	Name     string    `json:"name"`
	Client   string    `json:"client"`
	Host     string    `json:"host"`
	ReadOnly bool      `json:"read_only"`
	Mode     wiki.Mode `json:"mode"`
	Created  time.Time `json:"created"`
	FirstUse time.Time `json:"first_use,omitzero"`
	LastUse  time.Time `json:"last_use,omitzero"`
	Edits    int       `json:"edits"`
}

type exportedSignIn struct {
	Started time.Time `json:"started"`
	Ends    time.Time `json:"ends"`
	Browser string    `json:"browser,omitempty"`
}

// exportedInvitation is one that the person created.
type exportedInvitation struct {
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
	Revoked time.Time `json:"revoked,omitzero"`
	Used    time.Time `json:"used,omitzero"`
	Guest   string    `json:"guest,omitempty"` // handle
}

// exportAccount sends a zip with all data about a person: the account, the current
// files of their wikis with history, members and settings, and their drafts. It is streamed; an error aborts the
// response, so that a truncated file isn't mistaken for a complete one.
func (h *Handler) exportAccount(v *visit) error {
	if done, err := h.requireSignIn(v); done {
		return err
	}
	sites, err := h.o.Tenant.Sites(v.ctx(), v.caller.User.DID)
	if err != nil {
		return err
	}
	account, err := h.describeAccount(v, sites)
	if err != nil {
		return err
	}
	header := v.w.Header()
	h.headers.setFor(header, v)
	header.Set("Content-Type", "application/zip")
	header.Set("Content-Disposition", `attachment; filename="robot-wtf-export.zip"`)
	header.Set("Cache-Control", "no-store")
	v.w.WriteHeader(http.StatusOK)
	if v.r.Method == http.MethodHead {
		return nil
	}
	if err := h.writeExport(v, account, sites); err != nil {
		if v.ctx().Err() == nil {
			h.o.Log.ErrorContext(v.ctx(), "account export failed", "err", err)
		}
		panic(http.ErrAbortHandler)
	}
	return nil
}

// exportLinks adds a person's secret links to a wiki, and the pages that they watch.
func (h *Handler) exportLinks(v *visit, a wiki.Access, w *exportedWiki) error {
	links, err := h.o.Tenant.SecretLinks(v.ctx(), a)
	if err != nil {
		return err
	}
	for _, l := range links {
		w.Links = append(w.Links, exportedLink{l.Page, l.Created, l.LastUse()})
	}
	watches, err := h.o.Tenant.Watches(v.ctx(), a)
	for _, watch := range watches {
		w.Watched = append(w.Watched, exportedWatch{watch.Page, watch.Created})
	}
	return err
}

// exportOwnFeed returns what a person is notified of; nil if they have no feed.
func (h *Handler) exportOwnFeed(v *visit) (*exportedFeed, error) {
	f, err := h.o.Tenant.OwnFeed(v.ctx(), v.caller)
	if errors.Is(err, wiki.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &exportedFeed{f.Without, f.AtOnce, f.Created, f.LastUse()}, nil
}

func (h *Handler) describeAccount(v *visit, sites []wiki.Access) (accountExport, error) {
	u := v.caller.User
	e := accountExport{Exported: h.o.Now().UTC(), DID: u.DID, Username: u.Username, Handle: u.Handle, Name: u.Name}
	for _, a := range sites {
		site := a.Site()
		w := exportedWiki{Slug: site.Slug, Role: a.Role().String(), Title: site.Title, Description: site.Description, Public: site.Public, Home: site.Home, Wikilinks: string(site.Wikilinks), Lang: site.Lang, Agents: site.Agents, Accent: site.Accent, Footer: site.Footer, AsHandle: site.AsHandle, Publication: site.Publication}
		tokens, err := h.o.Session.Tokens(v.ctx(), a)
		if err != nil {
			return e, err
		}
		w.Tokens = exportTokens(tokens)
		if err := h.exportLinks(v, a, &w); err != nil {
			return e, err
		}
		if a.Role() == wiki.Owner {
			members, err := h.o.Tenant.Members(v.ctx(), a)
			if err != nil {
				return e, err
			}
			imports, _, err := h.o.Pages.Imports(v.ctx(), a)
			if err != nil {
				return e, err
			}
			for _, i := range imports {
				w.Imports = append(w.Imports, exportedImport{i.Commit, i.Source, i.Time, i.VouchedBy})
			}
			for _, m := range members[1:] {
				w.Members = append(w.Members, exportedMember{m.User.DID, m.User.Username, m.User.Handle, m.Role.String()})
			}
		}
		e.Wikis = append(e.Wikis, w)
	}
	tokens, err := h.o.Session.PersonalTokens(v.ctx(), v.caller)
	if err != nil {
		return e, err
	}
	e.Tokens = exportTokens(tokens)
	agents, err := h.ownAgents(v)
	if err != nil {
		return e, err
	}
	e.Agents = make([]exportedAgent, len(agents))
	for i, g := range agents {
		e.Agents[i] = exportedAgent{g.Slug, g.Name, g.Client, g.Host, g.ReadOnly, g.Mode(), g.Created, g.FirstUse(), g.LastUse(), g.Edits}
	}
	if e.Feed, err = h.exportOwnFeed(v); err != nil {
		return e, err
	}
	logins, err := h.o.Session.Sessions(v.ctx(), v.caller)
	for _, l := range logins {
		e.Sessions = append(e.Sessions, exportedSignIn{l.Started, l.Ends, l.Browser})
	}
	if err != nil {
		return e, err
	}
	return e, h.describeInvitations(v, &e)
}

// describeInvitations adds the invitations of a person to their export, whatever the
// policy is now.
func (h *Handler) describeInvitations(v *visit, e *accountExport) (err error) {
	if e.Admitted, err = h.o.Tenant.Admitted(v.ctx(), v.caller); err != nil {
		return err
	}
	list, err := h.o.Tenant.Invitations(v.ctx(), v.caller)
	for _, i := range list {
		e.Invitations = append(e.Invitations, exportedInvitation{i.Created, i.Expires, i.Revoked, i.Used, i.Guest.Handle})
	}
	return err
}

func exportTokens(tokens []*session.Token) []exportedToken {
	list := make([]exportedToken, len(tokens))
	for i, t := range tokens {
		list[i] = exportedToken{t.Name, t.ReadOnly, t.Mode(), t.Created, t.LastUse()}
	}
	return list
}

func (h *Handler) writeExport(v *visit, account accountExport, sites []wiki.Access) error {
	out := zip.NewWriter(v.w)
	entry, err := out.CreateHeader(&zip.FileHeader{Name: "account.json", Method: zip.Deflate, Modified: account.Exported})
	if err != nil {
		return err
	}
	text := json.NewEncoder(entry)
	text.SetIndent("", "  ")
	if err := text.Encode(account); err != nil {
		return err
	}
	if err := h.exportAvatar(v, out); err != nil {
		return err
	}
	for _, a := range sites {
		if err := h.o.Pages.Archive(v.ctx(), a, out, "wikis/"+a.Site().Slug+"/"); err != nil {
			return err
		}
		if err := h.exportHistory(v, out, a); err != nil {
			return err
		}
	}
	return out.Close()
}

// exportHistory adds the git bundle of a wiki that the person owns. An import of it
// gives the same wiki, with the same ids. If it can't be exported, a note says why.
func (h *Handler) exportHistory(v *visit, out *zip.Writer, a wiki.Access) error {
	if a.Role() != wiki.Owner {
		return nil
	}
	folder := "wikis/" + a.Site().Slug + "/"
	bundle, err := h.o.Pages.StartExport(v.ctx(), a, pages.ExportRequest{Format: pages.ExportBundle})
	first := make([]byte, 64<<10)
	n := 0
	if err == nil {
		defer bundle.Close()
		n, err = io.ReadAtLeast(bundle, first, 1)
	}
	if problem := new(wiki.Problem); errors.As(err, &problem) || errors.Is(err, wiki.ErrTakenDown) || errors.Is(err, io.EOF) {
		note, err := out.Create(folder + "history-missing.txt")
		if err == nil {
			_, err = io.WriteString(note, cmp.Or(problem.Message, "The history can't be exported at the moment: part of it is taken down, or it is empty.")+"\n")
		}
		return err
	}
	if err != nil {
		return err
	}
	entry, err := out.CreateHeader(&zip.FileHeader{Name: folder + pages.ExportBundle.FileName(a.Site().Slug), Method: zip.Store})
	if err == nil {
		_, err = io.Copy(entry, io.MultiReader(bytes.NewReader(first[:n]), bundle))
	}
	return err
}

func (h *Handler) exportAvatar(v *visit, out *zip.Writer) error {
	if v.caller.User.Picture == "" {
		return nil
	}
	avatar, err := h.o.Tenant.Avatar(v.ctx(), v.caller.User.Picture)
	if err != nil {
		return err
	}
	_, kind, _ := strings.Cut(avatar.MIME, "/")
	entry, err := out.Create("picture." + kind)
	if err != nil {
		return err
	}
	_, err = entry.Write(avatar.Data)
	return err
}
