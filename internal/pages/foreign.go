package pages

import (
	"cmp"
	"context"
	"errors"
	"hash/fnv"
	"slices"
	"strings"
	"sync"
	"unicode"

	"robot.wtf/internal/content"
	"robot.wtf/internal/edit"
	"robot.wtf/internal/markdown"
	"robot.wtf/internal/wiki"
)

// Words say where a text is from, to find out who wrote it. At most one of the
// fields is set, besides Past; if none is, the text can be from anywhere in the
// wiki.
type Words struct {
	Name   string        // the name of a page or folder, or the path of a file
	Maybe  string        // the text itself: a member's if it is a name of members only
	Page   wiki.PageName // the text of a page
	Past   bool          // of Page: the text can contain lines that it no longer has
	File   string        // the content of an attachment
	Author *wiki.Author  // written by this author, for example a commit's message
}

// Foreign reports for each of several texts whether any of it can be by people
// who aren't members. Imported text counts as such, because anyone can put any
// name into a commit, and anything into a zip. Text keeps its author when the
// service rewrites it: in renames, restores, reverts and merges.
func (s *Service) Foreign(ctx context.Context, a wiki.Access, member func(did string) bool, list []*Words) ([]bool, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	f, err := s.strangers(ctx, w, a, member)
	if err != nil {
		return nil, err
	}
	found := make([]bool, len(list))
	var decided map[Words]bool
	if f.any && len(list) > 1 {
		decided = map[Words]bool{}
	}
	for i, words := range list {
		was, known := decided[*words]
		if !known {
			if was, err = f.wrote(ctx, *words); err != nil {
				return nil, err
			}
			if decided != nil {
				decided[*words] = was
			}
		}
		found[i] = was
	}
	return found, nil
}

// strangers are the authors of a wiki who aren't members.
type strangers struct {
	s       *Service
	w       *content.Wiki
	home    string
	foreign func(wiki.Author) bool
	any     bool // there are some
	names   *nameAuthors
}

// strangers returns the authors of a wiki who aren't members. Without a member
// function, nobody is one.
func (s *Service) strangers(ctx context.Context, w *content.Wiki, a wiki.Access, member func(did string) bool) (*strangers, error) {
	f := &strangers{s: s, w: w, home: a.Site().HomePage(), foreign: func(by wiki.Author) bool { return !by.Vouched && (by.Brought() || member == nil || !member(by.DID)) }}
	all, err := s.writers(ctx, w)
	if err != nil {
		return nil, err
	}
	f.any = slices.ContainsFunc(all, f.foreign)
	return f, nil
}

func (f *strangers) wrote(ctx context.Context, words Words) (bool, error) {
	switch {
	case words.Author != nil:
		return f.foreign(*words.Author), nil
	case !f.any:
		return false, nil
	case words.Name != "":
		foreign, _, err := f.name(ctx, words.Name)
		return foreign, err
	case words.Maybe != "":
		foreign, known, err := f.name(ctx, words.Maybe)
		return foreign || !known, err
	case words.Page != "":
		return f.page(ctx, words.Page, words.Past)
	case words.File != "":
		return f.file(ctx, words.File)
	}
	return true, nil
}

func (f *strangers) file(ctx context.Context, path string) (bool, error) {
	of, err := f.s.writersOf(ctx, f.w, wiki.File{Path: path, Commit: f.head()})
	return err != nil || len(of) == 0 || slices.ContainsFunc(of, f.foreign), err
}

func (f *strangers) head() string {
	_, head := f.w.Head()
	return head
}

func (f *strangers) page(ctx context.Context, name wiki.PageName, past bool) (bool, error) {
	file, err := f.w.Lookup(ctx, name.File())
	if errors.Is(err, wiki.ErrNotFound) {
		return true, nil // the author is unknown
	}
	if err != nil {
		return true, err
	}
	return f.pageFile(ctx, file, past)
}

