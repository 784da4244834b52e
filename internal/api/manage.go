package api

import (
	"cmp"
	"errors"
	"net/http"
	"strings"
	"time"

	"robot.wtf/internal/limit"
	"robot.wtf/internal/pages"
	"robot.wtf/internal/session"
	"robot.wtf/internal/tenant"
	"robot.wtf/internal/wiki"
)

// A ManageRoute is one route of the management API.
type ManageRoute struct {
	Method  string
	Pattern string // as in the OpenAPI document
	serve   func(h *Handler, m *manageCall) error
}

// ManageRoutes lists the routes of the management API, under /api on the
// platform's host. Callers act for themselves, with a personal token; a read-only
// token can only GET.
var ManageRoutes = []ManageRoute{
	{"GET", "/me", (*Handler).getMe},
	{"DELETE", "/me", (*Handler).deleteMe},
	{"GET", "/wikis", (*Handler).listWikis},
	{"POST", "/wikis", (*Handler).postWiki},
	{"GET", "/wikis/{slug}", (*Handler).getWiki},
	{"PATCH", "/wikis/{slug}", (*Handler).patchWiki},
	{"DELETE", "/wikis/{slug}", (*Handler).deleteWiki},
	{"POST", "/wikis/{slug}/restore", (*Handler).restoreWiki},
	{"POST", "/wikis/{slug}/erase", (*Handler).eraseHistory},
	{"GET", "/wikis/{slug}/imports", (*Handler).listImports},
	{"PATCH", "/wikis/{slug}/imports/{commit}", (*Handler).patchImport},
	{"GET", "/wikis/{slug}/members", (*Handler).listMembers},
	{"POST", "/wikis/{slug}/members", (*Handler).postMember},
	{"PATCH", "/wikis/{slug}/members/{did}", (*Handler).patchMember},
	{"DELETE", "/wikis/{slug}/members/{did}", (*Handler).deleteMember},
	{"PUT", "/wikis/{slug}/offer", (*Handler).putOffer},
	{"DELETE", "/wikis/{slug}/offer", (*Handler).deleteOffer},
	{"POST", "/wikis/{slug}/accept", (*Handler).acceptWiki},
	{"GET", "/wikis/{slug}/tokens", (*Handler).listTokens},
	{"POST", "/wikis/{slug}/tokens", (*Handler).postToken},
	{"DELETE", "/wikis/{slug}/tokens/{id}", (*Handler).deleteToken},
	{"GET", "/wikis/{slug}/agents", (*Handler).listAgents},
	{"DELETE", "/wikis/{slug}/agents/{id}", (*Handler).deleteAgent},
	{"GET", "/agents", (*Handler).listOwnAgents},
	{"DELETE", "/agents/{id}", (*Handler).deleteOwnAgent},
	{"GET", "/tokens", (*Handler).listPersonal},
	{"DELETE", "/tokens/{id}", (*Handler).deletePersonal},
	{"GET", "/sessions", (*Handler).listSessions},
	{"DELETE", "/sessions", (*Handler).deleteSessions},
	{"DELETE", "/sessions/{id}", (*Handler).deleteSession},
}

// A manageCall is one request to the management API.
type manageCall struct {
	call
	caller wiki.Caller
	params map[string]string
}

const smallBody = 64 << 10

// ServePlatform answers /api/… on the platform's host.
func (h *Handler) ServePlatform(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Access-Control-Allow-Origin", "*")
	head.Set("Access-Control-Expose-Headers", "Location, Retry-After, WWW-Authenticate")
	head.Set("Cache-Control", "no-store")
	head.Set("X-Content-Type-Options", "nosniff")
	if err := h.manage(w, r); err != nil {
		h.fail(w, r, err)
	}
}

