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

// connectPage shows a member how to connect an agent, and its first requests and
// edits.
type connectPage struct {
	Frame
	Lines connectLines
	Panel panel
	Fresh bool // the wiki has only its initial pages, and the reader can import others
}

// A panel shows the requests that reached the wiki and the edits of the member's
// agents.
type panel struct {
	State    string // "waiting", "connected" or "wrote"
	Heading  string
	Says     string // the current state, and what to do next
	Writes   []agentWrite
	Requests []requestRow
	CanEdit  bool
}

// An agentWrite is a commit of the member's agent that can be kept or undone.
type agentWrite struct {
	wiki.Commit
	Page  wiki.PageName // first page changed, "" for none
	Kind  wiki.ChangeKind
	Other int // number of other files changed
}

// A requestRow is a request with an explanation.
type requestRow struct {
	session.Request
	Says string
}

const (
	pendingFor   = 24 * time.Hour // how long an agent's commit is offered for review here
	pendingShown = 5
)

func (h *Handler) showConnect(v *visit) error {
	p := &connectPage{Frame: h.frame(v, "Connect your agent"), Lines: makeConnectLines(v.slug, h.home(v))}
	p.NoIndex = true
	var err error
	if p.Panel, err = h.makePanel(v, v.a); err != nil {
		return err
	}
	if v.a.Can(wiki.Configure) {
		if p.Fresh, err = h.o.Pages.IsFresh(v.ctx(), v.a); err != nil {
			return err
		}
	}
	return h.render(v, http.StatusOK, "connect", p)
}

// makePanel collects the panel of a member.
func (h *Handler) makePanel(v *visit, a wiki.Access) (panel, error) {
	p := panel{CanEdit: a.Can(wiki.Edit)}
	requests, err := h.o.Session.Requests(a)
	if err != nil {
		return p, err
	}
	for _, r := range requests {
		p.Requests = append(p.Requests, requestRow{r, explainRequest(r)})
	}
	commits, err := h.o.Pages.PendingReview(v.ctx(), a, h.o.Now().Add(-pendingFor), pendingShown)
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
	p.describe(requests)
	return p, nil
}

// describe fills in the state, the heading and the sentence below it.
func (p *panel) describe(requests []session.Request) {
	if len(p.Writes) > 0 {
		p.State, p.Heading = "wrote", p.Writes[0].Author.Agent+" has written"
		p.Says = "Keep the good changes, undo the others. Undo creates a new revision; the history stays."
		return
	}
	for _, r := range requests {
		if r.Agent != "" && r.Status < http.StatusBadRequest {
			p.State, p.Heading = "connected", r.Agent+" is connected"
			p.Says = "Now give it something to do, such as the prompt in step 2."
			return
		}
	}
	p.State, p.Heading = "waiting", "Waiting for your agent"
	p.Says = "Nothing has reached this wiki yet."
	if len(requests) > 0 {
		p.Says = advice(requests[0])
	}
}

// advice says what to do after the newest request of an agent that isn't connected
// yet.
func advice(r session.Request) string {
	switch {
	case r.Cause == session.NoToken:
		return "It has found the wiki and is now asking you for permission. Look for the tab it opened."
	case r.Cause == session.OtherWiki:
		return "It used a token for another wiki. Remove the connection in your agent, then add this wiki’s address again."
	case r.Cause == session.NoMember:
		return "It acts for someone who isn’t a member of this wiki. Sign in as yourself when it asks."
	case r.Cause == session.ReadOnly:
		return "It can only read. Connect it again and allow it to edit."
	case r.Cause == oauth.Declined:
		return "You declined. It can ask again."
	case r.Cause != "":
		return "It was refused. Have it sign in again."
	case strings.HasSuffix(r.Path, "/authorize"):
		return "It’s asking you for permission. Look for the tab it opened."
	}
	return "It’s on its way."
}

// causes explain why a request was refused.
var causes = map[session.Cause]string{
	session.NoToken:      "No token.",
	session.BadToken:     "This isn’t a token from this service.",
	session.UnknownToken: "This token is unknown or was revoked.",
	session.OtherWiki:    "This token is for another wiki.",
	session.Expired:      "Its token has expired. It should fetch a new one by itself.",
	session.Revoked:      "Its access was revoked.",
	session.NoMember:     "It acts for someone who isn’t a member of this wiki.",
	session.ReadOnly:     "It can only read.",
	session.TooFast:      "Too many requests. It has to wait.",
	oauth.Declined:       "You declined.",
}

// explainRequest explains a request in one sentence.
func explainRequest(r session.Request) string {
	mcp := r.Path == "/mcp"
	if r.Cause == session.NoToken && mcp {
		return "No token yet. That’s how it starts."
	}
	if explanation, ok := causes[r.Cause]; ok {
		return explanation
	}
	ok := r.Status < http.StatusBadRequest
	switch {
	case r.Cause != "":
		return "Refused: " + string(r.Cause) + "."
	case strings.HasPrefix(r.Path, "/.well-known/") && ok:
		return "It knows where to sign in."
	case strings.HasSuffix(r.Path, "/register") && ok && r.Claims != "":
		return "It says it’s " + r.Claims + "."
	case strings.HasSuffix(r.Path, "/register") && ok:
		return "It introduced itself."
	case strings.HasSuffix(r.Path, "/authorize") && r.Method == http.MethodPost && ok:
		return "You decided."
	case strings.HasSuffix(r.Path, "/authorize") && ok:
		return "Your turn: press Allow."
	case strings.HasSuffix(r.Path, "/token") && ok:
		return "It has a token now."
	case mcp && ok && r.Agent != "" && r.Tool != "":
		return r.Agent + " called " + r.Tool + "."
	case mcp && ok && r.Agent != "":
		return r.Agent + " is here."
	case ok:
		return "It got a response."
	case r.Status >= http.StatusInternalServerError:
		return "Something broke on our side."
	}
	return "An invalid request."
}

