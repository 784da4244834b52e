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

// The columns: parts of a page that are weighted differently.
const (
	inName     = iota // its name and the title in its front matter
	inHeadings        // also tags and attachments
	inBody
	columnCount
)

// columnWeights weights occurrences by column: one in the name counts as much as
// ten in the text.
var columnWeights = [columnCount]float64{inName: 10, inHeadings: 4, inBody: 1}

// A position is the position of a word on its page: the column in the upper two
// bits, then the index of the word in that column. Consecutive words have
// consecutive positions. One index is skipped between separate texts, such as
// two sections, so that phrases don't match across them.
type position uint32

const columnBits = 30

func (p position) column() int { return int(p >> columnBits) }

// positions are the positions of all words of a page, by stem.
type positions map[string][]position

// pagePositions returns the positions of a page's words and the number of words.
// name and title are stems joined by spaces, as stored in pages.
func pagePositions(name, title string, sections []section) (positions, int) {
	result := positions{}
	var next [columnCount]position
	size := 0
	add := func(column int, stem string) {
		result[stem] = append(result[stem], position(column)<<columnBits|next[column])
		next[column]++
		size++
	}
	for _, text := range []string{name, title} {
		for stem := range strings.FieldsSeq(text) {
			add(inName, stem)
		}
		next[inName]++
	}
	stems := map[string]string{} // by word; most words of a page repeat
	addText := func(column int, text string) {
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
		if s.line == 0 { // tags and attachments weigh as much as headings
			addText(inHeadings, s.text)
			continue
		}
		addText(inHeadings, s.heading)
		addText(inBody, s.text)
	}
	return result, size
}

// blockPages is how many pages share a row of postings. A larger block makes
// each save rewrite more; a smaller one makes each query read more rows.
const blockPages = 64

// packPosting encodes a posting, the positions of one word on one page, as
// uvarints:
//
//	page's offset in its block << 3 | a bit for each column with positions
//	for each of these columns: the number of positions, and each one's distance from the previous
//
// A list is the postings of a block ordered by offset.
func packPosting(offset int, list []position) []byte {
	var count [columnCount]int
	for _, p := range list {
		count[p.column()]++
	}
	head := uint64(offset) << columnCount
	for c, n := range count {
		if n > 0 {
			head |= 1 << c
		}
	}
	packed := binary.AppendUvarint(make([]byte, 0, len(list)+4), head)
	for c, n := range count {
		if n == 0 {
			continue
		}
		packed = binary.AppendUvarint(packed, uint64(n))
		last := position(c) << columnBits
		for _, p := range list[:n] {
			packed = binary.AppendUvarint(packed, uint64(p-last))
			last = p
		}
		list = list[n:]
	}
	return packed
}

// A listReader reads the postings of one list.
type listReader struct {
	rest      []byte
	positions []position // of the last posting read
}

// next reads a posting. It returns the page's offset and the posting in packed
// form, and stores its positions. more is false at the end of the list.
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
		return 0, nil, false, fmt.Errorf("%w: malformed posting list", errStale)
	}
	packed, r.rest = r.rest[:i], r.rest[i:]
	return offset, packed, true, nil
}

// spliceList replaces a list's postings of the changed pages, by offset. A nil
// posting removes the page.
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

// A listKey identifies a word's list in one block.
type listKey struct {
	block int64
	stem  string
}

// postings collects changes to lists, so that each list is written once.
type postings struct {
	changed map[listKey]map[int][]byte
	bytes   int
}

func newPostings() *postings { return &postings{changed: map[listKey]map[int][]byte{}} }

// maxPostingBytes bounds the changes collected before they are written.
const maxPostingBytes = 8 << 20

// replacePage records that a page's words have changed positions.
func (c *postings) replacePage(page int64, old, now positions) {
	block, offset := page/blockPages, int(page%blockPages)
	record := func(stem string, packed []byte) {
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
			record(stem, nil)
		}
	}
	for stem, list := range now {
		if !slices.Equal(list, old[stem]) {
			record(stem, packPosting(offset, list))
		}
	}
}

// flush writes the collected changes.
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

// readLists returns a block's lists of the given words.
func readLists(ctx context.Context, tx *sqlite.Statements, block int64, stems []string) (map[string][]byte, error) {
	wanted, err := json.Marshal(stems)
	if err != nil {
		return nil, err
	}
	rows, err := tx.Rows(ctx, "SELECT stem, list FROM postings WHERE block = $1 AND stem IN (SELECT value FROM json_each($2))", block, string(wanted))
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
