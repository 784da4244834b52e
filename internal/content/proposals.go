package content

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"time"

	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/wiki"
)

const (
	// ProposalLifetime is how long a proposal waits for a decision after its last change,
	// and how long its agent can ask for the decision.
	ProposalLifetime = 60 * 24 * time.Hour

	maxProposedFiles     = 200      // of a grant
	maxProposedBytes     = 5 << 20  // of a grant's texts
	maxWikiProposedBytes = 20 << 20 // of all texts that wait in a wiki
)

// A Proposed page is a page as an agent wants it to be.
type Proposed struct {
	Author  wiki.Caller // person, agent, client and grant
	Path    string
	Base    string // blob of the page that it changes; BaseNone for a new page
	Blob    string // id of Data; no blob of the wiki
	Data    []byte
	Message string
	Created time.Time
	Updated time.Time
}

// A Proposal changes what a grant proposes for a page.
type Proposal struct {
	Path    string
	Base    string // as in Proposed
	Was     string // the Blob that the grant proposed before, "" for none
	Data    []byte
	Message string
}

// Outcome is what became of a proposal.
type Outcome string

// The outcomes.
const (
	Accepted Outcome = "accepted"
	Declined Outcome = "declined"
	Expired  Outcome = "expired"

	AcceptedPart Outcome = "accepted in part"
	DeclinedPart Outcome = "declined in part"
)

// A ProposalDecision tells an agent what became of its proposal for a page.
type ProposalDecision struct {
	Path    string
	Outcome Outcome
	Reason  string
	By      wiki.Author // the person who decided; zero if it expired or they left
	Time    time.Time
}

// An Acceptance makes a commit of proposals: they are removed in its transaction.
type Acceptance struct {
	By    wiki.Caller
	Files []ProposedVersion
}

// A ProposedVersion is a proposal as a person saw it.
type ProposedVersion struct {
	Path, Blob string
	// Rest is set if the person decides on a part. It has the Base and Data of the proposal
	// that stays.
	Rest *Proposal
}

const proposedColumns = "grant_id, path, base, blob, message, did, username, agent, client, created, updated"

func scanProposed(scan func(...any) error, p *Proposed, more ...any) error {
	var created, updated int64
	a := &p.Author
	err := scan(append([]any{&a.Grant, &p.Path, &p.Base, &p.Blob, &p.Message, &a.User.DID, &a.User.Username, &a.Agent, &a.Client, &created, &updated}, more...)...)
	p.Created, p.Updated = time.UnixMilli(created).UTC(), time.UnixMilli(updated).UTC()
	return err
}

func (w *Wiki) proposalsSince() int64 { return w.o.Now().Add(-ProposalLifetime).UnixMilli() }

// Proposed returns what a grant proposes for a page; ErrNotFound if it proposes nothing.
func (w *Wiki) Proposed(ctx context.Context, grant, path string) (Proposed, error) {
	var p Proposed
	row := w.queryRow(ctx, "SELECT "+proposedColumns+", data FROM proposed WHERE wiki = $1 AND grant_id = $2 AND key = $3 AND updated > $4",
		w.slug, grant, wiki.Key(path), w.proposalsSince())
	err := scanProposed(row.Scan, &p, &p.Data)
	return p, wrapError(err, "proposal for %s/%s", w.slug, path)
}

// Proposals lists what agents propose, without the texts: by grant, then by path. grant
// selects one, "" all.
func (w *Wiki) Proposals(ctx context.Context, grant string) ([]Proposed, error) {
	var list []Proposed
	err := forEachRow(ctx, w, func(rows *sql.Rows) error {
		var p Proposed
		err := scanProposed(rows.Scan, &p)
		list = append(list, p)
		return err
	}, "SELECT "+proposedColumns+" FROM proposed WHERE wiki = $1 AND (grant_id = $2 OR $2 = '') AND updated > $3 ORDER BY grant_id, path",
		w.slug, grant, w.proposalsSince())
	return list, wrapError(err, "proposals for %s", w.slug)
}

// A proposalCount is the number of proposals until the next write.
type proposalCount struct {
	writes int64
	n      int
}

// CountProposals counts the pages that agents propose to change. It usually reads only
// memory.
func (w *Wiki) CountProposals(ctx context.Context) (int, error) {
	c := proposalCount{writes: w.writes.Load()}
	if known := w.proposed.Load(); known != nil && known.writes == c.writes {
		return known.n, nil
	}
	err := w.queryRow(ctx, "SELECT count(*) FROM proposed WHERE wiki = $1 AND updated > $2", w.slug, w.proposalsSince()).Scan(&c.n)
	if err == nil {
		w.proposed.Store(&c)
	}
	return c.n, wrapError(err, "count proposals for %s", w.slug)
}