// pageFile is page for the current revision of a page's file.
func (f *strangers) pageFile(ctx context.Context, file wiki.File, past bool) (bool, error) {
	of, err := f.s.writersOf(ctx, f.w, file)
	if err != nil || !slices.ContainsFunc(of, f.foreign) {
		return err != nil, err
	}
	if past {
		return true, nil
	}
	text, err := f.w.Blob(ctx, file.Blob)
	if err != nil {
		return true, err
	}
	text = pageText(text)
	by, err := f.s.authorship(ctx, f.w, file, text)
	if err != nil || f.wroteLines(by, text) {
		return true, err
	}
	lines, err := f.s.foreignLines(ctx, f.w, file, text, of, f.foreign)
	return err != nil || lines.current, err
}

// wroteLines reports whether any line of a text is by a stranger, or by an
// unknown author.
func (f *strangers) wroteLines(by *authorship, text []byte) bool {
	n := 0
	for line := range strings.Lines(edit.Normalize(text)) {
		if n >= len(by.lines) {
			return true
		}
		if i := by.lines[n]; hasWords(line) && (i < 0 || f.foreign(by.by[i].Author)) {
			return true
		}
		n++
	}
	return false
}

// A lineSet holds the lines that strangers have ever added to a page: as they
// wrote them, without the targets of links, and as renames have rewritten them.
// authorship alone doesn't suffice: it shows who changed a line last, and a
// line that comes back counts as new.
type lineSet struct {
	commit string // the newest revision that was read
	all    bool   // too much to read: every line counts as a stranger's
	lines  map[uint64]struct{}

	current bool // the page's text at commit has one of these lines
}

func (l *lineSet) weight() uint32 { return uint32(200 + 24*len(l.lines)) }

// Bounds on the work to find strangers' lines in one page's past.
const (
	maxForeignRevisions = 20_000
	maxForeignBytes     = 32 << 20
)

// foreignLines returns the lines that strangers have added to a page, whose
// text is now text. of are all its authors. It extends the cached set to the page's newest revision.
func (s *Service) foreignLines(ctx context.Context, w *content.Wiki, file wiki.File, text []byte, of []wiki.Author, foreign func(wiki.Author) bool) (*lineSet, error) {
	var who []string
	for _, by := range of {
		if foreign(by) {
			who = append(who, by.DID+"\x00"+by.Username+"\x00"+by.Client)
		}
	}
	slices.Sort(who)
	key := authorKey("foreign lines", w, file.Path+"\x00"+strings.Join(slices.Compact(who), "\x00"))
	known := &lineSet{}
	if c, ok := s.cache.GetIfPresent(key); ok {
		if known = c.(*lineSet); known.commit == file.Commit {
			return known, nil
		}
	}
	next, err := readForeignLines(ctx, w, file, known, foreign)
	if err == nil {
		next.current = next.in(text)
		s.cache.Set(key, next)
	}
	return next, err
}

// readForeignLines reads the revisions since a known set, or all of them if the
// set is of another history.
func readForeignLines(ctx context.Context, w *content.Wiki, file wiki.File, known *lineSet, foreign func(wiki.Author) bool) (*lineSet, error) {
	f := &lineReader{w: w, foreign: foreign, past: map[content.Taking]*takenText{}}
	return f.read(ctx, &revisionList{w: w, path: file.Path, before: file.Seq + 1}, file.Commit, known)
}

// A lineReader reads the strangers' lines of a page, and of the pages that text on it
// is from.
type lineReader struct {
	w         *content.Wiki
	foreign   func(wiki.Author) bool
	revisions int // read so far
	bytes     int // of their texts
	past      map[content.Taking]*takenText
}

