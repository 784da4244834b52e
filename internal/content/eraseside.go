package content

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"robot.wtf/internal/gitrepo"
)

// sideObjects are the objects of an imported pack: commits of other branches,
// their trees and blobs, and tags. Blobs stay on disk. A nil *sideObjects has none.
type sideObjects struct {
	x       *eraser
	blobs   map[string]bool // true if the blob is rewritten
	trees   map[string][]byte
	commits map[string][]byte
	tags    map[string][]byte
	next    map[string]string // new ids of trees, commits and tags by former ids
	affects bool              // something in the pack changes by itself
}

// has reports whether the pack has a blob.
func (s *sideObjects) has(blob string) bool {
	if s == nil {
		return false
	}
	_, ok := s.blobs[blob]
	return ok
}

func (s *sideObjects) changed() bool { return s != nil && s.affects }

// replaceTree records the successor of a tree of the main branch, which trees and
// commits in the pack can refer to.
func (s *sideObjects) replaceTree(former, next string) {
	if s != nil && former != "" && former != next {
		s.next[former] = next
	}
}

// readSideObjects reads the imported pack and adds its affected blobs to the plan.
func (x *eraser) readSideObjects(ctx context.Context) error {
	s := &sideObjects{x: x, blobs: map[string]bool{}, trees: map[string][]byte{}, commits: map[string][]byte{}, tags: map[string][]byte{}, next: map[string]string{}}
	found, err := x.eachSideObject(ctx, s.add)
	if err != nil || !found {
		return err
	}
	x.side = s
	return x.readTagNames(ctx)
}

// eachSideObject calls visit with each object of the imported pack, if there is one.
func (x *eraser) eachSideObject(ctx context.Context, visit func(kind, id string, content []byte) error) (found bool, err error) {
	pack, err := importedPack(ctx, x.q, x.slug)
	if err != nil || pack == nil {
		return false, err
	}
	if x.e.ReadPack == nil {
		return true, errors.New("content: the imported pack can't be read")
	}
	return true, x.e.ReadPack(ctx, pack, visit)
}

func (s *sideObjects) add(kind, id string, content []byte) error {
	x := s.x
	content = bytes.Clone(content)
	switch kind {
	case "blob":
		_, planned := x.blobs[id]
		if !planned && x.has(content) {
			x.addBlob(id, x.eraseIn(content))
			planned = true
		}
		s.blobs[id] = planned
		s.affects = s.affects || planned
	case "tree":
		s.trees[id] = content
		entries, err := parseTree(content)
		for _, e := range entries {
			s.affects = s.affects || x.eraseName(e.Name) != e.Name
		}
		return err
	case "commit":
		s.commits[id] = content
		s.affects = s.affects || x.has(content)
	case "tag":
		s.tags[id] = content
		s.affects = s.affects || x.has(content)
	}
	return nil
}

// readTagNames notes whether the text is in the name of a tag.
func (x *eraser) readTagNames(ctx context.Context) error {
	return forEachRow(ctx, x.q, func(rows *sql.Rows) error {
		var name string
		err := rows.Scan(&name)
		x.side.affects = x.side.affects || x.erasePath(name) != name
		return err
	}, "SELECT name FROM tags WHERE wiki = $1", x.slug)
}

// rewriteTree returns the new id of a tree.
func (s *sideObjects) rewriteTree(id string) (string, error) {
	if s == nil {
		return id, nil
	}
	if next, ok := s.next[id]; ok {
		return next, nil
	}
	content, ok := s.trees[id]
	if !ok {
		return id, nil // of the main branch, and unchanged
	}
	entries, err := parseTree(content)
	if err != nil {
		return "", err
	}
	changed := false
	for i, e := range entries {
		next := e
		next.Name = s.x.eraseName(e.Name)
		if e.IsTree() {
			if next.ID, err = s.rewriteTree(e.ID); err != nil {
				return "", err
			}
		} else if b, ok := s.x.blobs[e.ID]; ok {
			next.ID = b.id
		}
		changed = changed || next != e
		entries[i] = next
	}
	next := id
	if changed { // only then, because old trees can have another form than ours
		content = gitrepo.EncodeTree(entries)
		next = gitrepo.ObjectID("tree", content)
		s.trees[next] = content
	}
	s.next[id] = next
	return next, nil
}