func (h *Handler) manage(w http.ResponseWriter, r *http.Request) error {
	path := strings.TrimPrefix(r.URL.Path, "/api")
	if path == "/openapi.json" && (r.Method == "GET" || r.Method == "HEAD") {
		return writeJSON(w, r, http.StatusOK, h.document())
	}
	route, params, allowed := matchManage(r.Method, path)
	if r.Method == "OPTIONS" && len(allowed) > 0 {
		preflight(w, allowed)
		return nil
	}
	m := &manageCall{call: call{Request: r, w: w}, params: params}
	var err error
	m.caller, err = h.o.Session.Personal(r)
	who := limit.Address(r.RemoteAddr)
	if err == nil {
		who = limit.Token(m.caller.Grant)
	}
	reads := r.Method == "GET" || r.Method == "HEAD"
	if tooFast := h.o.Limits.Take(limit.Request{Caller: who, Write: !reads}); tooFast != nil {
		return tooFast
	}
	switch {
	case errors.Is(err, wiki.ErrDenied):
		return errPersonal
	case err != nil:
		return err
	case len(allowed) == 0:
		return wiki.Problemf(wiki.ErrNotFound, "", "Unknown route. /api/openapi.json lists all routes.")
	case route == nil:
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		return errMethod
	case m.caller.ReadOnly && !reads:
		return wiki.Problemf(wiki.ErrDenied, "", "This token is read-only.")
	}
	return route.serve(h, m)
}

// matchManage returns the route for a path, the values of its pattern's
// parameters, and the methods that the path allows.
func matchManage(method, path string) (route *ManageRoute, params map[string]string, allowed []string) {
	for i := range ManageRoutes {
		found, ok := matchPattern(ManageRoutes[i].Pattern, path)
		if !ok {
			continue
		}
		allowed = append(allowed, ManageRoutes[i].Method)
		if ManageRoutes[i].Method == "GET" {
			allowed = append(allowed, "HEAD")
		}
		if m := ManageRoutes[i].Method; m == method || m == "GET" && method == "HEAD" {
			route, params = &ManageRoutes[i], found
		}
	}
	return route, params, allowed
}

func matchPattern(pattern, path string) (map[string]string, bool) {
	names, values := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(names) != len(values) {
		return nil, false
	}
	params := map[string]string{}
	for i, name := range names {
		switch {
		case strings.HasPrefix(name, "{") && values[i] != "":
			params[strings.Trim(name, "{}")] = values[i]
		case name != values[i]:
			return nil, false
		}
	}
	return params, true
}

// access returns the caller's access to the wiki in the path.
func (h *Handler) accessOf(m *manageCall) (wiki.Access, error) {
	return h.o.Tenant.Resolve(m.Context(), m.params["slug"], m.caller)
}

type managedUser struct {
	DID      string    `json:"did"`
	Username string    `json:"username"`
	Handle   string    `json:"handle"`
	Name     string    `json:"name"`
	PurgeAt  time.Time `json:"ending,omitzero"` // when the account will be purged
}

func (h *Handler) getMe(m *manageCall) error {
	ending, err := h.o.Tenant.AccountPurgeTime(m.Context(), m.caller.User.DID)
	if err != nil {
		return err
	}
	u := m.caller.User
	return m.respond(http.StatusOK, managedUser{u.DID, u.Username, u.Handle, u.Name, ending})
}

type deletion struct {
	Deleted bool `json:"deleted"`
}

type confirmation struct {
	Confirm string `json:"confirm"`
}

// deleteMe ends all tokens, including the one used for this request. Restoring the
// account requires a browser.
func (h *Handler) deleteMe(m *manageCall) error {
	var in confirmation
	if _, err := m.readJSON(smallBody, &in); err != nil {
		return err
	}
	if err := h.o.Tenant.DeleteAccount(m.Context(), m.caller, in.Confirm); err != nil {
		return err
	}
	return h.getMe(m)
}

type managedWiki struct {
	Slug        string    `json:"slug"`
	URL         string    `json:"url"`
	Role        string    `json:"role"`
	Title       string    `json:"title"`
	Description string    `json:"description"`
	Public      bool      `json:"public"`
	Home        string    `json:"home"`
	Wikilinks   string    `json:"wikilinks"`
	Lang        string    `json:"lang"`
	Agents      wiki.Mode `json:"agents"` // the most that agents may do
	Accent      string    `json:"accent"`
	Footer      string    `json:"footer"`
	AsHandle    bool      `json:"as_handle"`
	Pages       int       `json:"pages"`
	MaxPages    int       `json:"max_pages"`
	Bytes       int64     `json:"bytes"`
	MaxBytes    int64     `json:"max_bytes"`
	PurgeAt     time.Time `json:"ending,omitzero"` // when it will be purged; until then only this, slug, url and role are set
}

