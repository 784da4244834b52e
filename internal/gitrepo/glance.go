package gitrepo

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Bounds of a glance, so that it takes about a second.
const (
	maxGlance        = 192 << 20 // bytes that are inflated
	maxGlanceObjects = 300_000
	maxGlanceKept    = 24 << 20 // bytes of commits and trees
	maxGlanceFiles   = 200_000
)

// A Glance has facts about a repository that are read without git, from the objects
// that its packs hold whole, as they usually do the newest ones. They are true, but can
// be incomplete.
type Glance struct {
	Files    []TreeFile // of the newest commit; Size is 0 if it isn't known
	Complete bool       // all files are there, and their sizes are known
	Commits  int        // along first parents, as far as they are known
	// Linear says that all files of the repository are in the history along first
	// parents: there are no merges, other branches or tags with objects of their own.
	Linear  bool
	Largest TreeFile // the largest file of all, without a path if that isn't known
}

// GlanceAtBundle glances at a bundle. It fails with *Refused if it is none.
func GlanceAtBundle(bundle io.Reader) (Glance, error) {
	in := bufio.NewReaderSize(bundle, 64<<10)
	refs, err := readBundleHead(in)
	if err != nil {
		return Glance{}, err
	}
	head, _, err := mainBranch(refs)
	if err == nil {
		err = countObjects(in)
	}
	if err != nil {
		return Glance{}, err
	}
	g := newGlancer()
	whole := g.readPack(in) == nil
	return g.glance(head, whole), nil
}

// GlanceAtDirectory glances at a repository that Unzip has extracted.
func GlanceAtDirectory(dir string) (Glance, error) {
	common, refs, err := readRefs(dir)
	if err != nil {
		return Glance{}, err
	}
	head, _, err := mainBranch(refs)
	if err != nil {
		return Glance{}, err
	}
	g := newGlancer()
	whole := true
	err = filepath.WalkDir(filepath.Join(common, "objects"), func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		read := g.readLoose
		switch {
		case filepath.Ext(name) == ".pack":
			read = g.readPack
		case len(d.Name()) != 2*rawID-2 || len(filepath.Base(filepath.Dir(name))) != 2: // an index
			return nil
		}
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		whole = read(bufio.NewReaderSize(f, 64<<10)) == nil && whole
		return nil
	})
	return g.glance(head, whole), err
}

// A glancedObject is an object of a repository.
type glancedObject struct {
	kind byte
	size int64
}

// A glancer collects the objects of a repository.
type glancer struct {
	objects map[[rawID]byte]glancedObject // those that aren't deltas
	kept    map[[rawID]byte][]byte        // contents of commits and trees
	bytes   int                           // of kept
	budget  int64                         // bytes that may still be inflated
	counts  [8]int                        // by type
	largest int64                         // of the blobs
	inflate io.ReadCloser
	buf     []byte
}

func newGlancer() *glancer {
	return &glancer{objects: map[[rawID]byte]glancedObject{}, kept: map[[rawID]byte][]byte{}, budget: maxGlance, buf: make([]byte, 64<<10)}
}

var errGlanced = errors.New("gitrepo: enough to glance at")

// A byteCounter counts the bytes that are read.
type byteCounter struct {
	*bufio.Reader
	n int64
}

func (c *byteCounter) Read(buf []byte) (int, error) {
	n, err := c.Reader.Read(buf)
	c.n += int64(n)
	return n, err
}

func (c *byteCounter) ReadByte() (byte, error) {
	b, err := c.Reader.ReadByte()
	if err == nil {
		c.n++
	}
	return b, err
}

// readPack reads a pack (gitformat-pack(5)). It fails if it doesn't get to its end.
func (g *glancer) readPack(in *bufio.Reader) error {
	c := &byteCounter{Reader: in}
	head := make([]byte, packHeader)
	if _, err := io.ReadFull(c, head); err != nil || string(head[:4]) != "PACK" {
		return errGlanced
	}
	n := int(head[8])<<24 | int(head[9])<<16 | int(head[10])<<8 | int(head[11])
	types := map[int64]byte{} // by offset
	for range n {
		if len(types) >= maxGlanceObjects {
			return errGlanced
		}
		at := c.n
		kind, err := g.readEntry(c, types)
		if err != nil {
			return err
		}
		types[at] = kind
	}
	return nil
}

