package content

import (
	"database/sql"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/wiki"
)

// quotas counts what the commit changes against the wiki's limits. Only what
// grows can be refused: an edit that makes a page shorter always works.
func (s *staging) quotas() error {
	l, m := s.r.Limits, &s.meta
	before := *m
	uploads := false
	for _, f := range s.order {
		_, wasPage := wiki.PageOf(f.old.Path)
		_, isPage := wiki.PageOf(f.path)
		m.pages += count(isPage) - count(wasPage)
		m.files += count(f.path != "") - count(f.old.Path != "")
		m.current += sizeOf(f.path, f.size) - sizeOf(f.old.Path, f.old.Size)
		if f.data == nil || f.path == "" {
			continue
		}
		m.history += f.size
		uploads = uploads || !isPage
		switch {
		case isPage && f.size > l.PageBytes && f.size > f.old.Size:
			return wiki.Problemf(wiki.ErrTooLarge, "content", "A page may have %s; this one has %s. Split it into several pages.", bytesText(l.PageBytes), bytesText(f.size))
		case !isPage && f.size > l.AttachmentBytes:
			return wiki.Problemf(wiki.ErrTooLarge, "file", "A file may have %s; this one has %s.", bytesText(l.AttachmentBytes), bytesText(f.size))
		}
	}
	switch {
	case m.pages > before.pages && m.pages > l.Pages:
		return wiki.Problemf(wiki.ErrQuota, "path", "This wiki has %d of %d pages. Delete or join some pages before you create another; editing still works.", before.pages, l.Pages)
	case m.current > before.current && m.current > l.CurrentBytes:
		return wiki.Problemf(wiki.ErrQuota, "content", "This wiki is full: its files may have %s together. Delete some attachments first.", bytesText(l.CurrentBytes))
	case uploads && m.history > l.HistoryBytes:
		return wiki.Problemf(wiki.ErrQuota, "file", "This wiki's history is full (%s): no more files can be uploaded. Pages can still be edited.", bytesText(l.HistoryBytes))
	}
	return nil
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

func sizeOf(path string, size int64) int64 {
	if path == "" {
		return 0
	}
	return size
}

func bytesText(n int64) string {
	switch {
	case n >= 10<<20:
		return fmt.Sprintf("%d MB", n>>20)
	case n >= 10<<10:
		return fmt.Sprintf("%d KB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}

// write puts blobs, files and links in place.
func (s *staging) write(changes []stagedChange) error {
	slug, seq := s.tx.w.slug, s.meta.seq+1
	exec := func(query string, args ...any) error { return s.tx.exec(s.ctx, query, args...) }
	for _, f := range s.order { // free the keys and paths first
		if f.old.Path != "" && f.old.Path != f.path {
			if err := exec("DELETE FROM files WHERE wiki = $1 AND path = $2", slug, f.old.Path); err != nil {
				return err
			}
			if err := exec("DELETE FROM links WHERE wiki = $1 AND from_path = $2", slug, f.old.Path); err != nil {
				return err
			}
		}
	}
	for _, ch := range changes {
		f := ch.file
		if f.path == "" {
			continue
		}
		if f.data != nil {
			deflated := s.ready[f.blob].deflated
			if deflated == nil { // merged
				deflated = deflate(f.data)
			}
			if err := exec("INSERT INTO blobs (wiki, oid, size, data) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING", slug, f.blob, f.size, deflated); err != nil {
				return err
			}
		}
		if f.old.Path != f.path {
			if err := s.place(f.path); err != nil {
				return err
			}
		}
		if err := exec(`INSERT INTO files (wiki, path, dir, key, blob, mode, size, seq) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (wiki, path) DO UPDATE SET blob = excluded.blob, mode = excluded.mode, size = excluded.size, seq = excluded.seq`,
			slug, f.path, folder(f.path), f.key, f.blob, f.mode, f.size, seq); err != nil {
			return err
		}
		if err := s.link(f); err != nil {
			return err
		}
	}
	return nil
}

// place refuses a path where git would have a file and a folder of one name,
// in any spelling: on many machines a clone could not be checked out.
func (s *staging) place(p string) error {
	key := wiki.Key(p)
	var other string
	err := s.tx.row(s.ctx, "SELECT path FROM files WHERE wiki = $1 AND key > $2 AND key < $3 LIMIT 1", s.tx.w.slug, key+"/", key+"0").Scan(&other)
	if err == nil {
		return wiki.Problemf(wiki.ErrInvalid, "path", "%q is a folder here, so it cannot be a file as well.", p)
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	for dir := folder(p); dir != ""; dir = folder(dir) {
		err := s.tx.row(s.ctx, "SELECT path FROM files WHERE wiki = $1 AND key = $2", s.tx.w.slug, wiki.Key(dir)).Scan(&other)
		if err == nil {
			return wiki.Problemf(wiki.ErrInvalid, "path", "%q is a file here, so it cannot be a folder as well.", other)
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
	}
	return nil
}

// spell gives a new file the spelling that its folders have already, so that
// "design/New.md" joins "Design/Old.md".
func (s *staging) spell(p string) (string, error) {
	for dir := folder(p); dir != ""; dir = folder(dir) {
		key := wiki.Key(dir)
		var near string
		err := s.tx.row(s.ctx, "SELECT path FROM files WHERE wiki = $1 AND key > $2 AND key < $3 LIMIT 1", s.tx.w.slug, key+"/", key+"0").Scan(&near)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return "", err
		}
		parts := strings.Split(near, "/")
		return strings.Join(parts[:depth(dir)], "/") + p[len(dir):], nil
	}
	return p, nil
}

func folder(p string) string {
	if d := path.Dir(p); d != "." {
		return d
	}
	return ""
}

// link keeps the links of a page that was written.
func (s *staging) link(f *staged) error {
	if _, ok := wiki.PageOf(f.path); !ok || s.tx.w.o.Links == nil {
		return nil
	}
	links := s.ready[f.blob].links
	if s.ready[f.blob].path != f.path {
		data := f.data
		if data == nil { // moved as it was
			var err error
			if data, err = readBlob(s.ctx, s.tx, s.tx.w.slug, f.blob); err != nil {
				return err
			}
		}
		links = s.tx.w.linksOf(f.path, data)
	}
	slug := s.tx.w.slug
	if err := s.tx.exec(s.ctx, "DELETE FROM links WHERE wiki = $1 AND from_path = $2", slug, f.path); err != nil {
		return err
	}
	for n, l := range links {
		if err := s.tx.exec(s.ctx, "INSERT INTO links VALUES ($1, $2, $3, $4, $5, $6, $7)", slug, f.path, n, string(l.Kind), l.Target, targetKey(l), l.Text); err != nil {
			return err
		}
	}
	return nil
}

func targetKey(l wiki.Link) string {
	switch l.Kind {
	case wiki.LinkPage:
		return wiki.Key(l.Target + ".md")
	case wiki.LinkTag:
		return l.Target
	}
	return wiki.Key(l.Target)
}

// trees makes the trees of the folders that changed, up to the root, and
// answers the root's id.
func (s *staging) trees(changes []stagedChange) (string, error) {
	touched := map[string]bool{"": true}
	mark := func(p string) {
		for dir := folder(p); dir != "" && !touched[dir]; dir = folder(dir) {
			touched[dir] = true
		}
	}
	for _, ch := range changes {
		mark(ch.Path)
		if ch.From != "" {
			mark(ch.From)
		}
	}
	dirs := make([]string, 0, len(touched))
	for dir := range touched {
		dirs = append(dirs, dir)
	}
	slices.SortFunc(dirs, func(a, b string) int { return strings.Count(b, "/") - strings.Count(a, "/") + len(b) - len(a) })
	slices.SortStableFunc(dirs, func(a, b string) int { return depth(b) - depth(a) })
	var root string
	for _, dir := range dirs {
		id, err := s.tree(dir)
		if err != nil {
			return "", err
		}
		root = id
	}
	return root, nil
}

func depth(dir string) int {
	if dir == "" {
		return 0
	}
	return strings.Count(dir, "/") + 1
}

// tree makes one folder's tree from its files and its subfolders' trees.
func (s *staging) tree(dir string) (string, error) {
	slug := s.tx.w.slug
	rows, err := s.tx.rows(s.ctx, `SELECT path, mode, blob FROM files WHERE wiki = $1 AND dir = $2
		UNION ALL SELECT dir, 16384, oid FROM trees WHERE wiki = $1 AND parent = $2`, slug, dir)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	var entries []gitrepo.TreeEntry
	for rows.Next() {
		var e gitrepo.TreeEntry
		if err := rows.Scan(&e.Name, &e.Mode, &e.ID); err != nil {
			return "", err
		}
		e.Name = path.Base(e.Name)
		entries = append(entries, e)
	}
	if err := rows.Err(); err != nil {
		return "", err
	}
	if len(entries) == 0 && dir != "" {
		return "", s.tx.exec(s.ctx, "DELETE FROM trees WHERE wiki = $1 AND dir = $2", slug, dir)
	}
	id := gitrepo.ObjectID("tree", gitrepo.EncodeTree(entries))
	parent := folder(dir)
	if dir == "" {
		parent = "-"
	}
	return id, s.tx.exec(s.ctx, "INSERT INTO trees VALUES ($1, $2, $3, $4) ON CONFLICT (wiki, dir) DO UPDATE SET oid = excluded.oid", slug, dir, parent, id)
}

var committer = gitrepo.Signature{Name: "robot.wtf", Email: "noreply@robot.wtf"}

// describe makes the commit object.
func (s *staging) describe(now time.Time, tree string, changes []stagedChange) (wiki.Commit, []byte) {
	at := time.UnixMilli(max(now.UnixMilli(), s.meta.time)).UTC().Truncate(time.Second)
	who := s.r.Author
	c := wiki.Commit{
		Seq: s.meta.seq + 1, Time: at, Message: s.message(changes),
		Author: wiki.Author{Username: who.User.Username, DID: who.User.DID, Agent: who.Agent, Client: who.Client, Grant: who.Grant},
	}
	object := gitrepo.Commit{Tree: tree, Committer: committer, Author: gitrepo.Signature{Name: who.User.Username, Email: who.User.DID, Time: at}}
	object.Committer.Time = at
	if s.meta.head != "" {
		c.Parents = []string{s.meta.head}
		object.Parents = c.Parents
	}
	var trailers []gitrepo.Trailer
	for _, ch := range changes {
		if ch.Kind == wiki.Moved {
			trailers = append(trailers, gitrepo.Trailer{Key: "Moved", Value: ch.From + " -> " + ch.Path})
		}
		c.Changes = append(c.Changes, ch.Change)
	}
	for _, t := range []gitrepo.Trailer{{Key: "Agent", Value: who.Agent}, {Key: "Client", Value: who.Client}, {Key: "Grant", Value: who.Grant}} {
		if t.Value != "" {
			trailers = append(trailers, t)
		}
	}
	object.Message = gitrepo.AppendTrailers(c.Message+"\n", trailers)
	raw := gitrepo.EncodeCommit(object)
	c.ID = gitrepo.ObjectID("commit", raw)
	return c, raw
}

// message is what the writer said, or else what was done.
func (s *staging) message(changes []stagedChange) string {
	if text := strings.TrimSpace(strings.ReplaceAll(strings.ToValidUTF8(s.r.Message, "\uFFFD"), "\x00", "")); text != "" {
		return text
	}
	ch := changes[0]
	verb := map[wiki.ChangeKind]string{wiki.Added: "Create", wiki.Modified: "Edit", wiki.Deleted: "Delete", wiki.Moved: "Move"}[ch.Kind]
	what := ch.Path
	if name, ok := wiki.PageOf(what); ok {
		what = string(name)
	}
	if len(changes) > 1 {
		return fmt.Sprintf("%s %s and %d more", verb, what, len(changes)-1)
	}
	return verb + " " + what
}

// record writes commit and changes, and moves the head by compare and swap.
func (s *staging) record(c wiki.Commit, raw []byte, changes []stagedChange) error {
	slug, a := s.tx.w.slug, c.Author
	if err := s.tx.exec(s.ctx, "INSERT INTO commits VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
		slug, c.Seq, c.ID, strings.Join(c.Parents, " "), raw, a.Username, a.DID, a.Agent, a.Client, a.Grant, false, c.Time.UnixMilli(), c.Message); err != nil {
		return err
	}
	for n, ch := range changes {
		fromKey := ""
		if ch.From != "" {
			fromKey = wiki.Key(ch.From)
		}
		if err := s.tx.exec(s.ctx, "INSERT INTO changes VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
			slug, c.Seq, n, ch.Path, wiki.Key(ch.Path), ch.From, fromKey, string(ch.Kind), ch.Old, ch.New, ch.file.mode, ch.file.size); err != nil {
			return err
		}
	}
	var seq int64
	err := s.tx.row(s.ctx, `UPDATE meta SET seq = $2, head = $3, time = $4, pages = $5, files = $6, current_bytes = $7, history_bytes = $8
		WHERE wiki = $1 AND head = $9 RETURNING seq`, slug, c.Seq, c.ID, c.Time.UnixMilli(), s.meta.pages, s.meta.files, s.meta.current, s.meta.history, s.meta.head).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("the head moved away from %s during the commit", s.meta.head)
	}
	s.meta.seq, s.meta.head = c.Seq, c.ID
	return err
}

// unchanged is the commit that last changed the first file of the request.
func (s *staging) unchanged() (wiki.Commit, error) {
	seq := s.meta.seq
	if len(s.out) > 0 && s.out[0].Path != "" {
		if f := s.files[wiki.Key(s.out[0].Path)]; f != nil && f.old.Seq > 0 {
			seq = f.old.Seq
		}
	}
	if seq == 0 {
		return wiki.Commit{}, nil
	}
	return commitAt(s.ctx, s.tx, s.tx.w.slug, seq)
}
