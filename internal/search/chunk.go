package search

import (
	"crypto/sha256"
	"slices"
	"strings"

	"robot.wtf/internal/minilm"
	"robot.wtf/internal/wiki"
)

// A Model turns text into its meaning: a unit vector of minilm.Dim floats of its
// first minilm.TextTokens tokens. *minilm.Model is the one; it must be safe for
// concurrent use.
type Model interface {
	Tokens(text string) []minilm.Token
	Embed(text string) []float32
}

// cutting names the model and how texts are cut for it. Vectors of another one
// do not compare, so an index that has such is built anew.
const chunkScheme = "all-MiniLM-L6-v2, sections 1"

// Sizes in tokens.
const (
	chunkTokens   = minilm.TextTokens
	prefixTokens  = 48  // of the headings in front, at most
	mergeTokens   = 128 // neighbours that are not longer together are one chunk,
	smallTokens   = 32  // and so is a small one with its neighbour, if there is room
	overlapTokens = 32  // that a chunk repeats of the one before in the same section
	maxChunks     = 1000
)

// A chunk is a piece of a page that has one vector: some of its sections, or a
// piece of one.
type chunk struct {
	first, last int    // numbers of its sections
	start       int    // byte of the first section's text where it begins
	text        string // that is embedded, with the headings above it in front
}

func (c chunk) hash() string {
	sum := sha256.Sum256([]byte(c.text))
	return string(sum[:16])
}

// A cutter cuts one page.
type chunker struct {
	model  Model
	name   wiki.PageName
	title  string
	chunks []chunk

	group struct { // sections that will be one chunk
		first, last, tokens int // no tokens for no section
		text                strings.Builder
	}
	sections []section
}

// cutPage cuts a page into chunks of at most 256 tokens, each with the page's
// name and the headings above it in front. Tags and attachments are in none. A
// page without a text is one chunk of its name. Of a page that has more than
// 1,000 chunks (some 800 KB), the rest is found by its words alone.
func chunkPage(m Model, d document) []chunk {
	c := &chunker{model: m, name: d.name, title: d.title, sections: d.sections}
	for i, s := range d.sections {
		if s.line == 0 || s.text == "" && (s.heading == "" || c.hasSubsection(i)) || len(c.chunks) >= maxChunks {
			continue
		}
		c.addSection(i, s)
	}
	c.flush()
	if len(c.chunks) == 0 {
		c.chunks = []chunk{{text: c.headingPrefix(nil)}}
	}
	return c.chunks[:min(len(c.chunks), maxChunks)]
}

// leadsOn reports whether the next section stands below this one, and so has its
// heading in front.
func (c *chunker) hasSubsection(i int) bool {
	path := c.sections[i].path
	return i+1 < len(c.sections) && len(c.sections[i+1].path) > len(path) && slices.Equal(c.sections[i+1].path[:len(path)], path)
}

func (c *chunker) addSection(i int, s section) {
	tokens := c.model.Tokens(s.text)
	prefix := c.headingPrefix(s.path)
	room := chunkTokens - len(c.model.Tokens(prefix))
	g := &c.group
	if g.tokens > 0 {
		inline := s.heading + ". " + s.text
		both := g.tokens + len(c.model.Tokens(inline))
		if both <= mergeTokens || both <= chunkTokens && (g.tokens < smallTokens || len(tokens) < smallTokens) {
			g.last, g.tokens = i, both
			g.text.WriteString(" " + inline)
			return
		}
		c.flush()
	}
	if len(tokens) > room {
		c.splitSection(i, prefix, s.text, tokens, room)
		return
	}
	g.first, g.last = i, i
	g.tokens = max(1, chunkTokens-room+len(tokens))
	g.text.WriteString(prefix + s.text)
}

// flush makes a chunk of the sections that were collected.
func (c *chunker) flush() {
	g := &c.group
	if g.tokens > 0 {
		c.chunks = append(c.chunks, chunk{first: g.first, last: g.last, text: g.text.String()})
	}
	g.tokens = 0
	g.text.Reset()
}

// split cuts a section that is too long: where a sentence ends if one does near
// the end of a piece, else between words.
func (c *chunker) splitSection(i int, prefix, text string, tokens []minilm.Token, room int) {
	for start := 0; len(c.chunks) < maxChunks; {
		end := min(start+room, len(tokens))
		if end < len(tokens) {
			end = findCut(text, tokens, start+room*3/4, end)
		}
		from, to := tokens[start].Start, tokens[end-1].End
		c.chunks = append(c.chunks, chunk{first: i, last: i, start: from, text: prefix + text[from:to]})
		if end == len(tokens) {
			return
		}
		next := max(end-overlapTokens, start+1)
		for next < end && tokens[next].Inner {
			next++
		}
		start = next
	}
}

// cutAt is where to cut between two tokens: after the last sentence, or before
// the last word.
func findCut(text string, tokens []minilm.Token, least, most int) int {
	for end := most; end > least; end-- {
		if last := tokens[end-1]; strings.Contains(".!?。！？", text[last.Start:last.End]) {
			return end
		}
	}
	for end := most; end > least; end-- {
		if !tokens[end].Inner {
			return end
		}
	}
	return most
}

// headings is what stands in front of a chunk: the page's name and the headings
// down to its section, the last of each if all is too long.
func (c *chunker) headingPrefix(path []string) string {
	names := strings.Split(strings.ReplaceAll(string(c.name), "_", " "), "/")
	if c.title != "" {
		names[len(names)-1] = c.title
	}
	parts := slices.CompactFunc(append(names, path...), strings.EqualFold) // "# Home" on Home
	text := strings.Join(parts, ". ") + ". "
	if len(c.model.Tokens(text)) <= prefixTokens {
		return text
	}
	text = parts[len(parts)-1]
	tokens := c.model.Tokens(text)
	if len(tokens) > prefixTokens {
		text = text[:tokens[prefixTokens-1].End]
	}
	return text + ". "
}