// parseTree parses a tree object: "mode name\0" and 20 bytes for each entry.
func parseTree(content []byte) ([]gitrepo.TreeEntry, error) {
	var list []gitrepo.TreeEntry
	for len(content) > 0 {
		head, rest, ok := bytes.Cut(content, []byte{0})
		mode, name, spaced := bytes.Cut(head, []byte(" "))
		var e gitrepo.TreeEntry
		if _, err := fmt.Sscanf(string(mode), "%o", &e.Mode); !ok || !spaced || err != nil || len(rest) < 20 {
			return nil, errors.New("content: damaged tree in the imported pack")
		}
		e.Name, e.ID = string(name), hex.EncodeToString(rest[:20])
		list, content = append(list, e), rest[20:]
	}
	return list, nil
}

// rewriteSideCommit returns the new id of a commit in the pack. Another commit is
// unchanged.
func (x *eraser) rewriteSideCommit(id string) (string, error) {
	s := x.side
	if s == nil {
		return id, nil
	}
	for pending := []string{id}; len(pending) > 0; { // not recursive: branches can be long
		top := pending[len(pending)-1]
		content, ok := s.commits[top]
		if _, done := s.next[top]; done || !ok {
			pending = pending[:len(pending)-1]
			continue
		}
		parsed, err := gitrepo.ParseCommit(content)
		if err != nil {
			return "", err
		}
		missing := len(pending)
		for _, p := range parsed.Parents {
			_, done := s.next[p]
			if _, side := s.commits[p]; side && !done {
				pending = append(pending, p)
			}
		}
		if len(pending) > missing {
			continue
		}
		if err := s.rewriteCommit(top, content, parsed); err != nil {
			return "", err
		}
	}
	if next, ok := s.next[id]; ok {
		return next, nil
	}
	return id, nil
}

// rewriteCommit rewrites a commit whose parents are rewritten.
func (s *sideObjects) rewriteCommit(id string, content []byte, parsed gitrepo.Commit) error {
	tree, err := s.rewriteTree(parsed.Tree)
	if err != nil {
		return err
	}
	parents := make([]string, len(parsed.Parents))
	for i, p := range parsed.Parents {
		parents[i] = p
		if next, ok := s.x.commits[p]; ok {
			parents[i] = next
		} else if next, ok := s.next[p]; ok {
			parents[i] = next
		}
	}
	raw := relinkCommit(s.x.rewriteCommitText(content, true), tree, parents)
	next := gitrepo.ObjectID("commit", raw)
	s.next[id] = next
	s.commits[next] = raw
	s.next[next] = next
	return nil
}

// rewriteSide replaces the imported pack and the tags.
func (x *eraser) rewriteSide(ctx context.Context) error {
	if x.side == nil || x.first == 0 {
		return nil
	}
	pack := new(gitrepo.Pack)
	if _, err := x.eachSideObject(ctx, func(kind, id string, content []byte) error {
		next, content, err := x.rewriteSideObject(kind, id, content)
		if err != nil {
			return err
		}
		if next != id {
			if err := x.replace(id, next); err != nil {
				return err
			}
		}
		pack.Add(kind, next, content)
		return ctx.Err()
	}); err != nil {
		return err
	}
	if err := x.tx.exec("DELETE FROM packs WHERE wiki = $1", x.slug); err != nil {
		return err
	}
	var out bytes.Buffer
	if _, err := pack.WriteTo(&out); err != nil {
		return err
	}
	if err := x.tx.writePack(&out); err != nil {
		return err
	}
	return x.rewriteTags(ctx)
}

