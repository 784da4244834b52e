package content

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/wiki"
)

// rewriteHistory rewrites the commits from the first one affected, with their
// changes, and the current folders.
func (x *eraser) rewriteHistory(ctx context.Context) error {
	if x.first == 0 {
		return nil
	}
	if x.side != nil { // its commits can refer to trees of later commits
		if err := x.replay(ctx, x.recordTrees, func(*gitrepo.Files) error { return nil }); err != nil {
			return err
		}
	}
	if err := x.replay(ctx, x.rewriteCommit, x.writeTrees); err != nil {
		return err
	}
	return x.renewSpanIDs(x.first)
}

// A rewriting is a commit with its trees before and after the erasure.
type rewriting struct {
	*rawCommit
	was, is          []wiki.Change
	oldTree          string
	newTree          string
	oldDirs, newDirs map[string]string // ids of the folders that the commit changed
}

// replay applies the commits from the first one affected to the former and the new
// tree, calls visit with each, and finally calls end with the new tree.
func (x *eraser) replay(ctx context.Context, visit func(context.Context, *rewriting) error, end func(*gitrepo.Files) error) error {
	before, err := treeAt(ctx, x.q, x.slug, x.first-1)
	if err != nil {
		return err
	}
	after, err := treeAt(ctx, x.q, x.slug, x.first-1)
	if err != nil {
		return err
	}
	for last := x.first - 1; ; {
		commits, err := rawCommitsAfter(ctx, x.q, x.slug, last)
		if err != nil {
			return err
		}
		if len(commits) == 0 {
			return end(after)
		}
		for i := range commits {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := visit(ctx, x.rewriting(&commits[i], before, after)); err != nil {
				return fmt.Errorf("commit %d: %w", commits[i].seq, err)
			}
		}
		last = commits[len(commits)-1].seq
	}
}

// rewriting applies a commit to both trees.
func (x *eraser) rewriting(c *rawCommit, before, after *gitrepo.Files) *rewriting {
	r := &rewriting{rawCommit: c, oldDirs: map[string]string{}, newDirs: map[string]string{}}
	c.apply(before)
	r.oldTree = before.Trees(func(dir, id string, _ []byte) { r.oldDirs[dir] = id })
	for i := range c.changes {
		r.was = append(r.was, c.changes[i].Change)
		x.eraseChange(&c.changes[i].Change)
		r.is = append(r.is, c.changes[i].Change)
	}
	c.apply(after)
	r.newTree = after.Trees(func(dir, id string, _ []byte) { r.newDirs[dir] = id })
	return r
}

// eraseChange moves a change to its new blobs and names.
func (x *eraser) eraseChange(ch *wiki.Change) {
	ch.Path, ch.From = x.erasePath(ch.Path), x.erasePath(ch.From)
	if next, ok := x.blobs[ch.Old]; ok {
		ch.Old = next.id
	}
	if next, ok := x.blobs[ch.New]; ok {
		ch.New = next.id
	}
}

// recordTrees records the successors of the commit's trees.
func (x *eraser) recordTrees(_ context.Context, r *rewriting) error {
	for dir, id := range r.oldDirs {
		x.side.replaceTree(id, r.newDirs[x.erasePath(dir)])
	}
	return nil
}

// rewriteCommit stores a commit with its new changes, tree and parents.
func (x *eraser) rewriteCommit(ctx context.Context, r *rewriting) error {
	if err := x.writeChanges(r); err != nil {
		return err
	}
	parsed, err := gitrepo.ParseCommit(r.raw)
	if err != nil {
		return err
	}
	if parsed.Tree != r.oldTree { // its trees came with an import and have another form
		if x.side == nil {
			return ErrMismatch
		}
		if r.newTree, err = x.side.rewriteTree(parsed.Tree); err != nil {
			return err
		}
	}
	return x.writeCommit(ctx, r.rawCommit, parsed, r.newTree)
}