// read reads a page's revisions back to those of a known set.
func (f *lineReader) read(ctx context.Context, past *revisionList, commit string, known *lineSet) (*lineSet, error) {
	next := &lineSet{commit: commit, lines: map[uint64]struct{}{}}
	n := 0
	for ; f.revisions < maxForeignRevisions; n++ {
		f.revisions++
		r, err := past.get(ctx, n)
		if err != nil {
			return nil, err
		}
		if r == nil {
			break
		}
		if r.Commit == known.commit {
			next.all = known.all
			for line := range known.lines {
				next.lines[line] = struct{}{}
			}
			break
		}
	}
	next.all = next.all || f.revisions == maxForeignRevisions
	taken, err := f.w.Takings(ctx, past.path, past.asOf)
	if err != nil {
		return nil, err
	}
	for i := n - 1; i >= 0 && !next.all; i-- {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		err := f.addRevision(ctx, next, past.read[i], taken)
		if errors.Is(err, wiki.ErrTakenDown) || f.bytes > maxForeignBytes {
			next.all = true
		} else if err != nil {
			return nil, err
		}
	}
	return next, nil
}

// addRevision adds what a revision adds to the set: a stranger's new lines, those that
// it took from other pages, and known lines that follow a move.
func (f *lineReader) addRevision(ctx context.Context, l *lineSet, r wiki.Revision, taken []content.Taking) error {
	if r.New == "" || r.New == r.Old {
		return nil
	}
	stranger, moves := f.foreign(r.Author), false
	taken = slices.DeleteFunc(slices.Clone(taken), func(t content.Taking) bool { return t.Seq != r.Seq })
	if !stranger && len(l.lines) > 0 && r.Old != "" {
		var err error
		if moves, err = f.w.MovesLinks(ctx, r.Seq); err != nil {
			return err
		}
	}
	if !stranger && !moves && len(taken) == 0 {
		return nil
	}
	before, after, err := f.texts(ctx, r)
	if err != nil {
		return err
	}
	if stranger {
		l.add(before, after)
		return nil
	}
	if moves {
		if err := f.follow(ctx, l, before, after); err != nil {
			return err
		}
	}
	return f.addTaken(ctx, l, before, after, taken)
}

// texts reads the texts before and after a revision.
func (f *lineReader) texts(ctx context.Context, r wiki.Revision) (before, after []byte, err error) {
	if r.Old != "" {
		if before, err = f.w.Blob(ctx, r.Old); err != nil {
			return nil, nil, err
		}
	}
	after, err = f.w.Blob(ctx, r.New)
	f.bytes += len(before) + len(after)
	return before, after, err
}

// addTaken adds the lines that a member's revision took from strangers on other pages. A
// line may have changed on the way: headings get other levels, and links other targets.
// So once there are strangers' lines on one of those pages, each new line counts as
// theirs, unless it was a member's there.
func (f *lineReader) addTaken(ctx context.Context, l *lineSet, before, after []byte, taken []content.Taking) error {
	members, mixed := map[uint64]struct{}{}, false
	for _, t := range taken {
		from, err := f.takenText(ctx, t)
		if err != nil {
			return err
		}
		mixed = mixed || from.foreign
		for key := range from.members {
			members[key] = struct{}{}
		}
	}
	if !mixed {
		return nil
	}
	had := map[string]bool{}
	for _, line := range textLines(before) {
		had[line] = true
	}
	for _, line := range textLines(after) {
		if _, isMembers := members[movedKey(line)]; !isMembers && !had[line] {
			for _, key := range keysOfLine(line) {
				l.lines[key] = struct{}{}
			}
		}
	}
	return nil
}

// takenText is the text of a page before another one took some of it.
type takenText struct {
	foreign bool                // it has strangers' lines
	members map[uint64]struct{} // from memberKeys
}

func (f *lineReader) takenText(ctx context.Context, t content.Taking) (*takenText, error) {
	t.Path = ""
	if known := f.past[t]; known != nil {
		return known, nil
	}
	known := &takenText{foreign: true} // in case it leads back here
	f.past[t] = known
	past := &revisionList{w: f.w, path: t.From, asOf: t.Seq, before: t.Seq}
	last, err := past.get(ctx, 0)
	if err != nil || last == nil || last.New == "" {
		return known, err
	}
	lines, err := f.read(ctx, past, "", &lineSet{commit: "none"})
	if err != nil {
		return nil, err
	}
	text, err := f.w.Blob(ctx, last.New)
	if err != nil {
		return nil, err
	}
	f.bytes += len(text)
	known.foreign = lines.in(text)
	known.members = lines.memberKeys(textLines(text))
	return known, nil
}

