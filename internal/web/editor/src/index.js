// The source editor of wide screens: CodeMirror in a shadow root, so that its
// styles are adopted style sheets, which a strict Content-Security-Policy allows.
import { EditorState, Prec } from "@codemirror/state";
import { EditorView, drawSelection, dropCursor, highlightActiveLine, highlightSpecialChars, keymap, lineNumbers, tooltips } from "@codemirror/view";
import { defaultKeymap, history, historyKeymap, redo, undo } from "@codemirror/commands";
import { search, searchKeymap } from "@codemirror/search";
import { complete, completeTheme, inCode, inside, startCompletion } from "./complete.js";
import { markdown } from "./markdown.js";
import { lineDirection } from "./direction.js";
import { slash } from "./slash.js";
import { changeTable, pasteSheet, tableAt, tables } from "./tables.js";
import { theme } from "./theme.js";

// mount puts an editor in the place of a text field and returns it. It offers as
// much of the field's interface as the form's script uses. The hooks are
// changed(), and keydown, paste and drop, which get the event. What they have for the
// menu after / is described there. The page has the name hooks.page.
export function mount(field, hooks) { return new CodeArea(field, hooks); }

// typeOver types over a selection of several lines. Left to the browser, joining
// the lines makes inline styles, which the page's policy forbids and reports.
function typeOver(event, view) {
  const { doc, selection: { main } } = view.state;
  if (event.inputType !== "insertText" || event.isComposing || event.data === null) return false;
  if (doc.lineAt(main.from).to >= main.to && !event.data.includes("\n")) return false;
  view.dispatch(view.state.replaceSelection(event.data), { userEvent: "input.type", scrollIntoView: true });
  event.preventDefault();
  return true;
}

class CodeArea {
  constructor(field, hooks) {
    this.field = field;
    this.host = document.createElement("div");
    this.host.className = "code";
    this.host.focus = () => this.view.focus();
    const root = this.host.attachShadow({ mode: "open" });
    const hint = document.createElement("p");
    Object.assign(hint, { id: "hint", hidden: true, textContent: "Press Esc, then Tab, to leave the editor." });
    root.append(hint);
    field.after(this.host);
    this.view = new EditorView({
      root, parent: root,
      state: EditorState.create({ doc: field.value, extensions: this.extensions(hooks) }),
    });
    this.fill = (event) => event.formData.set(field.name, this.value);
    field.form.addEventListener("formdata", this.fill);
    field.hidden = true;
  }

  extensions(hooks) {
    const label = this.field.labels[0]?.textContent.trim() ?? "Text";
    const handle = (name) => (event) => { hooks[name](event); return event.defaultPrevented; };
    return [
      lineNumbers(), history(), drawSelection(), dropCursor(), highlightSpecialChars(), highlightActiveLine(),
      EditorView.lineWrapping, lineDirection, theme, completeTheme, complete(hooks.page ?? "", [slash(hooks, (context) => inCode(context) || inside(context, "FrontMatter"))]), tables, markdown, search({ top: true }), tooltips({ position: "absolute" }),
      EditorView.contentAttributes.of({
        "aria-label": label, "aria-describedby": "hint", tabindex: "0", spellcheck: "true", autocorrect: "on", autocapitalize: "sentences",
      }),
      EditorView.updateListener.of((update) => {
        if (!update.docChanged) return;
        this.text = undefined;
        this.syncSoon();
        hooks.changed();
      }),
      EditorView.domEventHandlers({ beforeinput: typeOver }),
      Prec.high(EditorView.domEventHandlers({ keydown: handle("keydown"), paste: (event, view) => pasteSheet(event, view) || handle("paste")(event), drop: (event) => this.drop(event, hooks) })),
      keymap.of([...searchKeymap, ...historyKeymap, ...defaultKeymap]),
    ];
  }

  drop(event, hooks) {
    if (!event.dataTransfer?.files.length) return false;
    const at = this.view.posAtCoords({ x: event.clientX, y: event.clientY });
    if (at !== null) this.setSelectionRange(at, at);
    hooks.drop(event);
    return event.defaultPrevented;
  }

  // ---- what a text field has

  get value() { return this.text ??= this.view.state.doc.toString(); }
  set value(text) {
    if (text !== this.value) this.view.dispatch({ changes: { from: 0, to: this.view.state.doc.length, insert: text } });
  }

  get defaultValue() { return this.field.defaultValue; }
  get selectionStart() { return this.view.state.selection.main.from; }
  get selectionEnd() { return this.view.state.selection.main.to; }

  setSelectionRange(from, to = from) {
    this.view.dispatch({ selection: { anchor: from, head: to }, scrollIntoView: true });
  }

  focus() { this.view.focus(); }

  // ---- what this one has besides

  // replaceRange replaces a range of the text, undoably, and selects from..to.
  replaceRange(start, end, insert, from = start + insert.length, to = from) {
    this.view.dispatch({ changes: { from: start, to: end, insert }, selection: { anchor: from, head: to }, scrollIntoView: true, userEvent: "input" });
  }

  // alignTable aligns the table at the caret, and reports whether there is one.
  alignTable() { return tableAt(this.view.state, this.selectionStart) !== null && changeTable(this.view, "tidy"); }
  complete() { startCompletion(this.view); }
  undo() { undo(this.view); }
  redo() { redo(this.view); }

  // syncSoon copies the text into the field once the writer pauses. A form that is
  // sent earlier gets it from the formdata event.
  syncSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.sync(), 1000);
  }

  sync() {
    clearTimeout(this.timer);
    this.field.value = this.value;
  }

  // unmount brings the field back with the text and the selection.
  unmount() {
    this.sync();
    const { selectionStart, selectionEnd } = this;
    this.field.form.removeEventListener("formdata", this.fill);
    this.view.destroy();
    this.host.remove();
    this.field.hidden = false;
    this.field.setSelectionRange(selectionStart, selectionEnd);
  }
}