// writeChanges stores a commit's new changes.
func (x *eraser) writeChanges(r *rewriting) error {
	renamed := false
	for n, is := range r.is {
		renamed = renamed || is.Path != r.was[n].Path
		if is == r.was[n] {
			continue
		}
		if err := x.writeChange(r.seq, n, r.was[n], is); err != nil {
			return err
		}
	}
	if !renamed {
		return nil
	}
	keys, err := packKeys(r.is)
	if err != nil {
		return err
	}
	return x.tx.exec("UPDATE commits SET keys = $3 WHERE wiki = $1 AND seq = $2", x.slug, r.seq, keys)
}

func (x *eraser) writeChange(seq int64, n int, was, is wiki.Change) error {
	key := wiki.Key(was.Path)
	if next, ok := x.blobs[was.New]; ok {
		if err := x.tx.exec("UPDATE changes SET size = $5 WHERE wiki = $1 AND key = $2 AND seq = $3 AND n = $4", x.slug, key, seq, n, next.size); err != nil {
			return err
		}
	}
	var fromKey string
	if is.From != "" {
		fromKey = wiki.Key(is.From)
	}
	return x.tx.exec("UPDATE changes SET path = $5, key = $6, from_path = $7, from_key = $8, old = $9, new = $10 WHERE wiki = $1 AND key = $2 AND seq = $3 AND n = $4",
		x.slug, key, seq, n, is.Path, wiki.Key(is.Path), is.From, fromKey, is.Old, is.New)
}

// writeCommit stores a commit with its new tree and parents.
func (x *eraser) writeCommit(ctx context.Context, c *rawCommit, parsed gitrepo.Commit, root string) error {
	var message, username string
	var imported bool
	if err := x.tx.queryRow(ctx, "SELECT message, username, imported FROM commits WHERE wiki = $1 AND seq = $2", x.slug, c.seq).Scan(&message, &username, &imported); err != nil {
		return err
	}
	raw := x.rewriteCommitText(c.raw, imported)
	message = string(x.eraseIn([]byte(message)))
	if imported {
		username = string(x.eraseIn([]byte(username)))
	}
	if c.seq == x.seq {
		raw, message = eraseCommitMessage(raw), erasedMessage
	}
	parents := make([]string, len(parsed.Parents))
	for i, p := range parsed.Parents {
		var err error
		if parents[i], err = x.successorOfCommit(p); err != nil {
			return err
		}
	}
	raw = relinkCommit(raw, root, parents)
	id := gitrepo.ObjectID("commit", raw)
	if id == c.id {
		return nil
	}
	x.commits[c.id] = id
	if err := x.tx.exec("UPDATE commits SET oid = $3, parents = $4, raw = $5, message = $6, username = $7 WHERE wiki = $1 AND seq = $2",
		x.slug, c.seq, id, strings.Join(parents, " "), raw, message, username); err != nil {
		return err
	}
	return x.replace(c.id, id)
}

// successorOfCommit returns the new id of a parent, which can be on a side branch.
func (x *eraser) successorOfCommit(id string) (string, error) {
	if next, ok := x.commits[id]; ok {
		return next, nil
	}
	return x.rewriteSideCommit(id)
}

// splitCommit splits a commit object into its headers and its message.
func splitCommit(raw []byte) (headers, message []byte) {
	headers, message, _ = bytes.Cut(raw, []byte("\n\n"))
	return headers, message
}

func joinCommit(headers, message []byte) []byte {
	return bytes.Join([][]byte{headers, message}, []byte("\n\n"))
}

// rewriteCommitText erases the text from a commit object's message, and from the
// authors of an imported commit. Our own authors are people who signed in.
func (x *eraser) rewriteCommitText(raw []byte, imported bool) []byte {
	if !x.has(raw) {
		return raw
	}
	headers, message := splitCommit(raw)
	if imported {
		lines := bytes.Split(headers, []byte("\n"))
		for i, line := range lines {
			if bytes.HasPrefix(line, []byte("author ")) || bytes.HasPrefix(line, []byte("committer ")) {
				lines[i] = x.eraseIn(line)
			}
		}
		headers = bytes.Join(lines, []byte("\n"))
	}
	lines := bytes.Split(message, []byte("\n"))
	for i, line := range lines {
		for _, key := range moveTrailers {
			if value, ok := strings.CutPrefix(string(line), key+": "); ok && strings.Contains(value, " -> ") {
				from, to, _ := strings.Cut(value, " -> ")
				lines[i] = []byte(key + ": " + x.erasePath(from) + " -> " + x.erasePath(to))
			}
		}
	}
	return joinCommit(headers, x.eraseIn(bytes.Join(lines, []byte("\n"))))
}

