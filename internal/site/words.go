package site

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Bounds of the search index.
const (
	// maxPostings bounds the memory of the index, in bytes. Beyond it, pages are
	// found by their titles and tags alone.
	maxPostings = 48 << 20
	// shardBytes is the size of a file of the index that a query loads.
	shardBytes = 64 << 10
	maxShards  = 1024
	// textShard is the size of a file with titles and texts, from which excerpts are
	// cut. A query loads those of its results.
	textShard   = 64 << 10
	maxText     = 16 << 10 // bytes of a page's text in it
	maxWord     = 32       // runes of a word that is indexed
	maxWeight   = 15       // of a word in a page's text
	titleWeight = 30
	tagWeight   = 20
)

// A wordIndex lists the pages of each word. It is searched by search.js, which splits
// a query into words in the same way.
type wordIndex struct {
	words map[string]*postings
	bytes int // rough size in memory
	pages int
}

// postings are a word's pages: the distance to the last page and the weight, as
// varints.
type postings struct {
	last int
	data []byte
}

func newWordIndex() *wordIndex { return &wordIndex{words: map[string]*postings{}} }

// isFull reports whether no more text is indexed.
func (x *wordIndex) isFull() bool { return x.bytes > maxPostings }

// add adds the next page.
func (x *wordIndex) add(title string, tags []string, text string) {
	weights := map[string]int{}
	if !x.isFull() {
		eachWord(text, func(w string) { weights[w] = min(weights[w]+1, maxWeight) })
	}
	for _, t := range tags {
		eachWord(t, func(w string) { weights[w] += tagWeight })
	}
	eachWord(title, func(w string) { weights[w] += titleWeight })
	for w, weight := range weights {
		p := x.words[w]
		if p == nil {
			p = &postings{last: -1}
			x.words[w] = p
			x.bytes += 100 + len(w)
		}
		before := cap(p.data)
		p.data = binary.AppendUvarint(p.data, uint64(x.pages-p.last))
		p.data = binary.AppendUvarint(p.data, uint64(weight))
		p.last = x.pages
		x.bytes += cap(p.data) - before
	}
	x.pages++
}

// write hands out the files of the index: scripts that assign to robotWords.
func (x *wordIndex) write(emit func(shard int, script []byte) error) (shards int, err error) {
	total := 0
	for w, p := range x.words {
		total += len(w) + 2*len(p.data) + 6
	}
	shards = min(total/shardBytes+1, maxShards)
	byShard := make([][]string, shards)
	for _, w := range slices.Sorted(maps.Keys(x.words)) {
		n := shardOf(w, shards)
		byShard[n] = append(byShard[n], w)
	}
	for n, words := range byShard {
		var b strings.Builder
		fmt.Fprintf(&b, "(window.robotWords=window.robotWords||[])[%d]={", n)
		for i, w := range words {
			if i > 0 {
				b.WriteByte(',')
			}
			b.Write(scriptText(w))
			b.WriteString(":[")
			for data := x.words[w].data; len(data) > 0; {
				v, size := binary.Uvarint(data)
				fmt.Fprintf(&b, "%d", v)
				if data = data[size:]; len(data) > 0 {
					b.WriteByte(',')
				}
			}
			b.WriteByte(']')
		}
		b.WriteString("};\n")
		if err := emit(n, []byte(b.String())); err != nil {
			return shards, err
		}
	}
	return shards, nil
}

// shardOf chooses a word's file by its first two characters, so that all words with a
// common beginning are in one.
func shardOf(word string, shards int) int {
	hash, n := 0, 0
	for _, r := range word {
		hash = hash*31 + int(r)
		if n++; n == 2 {
			break
		}
	}
	return hash % shards
}

// scriptText returns a value as JSON, which is also JavaScript (ECMA-262, 2019).
func scriptText(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil { // not for strings, numbers and lists of them
		panic(err)
	}
	return text
}

// eachWord calls found with each word of a text: runs of letters and digits in
// lowercase without accents, and pairs of characters in scripts that write no spaces.
func eachWord(text string, found func(string)) {
	var word []rune
	wide := false
	end := func() {
		switch {
		case len(word) == 0 || len(word) > maxWord && !wide:
		case !wide || len(word) == 1:
			found(string(word))
		default:
			for i := range len(word) - 1 {
				found(string(word[i : i+2]))
			}
		}
		word = word[:0]
	}
	for _, r := range norm.NFKD.String(text) {
		r = unicode.ToLower(r)
		if r == 'ς' {
			r = 'σ'
		}
		switch {
		case unicode.Is(unicode.M, r):
		case !unicode.IsLetter(r) && !unicode.Is(unicode.N, r):
			end()
		default:
			if now := unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai); now != wide {
				end()
				wide = now
			}
			word = append(word, r)
		}
	}
	end()
}
