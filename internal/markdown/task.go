package markdown

import (
	"html"
	"html/template"
	"regexp"
	"strconv"
	"strings"

	"github.com/yuin/goldmark/ast"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"

	"robot.wtf/internal/wiki"
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
	line, segment := block.PeekLine()
	if !taskForm.Match(line) {
		return nil
	}
	n := p.InlineParser.Parse(parent, block, pc)
	if n != nil && segment.Padding == 0 {
		n.SetAttribute(taskOffset, segment.Start+len("["))
	}
	return n
}

// taskOffset is the attribute of a task's box with the offset, in the document's
// source, of the character in the brackets.
var taskOffset = []byte("offset")

// A Task is a task of a page whose box can be ticked.
type Task struct {
	Line   int // in the page, from 1
	Offset int // of the character in the brackets, in bytes
	Done   bool
	Text   string // plain, on one line
}

// Tasks lists the tasks of a page, in order, without those of embedded pages. A page
// over a limit has none.
func Tasks(name wiki.PageName, source []byte) []Task {
	d := tryParse(name, source)
	if d == nil {
		return nil
	}
	var list []Task
	_ = ast.Walk(d.root, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if item, ok := n.(*ast.ListItem); ok && entering {
			if t, ok := d.task(taskBox(item)); ok {
				t.Text = d.plainText(item.FirstChild())
				list = append(list, t)
			}
		}
		return ast.WalkContinue, nil
	})
	return list
}

// task returns the task of a box, without its text, and whether it can be ticked.
func (d *document) task(n ast.Node) (Task, bool) {
	box, ok := n.(*extast.TaskCheckBox)
	if !ok {
		return Task{}, false
	}
	at, ok := box.Attribute(taskOffset)
	if !ok {
		return Task{}, false
	}
	offset := at.(int)
	return Task{Line: d.lineAt(offset), Offset: d.offset(offset), Done: box.IsChecked}, true
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

// writeTask writes the first paragraph of a task after its box. A task of the page
// itself, which can be ticked, has its line as the value of its box and in its id.
func (w *writer) writeTask(box, paragraph ast.Node) {
	paragraph.RemoveChild(paragraph, box)
	t, ok := w.doc.task(box)
	if !ok || len(w.embeds) > 0 {
		w.write("<label>")
		w.writeTaskBox(box, "")
		w.writeWrapped(" <span>", paragraph, "</span></label>\n")
		return
	}
	w.tasks++
	id := idPrefix + "task:" + strconv.Itoa(t.Line)
	w.write(`<span class="task">`)
	w.writeTaskBox(box, ` value="`+strconv.Itoa(t.Line)+`" aria-labelledby="`+id+`"`)
	w.writeWrapped(` <span id="`+id+`">`, paragraph, "</span></span>\n")
}

// writeTaskBox writes the box of a task: a checkbox with more attributes, or the sign
// of its state.
func (w *writer) writeTaskBox(n ast.Node, attributes string) {
	switch n := n.(type) {
	case *taskState:
		w.write(`<span class="state" role="img" aria-label="`, taskStates[n.sign], `">`, html.EscapeString(string(n.sign)), "</span>")
	case *extast.TaskCheckBox:
		w.write(`<input type="checkbox" disabled`)
		if n.IsChecked {
			w.write(" checked")
		}
		w.write(attributes, ">")
	}
}

// TaskAnchor is the fragment of the task on a line of the page.
func TaskAnchor(line int) string { return "#" + idPrefix + "task:" + strconv.Itoa(line) }

// taskBoxForm matches the box of a task as Page.HTML has it. Nothing in a page can look
// like one: the renderer passes no raw input tags on.
var taskBoxForm = regexp.MustCompile(`<input type="checkbox" disabled=""( checked="")? value="([0-9]+)"( aria-labelledby="[^"]*")>`)

// Tickable returns rendered HTML with the boxes of tasks as buttons of the form of an
// id. A button's name is "task", and its value the line and the state that it sets,
// "12 done" or "12 open".
func Tickable(rendered template.HTML, form string) template.HTML {
	button := func(checked, next string) string {
		return `<button class="tick" role="checkbox" aria-checked="` + checked + `" form="` + form + `" name="task" value="$2 ` + next + `"$3></button>`
	}
	open, done := button("false", "done"), button("true", "open")
	return template.HTML(taskBoxForm.ReplaceAllStringFunc(string(rendered), func(box string) string {
		with := open
		if strings.Contains(box, " checked") {
			with = done
		}
		return taskBoxForm.ReplaceAllString(box, with)
	}))
}
