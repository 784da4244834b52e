package web

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"robot.wtf/internal/oauth"
	"robot.wtf/internal/pages"
	"robot.wtf/internal/session"
	"robot.wtf/internal/wiki"
)

const connectPath = "/-/connect"

// connectPage shows a member how to connect an agent, and what came of it.
type connectPage struct {
	Frame
	Lines connectLines
	Panel panel
}

// A panel is what reached the wiki, and what the member's agents made of it.
type panel struct {
	State    string // "waiting", "connected" or "wrote"
	Heading  string
	Says     string // what is going on, and what to do
	Writes   []agentWrite
	Requests []requestRow
	CanEdit  bool
}

// An agentWrite is a commit of the member's agent that can be kept or undone.
type agentWrite struct {
	wiki.Commit
	Page  wiki.PageName // the first that it changed, "" for none
	Kind  wiki.ChangeKind
	Other int // files that it changed besides
}

// A requestRow is a request with what it means.
type requestRow struct {
	session.Request
	Says string
}

const (
	freshFor   = 24 * time.Hour // an agent's writes are offered here so long; the changelog has them all
	freshShown = 5
)

func (h *Handler) showConnect(v *visit) error {
	p := &connectPage{Frame: h.frame(v, "Connect your agent"), Lines: makeConnectLines(v.slug, h.o.WikiOrigin(v.slug))}
	p.NoIndex = true
	var err error
	if p.Panel, err = h.panel(v, v.a); err != nil {
		return err
	}
	return h.render(v, http.StatusOK, "connect", p)
}

// panel gathers what there is to see for a member.
func (h *Handler) panel(v *visit, a wiki.Access) (panel, error) {
	p := panel{CanEdit: a.Can(wiki.Edit)}
	requests, err := h.o.Session.Requests(a)
	if err != nil {
		return p, err
	}
	for _, r := range requests {
		p.Requests = append(p.Requests, requestRow{r, meaning(r)})
	}
	commits, err := h.o.Pages.Fresh(v.ctx(), a, h.o.Now().Add(-freshFor), freshShown)
	if err != nil {
		return p, err
	}
	for _, c := range commits {
		w := agentWrite{Commit: c, Other: max(0, len(c.Changes)-1)}
		if len(c.Changes) > 0 {
			w.Page, _ = wiki.PageOf(c.Changes[0].Path)
			w.Kind = c.Changes[0].Kind
		}
		p.Writes = append(p.Writes, w)
	}
	p.tell(requests)
	return p, nil
}

// tell finds the words for how far it has come.
func (p *panel) tell(requests []session.Request) {
	if len(p.Writes) > 0 {
		p.State, p.Heading = "wrote", p.Writes[0].Author.Agent+" has written"
		p.Says = "Keep what is good. Undo makes a new change that takes it back; history stays."
		return
	}
	for _, r := range requests {
		if r.Agent != "" && r.Status < http.StatusBadRequest {
			p.State, p.Heading = "connected", r.Agent+" is connected"
			p.Says = "Now say something to it, such as the words under 2."
			return
		}
	}
	p.State, p.Heading = "waiting", "Waiting for your agent"
	p.Says = "Nothing has reached this wiki yet."
	if len(requests) > 0 {
		p.Says = advice(requests[0])
	}
}

// advice is what to do after the newest request of an agent that has not come in.
func advice(r session.Request) string {
	switch {
	case r.Cause == session.NoToken:
		return "It has found the wiki and will ask you for permission. Look for the tab that it opened."
	case r.Cause == session.OtherWiki:
		return "It showed a token of another wiki. Remove the connection there, and add this address anew."
	case r.Cause == session.NoMember:
		return "It acts for somebody who is not a member here. Sign in as yourself when it asks."
	case r.Cause == session.ReadOnly:
		return "It may only read. Connect it again and allow it to edit."
	case r.Cause == oauth.Declined:
		return "You did not allow it. It may ask again."
	case r.Cause != "":
		return "It was refused. Let it sign in again."
	case strings.HasSuffix(r.Path, "/authorize"):
		return "It is asking you for permission. Look for the tab that it opened."
	}
	return "It is on its way."
}

// causes are the words for a refusal.
var causes = map[session.Cause]string{
	session.NoToken:      "No token.",
	session.BadToken:     "That is no token of this service.",
	session.UnknownToken: "This token is unknown, or was revoked.",
	session.OtherWiki:    "That is a token of another wiki.",
	session.Expired:      "Its token has expired. It should fetch a new one by itself.",
	session.Revoked:      "What it had been allowed was taken back.",
	session.NoMember:     "Whoever it acts for is not a member of this wiki.",
	session.ReadOnly:     "It may only read.",
	session.TooFast:      "Too many requests. It has to wait.",
	oauth.Declined:       "You did not allow it.",
}