// Types of the entries of a pack, besides objectTypes.
const offsetDelta = 6

// readEntry reads an entry of a pack, and returns the type of its object, 0 if that
// isn't known.
func (g *glancer) readEntry(c *byteCounter, types map[int64]byte) (kind byte, err error) {
	at := c.n
	b, err := c.ReadByte()
	kind, size := b>>4&7, int64(b&15)
	for shift := 4; err == nil && b&0x80 != 0 && shift < 60; shift += 7 {
		b, err = c.ReadByte()
		size |= int64(b&0x7f) << shift
	}
	if err != nil {
		return 0, err
	}
	delta := kind == offsetDelta || kind == objectTypes[refDelta]
	switch kind {
	case offsetDelta:
		var back int64
		for first := true; first || b&0x80 != 0 && back < 1<<50; first = false {
			if b, err = c.ReadByte(); err != nil {
				return 0, err
			}
			if !first {
				back++
			}
			back = back<<7 | int64(b&0x7f)
		}
		kind = types[at-back]
	case objectTypes[refDelta]:
		var base [rawID]byte
		if _, err := io.ReadFull(c, base[:]); err != nil {
			return 0, err
		}
		kind = g.objects[base].kind
	}
	return kind, g.readObject(c, kind, size, delta)
}

// readObject reads the content of an object or a delta.
func (g *glancer) readObject(c *byteCounter, kind byte, size int64, delta bool) error {
	if g.budget -= size + 64; g.budget < 0 || size < 0 {
		return errGlanced
	}
	if err := g.inflateFrom(c); err != nil {
		return err
	}
	g.counts[kind]++
	if !delta {
		return g.hash(kind, size)
	}
	n, err := io.ReadFull(g.inflate, g.buf[:min(size, 20)])
	if err != nil {
		return err
	}
	_, rest := deltaSize(g.buf[:n])
	if result, _ := deltaSize(rest); kind == objectTypes["blob"] || kind == 0 {
		g.largest = max(g.largest, result)
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, g.inflate, g.buf)
	return err
}

func (g *glancer) inflateFrom(in io.Reader) (err error) {
	if g.inflate == nil {
		g.inflate, err = zlib.NewReader(in)
		return err
	}
	return g.inflate.(zlib.Resetter).Reset(in, nil)
}

// deltaSize reads one of the two sizes at the start of a delta.
func deltaSize(delta []byte) (size int64, rest []byte) {
	for i, b := range delta {
		size |= int64(b&0x7f) << (7 * min(i, 8))
		if b&0x80 == 0 {
			return size, delta[i+1:]
		}
	}
	return 0, nil
}