func (h *Handler) describe(m *manageCall, a wiki.Access) (managedWiki, error) {
	site := a.Site()
	stats, err := h.o.Pages.Stats(m.Context(), a)
	return managedWiki{
		Slug: site.Slug, URL: h.o.WikiOrigin(site.Slug), Role: a.Role().String(), Title: site.Title, Description: site.Description,
		Public: site.Public, Home: site.Home, Wikilinks: site.Wikilinks.String(), Lang: site.Lang, Agents: cmp.Or(site.Agents, wiki.ModeEdit), Accent: site.Accent, Footer: site.Footer, AsHandle: site.AsHandle, Pages: stats.Pages, MaxPages: site.Limits.Pages,
		Bytes: stats.CurrentBytes, MaxBytes: site.Limits.CurrentBytes,
	}, err
}

func (h *Handler) answerWiki(m *manageCall, status int) error {
	a, err := h.accessOf(m)
	if err != nil {
		return err
	}
	w, err := h.describe(m, a)
	if err != nil {
		return err
	}
	return m.respond(status, w)
}

type wikiList struct {
	Wikis []managedWiki `json:"wikis"`
}

func (h *Handler) listWikis(m *manageCall) error {
	list := []managedWiki{}
	sites, err := h.o.Tenant.Sites(m.Context(), m.caller.User.DID)
	if err != nil {
		return err
	}
	for _, a := range sites {
		w, err := h.describe(m, a)
		if err != nil {
			return err
		}
		list = append(list, w)
	}
	endings, err := h.o.Tenant.PendingDeletions(m.Context(), m.caller)
	if err != nil {
		return err
	}
	for _, e := range endings {
		list = append(list, managedWiki{Slug: e.Slug, URL: h.o.WikiOrigin(e.Slug), Role: wiki.Owner.String(), PurgeAt: e.At})
	}
	return m.respond(http.StatusOK, wikiList{list})
}

type wikiBody struct {
	Slug string `json:"slug"`
}

func (h *Handler) postWiki(m *manageCall) error {
	var in wikiBody
	if _, err := m.readJSON(smallBody, &in); err != nil {
		return err
	}
	site, err := h.o.Tenant.Create(m.Context(), m.caller.User, in.Slug)
	if err != nil {
		return err
	}
	m.caller.User.Username = cmp.Or(m.caller.User.Username, site.Slug)
	m.params["slug"] = site.Slug
	a, err := h.accessOf(m)
	if err != nil {
		return err
	}
	if err := h.o.Pages.Seed(m.Context(), a); err != nil {
		return err
	}
	return h.answerWiki(m, http.StatusCreated)
}

func (h *Handler) getWiki(m *manageCall) error { return h.answerWiki(m, http.StatusOK) }

type settingsBody struct {
	Title       *string    `json:"title"`
	Description *string    `json:"description"`
	Public      *bool      `json:"public"`
	Home        *string    `json:"home"`
	Wikilinks   *string    `json:"wikilinks"`
	Lang        *string    `json:"lang"`
	Agents      *wiki.Mode `json:"agents"`
	Accent      *string    `json:"accent"`
	Footer      *string    `json:"footer"`
	AsHandle    *bool      `json:"as_handle"`
}

// patchWiki changes only the settings named in the body.
func (h *Handler) patchWiki(m *manageCall) error {
	var in settingsBody
	if _, err := m.readJSON(smallBody, &in); err != nil {
		return err
	}
	a, err := h.accessOf(m)
	if err != nil {
		return err
	}
	set := tenant.SettingsOf(a.Site())
	assignIfGiven(&set.Title, in.Title)
	assignIfGiven(&set.Description, in.Description)
	assignIfGiven(&set.Public, in.Public)
	assignIfGiven(&set.Home, in.Home)
	assignIfGiven(&set.AsHandle, in.AsHandle)
	assignIfGiven(&set.Lang, in.Lang)
	assignIfGiven(&set.Agents, in.Agents)
	assignIfGiven(&set.Accent, in.Accent)
	if in.Footer != nil {
		set.Footer = *in.Footer
		if err := h.o.Pages.CheckFooter(m.Context(), a, set.Footer); err != nil {
			return err
		}
	}
	if in.Wikilinks != nil {
		if set.Wikilinks, err = wiki.ParseLinkOrder(*in.Wikilinks); err != nil {
			return err
		}
	}
	if err := h.o.Tenant.Configure(m.Context(), a, set); err != nil {
		return err
	}
	return h.answerWiki(m, http.StatusOK)
}