// memberKeys returns the keys of those lines that can only be members', as movedKey
// returns them.
func (l *lineSet) memberKeys(lines []string) map[uint64]struct{} {
	members := map[uint64]struct{}{}
	if l.all {
		return members
	}
	var strangers []uint64
	for _, line := range lines {
		if l.has(line) {
			strangers = append(strangers, movedKey(line))
		} else {
			members[movedKey(line)] = struct{}{}
		}
	}
	for _, key := range strangers {
		delete(members, key)
	}
	return members
}

// movedKey is the hash of a line's movedForm.
func movedKey(line string) uint64 { return hashLine(movedForm(line)) }

// movedForm is equal for a line and for what the move of its text to another page makes
// of it.
func movedForm(line string) string {
	line = strings.TrimSpace(line)
	if bare := strings.TrimLeft(line, "#"); bare != line && strings.HasPrefix(bare, " ") {
		line = strings.TrimSpace(bare)
	}
	if blank, _ := markdown.BlankTargets(line); hasWords(blank) {
		line = blank
	}
	return line
}

// add adds the lines and addresses of a text that the text before it lacks.
func (l *lineSet) add(before, after []byte) {
	had := map[uint64]struct{}{}
	for _, key := range lineKeys(before) {
		had[key] = struct{}{}
	}
	for _, key := range lineKeys(after) {
		if _, ok := had[key]; !ok {
			l.lines[key] = struct{}{}
		}
	}
}

// follow adds the lines that a commit whose links follow a move made of lines in the
// set. If the commit also changed the number of lines, these are the lines that
// replace some with such a line among them, unless they are made of a member's.
func (f *lineReader) follow(ctx context.Context, l *lineSet, before, after []byte) error {
	old, now := textLines(before), textLines(after)
	if len(old) == len(now) {
		for i, line := range now {
			if line != old[i] && l.has(old[i]) {
				l.lines[hashLine(line)] = struct{}{}
			}
		}
		return nil
	}
	origins, err := lineOrigins(ctx, f.w, before, after)
	if err != nil {
		return err
	}
	done := 0 // lines of the old text
	for i := 0; i < len(origins); {
		if origins[i] > 0 {
			done = origins[i]
			i++
			continue
		}
		end, next := i, len(old)+1
		for end < len(origins) && origins[end] == 0 {
			end++
		}
		if end < len(origins) {
			next = origins[end]
		}
		l.addReplacing(old[min(done, len(old)):min(next-1, len(old))], now[min(i, len(now)):min(end, len(now))])
		i = end
	}
	return nil
}

// addReplacing adds lines that replace others.
func (l *lineSet) addReplacing(old, now []string) {
	if !slices.ContainsFunc(old, l.has) {
		return
	}
	members := l.memberKeys(old)
	for _, line := range now {
		if _, ok := members[movedKey(line)]; !ok {
			l.lines[hashLine(line)] = struct{}{}
		}
	}
}

// in reports whether any line of a text is in the set.
func (l *lineSet) in(text []byte) bool {
	return l.all || slices.ContainsFunc(textLines(text), l.has)
}

func (l *lineSet) has(line string) bool {
	return slices.ContainsFunc(keysOfLine(line), func(key uint64) bool {
		_, ok := l.lines[key]
		return ok
	})
}

func textLines(text []byte) []string {
	text = pageText(text)
	if isBinary(text) {
		return []string{string(text)}
	}
	return strings.Split(edit.Normalize(text), "\n")
}

func lineKeys(text []byte) []uint64 {
	var list []uint64
	for _, line := range textLines(text) {
		list = append(list, keysOfLine(line)...)
	}
	return list
}

