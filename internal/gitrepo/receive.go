package gitrepo

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"robot.wtf/internal/background"
	"robot.wtf/internal/wiki"
)

// foreignBound and foreignEnv are for untrusted objects: an object that expands
// beyond the limits ends the process.
var (
	foreignBound = bound{time: 10 * time.Minute, memory: 3 << 30, file: 4 << 30}
	foreignEnv   = []string{"GIT_DIR=.", "GIT_ALLOC_LIMIT=256m"}
)

// Bounds on the objects of a received repository: their number, and the size of
// one, which is that of GIT_ALLOC_LIMIT.
const (
	maxObjects     = 3_000_000
	maxObjectBytes = 256 << 20
)

// A Received is an imported repository in its own directory. It is complete and
// passed git's strict check.
type Received struct {
	repo    *Repo
	Head    string            // newest commit of the main branch
	Tags    map[string]string // tag name to the id of a commit or tag object; only commits reachable from Head
	Omitted []string          // branches and tags that aren't imported
}

// Receive reads a bundle of at most max bytes into a new directory, and verifies it.
func (g *Git) Receive(ctx context.Context, dir string, bundle io.Reader, max int64) (*Received, error) {
	r, err := g.Unpack(ctx, dir, bundle, max)
	if err != nil {
		return nil, err
	}
	return r, r.Verify(ctx)
}

// Unpack reads a bundle of at most max bytes into a new directory. Until Verify has
// passed, use the repository only to refuse it, because of files that are too large or
// too many. The error is *Refused if the bundle is the cause.
func (g *Git) Unpack(ctx context.Context, dir string, bundle io.Reader, max int64) (*Received, error) {
	in := bufio.NewReaderSize(bundle, 64<<10)
	refs, err := readBundleHead(in)
	if err != nil {
		return nil, err
	}
	head, omitted, err := mainBranch(refs)
	if err != nil {
		return nil, err
	}
	if err := countObjects(in); err != nil {
		return nil, err
	}
	repo, err := g.Init(dir)
	if err != nil {
		return nil, err
	}
	err = g.run(ctx, process{dir: dir, in: in, out: io.Discard, bound: foreignBound, env: foreignEnv,
		args: []string{"-c", "core.fsync=none", "index-pack", "--stdin", "--max-input-size=" + strconv.FormatInt(max, 10)}})
	var failed *Failure
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return nil, err
	case errors.As(err, &failed) && failed.Stderr != "":
		return nil, refusef("The bundle's pack can't be read: %s", failed.Stderr)
	case errors.As(err, &failed):
		return nil, refusef("The bundle's pack is larger than the import limit.")
	case err != nil:
		return nil, err
	}
	r := &Received{repo: repo, Head: head, Tags: map[string]string{}, Omitted: omitted}
	if err := repo.SetRef(Main, head); err != nil {
		return nil, err
	}
	for name, id := range refs {
		if strings.HasPrefix(name, "refs/tags/") && validRef(name) {
			r.Tags[strings.TrimPrefix(name, "refs/tags/")] = id
		}
	}
	return r, nil
}

// UnpackNewest is Unpack for a bundle of one commit whose parents are missing.
func (g *Git) UnpackNewest(ctx context.Context, dir string, bundle io.Reader, max int64) (*Received, error) {
	r, err := g.Unpack(ctx, dir, bundle, max)
	if err != nil {
		return nil, err
	}
	return r, r.repo.writeFile("shallow", r.Head+"\n") // gitrepository-layout(5)
}

// Verify runs git's strict check of every object. Its errors are *Refused if the
// repository is the cause, with everything that the check reports.
func (r *Received) Verify(ctx context.Context) error {
	if err := r.check(ctx); err != nil {
		return err
	}
	return r.keepTags(ctx)
}

