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

// In version 2 each clone and each pull begins with the request ls-refs
// (gitprotocol-v2(5)). What there is to tell changes with the head alone, so git
// is asked once for each: a pull that has nothing to fetch costs no process.

const (
	maxRequest   = 4 << 10  // bytes of a request that is answered from here
	maxRefs      = 16 << 10 // bytes of the refs that are kept of a wiki
	maxRefsWikis = 256
)

// A ref is a line of git's answer: "‹id› ‹name›" with its attributes.
type ref struct {
	id, name, symref, peeled string // id is "unborn" for a HEAD that leads nowhere yet
}

// refsAt are the refs of a repository at a head.
type refsAt struct {
	repo, head string
	refs       []ref
}

// knownRefs are the refs of wikis, by slug. The zero value is ready for use.
type knownRefs struct {
	mu    sync.Mutex
	wikis map[string]refsAt
}

func (k *knownRefs) get(slug string) refsAt {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.wikis[slug]
}

func (k *knownRefs) put(slug string, at refsAt) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.wikis == nil {
		k.wikis = map[string]refsAt{}
	}
	for other := range k.wikis { // any one makes room
		if len(k.wikis) < maxRefsWikis {
			break
		}
		delete(k.wikis, other)
	}
	k.wikis[slug] = at
}

// A refsRequest is what a client asks of the refs.
type refsRequest struct {
	peel, symrefs, unborn bool
	prefixes              []string // none for all
}

// readRefsRequest reads a request ls-refs; ok is false for whatever else there
// may be, which git has to read.
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

// readCommand reads a request of one command and gives its arguments; ok is false
// for another command, and for what is too long or has capabilities that may
// change the answer.
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
	for _, line := range capabilities { // git before 2.31 says object-format before the command
		switch {
		case line == "command="+command:
			commands++
		case !harmless(line):
			return nil, false
		}
	}
	return arguments, commands == 1
}

// harmless reports a capability that changes no answer.
func harmless(line string) bool {
	return strings.HasPrefix(line, "agent=") || strings.HasPrefix(line, "session-id=") || line == "object-format=sha1"
}

// delimiter stands for the packet 0001 among lines; no line is empty.
const delimiter = ""

// pktLines reads packets up to a flush, which has to be the end, without their
// line ends (gitprotocol-common(5)).
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

// answer is what git would say of these refs.
func (r refsRequest) answer(refs []ref) []byte {
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

// allRefs asks git for all that it has to tell of refs.
const allRefs = "0014command=ls-refs\n00010009peel\n000csymrefs\n000bunborn\n0000"

// readRefs reads what git answers to that.
func readRefs(answer []byte) ([]ref, error) {
	lines, ok := pktLines(answer)
	if !ok {
		return nil, fmt.Errorf("githttp: git answers %.200q to ls-refs", answer)
	}
	refs := make([]ref, len(lines))
	for i, line := range lines {
		words := strings.Split(line, " ")
		if len(words) < 2 {
			return nil, fmt.Errorf("githttp: git tells of the ref %.200q", line)
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

// errManyRefs says that there are too many to keep.
var errManyRefs = errors.New("githttp: too many refs to keep")

// tellRefs answers a request ls-refs.
func (h *Handler) tellRefs(c *call, asked refsRequest, body []byte) error {
	refs, err := h.refs(c)
	if errors.Is(err, errManyRefs) {
		return h.answer(c, "result", "", bytes.NewReader(body))
	}
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
	_, _ = c.w.Write(asked.answer(refs)) // a client that is gone needs none
	return nil
}

func (h *Handler) refs(c *call) ([]ref, error) {
	ctx, slug := c.Context(), c.access.Site().Slug
	repo, leave, err := h.o.Pages.Repository(ctx, c.access)
	if err != nil {
		return nil, err
	}
	broken := false
	defer func() { leave(broken) }()
	at := refsAt{repo: repo.Name()}
	// Before git reads it: when it moves in between, the refs are newer than this
	// says, and nobody will ask for these any more.
	if at.head, err = repo.Ref(gitrepo.Main); err != nil {
		return nil, err
	}
	if known := h.known.get(slug); known.refs != nil && known.repo == at.repo && known.head == at.head {
		return known.refs, nil
	}
	release, err := h.slots.take(ctx, slug)
	if err != nil {
		return nil, err
	}
	defer release()
	var out bounded
	err = repo.UploadPack(ctx, gitrepo.UploadPack{Version2: true, In: strings.NewReader(allRefs), Out: &out})
	if out.over {
		return nil, errManyRefs
	}
	if err == nil {
		at.refs, err = readRefs(out.Bytes())
	}
	if err != nil {
		broken = ctx.Err() == nil
		return nil, err
	}
	h.known.put(slug, at)
	return at.refs, nil
}

// bounded keeps what is written to it up to maxRefs.
type bounded struct {
	bytes.Buffer
	over bool
}

func (b *bounded) Write(data []byte) (int, error) {
	if b.Len()+len(data) > maxRefs {
		b.over = true
		return 0, errManyRefs
	}
	return b.Buffer.Write(data)
}
