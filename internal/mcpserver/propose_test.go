package mcpserver

import (
	"strings"
	"testing"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/tenant"
	"robot.wtf/internal/wiki"
)

// proposal returns the only proposal that waits in ada's wiki.
func (w *world) proposal() pages.ProposalSet {
	w.T.Helper()
	sets, err := w.Pages.Proposals(w.T.Context(), w.Access("ada", "ada"))
	w.must(err)
	if len(sets) != 1 {
		w.T.Fatalf("%d proposals", len(sets))
	}
	return sets[0]
}

func (w *world) choice(path string) pages.ProposalChoice {
	w.T.Helper()
	set := w.proposal()
	c := pages.ProposalChoice{Grant: set.Grant, Path: path, Version: set.Version()}
	for _, f := range set.Files {
		if f.Path == path {
			c.Version = f.Blob
		}
	}
	return c
}

// A proposer reads its own proposals and goes on from them. Accepting one makes a commit
// of its author, declining one tells it why.
func TestProposing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, ada := t.Context(), w.Access("ada", "ada")
	w.save("ada", "ada", "Plan", "# Plan\n\none\n\ntwo\n\nthree\n")
	w.save("ada", "ada", "Other", "other\n")
	const p = "ada/proposer"
	if got := w.ok(p, "wiki_overview"); !strings.Contains(got, "You can read, and propose changes") {
		t.Error(got)
	}
	if got := w.ok(p, "edit_page", "path", "Plan", "message", "Make two certain", "edits", []any{map[string]any{"op": "replace", "old": "two", "text": "TWO"}}); !strings.HasPrefix(got, "Proposed") {
		t.Error(got)
	}
	w.ok(p, "create_page", "path", "Fresh", "content", "fresh text")
	if got := w.ok(p, "read_page", "path", "Plan"); !strings.Contains(got, "TWO") || !strings.Contains(got, "your proposal, not accepted yet") {
		t.Error(got)
	}
	got := w.ok(p, "edit_page", "edits", []any{
		map[string]any{"op": "append", "path": "Plan", "text": "four"}, map[string]any{"op": "append", "path": "Fresh", "text": "more"},
		map[string]any{"op": "append", "path": "Plan", "text": "five"}, map[string]any{"op": "append", "path": "Other", "text": "silly"}})
	if !strings.Contains(got, "+four") || !strings.Contains(got, "+five") {
		t.Error(got)
	}
	w.fails("can't be proposed", p, "edit_page", "edits", []any{map[string]any{"op": "delete", "path": "Plan"}})
	w.fails("already exists", p, "create_page", "path", "Fresh", "content", "again")
	if text := w.source("ada", "Plan"); strings.Contains(text, "TWO") {
		t.Fatalf("the main line has it:\n%s", text)
	}

	// The main line moves on elsewhere in the page: the proposer sees the merge.
	w.save("ada", "ada", "Plan", "# Plan\n\nONE\n\ntwo\n\nthree\n")
	if got := w.ok(p, "read_page", "path", "Plan"); !strings.Contains(got, "ONE") || !strings.Contains(got, "five") {
		t.Error(got)
	}
	w.must(w.Pages.DeclineProposals(ctx, ada, w.choice("Other.md"), "Not there, please."))
	done, err := w.Pages.AcceptProposals(ctx, ada, w.choice(""))
	w.must(err)
	if text := w.source("ada", "Plan"); text != "# Plan\n\nONE\n\nTWO\n\nthree\n\nfour\n\nfive\n" {
		t.Errorf("%q", text)
	}
	if text := w.source("ada", "Fresh"); text != "fresh text\n\nmore\n" {
		t.Errorf("%q", text)
	}
	commit, _, err := w.Pages.Commit(ctx, ada, done.Commit)
	w.must(err)
	if commit.Author.DID != "did:plc:bob" || commit.Author.Agent != "Claude" || commit.Author.Grant == "" {
		t.Errorf("by %+v", commit.Author)
	}
	for _, got := range []string{w.ok(p, "wiki_overview"), w.ok(p, "changes", "since", "last")} {
		for _, want := range []string{"your proposal for Other was declined by ada", "Not there, please.", "your proposal for Fresh was accepted by ada"} {
			if !strings.Contains(got, want) {
				t.Errorf("no %q in\n%s", want, got)
			}
		}
	}
	if got := w.ok("ada/editor", "wiki_overview"); strings.Contains(got, "Not there") {
		t.Error("another token reads the reason")
	}
	if sets, err := w.Pages.Proposals(ctx, ada); err != nil || len(sets) != 0 {
		t.Errorf("%d left, %v", len(sets), err)
	}
}

// A proposal that others made obsolete can't be accepted. Its agent settles it on the
// present text.
func TestOutdatedProposal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const p = "ada/proposer"
	w.save("ada", "ada", "Plan", "one\n")
	w.ok(p, "replace_page", "path", "Plan", "revision", revisionIn(w.ok(p, "read_page", "path", "Plan")), "content", "mine\n")
	now := w.save("ada", "ada", "Plan", "theirs\n")
	if got := w.ok(p, "read_page", "path", "Plan"); !strings.Contains(got, "can't be accepted as it is") || !strings.Contains(got, "mine") {
		t.Error(got)
	}
	if _, err := w.Pages.AcceptProposals(t.Context(), w.Access("ada", "ada"), w.choice("")); err == nil || !strings.Contains(err.Error(), "same places") {
		t.Error(err)
	}
	w.fails(now[:10], p, "edit_page", "path", "Plan", "edits", []any{map[string]any{"op": "append", "text": "x"}})
	if got := w.ok(p, "read_page", "path", "Plan", "at", now[:10]); !strings.Contains(got, "theirs") {
		t.Error(got)
	}
	w.ok(p, "replace_page", "path", "Plan", "revision", now[:10], "content", "theirs and mine\n")
	_, err := w.Pages.AcceptProposals(t.Context(), w.Access("ada", "ada"), w.choice(""))
	w.must(err)
	if text := w.source("ada", "Plan"); text != "theirs and mine\n" {
		t.Error(text)
	}
}