// meaning says in a sentence what a request was.
func meaning(r session.Request) string {
	mcp := r.Path == "/mcp"
	if r.Cause == session.NoToken && mcp {
		return "No token yet. That is how it starts."
	}
	if words, ok := causes[r.Cause]; ok {
		return words
	}
	ok := r.Status < http.StatusBadRequest
	switch {
	case r.Cause != "":
		return "Refused: " + string(r.Cause) + "."
	case strings.HasPrefix(r.Path, "/.well-known/") && ok:
		return "It knows where to sign in."
	case strings.HasSuffix(r.Path, "/register") && ok && r.Claims != "":
		return "It says it is " + r.Claims + "."
	case strings.HasSuffix(r.Path, "/register") && ok:
		return "It introduced itself."
	case strings.HasSuffix(r.Path, "/authorize") && r.Method == http.MethodPost && ok:
		return "You answered it."
	case strings.HasSuffix(r.Path, "/authorize") && ok:
		return "Your turn: press Allow."
	case strings.HasSuffix(r.Path, "/token") && ok:
		return "It has a token now."
	case mcp && ok && r.Agent != "" && r.Tool != "":
		return r.Agent + " called " + r.Tool + "."
	case mcp && ok && r.Agent != "":
		return r.Agent + " is here."
	case ok:
		return "It was answered."
	case r.Status >= http.StatusInternalServerError:
		return "Something broke on our side."
	}
	return "That was not what belongs there."
}

// changeConnect keeps or undoes what an agent wrote.
func (h *Handler) changeConnect(v *visit) error {
	if v.a.Role() < wiki.Viewer {
		return wiki.Problemf(wiki.ErrDenied, "", "Only members of this wiki can connect agents to it.")
	}
	form, err := h.readForm(v, smallForm, "action", "commit")
	if err != nil {
		return err
	}
	commit := form.Get("commit")
	switch form.Get("action") {
	case "keep":
		if err := h.o.Pages.Keep(v.ctx(), v.a, commit); err != nil {
			return err
		}
		return h.redirect(v, told(connectPath, "keptchange"))
	case "undo":
		done, err := h.o.Pages.Revert(v.ctx(), v.a, commit, pages.Write{})
		if errors.Is(err, wiki.ErrConflict) {
			v.r.SetPathValue("id", commit)
			return h.revertAgain(v, form, err)
		}
		if err != nil {
			return err
		}
		if err := h.o.Pages.Keep(v.ctx(), v.a, commit); err != nil {
			return err
		}
		came := "reverted"
		if done.Unchanged {
			came = "undone"
		}
		return h.redirect(v, told(connectPath, came))
	}
	return wiki.Problemf(wiki.ErrInvalid, "action", "This form could not be read. Open the page and try again from there.")
}

// Limits of a stream of events.
type streamLimits struct {
	write, check, beat, life time.Duration
	pause                    time.Duration // after an event: strangers can make one be due
}

// Whoever is reading is looked at every so often: a suspension, an end of their
// session or of their membership counts within a second.
var usualStream = streamLimits{write: 15 * time.Second, check: 500 * time.Millisecond, beat: 25 * time.Second, life: 15 * time.Minute, pause: 200 * time.Millisecond}

// streamConnect sends the panel whenever it changes (server-sent events). It
// outlives the server's time for an answer, but not a client that does not
// read, the person's right to look, or the service.
func (h *Handler) streamConnect(v *visit) error {
	wake, stop, err := h.o.Session.Watch(v.a)
	if err != nil {
		return err
	}
	defer stop()
	s := &stream{h: h, v: v, out: http.NewResponseController(v.w)}
	_ = s.out.SetReadDeadline(time.Time{})
	header := v.w.Header()
	h.headers.setOf(header, v)
	header.Set("Content-Type", "text/event-stream; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no") // a proxy's, else it would wait for more
	beat := time.NewTicker(h.stream.beat)
	defer beat.Stop()
	check := time.NewTicker(h.stream.check)
	defer check.Stop()
	life := time.NewTimer(h.stream.life)
	defer life.Stop()
	for going := s.send(true); going; {
		select {
		case <-wake:
			going = s.send(false)
			time.Sleep(h.stream.pause)
		case <-beat.C:
			going = s.send(false) && s.write(": \n\n")
		case <-check.C:
			_, going = s.access()
		case <-life.C:
			return nil // the browser comes again
		case <-h.ending:
			return nil
		case <-v.ctx().Done():
			return nil
		}
	}
	return nil
}

// EndStreams ends the answers that would go on for ever, so that the service can
// stop.
func (h *Handler) EndStreams() { h.end() }

// A stream is one answer of events.
type stream struct {
	h    *Handler
	v    *visit
	out  *http.ResponseController
	last string
}

// access is what the person may do now, and whether that is to go on reading:
// who was a member a moment ago need not be one. It reads memory.
func (s *stream) access() (wiki.Access, bool) {
	a, err := s.h.o.Tenant.Resolve(s.v.ctx(), s.v.slug, s.h.o.Session.Browser(s.v.r))
	return a, err == nil && a.Role() >= wiki.Viewer
}

// send sends the panel if it is another than before, and reports whether the
// stream goes on.
func (s *stream) send(first bool) bool {
	a := s.v.a
	if !first {
		var ok bool
		if a, ok = s.access(); !ok {
			return false
		}
	}
	p, err := s.h.panel(s.v, a)
	if err != nil {
		return false
	}
	var buf bytes.Buffer
	if err := s.h.templates.execute(&buf, "connect", "panel", p); err != nil {
		s.h.o.Log.ErrorContext(s.v.ctx(), "web: panel", "error", err)
		return false
	}
	text := buf.String()
	if text == s.last {
		return true
	}
	s.last = text
	return s.write("event: panel\ndata: " + strings.ReplaceAll(text, "\n", "\ndata: ") + "\n\n")
}

func (s *stream) write(text string) bool {
	_ = s.out.SetWriteDeadline(time.Now().Add(s.h.stream.write))
	if _, err := fmt.Fprint(s.v.w, text); err != nil {
		return false
	}
	return s.out.Flush() == nil
}