// reviewAgentCommit keeps or undoes a commit of an agent.
func (h *Handler) reviewAgentCommit(v *visit) error {
	if v.a.Role() < wiki.Viewer {
		return wiki.Problemf(wiki.ErrDenied, "", "Only members can connect agents to this wiki.")
	}
	form, err := h.readForm(v, smallForm, "action", "commit")
	if err != nil {
		return err
	}
	commit := form.Get("commit")
	switch form.Get("action") {
	case "keep":
		if err := h.o.Pages.MarkReviewed(v.ctx(), v.a, commit); err != nil {
			return err
		}
		return h.redirect(v, h.tell(v, connectPath, "keptchange"))
	case "undo":
		done, err := h.o.Pages.Revert(v.ctx(), v.a, commit, pages.Write{})
		if errors.Is(err, wiki.ErrConflict) {
			v.r.SetPathValue("id", commit)
			return h.showRevertFailure(v, form, err)
		}
		if err != nil {
			return err
		}
		if err := h.o.Pages.MarkReviewed(v.ctx(), v.a, commit); err != nil {
			return err
		}
		notice := "reverted"
		if done.Unchanged {
			notice = "undone"
		}
		return h.redirect(v, h.tell(v, connectPath, notice))
	}
	return wiki.Problemf(wiki.ErrInvalid, "action", "This form couldn't be read. Open the page and try again from there.")
}

// streamLimits are the limits and intervals of an event stream.
type streamLimits struct {
	write, check, beat, life time.Duration
	pause                    time.Duration // after an event, because anyone can cause events
}

// defaultStreamLimits check access often enough that a suspension, or the end of a
// session or membership, closes the stream within a second.
var defaultStreamLimits = streamLimits{write: 15 * time.Second, check: 500 * time.Millisecond, beat: 25 * time.Second, life: 15 * time.Minute, pause: 200 * time.Millisecond}

// streamConnect sends the panel whenever it changes (server-sent events).
func (h *Handler) streamConnect(v *visit) error {
	wake, stop, err := h.o.Session.Watch(v.a)
	if err != nil {
		return err
	}
	defer stop()
	return h.serveStream(v, wake, "panel", func(a wiki.Access) (string, error) {
		p, err := h.makePanel(v, a)
		if err != nil {
			return "", err
		}
		var buf bytes.Buffer
		err = h.templates.execute(&buf, "connect", "panel", p)
		return buf.String(), err
	})
}

// serveStream sends the content of an event whenever it changes, and looks at each
// wake. It isn't bound by the server's write timeout. It ends when the client stops
// reading, the person loses access, the content fails or the service stops.
func (h *Handler) serveStream(v *visit, wake <-chan struct{}, event string, content func(a wiki.Access) (string, error)) error {
	s := &stream{h: h, v: v, out: http.NewResponseController(v.w), event: event, content: content}
	_ = s.out.SetReadDeadline(time.Time{})
	header := v.w.Header()
	h.headers.setFor(header, v)
	header.Set("Content-Type", "text/event-stream; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no") // proxies must not buffer
	beat := time.NewTicker(h.stream.beat)
	defer beat.Stop()
	check := time.NewTicker(h.stream.check)
	defer check.Stop()
	life := time.NewTimer(h.stream.life)
	defer life.Stop()
	for open := s.send(true); open; {
		select {
		case _, more := <-wake:
			if !more {
				return nil // it makes room for another wiki's stream
			}
			open = s.send(false)
			time.Sleep(h.stream.pause)
		case <-beat.C:
			open = s.send(false) && s.write(": \n\n")
		case <-check.C:
			_, open = s.access()
		case <-life.C:
			return nil // the browser reconnects
		case <-h.ending:
			return nil
		case <-v.ctx().Done():
			return nil
		}
	}
	return nil
}

// EndStreams closes all event streams, so that the service can stop.
func (h *Handler) EndStreams() { h.end() }

// A stream is one response of server-sent events.
type stream struct {
	h       *Handler
	v       *visit
	out     *http.ResponseController
	event   string
	content func(a wiki.Access) (string, error)
	last    string
}

// access returns the person's current access, and whether they are still a member.
// It reads only memory.
func (s *stream) access() (wiki.Access, bool) {
	a, err := s.h.o.Tenant.Resolve(s.v.ctx(), s.v.slug, s.h.o.Session.Browser(s.v.r))
	return a, err == nil && a.Role() >= wiki.Viewer
}

// send sends the content if it changed, and reports whether the stream stays open.
func (s *stream) send(first bool) bool {
	a := s.v.a
	if !first {
		var ok bool
		if a, ok = s.access(); !ok {
			return false
		}
	}
	text, err := s.content(a)
	if err != nil {
		if s.v.ctx().Err() == nil && wiki.Status(err) >= http.StatusInternalServerError {
			s.h.o.Log.ErrorContext(s.v.ctx(), "making an event failed", "event", s.event, "err", err)
		}
		return false
	}
	if text == s.last {
		return true
	}
	s.last = text
	return s.write("event: " + s.event + "\ndata: " + strings.ReplaceAll(text, "\n", "\ndata: ") + "\n\n")
}

func (s *stream) write(text string) bool {
	_ = s.out.SetWriteDeadline(time.Now().Add(s.h.stream.write))
	if _, err := fmt.Fprint(s.v.w, text); err != nil {
		return false
	}
	return s.out.Flush() == nil
}
