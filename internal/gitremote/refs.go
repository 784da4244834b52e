package gitremote

import (
	"errors"
	"slices"
	"strings"
)

// capabilities are what a server can do, by name.
type capabilities map[string]string

var (
	errOldProtocol = errors.New("gitremote: server speaks only an old version of git's protocol")
	errSHA256      = errors.New("gitremote: repository has SHA-256 ids")
)

const maxCapabilities = 200

// readCapabilities reads a capability advertisement of protocol version 2. Some
// servers send the announcement of older versions before it.
func readCapabilities(r *packetReader) (capabilities, error) {
	_, line, err := r.line()
	if err == nil && line == "# service=git-upload-pack" {
		if kind, _, err := r.line(); err == nil && kind != flushPacket {
			return nil, errMalformed
		}
		_, line, err = r.line()
	}
	switch {
	case err != nil:
		return nil, err
	case line == "version 1" || len(line) >= idLength && isID(line[:idLength]):
		return nil, errOldProtocol
	case line != "version 2":
		return nil, errMalformed
	}
	all := capabilities{}
	for len(all) < maxCapabilities {
		kind, line, err := r.line()
		switch {
		case err != nil:
			return nil, err
		case kind == flushPacket:
			return all, all.check()
		case kind != dataPacket:
			return nil, errMalformed
		}
		name, value, _ := strings.Cut(line, "=")
		all[name] = value
	}
	return nil, errTooLong
}

// check fails if a capability is missing that a fetch needs.
func (c capabilities) check() error {
	_, refs := c["ls-refs"]
	_, fetch := c["fetch"]
	format, hasFormat := c["object-format"]
	switch {
	case !refs || !fetch:
		return errMalformed
	case hasFormat && format != "sha1":
		return errSHA256
	}
	return nil
}

// canDeepen reports whether the server can send a part of a history.
func (c capabilities) canDeepen() bool {
	return slices.Contains(strings.Fields(c["fetch"]), "shallow")
}

// command returns the request for a command with arguments.
func (c capabilities) command(name string, arguments ...string) string {
	lines := []string{"command=" + name}
	if _, ok := c["agent"]; ok {
		lines = append(lines, "agent="+agent)
	}
	if _, ok := c["object-format"]; ok {
		lines = append(lines, "object-format=sha1")
	}
	return packets(append(append(append(lines, delimiter), arguments...), flush)...)
}

// refs are the branches and tags of a repository, and its HEAD.
type refs struct {
	ids    map[string]string // by full name
	peeled map[string]string // commits of annotated tags, by full name
}

const (
	idLength = 40
	maxRefs  = 20_000 // as for bundles
	// maxRefName bounds a name. A bundle's line has 1,000 bytes at most.
	maxRefName = 900
)

// listRefs is the ls-refs command for all branches and tags.
var listRefs = []string{"peel", "symrefs", "ref-prefix HEAD", "ref-prefix refs/heads/", "ref-prefix refs/tags/"}

// readRefs reads the answer to ls-refs. It skips names that no branch or tag can have.
func readRefs(r *packetReader) (refs, error) {
	all := refs{map[string]string{}, map[string]string{}}
	for {
		kind, line, err := r.line()
		switch {
		case err != nil:
			return refs{}, err
		case kind == flushPacket:
			return all, nil
		case len(all.ids) == maxRefs:
			return refs{}, errTooLong
		}
		words := strings.Split(line, " ")
		if len(words) < 2 || !isID(words[0]) {
			return refs{}, errMalformed
		}
		id, name := words[0], words[1]
		if !validRef(name) {
			continue
		}
		all.ids[name] = id
		for _, word := range words[2:] {
			if peeled, ok := strings.CutPrefix(word, "peeled:"); ok && isID(peeled) {
				all.peeled[name] = peeled
			}
		}
	}
}

// choose returns the id of the commit to import: of HEAD, of the only branch, or of
// the branch or tag that ref begins with; and the rest of ref, a folder's path.
func (r refs) choose(ref string) (id, folder string) {
	if ref == "" {
		return r.main(), ""
	}
	for name := ref; ; {
		for _, full := range []string{"refs/heads/" + name, "refs/tags/" + name} {
			if id := r.ids[full]; id != "" {
				if peeled := r.peeled[full]; peeled != "" {
					id = peeled
				}
				return id, strings.TrimPrefix(ref[len(name):], "/")
			}
		}
		cut := strings.LastIndexByte(name, '/')
		if cut < 0 {
			return "", ""
		}
		name = name[:cut]
	}
}

// main returns the newest commit of the main branch; "" if that is ambiguous.
func (r refs) main() string {
	for _, name := range []string{"HEAD", "refs/heads/main", "refs/heads/master"} {
		if id := r.ids[name]; id != "" {
			return id
		}
	}
	only := ""
	for name, id := range r.ids {
		if strings.HasPrefix(name, "refs/heads/") {
			if only != "" {
				return ""
			}
			only = id
		}
	}
	return only
}

// validRef reports whether a name is HEAD, or a branch's or tag's, by the main rules
// of git-check-ref-format(1).
func validRef(name string) bool {
	rest, isBranch := strings.CutPrefix(name, "refs/heads/")
	if !isBranch {
		var isTag bool
		if rest, isTag = strings.CutPrefix(name, "refs/tags/"); !isTag {
			return name == "HEAD"
		}
	}
	for part := range strings.SplitSeq(rest, "/") {
		if part == "" || part[0] == '.' || strings.HasSuffix(part, ".lock") || strings.HasSuffix(part, ".") {
			return false
		}
	}
	return len(name) <= maxRefName && !strings.Contains(name, "..") && !strings.Contains(name, "@{") &&
		strings.IndexFunc(name, func(r rune) bool { return r <= ' ' || strings.ContainsRune("~^:?*[\\\x7f", r) }) < 0
}

func isID(text string) bool {
	return len(text) == idLength && strings.Trim(text, "0123456789abcdef") == ""
}
