package search

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"robot.wtf/internal/sqlite"
)

// The parts of a page that its words stand in.
const (
	inName = iota // its name, and the title in its front matter
	inHeadings
	inBody
	columnCount
)

// weights of a word's places, by column: one in the name counts as ten in the text.
var columnWeights = [columnCount]float64{inName: 10, inHeadings: 4, inBody: 1}

// A place is where a word stands on its page: the column in the upper two bits,
// and below them the number of the word in that column. Words that follow each
// other in a text have places that follow each other; between texts that do not
// go on, such as two sections, one number is left out.
type position uint32

const columnBits = 30

func (p position) column() int { return int(p >> columnBits) }

// places are those of all the words of a page, by stem.
type positions map[string][]position

// placesOf gives the places of a page's words, and how many words it has. name
// and title are stems joined by blanks, as pages has them.
func pagePositions(name, title string, sections []section) (positions, int) {
	all := positions{}
	var next [columnCount]position
	size := 0
	add := func(column int, stem string) {
		all[stem] = append(all[stem], position(column)<<columnBits|next[column])
		next[column]++
		size++
	}
	for _, text := range []string{name, title} {
		for stem := range strings.FieldsSeq(text) {
			add(inName, stem)
		}
		next[inName]++
	}
	stems := map[string]string{} // of this page's words, most of which come again
	text := func(column int, text string) {
		for t := range tokenize(text) {
			s, ok := stems[t.word]
			if !ok {
				s = t.stem()
				stems[t.word] = s
			}
			add(column, s)
		}
		next[column]++
	}
	for _, s := range sections {
		if s.line == 0 { // tags and attachments tell as much as a heading
			text(inHeadings, s.text)
			continue
		}
		text(inHeadings, s.heading)
		text(inBody, s.text)
	}
	return all, size
}

// blockPages is how many pages share a row of postings. With more, a save has
// more to write again; with fewer, a query has more rows to read.
const blockPages = 64

// A posting is one page's places of one word, packed: uvarints of
//
//	page's offset in its block << 3 | columns that have places, a bit each
//	for each of these columns: how many, and each one's distance from the last
//
// A list is the postings of a block in order of their offsets.
func packPosting(offset int, at []position) []byte {
	var count [columnCount]int
	for _, p := range at {
		count[p.column()]++
	}
	head := uint64(offset) << columnCount
	for c, n := range count {
		if n > 0 {
			head |= 1 << c
		}
	}
	packed := binary.AppendUvarint(make([]byte, 0, len(at)+4), head)
	for c, n := range count {
		if n == 0 {
			continue
		}
		packed = binary.AppendUvarint(packed, uint64(n))
		last := position(c) << columnBits
		for _, p := range at[:n] {
			packed = binary.AppendUvarint(packed, uint64(p-last))
			last = p
		}
		at = at[n:]
	}
	return packed
}

// A listReader reads the postings of one list.
type listReader struct {
	rest      []byte
	positions []position // of the posting that was read last
}

// next reads the next posting, and gives the page's offset and the posting as
// it is packed; false at the end. Its places are in at.
func (r *listReader) next() (offset int, packed []byte, more bool, err error) {
	if len(r.rest) == 0 {
		return 0, nil, false, nil
	}
	i, bad := 0, false
	number := func() uint64 {
		if i < len(r.rest) && r.rest[i] < 0x80 {
			i++
			return uint64(r.rest[i-1])
		}
		v, n := binary.Uvarint(r.rest[i:])
		if n <= 0 {
			bad = true
			return 0
		}
		i += n
		return v
	}
	r.positions = r.positions[:0]
	head := number()
	for c := range columnCount {
		if head&(1<<c) == 0 {
			continue
		}
		last := position(c) << columnBits
		for n := number(); n > 0 && !bad; n-- {
			last += position(number())
			r.positions = append(r.positions, last)
		}
	}
	if offset = int(head >> columnCount); bad || offset >= blockPages {
		return 0, nil, false, fmt.Errorf("%w: a list of postings is broken", errStale)
	}
	packed, r.rest = r.rest[:i], r.rest[i:]
	return offset, packed, true, nil
}