// A person decides on the text that they saw: a choice from before the agent changed its
// proposal is refused.
func TestProposalChangedWhileReviewed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ok("ada/proposer", "create_page", "path", "Fresh", "content", "harmless")
	all, one := w.choice(""), w.choice("Fresh.md")
	w.ok("ada/proposer", "edit_page", "path", "Fresh", "edits", []any{map[string]any{"op": "append", "text": "harmful"}})
	for _, c := range []pages.ProposalChoice{all, one} {
		if _, err := w.Pages.AcceptProposals(t.Context(), w.Access("ada", "ada"), c); wiki.Status(err) != 409 {
			t.Errorf("%+v: %v", c, err)
		}
		if err := w.Pages.DeclineProposals(t.Context(), w.Access("ada", "ada"), c, ""); wiki.Status(err) != 409 {
			t.Errorf("%+v: %v", c, err)
		}
	}
	proposer := wiki.NewAccess(w.Access("ada", "bob").Site(), wiki.Caller{User: wiki.User{DID: "did:plc:bob"}, Grant: "g", ReadOnly: true, Proposes: true}, wiki.Editor)
	if _, err := w.Pages.AcceptProposals(t.Context(), proposer, w.choice("")); wiki.Status(err) != 403 {
		t.Errorf("a proposer accepts: %v", err)
	}
}

// The owner's limit holds for tokens that have more rights already, and for new ones.
func TestMostThatAgentsMayDo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, ada := t.Context(), w.Access("ada", "ada")
	limit := func(most wiki.Mode) {
		t.Helper()
		set := tenant.SettingsOf(ada.Site())
		set.Agents = most
		w.must(w.Tenant.Configure(ctx, ada, set))
	}
	status := func(token, page string) int {
		return w.post(posted{token: token, slug: "ada", body: callBody(w.ids.Add(1), "create_page", `{"path":"`+page+`","content":"x"}`)}).StatusCode
	}
	limit(wiki.ModePropose)
	if got := w.ok("ada/editor", "create_page", "path", "First", "content", "x"); !strings.HasPrefix(got, "Proposed") {
		t.Error(got)
	}
	if got := status("ada/owner-reads", "Reader"); got != 403 {
		t.Errorf("a read-only token proposes: %d", got)
	}
	if _, _, err := w.Session.NewToken(ctx, w.Access("ada", "ada"), "x", wiki.ModeEdit); wiki.Status(err) != 403 {
		t.Errorf("a token with more rights: %v", err)
	}
	limit(wiki.ModeRead)
	if got := status("ada/editor", "Second"); got != 403 {
		t.Errorf("an editor's token: %d", got)
	}
	if got := status("ada/proposer", "Third"); got != 403 {
		t.Errorf("a proposer's token: %d", got)
	}
	w.save("ada", "bob", "By_Bob", "People aren't limited.\n")
	limit(wiki.ModeEdit)
	if got := w.ok("ada/editor", "create_page", "path", "Fourth", "content", "x"); !strings.HasPrefix(got, "Created") {
		t.Error(got)
	}
}

// Nothing of a proposal is visible to other tokens, in any tool; TestProposalsAreHidden in
// package web asks the browser's routes.
func TestProposalsAreHiddenFromTools(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const word = "quixotry"
	w.save("ada", "ada", "Plan", "one\n")
	w.ok("ada/proposer", "create_page", "path", "Fresh_"+word, "content", word+" #"+word, "message", word)
	w.ok("ada/proposer", "edit_page", "path", "Plan", "message", word, "edits", []any{map[string]any{"op": "append", "text": word + " [[" + word + "]]"}})
	revision := revisionIn(w.ok("ada/proposer", "read_page", "path", "Plan"))
	for _, token := range []string{"ada/owner", "ada/editor", "ada/viewer", "ada/owner-reads"} {
		for _, call := range []struct {
			tool string
			args []any
		}{
			{"wiki_overview", nil}, {"search", []any{"query", word}}, {"search", []any{"query", word, "mode", "semantic"}}, {"grep", []any{"pattern", "quixot"}},
			{"read_page", []any{"path", "Plan"}}, {"read_page", []any{"path", "Plan", "at", revision}}, {"read_page", []any{"path", "Fresh_" + word}},
			{"read_pages", []any{"items", []any{"Plan", "Home"}}}, {"list_pages", nil}, {"list_pages", []any{"tag", word}}, {"links", []any{"kind", "broken"}}, {"links", []any{"kind", "in", "path", "Plan"}},
			{"changes", nil}, {"changes", []any{"path", "Plan"}}, {"changes", []any{"since", "last"}},
		} {
			args := map[string]bool{}
			for _, a := range call.args {
				if s, ok := a.(string); ok && strings.Contains(s, word) {
					args[s] = true
				}
			}
			text, _ := w.call(token, call.tool, call.args...)
			for sent := range args {
				text = strings.ReplaceAll(text, sent, "")
			}
			if strings.Contains(strings.ToLower(text), "quixotry") {
				t.Errorf("%s shows %s the proposal:\n%s", call.tool, token, text)
			}
		}
	}
}