// assignIfGiven sets a field that the request has.
func assignIfGiven[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

func (h *Handler) deleteWiki(m *manageCall) error {
	var in confirmation
	if _, err := m.readJSON(smallBody, &in); err != nil {
		return err
	}
	a, err := h.accessOf(m)
	if err != nil {
		return err
	}
	if err := h.o.Tenant.DeleteWiki(m.Context(), a, in.Confirm); err != nil {
		return err
	}
	return h.listWikis(m)
}

func (h *Handler) restoreWiki(m *manageCall) error {
	if err := h.o.Tenant.RestoreWiki(m.Context(), m.caller, m.params["slug"]); err != nil {
		return err
	}
	return h.answerWiki(m, http.StatusOK)
}

type eraseBody struct {
	Text   string `json:"text"`
	Commit string `json:"commit"`
	DryRun bool   `json:"dry_run"`
}

type eraseAnswer struct {
	Versions  int    `json:"versions"`  // of files
	Files     int    `json:"files"`     // current files that change
	Messages  int    `json:"messages"`  // of commits
	Drafts    int    `json:"drafts"`    //
	Rewritten int    `json:"rewritten"` // commits with a new id
	Commit    string `json:"commit"`    // that records the erasure, "" in a dry run
}

func (h *Handler) eraseHistory(m *manageCall) error {
	var in eraseBody
	if _, err := m.readJSON(smallBody, &in); err != nil {
		return err
	}
	a, err := h.accessOf(m)
	if err != nil {
		return err
	}
	e := pages.Erasure{Text: in.Text, Commit: in.Commit}
	erase := h.o.Pages.Erase
	if in.DryRun {
		erase = h.o.Pages.PlanErasure
	}
	report, err := erase(m.Context(), a, e)
	if err == nil && !in.DryRun {
		err = h.o.Tenant.RecordErasure(m.Context(), a)
	}
	if err != nil {
		return err
	}
	return m.respond(http.StatusOK, eraseAnswer(report))
}

type managedImport struct {
	Commit    string    `json:"commit"` // the last one
	Commits   int       `json:"commits"`
	Source    string    `json:"source"` // name of the file or repository
	Time      time.Time `json:"time"`
	VouchedBy string    `json:"vouched_by,omitempty"` // DID, "operator" or "former owner"
	Vouched   time.Time `json:"vouched,omitzero"`
}

type importList struct {
	Imports []managedImport `json:"imports"` // the newest 20
	Total   int             `json:"total"`
}

func (h *Handler) listImports(m *manageCall) error {
	a, err := h.accessOf(m)
	if err != nil {
		return err
	}
	return h.answerImports(m, a)
}

func (h *Handler) answerImports(m *manageCall, a wiki.Access) error {
	found, all, err := h.o.Pages.Imports(m.Context(), a)
	if err != nil {
		return err
	}
	list := make([]managedImport, len(found))
	for i, r := range found {
		list[i] = managedImport{r.Commit, r.Commits, r.Source, r.Time, r.VouchedBy, r.Vouched}
	}
	return m.respond(http.StatusOK, importList{list, all})
}

// A vouchBody says whether the owner vouches for an import, and for those before it.
type vouchBody struct {
	Vouch   *bool `json:"vouch"`
	Earlier bool  `json:"earlier"`
}

func (h *Handler) patchImport(m *manageCall) error {
	var in vouchBody
	if _, err := m.readJSON(smallBody, &in); err != nil {
		return err
	}
	a, err := h.accessOf(m)
	if err != nil {
		return err
	}
	if in.Vouch == nil {
		return wiki.Problemf(wiki.ErrInvalid, "vouch", "Set vouch to true or false.")
	}
	v := pages.Vouching{Commit: m.params["commit"], Earlier: in.Earlier, Withdraw: !*in.Vouch}
	changed, err := h.o.Pages.Vouch(m.Context(), a, v)
	if err == nil && changed > 0 {
		err = h.o.Tenant.RecordVouching(m.Context(), a, v.Commit, v.Withdraw)
	}
	if err != nil {
		return err
	}
	return h.answerImports(m, a)
}

type managedMember struct {
	DID      string    `json:"did"`
	Username string    `json:"username"`
	Handle   string    `json:"handle"`
	Name     string    `json:"name"`
	Role     string    `json:"role"`
	Seen     time.Time `json:"seen,omitzero"` // last sign-in
}

type memberList struct {
	Members []managedMember `json:"members"`
	Max     int             `json:"max_members"` // besides the owner
}

func (h *Handler) listMembers(m *manageCall) error {
	a, err := h.accessOf(m)
	if err != nil {
		return err
	}
	members, err := h.o.Tenant.Members(m.Context(), a)
	if err != nil {
		return err
	}
	list := make([]managedMember, len(members))
	for i, one := range members {
		u := one.User
		list[i] = managedMember{u.DID, u.Username, u.Handle, u.Name, one.Role.String(), one.Seen}
	}
	return m.respond(http.StatusOK, memberList{list, a.Site().Limits.Members})
}

// A memberBody names the member to add, by handle or DID, and their role.
type memberBody struct {
	Handle string `json:"handle"`
	Role   string `json:"role"`
}

type roleBody struct {
	Role string `json:"role"`
}

func (h *Handler) postMember(m *manageCall) error {
	var in memberBody
	a, role, err := h.readRole(m, &in, &in.Role)
	if err != nil {
		return err
	}
	if _, err := h.o.Tenant.Invite(m.Context(), a, in.Handle, role); err != nil {
		return err
	}
	return h.listMembers(m)
}

func (h *Handler) patchMember(m *manageCall) error {
	var in roleBody
	a, role, err := h.readRole(m, &in, &in.Role)
	if err != nil {
		return err
	}
	if err := h.o.Tenant.SetMember(m.Context(), a, m.params["did"], role); err != nil {
		return err
	}
	return h.listMembers(m)
}

// readRole decodes a body into in and parses the role in it.
func (h *Handler) readRole(m *manageCall, in any, name *string) (wiki.Access, wiki.Role, error) {
	if _, err := m.readJSON(smallBody, in); err != nil {
		return wiki.Access{}, wiki.NoRole, err
	}
	a, err := h.accessOf(m)
	if err != nil {
		return wiki.Access{}, wiki.NoRole, err
	}
	role, err := wiki.ParseRole(*name)
	return a, role, err
}

// deleteMember removes a member; callers can remove themselves.
func (h *Handler) deleteMember(m *manageCall) error {
	a, err := h.accessOf(m)
	if err != nil {
		return err
	}
	if did := m.params["did"]; did == m.caller.User.DID {
		err = h.o.Tenant.Leave(m.Context(), a)
	} else {
		err = h.o.Tenant.RemoveMember(m.Context(), a, did)
	}
	if err != nil {
		return err
	}
	return m.respond(http.StatusOK, deletion{true})
}

type offerBody struct {
	DID string `json:"did"`
}

type offer struct {
	OfferedTo string `json:"offered_to"` // DID, "" for nobody
}

// putOffer offers the caller's wiki to a member.
func (h *Handler) putOffer(m *manageCall) error {
	var in offerBody
	if _, err := m.readJSON(smallBody, &in); err != nil {
		return err
	}
	a, err := h.accessOf(m)
	if err != nil {
		return err
	}
	if in.DID == "" && a.Can(wiki.Configure) {
		return wiki.Problemf(wiki.ErrInvalid, "did", "Name the member to hand the wiki to by their DID.")
	}
	if err := h.o.Tenant.Offer(m.Context(), a, in.DID); err != nil {
		return err
	}
	return m.respond(http.StatusOK, offer{in.DID})
}

// deleteOffer withdraws the caller's offer, or declines one to the caller.
func (h *Handler) deleteOffer(m *manageCall) error {
	a, err := h.accessOf(m)
	if err != nil {
		return err
	}
	if a.Role() == wiki.Owner {
		err = h.o.Tenant.Offer(m.Context(), a, "")
	} else {
		err = h.o.Tenant.Decline(m.Context(), m.caller, m.params["slug"])
	}
	if err != nil {
		return err
	}
	return m.respond(http.StatusOK, offer{})
}

// acceptWiki makes the caller the owner of a wiki that is offered to them.
func (h *Handler) acceptWiki(m *manageCall) error {
	if err := h.o.Tenant.Accept(m.Context(), m.caller, m.params["slug"]); err != nil {
		return err
	}
	return h.answerWiki(m, http.StatusOK)
}

type managedToken struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	ReadOnly bool      `json:"read_only"`
	Mode     wiki.Mode `json:"mode"` // read, propose or edit
	Created  time.Time `json:"created"`
	LastUse  time.Time `json:"last_use,omitzero"`
	Secret   string    `json:"secret,omitempty"` // only when it is created
}

