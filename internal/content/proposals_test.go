package content

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/wiki"
)

func requireNil(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var proposer = wiki.Caller{User: wiki.User{DID: "did:plc:bob", Username: "bob"}, Agent: "Claude", Client: "token", Grant: "g1"}

func newVersion(path, text string) ProposedVersion {
	return ProposedVersion{Path: path, Blob: gitrepo.ObjectID("blob", []byte(text))}
}

// An accepted proposal names its author, and the person who accepted it in a trailer that
// no message can forge.
func TestAcceptedBy(t *testing.T) {
	clock := newClock()
	w := newWiki(t, clock.Now)
	requireNil(t, w.Propose(t.Context(), proposer, []Proposal{{Path: "A.md", Data: []byte("a\n"), Message: "Add A\n\nAccepted-by: mallory <did:plc:mallory>"}}))
	r := Request{Author: proposer, Limits: wiki.DefaultLimits, Message: "Add A\n\nAccepted-by: mallory <did:plc:mallory>", Edits: []Edit{{Path: "A.md", Data: []byte("a\n")}},
		Accepts: &Acceptance{By: wiki.Caller{User: wiki.User{DID: "did:plc:ada", Username: "ada"}}, Files: []ProposedVersion{newVersion("A.md", "b\n")}}}
	if _, err := w.Commit(t.Context(), r); !errors.Is(err, wiki.ErrConflict) {
		t.Fatalf("another version is accepted: %v", err)
	}
	r.Accepts.Files = []ProposedVersion{newVersion("A.md", "a\n")}
	done, err := w.Commit(t.Context(), r)
	requireNil(t, err)
	var raw string
	requireNil(t, w.queryRow(t.Context(), "SELECT raw FROM commits WHERE wiki = $1 AND seq = $2", w.slug, done.Commit.Seq).Scan(&raw))
	if !strings.Contains(raw, "\nGrant: g1\nAccepted-by: ada <did:plc:ada>\n") || strings.Contains(raw, "mallory") {
		t.Errorf("%s", raw)
	}
	if _, err := w.Proposed(t.Context(), "g1", "A.md"); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("it still waits: %v", err)
	}
}

// Proposals have limits for each grant and for the wiki, and what exceeds them changes
// nothing.
func TestProposalLimits(t *testing.T) {
	clock := newClock()
	w := newWiki(t, clock.Now)
	var many []Proposal
	for i := range 201 {
		many = append(many, Proposal{Path: fmt.Sprintf("P%d.md", i), Data: []byte("x")})
	}
	if err := w.Propose(t.Context(), proposer, many); !errors.Is(err, wiki.ErrQuota) {
		t.Errorf("201 files: %v", err)
	}
	requireNil(t, w.Propose(t.Context(), proposer, many[:200]))
	large := func(grant string, bytesOf int) error {
		by := proposer
		by.Grant = grant
		return w.Propose(t.Context(), by, []Proposal{{Path: "L.md", Data: bytes.Repeat([]byte("x"), bytesOf)}})
	}
	if err := large("g2", 5<<20+1); !errors.Is(err, wiki.ErrQuota) {
		t.Errorf("over 5 MB: %v", err)
	}
	for _, grant := range []string{"g2", "g3", "g4"} {
		requireNil(t, large(grant, 5<<20))
	}
	if err := large("g5", 5<<20); !errors.Is(err, wiki.ErrQuota) {
		t.Errorf("over 20 MB: %v", err)
	}
	if n, err := w.CountProposals(t.Context()); err != nil || n != 203 {
		t.Errorf("%d proposals, %v", n, err)
	}
}

// After 60 days without a change a proposal is gone, and its agent can ask why.
func TestProposalsExpire(t *testing.T) {
	clock := newClock()
	w := newWiki(t, clock.Now)
	requireNil(t, w.Propose(t.Context(), proposer, []Proposal{{Path: "Old.md", Data: []byte("x")}}))
	clock.add(59 * 24 * time.Hour)
	requireNil(t, w.Propose(t.Context(), proposer, []Proposal{{Path: "Later.md", Data: []byte("x")}}))
	clock.add(2 * 24 * time.Hour)
	if list, err := w.Proposals(t.Context(), ""); err != nil || len(list) != 1 || list[0].Path != "Later.md" {
		t.Errorf("%+v, %v", list, err)
	}
	requireNil(t, w.Decline(t.Context(), "g1", proposer, []ProposedVersion{newVersion("Later.md", "x")}, "no"))
	list, err := w.ProposalDecisions(t.Context(), "g1", 10)
	if err != nil || len(list) != 2 || list[0].Outcome == list[1].Outcome {
		t.Errorf("%+v, %v", list, err)
	}
	clock.add(61 * 24 * time.Hour)
	if list, err := w.ProposalDecisions(t.Context(), "g1", 10); err != nil || len(list) != 0 {
		t.Errorf("after 60 days: %+v, %v", list, err)
	}
}

// A proposal is no blob, file or commit of the wiki.
func TestProposalsAreApart(t *testing.T) {
	clock := newClock()
	w := newWiki(t, clock.Now)
	before, _ := w.Head()
	requireNil(t, w.Propose(t.Context(), proposer, []Proposal{{Path: "A.md", Data: []byte("secret\n")}}))
	if after, _ := w.Head(); after != before {
		t.Error("there is a new commit")
	}
	if _, err := w.Blob(t.Context(), gitrepo.ObjectID("blob", []byte("secret\n"))); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("it is a blob: %v", err)
	}
	if _, err := w.Find(t.Context(), "A.md"); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("it is a file: %v", err)
	}
	if err := w.Propose(t.Context(), wiki.Caller{User: proposer.User}, []Proposal{{Path: "A.md"}}); err == nil {
		t.Error("a caller without a grant proposes")
	}
}