// rewriteSideObject returns an object's new id and content.
func (x *eraser) rewriteSideObject(kind, id string, content []byte) (string, []byte, error) {
	s := x.side
	switch kind {
	case "blob":
		if next, ok := x.blobs[id]; ok {
			return next.id, x.eraseBlob(id, content), nil
		}
		return id, content, nil
	case "tree":
		next, err := s.rewriteTree(id)
		return next, s.trees[next], err
	case "commit":
		next, err := x.rewriteSideCommit(id)
		return next, s.commits[next], err
	case "tag":
		next, err := x.rewriteTag(id)
		return next, s.tags[next], err
	}
	return "", nil, fmt.Errorf("content: object %s in the imported pack is a %s", id, kind)
}

// rewriteTag returns the new id of a tag object.
func (x *eraser) rewriteTag(id string) (string, error) {
	s := x.side
	content, ok := s.tags[id]
	if next, done := s.next[id]; done || !ok {
		if !done {
			next = id
		}
		return next, nil
	}
	headers, message := splitCommit(content)
	line, rest, _ := bytes.Cut(headers, []byte("\n"))
	former := string(bytes.TrimPrefix(line, []byte("object ")))
	object, err := x.successorOfObject(former)
	if err != nil {
		return "", err
	}
	changed := joinCommit(append([]byte("object "+object+"\n"), x.eraseIn(rest)...), x.eraseIn(message))
	if !bytes.Equal(changed, content) {
		changed = dropTagSignature(changed)
	}
	next := gitrepo.ObjectID("tag", changed)
	s.next[id], s.tags[next] = next, changed
	return next, nil
}

// dropTagSignature removes the signature at the end of a tag that was changed.
func dropTagSignature(content []byte) []byte {
	for _, begin := range []string{"-----BEGIN PGP SIGNATURE-----", "-----BEGIN SSH SIGNATURE-----", "-----BEGIN SIGNED MESSAGE-----"} {
		if i := bytes.Index(content, []byte("\n"+begin)); i >= 0 {
			content = content[:i+1]
		}
	}
	return content
}

// successorOfObject returns the new id of an object of any kind.
func (x *eraser) successorOfObject(id string) (string, error) {
	if next, ok := x.commits[id]; ok {
		return next, nil
	}
	if next, ok := x.blobs[id]; ok {
		return next.id, nil
	}
	if x.side == nil {
		return id, nil
	}
	if _, ok := x.side.tags[id]; ok {
		return x.rewriteTag(id)
	}
	if _, ok := x.side.commits[id]; ok {
		return x.rewriteSideCommit(id)
	}
	return x.side.rewriteTree(id)
}

// rewriteTags moves the tags to the new commits.
func (x *eraser) rewriteTags(ctx context.Context) error {
	tags := map[string]string{}
	err := forEachRow(ctx, x.tx, func(rows *sql.Rows) error {
		var name, id string
		err := rows.Scan(&name, &id)
		tags[name] = id
		return err
	}, "SELECT name, oid FROM tags WHERE wiki = $1", x.slug)
	if err != nil {
		return err
	}
	for name, id := range tags {
		next, err := x.successorOfObject(id)
		if err != nil {
			return err
		}
		if err := x.tx.exec("UPDATE tags SET name = $3, oid = $4 WHERE wiki = $1 AND name = $2", x.slug, name, x.erasePath(name), next); err != nil {
			return err
		}
	}
	return nil
}

// writePack stores an imported pack in parts.
func (t *tx) writePack(pack *bytes.Buffer) error {
	for part := 0; pack.Len() > 0; part++ {
		data := make([]byte, min(packPart, pack.Len()))
		if _, err := io.ReadFull(pack, data); err != nil {
			return err
		}
		if err := t.exec("INSERT INTO packs VALUES ($1, $2, $3)", t.w.slug, part, data); err != nil {
			return err
		}
	}
	return nil
}