func managed(t *session.Token) managedToken {
	return managedToken{ID: t.ID, Name: t.Name, ReadOnly: t.ReadOnly, Mode: t.Mode(), Created: t.Created, LastUse: t.LastUse()}
}

type tokenList struct {
	Tokens []managedToken `json:"tokens"`
}

func (m *manageCall) answerTokens(tokens []*session.Token, err error) error {
	if err != nil {
		return err
	}
	list := make([]managedToken, len(tokens))
	for i, t := range tokens {
		list[i] = managed(t)
	}
	return m.respond(http.StatusOK, tokenList{list})
}

func (h *Handler) listTokens(m *manageCall) error {
	a, err := h.accessOf(m)
	if err != nil {
		return err
	}
	return m.answerTokens(h.o.Session.Tokens(m.Context(), a))
}

type tokenBody struct {
	Name     string `json:"name"`
	ReadOnly bool   `json:"read_only"`
	Mode     string `json:"mode"` // instead of ReadOnly
}

// mode returns what the token is to allow.
func (b tokenBody) mode() (wiki.Mode, error) {
	if b.Mode == "" {
		return wiki.ModeOf(b.ReadOnly, false), nil
	}
	mode := wiki.ParseMode(b.Mode)
	if mode == "" || b.ReadOnly && mode != wiki.ModeRead {
		return "", wiki.Problemf(wiki.ErrInvalid, "mode", "Use the mode read, propose or edit, without read_only.")
	}
	return mode, nil
}

