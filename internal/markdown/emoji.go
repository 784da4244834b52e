package markdown

import (
	_ "embed"
	"math"
	"regexp"
	"strings"
	"sync"

	emojitable "github.com/yuin/goldmark-emoji/definition"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
)

var kindEmoji = ast.NewNodeKind("Emoji")

// An emoji is a character that is written by its name.
type emoji struct {
	ast.BaseInline
	name, char string
}

func (n *emoji) Kind() ast.NodeKind      { return kindEmoji }
func (n *emoji) Dump(src []byte, lv int) { ast.DumpHelper(n, src, lv, nil, nil) }

// emojiParser replaces GitHub's names of emoji, such as :smile:, by the characters.
type emojiParser struct{}

func (emojiParser) Trigger() []byte { return []byte{':'} }

var (
	emojiForm = regexp.MustCompile(`^:([a-z0-9_+-]{1,50}):`)
	emojis    = sync.OnceValue(func() emojitable.Emojis { return emojitable.Github() })
)

func (emojiParser) Parse(_ ast.Node, block text.Reader, _ parser.Context) ast.Node {
	line, _ := block.PeekLine()
	if len(line) < 3 || line[1] == ' ' || line[1] == '\n' || isWord(block.PrecendingCharacter()) {
		return nil
	}
	m := emojiForm.FindSubmatch(line)
	if m == nil {
		return nil
	}
	found, ok := emojis().Get(string(m[1]))
	if !ok || !found.IsUnicode() {
		return nil
	}
	block.Advance(len(m[0]))
	return &emoji{name: string(m[1]), char: string(found.Unicode)}
}

// textWithNames returns the text of a heading with the names of its emoji, or "" if
// it has none. GitHub makes the heading's id from it.
func (d *document) textWithNames(n ast.Node) string {
	var b strings.Builder
	found := false
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		if e, ok := c.(*emoji); ok {
			found = true
			b.WriteString(e.name)
			continue
		}
		d.writePlainText(&b, c, math.MaxInt)
	}
	if !found {
		return ""
	}
	return oneLine(b.String())
}

// An EmojiName is a name that is written between colons, and its character.
type EmojiName struct{ Name, Char string }

//go:embed emoji.txt
var emojiNames string // the names in goldmark-emoji's table, which can't be listed

// EmojiNames lists GitHub's names of emoji, sorted.
var EmojiNames = sync.OnceValue(func() []EmojiName {
	var list []EmojiName
	for name := range strings.FieldsSeq(emojiNames) {
		if e, ok := emojis().Get(name); ok && e.IsUnicode() {
			list = append(list, EmojiName{name, string(e.Unicode)})
		}
	}
	return list
})
