package mcpserver

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

// A reply is a tool's result: our own line, the wiki's text, and our own
// closing lines. All three are made of values, so that strangers' words are
// known wherever they are.
type reply struct {
	head   line
	body   line
	tail   []line
	failed bool
	more   []mcp.Content

	rendered string // by render
	fenced   bool   // it has a fence
}

func (r *reply) setHead(format ours, values ...value) { r.head = say(format, values...) }

func (r *reply) add(format ours, values ...value) { r.body.add(format, values...) }

// addLine adds a line to the body.
func (r *reply) addLine(l line) { r.body = append(append(r.body, l...), constant("\n")) }

// addTailList adds a line of ours that ends with a list.
func (r *reply) addTailList(format ours, list line) {
	r.tail = append(r.tail, append(say(format), list...))
}

// addTail adds a line of ours after the body.
func (r *reply) addTail(format ours, values ...value) {
	r.tail = append(r.tail, say(format, values...))
}

// render formats the reply: strangers' words inside a fence, and outside of it
// references to them. If any words of the body are a stranger's, it is in the
// fence as a whole.
func (h *Handler) render(ctx context.Context, c *client, r *reply) *reply {
	lines := append(make([]line, 0, 8), r.head, r.body)
	f := h.newFence(ctx, c, append(lines, r.tail...)...)
	parts := append(make([]string, 0, 8), f.outside(r.head), "", "")
	for _, l := range r.tail {
		parts = append(parts, f.outside(l))
	}
	body := strings.TrimRight(r.body.text(), "\n")
	if r.body.hasForeign() {
		parts[1] = f.around(body)
	} else {
		parts[1], parts[2] = f.around(""), body
	}
	r.fenced = parts[1] != ""
	r.rendered = strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), "\n")
	return r
}

// text is the rendered reply.
func (r *reply) text() string { return r.rendered }

const internalErrorText = "Something broke on our side; nothing was changed. Try again."

// errorReply is the reply to a failed call: the problem and its solution.
func (h *Handler) errorReply(ctx context.Context, c *client, t *tool, a arguments, err error) *reply {
	r := &reply{failed: true}
	var redirect *wiki.Redirect
	var problem *wiki.Problem
	var conflict *wiki.ConflictError
	if set := changeSetError(err); set != nil {
		return h.describeFailures(ctx, c, t, set)
	}
	switch {
	case errors.As(err, &redirect):
		r.setHead("This page was moved to %s. Call %s again with that path.", called(redirectTarget(redirect)), toolName(t))
	case errors.As(err, &conflict) && t.name == "revert":
		h.describeRefusedRevert(ctx, c, r, conflict)
		describeUndoConflict(r, err)
	case errors.As(err, &conflict) && conflict.Yours == nil:
		h.describeOutdated(ctx, c, r, t, conflict)
	case errors.As(err, &conflict):
		h.describeConflict(ctx, c, r, t, err, conflict)
	case errors.As(err, &problem):
		r.head = problemLine(problem)
		switch {
		case problem.Field == "base64" && errors.Is(err, wiki.ErrInvalid):
			r.addTail("Without base64, write_attachment returns an address to upload the file to.")
		case !errors.Is(err, wiki.ErrNotFound) || problem.Field != "path":
		case a.text("name") != "":
			r.addTail("read_attachment without name lists the files of a page.")
		default:
			r.tail = append(r.tail, h.suggestPages(ctx, c, a.text("path")))
		}
	case errorTexts[wiki.KindOf(err)] != "":
		r.setHead("%s", constant(errorTexts[wiki.KindOf(err)]))
	default:
		r.setHead(internalErrorText)
	}
	if wiki.Status(err) == http.StatusInternalServerError && redirect == nil && ctx.Err() == nil {
		h.o.Log.ErrorContext(ctx, "tool call failed", "tool", t.name, "wiki", c.access.Site().Slug, "err", err)
	}
	return r
}