func (h *Handler) postToken(m *manageCall) error {
	var in tokenBody
	if _, err := m.readJSON(smallBody, &in); err != nil {
		return err
	}
	a, err := h.accessOf(m)
	if err != nil {
		return err
	}
	mode, err := in.mode()
	if err != nil {
		return err
	}
	secret, token, err := h.o.Session.NewToken(m.Context(), a, in.Name, mode)
	if err != nil {
		return err
	}
	made := managed(token)
	made.Secret = secret
	return m.respond(http.StatusCreated, made)
}

func (h *Handler) deleteToken(m *manageCall) error {
	a, err := h.accessOf(m)
	if err != nil {
		return err
	}
	if err := h.o.Session.RevokeToken(m.Context(), a, m.params["id"]); err != nil {
		return err
	}
	return m.respond(http.StatusOK, deletion{true})
}

func (h *Handler) listPersonal(m *manageCall) error {
	return m.answerTokens(h.o.Session.PersonalTokens(m.Context(), m.caller))
}

func (h *Handler) deletePersonal(m *manageCall) error {
	if err := h.o.Session.RevokePersonalToken(m.Context(), m.caller, m.params["id"]); err != nil {
		return err
	}
	return m.respond(http.StatusOK, deletion{true})
}

type managedSession struct {
	ID      string    `json:"id"`
	Started time.Time `json:"started"`
	Ends    time.Time `json:"ends"`
	Browser string    `json:"browser"` // "Firefox on Linux", or ""
}

type sessionList struct {
	Sessions []managedSession `json:"sessions"`
}

func (h *Handler) listSessions(m *manageCall) error {
	logins, err := h.o.Session.Sessions(m.Context(), m.caller)
	if err != nil {
		return err
	}
	list := make([]managedSession, len(logins))
	for i, l := range logins {
		list[i] = managedSession{l.ID, l.Started, l.Ends, l.Browser}
	}
	return m.respond(http.StatusOK, sessionList{list})
}

func (h *Handler) deleteSessions(m *manageCall) error {
	if err := h.o.Session.EndSession(m.Context(), m.caller, ""); err != nil {
		return err
	}
	return m.respond(http.StatusOK, deletion{true})
}

func (h *Handler) deleteSession(m *manageCall) error {
	if err := h.o.Session.EndSession(m.Context(), m.caller, m.params["id"]); err != nil {
		return err
	}
	return m.respond(http.StatusOK, deletion{true})
}
