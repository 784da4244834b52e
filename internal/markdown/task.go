package markdown

import (
	"html"
	"regexp"

	"github.com/yuin/goldmark/ast"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
)

var kindTaskState = ast.NewNodeKind("TaskState")

// A taskState is the box of a task that is neither open nor done, as in Obsidian:
// "- [/] text".
type taskState struct {
	ast.BaseInline
	sign byte
}

func (n *taskState) Kind() ast.NodeKind      { return kindTaskState }
func (n *taskState) Dump(src []byte, lv int) { ast.DumpHelper(n, src, lv, nil, nil) }

// taskStates are the names of the states.
var taskStates = map[byte]string{
	'/': "In progress", '-': "Canceled", '>': "Forwarded", '<': "Scheduled",
	'?': "Question", '!': "Important", '*': "Star", '"': "Quote",
}

type taskStateParser struct{}

func (taskStateParser) Trigger() []byte { return []byte{'['} }

var taskStateForm = regexp.MustCompile(`^\[([/\-><?!*"])\][ \t]+[^\s]`)

func (taskStateParser) Parse(parent ast.Node, block text.Reader, _ parser.Context) ast.Node {
	item, ok := parent.Parent().(*ast.ListItem)
	if !ok || item.FirstChild() != parent || parent.HasChildren() {
		return nil
	}
	line, _ := block.PeekLine()
	if !taskStateForm.Match(line) {
		return nil
	}
	n := &taskState{sign: line[1]}
	block.Advance(len("[/] "))
	return n
}

// A taskParser finds the boxes of tasks. Unlike goldmark's, it wants a space after
// them, so that "- [x](address)" is a link.
type taskParser struct{ parser.InlineParser }

var taskForm = regexp.MustCompile(`^\[[ \txX]\](?:\s|$)`)

func (p taskParser) Parse(parent ast.Node, block text.Reader, pc parser.Context) ast.Node {
	if line, _ := block.PeekLine(); !taskForm.Match(line) {
		return nil
	}
	return p.InlineParser.Parse(parent, block, pc)
}

// taskBox returns the box that begins a list item, or nil.
func taskBox(item ast.Node) ast.Node {
	if item.FirstChild() == nil || item.FirstChild().FirstChild() == nil {
		return nil
	}
	first := item.FirstChild().FirstChild()
	if k := first.Kind(); k == extast.KindTaskCheckBox || k == kindTaskState {
		return first
	}
	return nil
}

// writeTaskBox writes the box of a task: a checkbox, or the sign of its state.
func (w *writer) writeTaskBox(n ast.Node) {
	switch n := n.(type) {
	case *taskState:
		w.write(`<span class="state" role="img" aria-label="`, taskStates[n.sign], `">`, html.EscapeString(string(n.sign)), "</span>")
	case *extast.TaskCheckBox:
		w.write(`<input type="checkbox" disabled`)
		if n.IsChecked {
			w.write(" checked")
		}
		w.write(">")
	}
}