// mainBranch returns the commit that HEAD points to, or else the tip of main or
// master, or of the only branch.
func mainBranch(refs map[string]string) (head string, omitted []string, err error) {
	var branches []string
	for name := range refs {
		if strings.HasPrefix(name, "refs/heads/") {
			branches = append(branches, name)
		}
	}
	slices.Sort(branches)
	head = cmp.Or(refs["HEAD"], refs["refs/heads/main"], refs["refs/heads/master"])
	switch {
	case head != "":
	case len(branches) == 0:
		return "", nil, refusef("There is no branch to import. Make a bundle of the whole repository: git bundle create wiki.bundle --all")
	case len(branches) > 1:
		return "", nil, refusef("Can't tell which branch holds the wiki: there is no HEAD, main or master.")
	default:
		head = refs[branches[0]]
	}
	for _, name := range branches {
		if refs[name] != head {
			omitted = append(omitted, strings.TrimPrefix(name, "refs/heads/"))
		}
	}
	return head, omitted, nil
}

// validRef applies the main rules of git-check-ref-format(1).
func validRef(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || strings.HasPrefix(part, ".") || strings.HasSuffix(part, ".lock") || strings.HasSuffix(part, ".") || strings.HasPrefix(part, "tmp_") {
			return false
		}
	}
	return len(name) < 200 && !strings.Contains(name, "..") && !strings.Contains(name, "@{") &&
		strings.IndexFunc(name, func(r rune) bool { return r <= ' ' || strings.ContainsRune("~^:?*[\\\x7f", r) }) < 0
}

// countObjects checks the number of objects in a pack's header.
func countObjects(in *bufio.Reader) error {
	head, err := in.Peek(packHeader)
	if err != nil || string(head[:4]) != "PACK" {
		return refusef("The bundle is truncated: it has no pack.")
	}
	if n := uint64(head[8])<<24 | uint64(head[9])<<16 | uint64(head[10])<<8 | uint64(head[11]); n > maxObjects {
		return refusef("The repository has %d objects, more than the limit of %d.", n, maxObjects)
	}
	return nil
}

// maxReasons bounds the list of reasons in an error.
const maxReasons = 50

// check runs git's strict check of every object and of their completeness.
func (r *Received) check(ctx context.Context) error {
	var output bytes.Buffer
	err := r.repo.git.run(ctx, process{dir: r.repo.dir, out: &output, stderr: &output, bound: foreignBound, env: foreignEnv,
		args: []string{"fsck", "--strict", "--full", "--no-dangling", "--no-progress"}})
	if err == nil || errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		return err
	}
	var reasons []string
	for line := range strings.Lines(output.String()) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "warning in") || strings.HasPrefix(line, "notice:") {
			continue
		}
		if len(reasons) == maxReasons {
			return &Refused{append(reasons, "and more")}
		}
		reasons = append(reasons, strings.TrimPrefix(line, "error in "))
	}
	if len(reasons) == 0 {
		return err
	}
	return &Refused{append([]string{"Git's strict check rejects this repository:"}, reasons...)}
}

// keepTags keeps only the tags of commits reachable from the branch.
func (r *Received) keepTags(ctx context.Context) error {
	if len(r.Tags) == 0 {
		return nil
	}
	reached := map[string]bool{}
	ids, err := r.repo.git.output(ctx, process{dir: r.repo.dir, bound: foreignBound, env: foreignEnv, args: []string{"rev-list", "--end-of-options", Main}})
	if err != nil {
		return err
	}
	for id := range strings.FieldsSeq(ids) {
		reached[id] = true
	}
	var input strings.Builder
	var names []string
	for name, id := range r.Tags {
		names = append(names, name)
		fmt.Fprintln(&input, id+"^{commit}")
	}
	answers, err := r.repo.git.output(ctx, process{dir: r.repo.dir, in: strings.NewReader(input.String()), bound: foreignBound, env: foreignEnv, args: []string{"cat-file", "--batch-check=%(objectname)"}})
	if err != nil {
		return err
	}
	commits := strings.Split(answers, "\n")
	for i, name := range names {
		if i >= len(commits) || !reached[commits[i]] {
			delete(r.Tags, name)
			r.Omitted = append(r.Omitted, name)
			continue
		}
		if err := r.repo.SetRef("refs/tags/"+name, r.Tags[name]); err != nil {
			return err
		}
	}
	slices.Sort(r.Omitted)
	return nil
}

// A RawCommit is a commit's id and content.
type RawCommit struct {
	ID      string
	Content []byte
}