// errorTexts are the replies to errors that aren't a wiki.Problem.
var errorTexts = map[error]ours{
	wiki.ErrMalformed:            "The request couldn't be parsed.",
	wiki.ErrInvalid:              "The request has an invalid value.",
	wiki.ErrSuspended:            "This wiki was suspended by the operator.",
	wiki.ErrDenied:               "You aren't allowed to do that.",
	wiki.ErrQuota:                "The wiki is full. Delete something, or ask its owner." + wiki.RunItYourself,
	wiki.ErrNotFound:             "Not found in this wiki.",
	wiki.ErrGone:                 "This is gone for good.",
	wiki.ErrTakenDown:            "This can't be shown, for legal reasons.",
	wiki.ErrConflict:             "The page was changed at the same time. Read it again.",
	wiki.ErrExists:               "That name is already taken.",
	wiki.ErrPrecondition:         "The page was changed since you read it. Read it again.",
	wiki.ErrPreconditionRequired: "Send the revision that you read.",
	wiki.ErrTooLarge:             "This is larger than a page or file can be.",
	wiki.ErrTooMany:              "Too many requests. Wait, then try again.",
	wiki.ErrUnavailable:          "This isn't available at the moment. Try again later.",
	wiki.ErrStorageBusy:          "The disk is busy, so nothing was changed. Try again in a moment.",
	wiki.ErrDamaged:              "Some of the stored data can't be read. Nothing was changed. The operator was notified and can restore it from a backup.",
	wiki.ErrStorage:              "The disk didn't accept this, so nothing was changed. Try again in a minute.",
}

// suggestPages says what exists where a page is missing.
func (h *Handler) suggestPages(ctx context.Context, c *client, wanted string) line {
	found, err := h.o.Pages.Find(ctx, c.access, wanted)
	if err == nil && found.Kind == pages.KindFolder {
		return say("%s is a folder of pages: list_pages with path_prefix %s shows them.", called(found.Path), quoted(called(found.Path+"/")))
	}
	if past, err := h.o.Pages.History(ctx, c.access, wanted, 0, 1); err == nil && len(past) > 0 && past[0].Kind == wiki.Deleted {
		return say("It was deleted on %s by %s, commit %s; revert with undo restores it.", day(past[0].Time), by(past[0].Author), hash(past[0].Commit))
	}
	if similar, err := h.o.Pages.SimilarNames(ctx, c.access, wanted, 5); err == nil && len(similar) > 0 {
		return append(append(say("Similar: "), names(similar)...), constant("."))
	}
	return say("search finds pages by words; list_pages lists them.")
}

// authorText names a revision's author and agent.
func authorText(a wiki.Author) string {
	who := a.Username
	if who == "" {
		who = "deleted account"
	}
	if a.Imported {
		who += " (imported)"
	}
	if a.Agent != "" {
		who += " via " + a.Agent
	}
	return who
}

func formatDay(t time.Time) string    { return t.UTC().Format(time.DateOnly) }
func formatMinute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }

// shortID shortens a revision or commit id for display.
func shortID(id string) string { return id[:min(len(id), 8)] }

// thousands formats a number with commas.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func countNoun(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	if stem, ok := strings.CutSuffix(one, "y"); ok && !strings.ContainsAny(stem[len(stem)-1:], "aeou") {
		return thousands(n) + " " + stem + "ies"
	}
	return thousands(n) + " " + one + "s"
}

func runeCount(text string) int { return utf8.RuneCountInString(text) }

// singleLine prepares a text for a line of a reply: without newlines, HTML
// comments and invisible characters.
func singleLine(text string) string {
	for {
		before, rest, ok := strings.Cut(text, "<!--")
		if !ok {
			break
		}
		_, after, closed := strings.Cut(rest, "-->")
		if !closed {
			after = ""
		}
		text = before + after
	}
	return strings.Join(strings.Fields(strings.Map(visibleRune, text)), " ")
}

// visibleRune drops invisible characters: format (bidirectional controls,
// tags, zero-width) and control characters, and variation selectors.
func visibleRune(r rune) rune {
	switch {
	case unicode.IsSpace(r):
		return ' '
	case unicode.Is(unicode.Cc, r), unicode.Is(unicode.Cf, r), unicode.Is(unicode.Co, r), unicode.Is(unicode.Variation_Selector, r), r == utf8.RuneError,
		r == '\u115f', r == '\u1160', r == '\u3164', r == '\uffa0': // Hangul fillers
		return -1
	}
	return r
}

// truncate shortens a line to n characters.
func truncate(text string, n int) string {
	if runeCount(text) <= n {
		return text
	}
	return strings.TrimSpace(string([]rune(text)[:n-1])) + "…"
}
