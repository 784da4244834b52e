package githttp

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"robot.wtf/internal/gitrepo"
)

// In version 2, every clone and pull starts with the command ls-refs
// (gitprotocol-v2(5)). The answer only changes with the head, so git is asked once
// per head, and a pull that has nothing to fetch starts no process.

const (
	maxRequest    = 4 << 10  // bytes of a request that we answer ourselves
	maxRefs       = 16 << 10 // bytes of a wiki's cached refs
	maxCacheWikis = 256
)

// A ref is one line of git's answer: "‹id› ‹name›" with attributes.
type ref struct {
	id, name, symref, peeled string // id is "unborn" if HEAD points to a branch without commits
}

// refsAt holds a repository's refs at one head.
type refsAt struct {
	repo, head string
	refs       []ref
}

// refsCache holds the refs of wikis by slug. The zero value is empty.
type refsCache struct {
	mu    sync.Mutex
	wikis map[string]refsAt
}

func (k *refsCache) get(slug string) refsAt {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.wikis[slug]
}

func (k *refsCache) put(slug string, found refsAt) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.wikis == nil {
		k.wikis = map[string]refsAt{}
	}
	for other := range k.wikis { // evict an arbitrary one
		if len(k.wikis) < maxCacheWikis {
			break
		}
		delete(k.wikis, other)
	}
	k.wikis[slug] = found
}

// A refsRequest holds the arguments of an ls-refs command.
type refsRequest struct {
	peel, symrefs, unborn bool
	prefixes              []string // empty for all refs
}

// readRefsRequest parses an ls-refs command. ok is false for anything else, which
// is left to git.
func readRefsRequest(body []byte) (r refsRequest, ok bool) {
	arguments, ok := readCommand(body, "ls-refs")
	if !ok {
		return r, false
	}
	for _, line := range arguments {
		prefix, isPrefix := strings.CutPrefix(line, "ref-prefix ")
		switch {
		case line == "peel":
			r.peel = true
		case line == "symrefs":
			r.symrefs = true
		case line == "unborn":
			r.unborn = true
		case isPrefix:
			r.prefixes = append(r.prefixes, prefix)
		default:
			return r, false
		}
	}
	return r, true
}

// readCommand parses a request with one command and returns its arguments. ok is
// false for other commands, long requests, and capabilities that may change the
// answer.
func readCommand(body []byte, command string) (arguments []string, ok bool) {
	if len(body) > maxRequest {
		return nil, false
	}
	capabilities, ok := pktLines(body)
	if !ok {
		return nil, false
	}
	if i := slices.Index(capabilities, delimiter); i >= 0 {
		capabilities, arguments = capabilities[:i], capabilities[i+1:]
	}
	commands := 0
	for _, line := range capabilities { // git before 2.31 sends object-format before the command
		switch {
		case line == "command="+command:
			commands++
		case !ignorable(line):
			return nil, false
		}
	}
	return arguments, commands == 1
}

// ignorable reports whether a capability doesn't affect the answer.
func ignorable(line string) bool {
	return strings.HasPrefix(line, "agent=") || strings.HasPrefix(line, "session-id=") || line == "object-format=sha1"
}

// delimiter represents the delim packet 0001 in a list of lines. No
// other line is empty.
const delimiter = ""

// pktLines splits pkt-lines (gitprotocol-common(5)) and trims their newlines. The
// body must end with its first flush packet.
func pktLines(body []byte) (lines []string, ok bool) {
	for len(body) >= 4 {
		size, err := strconv.ParseUint(string(body[:4]), 16, 16)
		switch {
		case err != nil || size == 2 || size == 3 || int(size) > len(body):
			return nil, false
		case size == 0:
			return lines, len(body) == 4
		case size == 1:
			lines, body = append(lines, delimiter), body[4:]
			continue
		}
		line := strings.TrimSuffix(string(body[4:size]), "\n")
		if line == delimiter {
			return nil, false
		}
		lines, body = append(lines, line), body[size:]
	}
	return nil, false
}