// splice puts postings in the place of those that a list has of the same pages;
// an empty one takes the page out.
func spliceList(list []byte, changed map[int][]byte) ([]byte, error) {
	offsets := slices.Sorted(maps.Keys(changed))
	out := make([]byte, 0, len(list)+16*len(changed))
	r := listReader{rest: list}
	for {
		offset, packed, more, err := r.next()
		if err != nil {
			return nil, err
		}
		for len(offsets) > 0 && (!more || offsets[0] <= offset) {
			out = append(out, changed[offsets[0]]...)
			offsets = offsets[1:]
		}
		if !more {
			return out, nil
		}
		if _, ok := changed[offset]; !ok {
			out = append(out, packed...)
		}
	}
}

// A word's list in one block.
type listKey struct {
	block int64
	stem  string
}

// postings collects what changes in the lists, so that each is written once.
type postings struct {
	changed map[listKey]map[int][]byte
	bytes   int
}

func newPostings() *postings { return &postings{changed: map[listKey]map[int][]byte{}} }

// collectBytes bounds what is collected before it is written.
const maxPostingBytes = 8 << 20

// replace notes that the words of a page stand elsewhere now.
func (c *postings) replacePage(page int64, old, now positions) {
	block, offset := page/blockPages, int(page%blockPages)
	note := func(stem string, packed []byte) {
		key := listKey{block, stem}
		if c.changed[key] == nil {
			c.changed[key] = map[int][]byte{}
			c.bytes += len(stem) + 64
		}
		c.changed[key][offset] = packed
		c.bytes += len(packed) + 32
	}
	for stem := range old {
		if now[stem] == nil {
			note(stem, nil)
		}
	}
	for stem, at := range now {
		if !slices.Equal(at, old[stem]) {
			note(stem, packPosting(offset, at))
		}
	}
}

// write brings what was collected into the lists.
func (c *postings) flush(ctx context.Context, tx *sqlite.Statements) error {
	stems := map[int64][]string{}
	for key := range c.changed {
		stems[key.block] = append(stems[key.block], key.stem)
	}
	for _, block := range slices.Sorted(maps.Keys(stems)) {
		lists, err := readLists(ctx, tx, block, stems[block])
		if err != nil {
			return err
		}
		slices.Sort(stems[block])
		for _, stem := range stems[block] {
			list, err := spliceList(lists[stem], c.changed[listKey{block, stem}])
			switch {
			case err != nil:
				return err
			case len(list) > 0:
				err = tx.Exec(ctx, `INSERT INTO postings (stem, block, list) VALUES ($1, $2, $3)
					ON CONFLICT (stem, block) DO UPDATE SET list = excluded.list`, stem, block, list)
			default:
				err = tx.Exec(ctx, "DELETE FROM postings WHERE stem = $1 AND block = $2", stem, block)
			}
			if err != nil {
				return err
			}
		}
	}
	c.changed, c.bytes = map[listKey]map[int][]byte{}, 0
	return nil
}

// readLists reads the lists that a block has of some words.
func readLists(ctx context.Context, tx *sqlite.Statements, block int64, stems []string) (map[string][]byte, error) {
	asked, err := json.Marshal(stems)
	if err != nil {
		return nil, err
	}
	rows, err := tx.Rows(ctx, "SELECT stem, list FROM postings WHERE block = $1 AND stem IN (SELECT value FROM json_each($2))", block, string(asked))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	lists := map[string][]byte{}
	for rows.Next() {
		var stem string
		var list []byte
		if err := rows.Scan(&stem, &list); err != nil {
			return nil, err
		}
		lists[stem] = list
	}
	return lists, rows.Err()
}