// Mainline returns the commits along first parents, oldest first.
func (r *Received) Mainline(ctx context.Context) ([]RawCommit, error) {
	ids, err := r.repo.git.output(ctx, process{dir: r.repo.dir, bound: foreignBound, env: foreignEnv,
		args: []string{"rev-list", "--first-parent", "--reverse", "--end-of-options", Main}})
	if err != nil {
		return nil, err
	}
	var list []RawCommit
	err = r.Objects(ctx, strings.Fields(ids), func(id string, content []byte) error {
		list = append(list, RawCommit{id, content})
		return nil
	})
	return list, err
}

// Objects calls visit for each object, in the order of ids.
func (r *Received) Objects(ctx context.Context, ids []string, visit func(id string, content []byte) error) error {
	read, write := io.Pipe()
	defer read.Close() // also after a panic of visit, so that git ends
	running := background.Start(func() (err error) {
		defer func() { write.CloseWithError(err) }()
		return r.repo.git.run(ctx, process{dir: r.repo.dir, in: joinLines(ids), out: write, bound: foreignBound, env: foreignEnv,
			args: []string{"cat-file", "--batch", "--buffer"}})
	})
	err := eachObject(bufio.NewReaderSize(read, 256<<10), len(ids), visit)
	read.CloseWithError(errors.New("gitrepo: enough"))
	if ran := running.Wait(); err == nil {
		err = ran
	}
	return err
}

func eachObject(in *bufio.Reader, n int, visit func(id string, content []byte) error) error {
	for range n {
		head, err := in.ReadString('\n')
		if err != nil {
			return err
		}
		fields := strings.Fields(head)
		if len(fields) != 3 {
			return fmt.Errorf("gitrepo: unexpected cat-file output %q: %w", head, wiki.ErrInvalid)
		}
		size, err := strconv.ParseInt(fields[2], 10, 64)
		if err != nil {
			return err
		}
		if size < 0 || size > maxObjectBytes {
			return fmt.Errorf("gitrepo: object %s has %d bytes: %w", fields[0], size, wiki.ErrInvalid)
		}
		content := make([]byte, size+1) // with a trailing newline
		if _, err := io.ReadFull(in, content); err != nil {
			return err
		}
		if err := visit(fields[0], content[:size:size]); err != nil {
			return err
		}
	}
	return nil
}

// joinLines returns a reader of ids, one per line.
func joinLines(ids []string) io.Reader { return strings.NewReader(strings.Join(ids, "\n") + "\n") }

// Sizes returns the sizes of objects in bytes, and how many bytes they take together
// in the repository's packs.
func (r *Received) Sizes(ctx context.Context, ids []string) (sizes map[string]int64, packed int64, err error) {
	if len(ids) == 0 {
		return nil, 0, nil
	}
	said, err := r.repo.git.output(ctx, process{dir: r.repo.dir, in: joinLines(ids), bound: foreignBound, env: foreignEnv,
		args: []string{"cat-file", "--buffer", "--batch-check=%(objectname) %(objectsize) %(objectsize:disk)"}})
	sizes = make(map[string]int64, len(ids))
	for line := range strings.Lines(said) {
		id, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		size, disk, _ := strings.Cut(rest, " ")
		n, errSize := strconv.ParseInt(size, 10, 64)
		d, errDisk := strconv.ParseInt(disk, 10, 64)
		if errors.Join(errSize, errDisk) != nil {
			return nil, 0, fmt.Errorf("gitrepo: unexpected cat-file output %q: %w", line, wiki.ErrInvalid)
		}
		sizes[id] = n
		packed += d
	}
	return sizes, packed, err
}

// A Diff is a commit's change to one file, compared with its first parent. From is
// the old path of a renamed file.
type Diff struct {
	Path, From       string
	OldMode, NewMode uint32 // 0 if the file didn't or doesn't exist
	Old, New         string // ids; "" if the file didn't or doesn't exist
}