// keysOfLine returns the keys of a line's words: all of them, those that
// remain without the targets of links, and each address of another host.
func keysOfLine(line string) []uint64 {
	line = strings.TrimSpace(line)
	if !hasWords(line) {
		return nil
	}
	list := []uint64{hashLine(line)}
	blank, targets := markdown.BlankTargets(line)
	if blank != line && hasWords(blank) {
		list = append(list, hashLine(blank))
	}
	for _, target := range targets {
		if strings.Contains(target, "//") {
			list = append(list, hashLine(target))
		}
	}
	return list
}

// hasWords reports whether a text has any character besides spaces and ASCII
// punctuation, such as those of a rule or a code fence.
func hasWords(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool {
		return r > unicode.MaxASCII || unicode.IsLetter(r) || unicode.IsDigit(r)
	})
}

// hashLine needs no secret: who finds two lines with one hash only makes more
// lines count as a stranger's.
// emptyBoxes clears the boxes of tasks: ticking one doesn't change whose the line is.
var emptyBoxes = strings.NewReplacer("[x]", "[ ]", "[X]", "[ ]", "[\t]", "[ ]")

func hashLine(line string) uint64 {
	h := fnv.New64a()
	_, _ = emptyBoxes.WriteString(h, strings.TrimSpace(line))
	return h.Sum64()
}

// nameAuthors holds the first user of each part of the names of a wiki's files.
type nameAuthors struct {
	mu    sync.Mutex
	seq   int64
	head  string
	first map[string]int32 // by nameKey, an index into by
	by    []wiki.Author
}

func (n *nameAuthors) weight() uint32 { return uint32(200 + 80*len(n.first) + 150*len(n.by)) }

// name reports whether a stranger coined any part of a name, and whether all
// parts are known. The parts keep their author when a member moves the folder,
// and when the service makes a name unique. The names of the home page and of
// AGENTS are the owner's and ours.
func (f *strangers) name(ctx context.Context, name string) (foreign, known bool, err error) {
	if f.names == nil {
		names, err := f.s.nameAuthors(ctx, f.w)
		if err != nil {
			return true, false, err
		}
		f.names = names
	}
	f.names.mu.Lock()
	defer f.names.mu.Unlock()
	known = true
	for part := range strings.SplitSeq(strings.TrimSuffix(name, ".md"), "/") {
		key := nameKey(part)
		if key == "" || key == "agents" || key == nameKey(f.home) {
			continue
		}
		i, is := f.names.first[key]
		if is && f.foreign(f.names.by[i]) {
			return true, true, nil
		}
		known = known && is
	}
	return false, known, nil
}

// nameKey returns the letters of a name's part.
func nameKey(part string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsMark(r) {
			return r
		}
		return -1
	}, wiki.Key(part))
}

// nameAuthors returns who coined the wiki's names, as of its head.
func (s *Service) nameAuthors(ctx context.Context, w *content.Wiki) (*nameAuthors, error) {
	key := authorKey("name authors", w, "")
	n := &nameAuthors{}
	if c, ok := s.cache.GetIfPresent(key); ok {
		n = c.(*nameAuthors)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	seq, head := w.Head()
	if n.head == head {
		return n, nil
	}
	if then, err := w.SeqOf(ctx, cmp.Or(n.head, head)); err != nil || then != n.seq {
		n.seq, n.first, n.by = 0, map[string]int32{}, nil // the wiki was recreated
	}
	err := w.NamesAfter(ctx, n.seq, func(path string, by wiki.Author) {
		i := slices.Index(n.by, by)
		if i < 0 {
			i, n.by = len(n.by), append(n.by, by)
		}
		for part := range strings.SplitSeq(strings.TrimSuffix(path, ".md"), "/") {
			if key := nameKey(part); key != "" {
				if _, known := n.first[key]; !known {
					n.first[key] = int32(i)
				}
			}
		}
	})
	if err != nil {
		n.head = "" // may be half done: read again
		return nil, err
	}
	n.seq, n.head = seq, head
	s.cache.Set(key, n)
	return n, nil
}