// Propose changes what the author's grant proposes, all or none. A text that equals its
// base withdraws the proposal. ErrConflict if the grant has changed a proposal since it
// read it, ErrQuota over a limit.
func (w *Wiki) Propose(ctx context.Context, author wiki.Caller, list []Proposal) error {
	if author.Grant == "" || author.User.DID == "" {
		return fmt.Errorf("content: proposal by %+v: the author has no grant or no DID", author.User)
	}
	err := w.inWriteTx(ctx, func(t *tx) error {
		if err := t.expireProposals(); err != nil {
			return err
		}
		for _, p := range list {
			if err := t.propose(author, p); err != nil {
				return err
			}
		}
		return t.checkProposalLimits(author.Grant)
	}, nil)
	return wrapError(err, "propose changes to %s", w.slug)
}

func (t *tx) propose(author wiki.Caller, p Proposal) error {
	if err := checkPath(p.Path); err != nil {
		return err
	}
	slug, key, now := t.w.slug, wiki.Key(p.Path), t.w.o.Now().UnixMilli()
	var was string
	if err := t.queryRow(t.context(), "SELECT COALESCE(MAX(blob), '') FROM proposed WHERE wiki = $1 AND grant_id = $2 AND key = $3", slug, author.Grant, key).Scan(&was); err != nil {
		return err
	}
	if was != p.Was {
		return wiki.Problemf(wiki.ErrConflict, "revision", "The proposal for %q has changed or was decided meanwhile. Read the page again.", p.Path)
	}
	blob := gitrepo.ObjectID("blob", p.Data)
	if blob == p.Base {
		return t.exec("DELETE FROM proposed WHERE wiki = $1 AND grant_id = $2 AND key = $3", slug, author.Grant, key)
	}
	return t.exec(`INSERT INTO proposed (wiki, grant_id, key, path, base, blob, data, message, did, username, agent, client, created, updated)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13)
		ON CONFLICT (wiki, grant_id, key) DO UPDATE SET path = excluded.path, base = excluded.base, blob = excluded.blob, data = excluded.data,
			message = excluded.message, username = excluded.username, agent = excluded.agent, updated = excluded.updated`,
		slug, author.Grant, key, p.Path, p.Base, blob, nonNil(p.Data), p.Message, author.User.DID, author.User.AuthorName(), author.Agent, author.Client, now)
}

// checkProposalLimits rejects proposals that take too much room.
func (t *tx) checkProposalLimits(grant string) error {
	var files int
	var own, all int64
	err := t.queryRow(t.context(), `SELECT COUNT(*) FILTER (WHERE grant_id = $2), COALESCE(SUM(length(data)) FILTER (WHERE grant_id = $2), 0), COALESCE(SUM(length(data)), 0)
		FROM proposed WHERE wiki = $1`, t.w.slug, grant).Scan(&files, &own, &all)
	switch {
	case err != nil:
		return err
	case files > maxProposedFiles:
		return wiki.Problemf(wiki.ErrQuota, "", "You already propose changes to %d pages, which is the limit. Wait until a person has decided on some.", maxProposedFiles)
	case own > maxProposedBytes:
		return wiki.Problemf(wiki.ErrQuota, "", "Your proposals would take more than %s. Wait until a person has decided on some.", formatBytes(maxProposedBytes))
	case all > maxWikiProposedBytes:
		return wiki.Problemf(wiki.ErrQuota, "", "The proposals that wait in this wiki would take more than %s. Wait until a person has decided on some.", formatBytes(maxWikiProposedBytes))
	}
	return nil
}

// expireProposals drops proposals that waited too long, and old decisions.
func (t *tx) expireProposals() error {
	slug, before := t.w.slug, t.w.proposalsSince()
	if err := t.exec("DELETE FROM decided WHERE wiki = $1 AND time <= $2", slug, before); err != nil {
		return err
	}
	if err := t.exec(`INSERT INTO decided (wiki, grant_id, time, key, path, outcome, reason, did, username)
		SELECT wiki, grant_id, $3, key, path, $4, '', '', '' FROM proposed WHERE wiki = $1 AND updated <= $2`, slug, before, t.w.o.Now().UnixMilli(), Expired); err != nil {
		return err
	}
	return t.exec("DELETE FROM proposed WHERE wiki = $1 AND updated <= $2", slug, before)
}

// Decline removes proposals of a grant, all or none, and keeps the reason for its agent.
// ErrConflict if one isn't as the person saw it.
func (w *Wiki) Decline(ctx context.Context, grant string, by wiki.Caller, files []ProposedVersion, reason string) error {
	err := w.inWriteTx(ctx, func(t *tx) error {
		if err := t.expireProposals(); err != nil {
			return err
		}
		return t.decide(grant, by, files, Declined, reason)
	}, nil)
	return wrapError(err, "decline proposals for %s", w.slug)
}