// eraseCommitMessage replaces a commit's message, except for the trailers that this
// service writes.
func eraseCommitMessage(raw []byte) []byte {
	headers, message := splitCommit(raw)
	_, trailers := gitrepo.CutTrailers(string(message))
	var kept []gitrepo.Trailer
	for _, t := range trailers {
		if isReservedTrailer(t.Key) {
			kept = append(kept, t)
		}
	}
	return joinCommit(headers, []byte(gitrepo.AppendTrailers(erasedMessage+"\n", kept)))
}

// relinkCommit sets a commit's tree and parents. A signature (gpgsig, mergetag) of
// the former commit is dropped when something changes, because it would be wrong.
func relinkCommit(raw []byte, tree string, parents []string) []byte {
	headers, message := splitCommit(raw)
	lines := strings.Split(string(headers), "\n")
	out := []string{"tree " + tree}
	for _, p := range parents {
		out = append(out, "parent "+p)
	}
	same := bytes.HasPrefix(raw, []byte(strings.Join(out, "\n")+"\n"))
	dropping := false
	for _, line := range lines {
		switch key, _, _ := strings.Cut(line, " "); {
		case key == "": // continues the header above
		case key == "tree" || key == "parent":
			dropping = true
		default:
			dropping = !same && (key == "mergetag" || strings.HasPrefix(key, "gpgsig"))
		}
		if !dropping {
			out = append(out, line)
		}
	}
	return joinCommit([]byte(strings.Join(out, "\n")), message)
}

// writeTrees replaces the ids of the current folders.
func (x *eraser) writeTrees(files *gitrepo.Files) error {
	if err := x.tx.exec("DELETE FROM trees WHERE wiki = $1", x.slug); err != nil {
		return err
	}
	var failed error
	files.AllTrees(func(dir, id string) {
		failed = errors.Join(failed, x.tx.exec("INSERT INTO trees VALUES ($1, $2, $3, $4)", x.slug, dir, parentFolder(dir), id))
	})
	return failed
}

// recordErasure adds a commit without changes, which says who erased something and
// when, and updates the counters.
func (x *eraser) recordErasure() (*head, error) {
	var m meta
	if err := x.tx.queryRow(x.tx.context(), "SELECT seq, time, pages, files FROM meta WHERE wiki = $1", x.slug).Scan(&m.seq, &m.time, &m.pages, &m.files); err != nil {
		return nil, err
	}
	if m.seq == 0 {
		return &head{}, nil // only drafts have changed
	}
	var parent string
	var raw []byte
	if err := x.tx.queryRow(x.tx.context(), "SELECT oid, raw FROM commits WHERE wiki = $1 AND seq = $2", x.slug, m.seq).Scan(&parent, &raw); err != nil {
		return nil, err
	}
	last, err := gitrepo.ParseCommit(raw)
	if err != nil {
		return nil, err
	}
	s := &staging{tx: x.tx, r: &Request{Author: x.e.Author, Message: ErasureMessage}, meta: m}
	s.meta.head = parent
	c, raw := s.buildCommit(x.now, last.Tree, nil)
	if err := x.tx.queryRow(x.tx.context(), `SELECT (SELECT COALESCE(SUM(size), 0) FROM files WHERE wiki = $1),
		(SELECT COALESCE(SUM(LENGTH(data)), 0) FROM blobs WHERE wiki = $1) + (SELECT COALESCE(SUM(LENGTH(data)), 0) FROM packs WHERE wiki = $1)`, x.slug).
		Scan(&m.current, &m.history); err != nil {
		return nil, err
	}
	if err := x.tx.insertCommit(c, raw, m, "", storedBlob{}); err != nil {
		return nil, err
	}
	x.report.Commit = c.ID
	if err := x.tx.exec("UPDATE state SET compressed = 0, compressed_n = -1 WHERE wiki = $1", x.slug); err != nil {
		return nil, err
	}
	return &head{c.Seq, c.ID}, nil
}