// format returns git's answer for these refs.
func (r refsRequest) format(refs []ref) []byte {
	var out bytes.Buffer
	for _, ref := range refs {
		if ref.id == "unborn" && !(r.unborn && r.symrefs) || !r.wants(ref.name) {
			continue
		}
		line := ref.id + " " + ref.name
		if r.symrefs && ref.symref != "" {
			line += " symref-target:" + ref.symref
		}
		if r.peel && ref.peeled != "" {
			line += " peeled:" + ref.peeled
		}
		fmt.Fprintf(&out, "%04x%s\n", len(line)+5, line)
	}
	out.WriteString("0000")
	return out.Bytes()
}

func (r refsRequest) wants(name string) bool {
	for _, prefix := range r.prefixes {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return len(r.prefixes) == 0
}

// allRefs is an ls-refs command for all refs with all attributes.
const allRefs = "0014command=ls-refs\n00010009peel\n000csymrefs\n000bunborn\n0000"

// parseRefs parses git's answer to allRefs.
func parseRefs(answer []byte) ([]ref, error) {
	lines, ok := pktLines(answer)
	if !ok {
		return nil, fmt.Errorf("githttp: parse answer to ls-refs: %.200q", answer)
	}
	refs := make([]ref, len(lines))
	for i, line := range lines {
		words := strings.Split(line, " ")
		if len(words) < 2 {
			return nil, fmt.Errorf("githttp: parse ref: %.200q", line)
		}
		refs[i].id, refs[i].name = words[0], words[1]
		for _, word := range words[2:] {
			if target, ok := strings.CutPrefix(word, "symref-target:"); ok {
				refs[i].symref = target
			} else if id, ok := strings.CutPrefix(word, "peeled:"); ok {
				refs[i].peeled = id
			}
		}
	}
	return refs, nil
}

// errManyRefs reports more refs than are cached.
var errManyRefs = errors.New("githttp: too many refs to cache")

// sendRefs answers an ls-refs command.
func (h *Handler) sendRefs(c *call, asked refsRequest, body []byte) error {
	refs, err := h.readRefs(c)
	if errors.Is(err, errManyRefs) {
		return h.runUploadPack(c, "result", "", bytes.NewReader(body), "")
	}
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
	_, _ = c.w.Write(asked.format(refs)) // the client may be gone
	return nil
}

// readRefs returns a wiki's refs, from the cache if the head hasn't moved.
func (h *Handler) readRefs(c *call) ([]ref, error) {
	ctx, slug := c.Context(), c.access.Site().Slug
	repo, leave, err := h.o.Pages.Repository(ctx, c.access)
	if err != nil {
		return nil, err
	}
	broken := false
	defer func() { leave(broken) }()
	found := refsAt{repo: repo.Name()}
	// Read the head before the refs. If it moves in between, the cached refs are
	// newer than their key, which no later request will look up.
	if found.head, err = repo.Ref(gitrepo.Main); err != nil {
		return nil, err
	}
	if cached := h.refs.get(slug); cached.refs != nil && cached.repo == found.repo && cached.head == found.head {
		return cached.refs, nil
	}
	release, err := h.acquireProcess(ctx, slug)
	if err != nil {
		return nil, err
	}
	defer release()
	var out boundedBuffer
	err = repo.UploadPack(ctx, gitrepo.UploadPack{Version2: true, In: strings.NewReader(allRefs), Out: &out})
	if out.over {
		return nil, errManyRefs
	}
	if err == nil {
		found.refs, err = parseRefs(out.text)
	}
	if err != nil {
		broken = ctx.Err() == nil
		return nil, err
	}
	h.refs.put(slug, found)
	return found.refs, nil
}

// boundedBuffer is a buffer of at most maxRefs bytes. It doesn't embed bytes.Buffer,
// whose ReadFrom would fill it past the bound.
type boundedBuffer struct {
	text []byte
	over bool
}

func (b *boundedBuffer) Write(data []byte) (int, error) {
	if len(b.text)+len(data) > maxRefs {
		b.over = true
		return 0, errManyRefs
	}
	b.text = append(b.text, data...)
	return len(data), nil
}