// decide removes proposals and records their outcome.
func (t *tx) decide(grant string, by wiki.Caller, files []ProposedVersion, outcome Outcome, reason string) error {
	for _, f := range files {
		key := wiki.Key(f.Path)
		n, err := t.removeProposal(grant, key, f)
		switch {
		case err != nil:
			return err
		case n == 0:
			return wiki.Problemf(wiki.ErrConflict, "", "The proposal for %q has changed or was decided since you opened it. Look at it again.", f.Path)
		}
		err = t.exec(`INSERT INTO decided (wiki, grant_id, time, key, path, outcome, reason, did, username) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
			ON CONFLICT (wiki, grant_id, time, key) DO UPDATE SET outcome = excluded.outcome, reason = excluded.reason`,
			t.w.slug, grant, t.w.o.Now().UnixMilli(), key, f.Path, outcome.forVersion(f), reason, by.User.DID, by.User.AuthorName())
		if err != nil {
			return err
		}
	}
	return nil
}

// removeProposal removes a proposal, or all but its rest, and returns 0 if it isn't as the
// person saw it.
func (t *tx) removeProposal(grant, key string, f ProposedVersion) (int64, error) {
	if f.Rest == nil {
		return t.execCount("DELETE FROM proposed WHERE wiki = $1 AND grant_id = $2 AND key = $3 AND blob = $4", t.w.slug, grant, key, f.Blob)
	}
	return t.execCount("UPDATE proposed SET base = $5, blob = $6, data = $7 WHERE wiki = $1 AND grant_id = $2 AND key = $3 AND blob = $4",
		t.w.slug, grant, key, f.Blob, f.Rest.Base, gitrepo.ObjectID("blob", f.Rest.Data), nonNil(f.Rest.Data))
}

// forVersion returns the outcome for a version. A part of it can stay.
func (o Outcome) forVersion(f ProposedVersion) Outcome {
	switch {
	case f.Rest == nil:
		return o
	case o == Accepted:
		return AcceptedPart
	}
	return DeclinedPart
}

// ProposalDecisions lists what became of a grant's proposals, newest first, at most limit.
func (w *Wiki) ProposalDecisions(ctx context.Context, grant string, limit int) ([]ProposalDecision, error) {
	var list []ProposalDecision
	err := forEachRow(ctx, w, func(rows *sql.Rows) error {
		var d ProposalDecision
		var at int64
		err := rows.Scan(&d.Path, &d.Outcome, &d.Reason, &d.By.DID, &d.By.Username, &at)
		d.Time = time.UnixMilli(at).UTC()
		list = append(list, d)
		return err
	}, "SELECT path, outcome, reason, did, username, time FROM decided WHERE wiki = $1 AND grant_id = $2 AND time > $3 ORDER BY time DESC, key LIMIT $4 + 0",
		w.slug, grant, w.proposalsSince(), limit)
	return list, wrapError(err, "decisions on proposals for %s", w.slug)
}

// acceptedTrailers name the person who accepted the proposals in a commit.
func (r *Request) acceptedTrailers() []gitrepo.Trailer {
	if r.Accepts == nil {
		return nil
	}
	by := r.Accepts.By.User
	return []gitrepo.Trailer{{Key: acceptedBy, Value: fmt.Sprintf("%s <%s>", cmp.Or(by.AuthorName(), by.DID), by.DID)}}
}

const acceptedBy = "Accepted-by"

// A proposalKey identifies a row of proposed or, with a time, of decided.
type proposalKey struct {
	grant, key string
	at         int64
}

// affectedProposals returns the proposals and decisions that contain the text.
func (x *eraser) affectedProposals(ctx context.Context) (list []proposalKey, err error) {
	if len(x.texts) == 0 {
		return nil, nil
	}
	err = forEachRow(ctx, x.q, func(rows *sql.Rows) error {
		var k proposalKey
		var path, words string
		var data []byte
		if err := rows.Scan(&k.grant, &k.key, &k.at, &path, &words, &data); err != nil {
			return err
		}
		if x.has(data) || x.has([]byte(path)) || x.has([]byte(words)) {
			list = append(list, k)
		}
		return nil
	}, `SELECT grant_id, key, 0, path, message, data FROM proposed WHERE wiki = $1
		UNION ALL SELECT grant_id, key, time, path, reason, x'' FROM decided WHERE wiki = $1`, x.slug)
	return list, err
}

// eraseProposals drops proposals and decisions that contain the text. The bases of other
// proposals get new ids. If a commit is erased, proposals to change its versions are
// dropped, since they can contain anything of it.
func (x *eraser) eraseProposals(ctx context.Context) error {
	list, err := x.affectedProposals(ctx)
	if err != nil {
		return err
	}
	for _, k := range list {
		if k.at == 0 {
			err = x.tx.exec("DELETE FROM proposed WHERE wiki = $1 AND grant_id = $2 AND key = $3", x.slug, k.grant, k.key)
		} else {
			err = x.tx.exec("DELETE FROM decided WHERE wiki = $1 AND grant_id = $2 AND key = $3 AND time = $4", x.slug, k.grant, k.key, k.at)
		}
		if err != nil {
			return err
		}
	}
	for former, next := range x.blobs {
		if len(x.texts) == 0 {
			err = x.tx.exec("DELETE FROM proposed WHERE wiki = $1 AND base = $2", x.slug, former)
		} else {
			err = x.tx.exec("UPDATE proposed SET base = $3 WHERE wiki = $1 AND base = $2", x.slug, former, next.id)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