// hash reads the content of an object, computes its id, and keeps commits and trees.
func (g *glancer) hash(kind byte, size int64) error {
	names := [...]string{1: "commit", 2: "tree", 3: "blob", 4: "tag"}
	if kind < 1 || int(kind) >= len(names) {
		return errGlanced
	}
	sum := sha1.New()
	io.WriteString(sum, names[kind]+" "+strconv.FormatInt(size, 10)+"\x00")
	keep := (kind == 1 || kind == 2) && g.bytes+int(size) <= maxGlanceKept
	var content []byte
	in := io.LimitReader(g.inflate, size+1)
	read := int64(0)
	for {
		n, err := in.Read(g.buf)
		sum.Write(g.buf[:n])
		read += int64(n)
		if keep {
			content = append(content, g.buf[:n]...)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	if read != size {
		return errGlanced
	}
	id := [rawID]byte(sum.Sum(nil))
	g.objects[id] = glancedObject{kind, size}
	if kind == objectTypes["blob"] {
		g.largest = max(g.largest, size)
	}
	if keep {
		g.kept[id] = content
		g.bytes += len(content)
	}
	return nil
}

// readLoose reads an object in a file of its own.
func (g *glancer) readLoose(in *bufio.Reader) error {
	if err := g.inflateFrom(in); err != nil {
		return err
	}
	var head []byte
	for len(head) < 40 && !slices.Contains(head, 0) {
		n, err := g.inflate.Read(g.buf[:1])
		if err != nil {
			return err
		}
		head = append(head, g.buf[:n]...)
	}
	name, length, _ := strings.Cut(strings.TrimSuffix(string(head), "\x00"), " ")
	size, err := strconv.ParseInt(length, 10, 64)
	if g.budget -= size + 64; err != nil || size < 0 || g.budget < 0 {
		return errGlanced
	}
	g.counts[objectTypes[name]&7]++
	return g.hash(objectTypes[name], size)
}

// glance tells what the objects say. whole says that all were read.
func (g *glancer) glance(head string, whole bool) Glance {
	out := Glance{Largest: TreeFile{Size: g.largest}}
	seen, merges := map[[rawID]byte]bool{}, false
	tree := ""
	for id, ok := binaryID(head); ok && !seen[id]; {
		seen[id] = true
		commit, err := ParseCommit(g.kept[id])
		if err != nil {
			break
		}
		if out.Commits++; out.Commits == 1 {
			tree = commit.Tree
		}
		merges = merges || len(commit.Parents) > 1
		if ok = len(commit.Parents) > 0; ok {
			id, ok = binaryID(commit.Parents[0])
		}
	}
	out.Complete = tree != ""
	g.list(tree, "", 0, &out)
	out.Linear = whole && !merges && out.Commits == g.counts[objectTypes["commit"]] && g.counts[objectTypes["tag"]] == 0
	g.nameLargest(&out)
	return out
}

func binaryID(id string) (raw [rawID]byte, ok bool) {
	n, err := hex.Decode(raw[:], []byte(id[:min(len(id), 2*rawID)]))
	return raw, err == nil && n == rawID
}

// maxGlanceDepth bounds the folders within folders.
const maxGlanceDepth = 100

// list adds the files of a tree.
func (g *glancer) list(tree, folder string, depth int, out *Glance) {
	id, ok := binaryID(tree)
	content, kept := g.kept[id]
	if !ok || !kept || depth > maxGlanceDepth {
		out.Complete = false
		return
	}
	entries, err := parseTree(content)
	if err != nil {
		out.Complete = false
		return
	}
	for _, e := range entries {
		if len(out.Files) >= maxGlanceFiles {
			out.Complete = false
			return
		}
		if e.IsTree() {
			g.list(e.ID, folder+e.Name+"/", depth+1, out)
			continue
		}
		f := TreeFile{Path: folder + e.Name, Mode: e.Mode, ID: e.ID}
		if blob, ok := binaryID(e.ID); ok && e.Mode != ModeGitlink {
			found, known := g.objects[blob]
			f.Size = found.size
			out.Complete = out.Complete && known
		}
		out.Files = append(out.Files, f)
	}
}

// nameLargest finds a name of the largest file.
func (g *glancer) nameLargest(out *Glance) {
	for id, object := range g.objects {
		if object.kind != objectTypes["blob"] || object.size != out.Largest.Size {
			continue
		}
		for _, content := range g.kept {
			at := bytes.Index(content, id[:])
			if at < 1 || content[at-1] != 0 {
				continue
			}
			entry := content[:at-1]
			name := string(entry[bytes.LastIndexByte(entry, ' ')+1:])
			if len(name) <= 255 && utf8.ValidString(name) {
				out.Largest.Path = name
				return
			}
		}
	}
}

// parseTree returns the entries of a tree. It fails if the tree isn't well-formed.
func parseTree(content []byte) ([]TreeEntry, error) {
	var entries []TreeEntry
	for len(content) > 0 {
		head, rest, ok := bytes.Cut(content, []byte{0})
		mode, name, spaced := strings.Cut(string(head), " ")
		bits, err := strconv.ParseUint(mode, 8, 32)
		if !ok || !spaced || err != nil || name == "" || len(rest) < rawID {
			return nil, errGlanced
		}
		entries = append(entries, TreeEntry{Mode: uint32(bits), Name: name, ID: hex.EncodeToString(rest[:rawID])})
		content = rest[rawID:]
	}
	return entries, nil
}
