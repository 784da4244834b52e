package gitrepo

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Packs holds the open packs of a repository, which can be sent as one. Packs
// removed in the meantime stay readable.
type Packs struct {
	names   []string
	files   []*os.File
	bodies  []int64 // size of each without header and checksum
	objects uint32  // total
}

// OpenPacks opens all current packs of a repository.
func (r *Repo) OpenPacks() (*Packs, error) {
	names, err := filepath.Glob(filepath.Join(r.dir, "objects", "pack", "pack-*.idx")) // a complete pack has an index
	if err != nil {
		return nil, err
	}
	p := &Packs{}
	for _, name := range names {
		if err := p.open(strings.TrimSuffix(name, ".idx") + ".pack"); err != nil {
			p.Close()
			return nil, err
		}
	}
	return p, nil
}

func (p *Packs) open(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	p.names, p.files = append(p.names, name), append(p.files, f)
	info, err := f.Stat()
	if err != nil {
		return err
	}
	var head [packHeader]byte
	if _, err := io.ReadFull(f, head[:]); err != nil {
		return err
	}
	body := info.Size() - packHeader - sha1.Size
	objects := binary.BigEndian.Uint32(head[8:])
	if string(head[:4]) != "PACK" || binary.BigEndian.Uint32(head[4:]) != 2 || body < 0 || p.objects+objects < objects {
		return fmt.Errorf("gitrepo: %s is not a version 2 pack", filepath.Base(name))
	}
	p.bodies = append(p.bodies, body)
	p.objects += objects
	return nil
}

// Close closes the packs.
func (p *Packs) Close() {
	for _, f := range p.files {
		f.Close()
	}
}

// Objects returns the total number of objects.
func (p *Packs) Objects() int { return int(p.objects) }

// Key identifies the set of packs.
func (p *Packs) Key() string { return strings.Join(p.names, "\n") }

// Disjoint reports whether no object is in two of the packs: strict clients
// reject a pack with duplicate objects. It reads the packs' indexes
// (gitformat-pack(5), version 2).
func (p *Packs) Disjoint() (bool, error) {
	if len(p.files) < 2 {
		return true, nil
	}
	ids := make([][sha1.Size]byte, 0, p.objects)
	for _, name := range p.names {
		file := strings.TrimSuffix(name, ".pack") + ".idx"
		index, err := os.ReadFile(file)
		if err != nil {
			return false, err
		}
		const fanout = 8 + 256*4
		if len(index) < fanout || !bytes.HasPrefix(index, []byte("\xfftOc\x00\x00\x00\x02")) {
			return false, fmt.Errorf("gitrepo: %s is not a version 2 index", filepath.Base(file))
		}
		n := int(binary.BigEndian.Uint32(index[fanout-4:]))
		if len(index) < fanout+n*sha1.Size {
			return false, fmt.Errorf("gitrepo: %s is truncated", filepath.Base(file))
		}
		for i := range n {
			ids = append(ids, [sha1.Size]byte(index[fanout+i*sha1.Size:]))
		}
	}
	slices.SortFunc(ids, func(a, b [sha1.Size]byte) int { return bytes.Compare(a[:], b[:]) })
	for i := 1; i < len(ids); i++ {
		if ids[i] == ids[i-1] {
			return false, nil
		}
	}
	return true, nil
}

// WriteTo writes all packs as one. Entries are copied unchanged, because deltas
// name their base by id or by relative offset. If a pack's checksum is wrong,
// WriteTo fails with ErrDamaged after copying it.
func (p *Packs) WriteTo(w io.Writer) (written int64, err error) {
	total := sha1.New()
	out := func(data []byte) error {
		total.Write(data)
		n, err := w.Write(data)
		written += int64(n)
		return err
	}
	head := binary.BigEndian.AppendUint32([]byte("PACK\x00\x00\x00\x02"), p.objects)
	if err := out(head); err != nil {
		return written, err
	}
	buf := make([]byte, 64<<10)
	for i, f := range p.files {
		own := total
		if len(p.files) > 1 {
			own = sha1.New()
			if _, err := io.CopyN(own, io.NewSectionReader(f, 0, packHeader), packHeader); err != nil {
				return written, err
			}
		}
		for at := int64(0); at < p.bodies[i]; {
			n, err := f.ReadAt(buf[:min(int64(len(buf)), p.bodies[i]-at)], packHeader+at)
			if n == 0 && err != nil {
				return written, err
			}
			at += int64(n)
			if own != total {
				own.Write(buf[:n])
			}
			if err := out(buf[:n]); err != nil {
				return written, err
			}
		}
		var end [sha1.Size]byte
		if _, err := f.ReadAt(end[:], packHeader+p.bodies[i]); err != nil && err != io.EOF {
			return written, err
		}
		if !bytes.Equal(end[:], own.Sum(nil)) {
			return written, fmt.Errorf("%w: %s", ErrDamaged, filepath.Base(p.names[i]))
		}
	}
	n, err := w.Write(total.Sum(nil))
	return written + int64(n), err
}