// Diffs compares commits with their first parents. With renames, it detects
// renamed files by similarity. It omits commits that change nothing.
func (r *Received) Diffs(ctx context.Context, commits []RawCommit, renames bool) (map[string][]Diff, error) {
	if len(commits) == 0 {
		return nil, nil
	}
	var input strings.Builder
	for _, c := range commits {
		input.WriteString(c.ID)
		if rest, ok := strings.CutPrefix(string(c.Content[46:min(len(c.Content), 46+48)]), "parent "); ok && len(rest) >= 2*rawID {
			input.WriteString(" " + rest[:2*rawID]) // after "tree ", its id and a newline
		}
		input.WriteByte('\n')
	}
	args := []string{"diff-tree", "--stdin", "--root", "-r", "-z", "--raw", "--no-abbrev", "--no-renames", "--no-ext-diff", "--no-textconv"}
	if renames {
		args = append(args, "-M", "-l200")
	}
	var out bytes.Buffer
	err := r.repo.git.run(ctx, process{dir: r.repo.dir, in: strings.NewReader(input.String()), out: &out, bound: foreignBound, env: foreignEnv, args: args})
	if err != nil {
		return nil, err
	}
	return parseDiffs(out.String())
}

// parseDiffs parses the output of git diff-tree --raw -z (git-diff-tree(1)).
func parseDiffs(text string) (map[string][]Diff, error) {
	all := map[string][]Diff{}
	commit := ""
	for text != "" {
		var token string
		if token, text, _ = strings.Cut(text, "\x00"); !strings.HasPrefix(token, ":") {
			commit = strings.TrimSpace(token)
			continue
		}
		f := strings.Fields(token[1:])
		if len(f) != 5 {
			return nil, fmt.Errorf("gitrepo: unexpected diff-tree output %q: %w", token, wiki.ErrInvalid)
		}
		d := Diff{OldMode: parseMode(f[0]), NewMode: parseMode(f[1]), Old: zeroToEmpty(f[2]), New: zeroToEmpty(f[3])}
		d.Path, text, _ = strings.Cut(text, "\x00")
		if f[4][0] == 'R' {
			d.From = d.Path
			d.Path, text, _ = strings.Cut(text, "\x00")
		}
		all[commit] = append(all[commit], d)
	}
	return all, nil
}

func parseMode(mode string) uint32 {
	n, _ := strconv.ParseUint(mode, 8, 32) // git's own output is always valid
	return uint32(n)
}

func zeroToEmpty(id string) string {
	if id == Zero {
		return ""
	}
	return id
}

// PackMissing writes a pack of all objects reachable from the branch and the tags
// except those in has. It returns the number of objects; with 0 it writes nothing.
func (r *Received) PackMissing(ctx context.Context, has map[string]bool, out io.Writer) (int, error) {
	tips := []string{r.Head}
	for _, id := range r.Tags {
		tips = append(tips, id)
	}
	said, err := r.repo.git.output(ctx, process{dir: r.repo.dir, in: joinLines(tips), bound: foreignBound, env: foreignEnv,
		args: []string{"rev-list", "--objects", "--no-object-names", "--stdin"}})
	if err != nil {
		return 0, err
	}
	var rest []string
	for id := range strings.FieldsSeq(said) {
		if !has[id] {
			rest = append(rest, id)
		}
	}
	if len(rest) == 0 {
		return 0, nil
	}
	return len(rest), r.repo.git.run(ctx, process{dir: r.repo.dir, in: joinLines(rest), out: out, bound: foreignBound, env: foreignEnv,
		args: []string{"pack-objects", "--stdout", "-q", "--delta-base-offset"}})
}

// ReadPack calls visit with each object of a pack that refers to nothing outside
// itself by deltas. dir is a new directory for its files, which the caller removes.
func (g *Git) ReadPack(ctx context.Context, dir string, pack io.WriterTo, visit func(kind, id string, content []byte) error) error {
	repo, err := g.Init(dir)
	if err != nil {
		return err
	}
	if err := repo.AddPack(ctx, pack, false); err != nil {
		return err
	}
	list, err := g.output(ctx, process{dir: dir, bound: foreignBound, env: foreignEnv,
		args: []string{"cat-file", "--batch-all-objects", "--batch-check=%(objectname) %(objecttype)", "--buffer"}})
	if err != nil {
		return err
	}
	kinds := map[string]string{}
	var ids []string
	for line := range strings.Lines(list) {
		id, kind, _ := strings.Cut(strings.TrimSpace(line), " ")
		kinds[id], ids = kind, append(ids, id)
	}
	return (&Received{repo: repo}).Objects(ctx, ids, func(id string, content []byte) error { return visit(kinds[id], id, content) })
}
