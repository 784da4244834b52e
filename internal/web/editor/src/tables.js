// Tables of pipes: adding, moving and aligning rows and columns, and pasting from a
// spreadsheet.
import { StateField } from "@codemirror/state";
import { showPanel } from "@codemirror/view";

const rowForm = /^\s*\|.*\|\s*$/;
const ruleForm = /^(:?)-+(:?)$/;

// splitRow returns a row's cells. Pipes in [[links]] and after a backslash don't
// separate cells.
const splitRow = (text) => text.trim().slice(1, -1).split(/(?<!\\)\|(?![^[]*\]\])/).map((cell) => cell.trim());

// tableAt returns the table around a position: its range, its cells as rows, and the
// row and column of the position. It returns null outside of a table.
export function tableAt(state, pos) {
  const { doc } = state;
  const line = doc.lineAt(pos);
  if (!rowForm.test(line.text)) return null;
  let first = line.number, last = line.number;
  while (first > 1 && rowForm.test(doc.line(first - 1).text)) first--;
  while (last < doc.lines && rowForm.test(doc.line(last + 1).text)) last++;
  const rows = [];
  for (let n = first; n <= last; n++) rows.push(splitRow(doc.line(n).text));
  if (rows.length < 2 || !rows[1].every((cell) => ruleForm.test(cell))) return null;
  const left = line.text.slice(0, pos - line.from).trimStart();
  const column = Math.max(0, left.split(/(?<!\\)\|(?![^[]*\]\])/).length - 2);
  return { from: doc.line(first).from, to: doc.line(last).to, rows, row: line.number - first, column: Math.min(column, rows[0].length - 1) };
}

// formatTable returns the source of a table with its columns aligned.
export function formatTable(rows) {
  const columns = Math.max(...rows.map((row) => row.length));
  const width = Array.from({ length: columns }, (_, i) => Math.max(3, ...rows.map((row, n) => n === 1 ? 3 : [...(row[i] ?? "")].length)));
  return rows.map((row, n) => "| " + width.map((size, i) => {
    const cell = row[i] ?? (n === 1 ? "---" : "");
    if (n !== 1) return cell + " ".repeat(size - [...cell].length);
    const [, left, right] = ruleForm.exec(cell) ?? [null, "", ""];
    return left + "-".repeat(size - left.length - right.length) + right;
  }).join(" | ") + " |").join("\n");
}

const swap = (list, a, b) => { [list[a], list[b]] = [list[b], list[a]]; };

// The changes of a table at the caret. Each returns the row and column for the caret,
// or nothing if there is nothing to do. Row 1 is the rule below the header.
const changes = {
  addRow({ rows, row }) {
    const at = Math.max(row + 1, 2);
    rows.splice(at, 0, rows[0].map(() => ""));
    return [at, 0];
  },
  addColumn({ rows, row, column }) {
    rows.forEach((cells, n) => cells.splice(column + 1, 0, n === 1 ? "---" : ""));
    return [row, column + 1];
  },
  deleteRow({ rows, row, column }) {
    if (row < 2) return;
    rows.splice(row, 1);
    return [Math.min(row, rows.length - 1), column];
  },
  deleteColumn({ rows, row, column }) {
    if (rows[0].length < 2) return;
    rows.forEach((cells) => cells.splice(column, 1));
    return [row, Math.max(0, column - 1)];
  },
  rowUp({ rows, row, column }) {
    if (row < 3) return;
    swap(rows, row, row - 1);
    return [row - 1, column];
  },
  rowDown({ rows, row, column }) {
    if (row < 2 || row + 1 >= rows.length) return;
    swap(rows, row, row + 1);
    return [row + 1, column];
  },
  columnLeft({ rows, row, column }) {
    if (column < 1) return;
    rows.forEach((cells) => swap(cells, column, column - 1));
    return [row, column - 1];
  },
  columnRight({ rows, row, column }) {
    if (column + 1 >= rows[0].length) return;
    rows.forEach((cells) => swap(cells, column, column + 1));
    return [row, column + 1];
  },
  align({ rows, row, column }) {
    const [, left, right] = ruleForm.exec(rows[1][column]);
    rows[1][column] = { "-": ":-:", ":-:": "--:", "-:": ":--" }[`${left}-${right}`] ?? "---"; // the order is centre, right, left, none
    return [row, column];
  },
  tidy: ({ row, column }) => [row, column],
};

// changeTable applies a change to the table at the caret.
export function changeTable(view, name) {
  const table = tableAt(view.state, view.state.selection.main.head);
  if (!table) return false;
  const columns = Math.max(...table.rows.map((row) => row.length));
  table.rows.forEach((row, n) => { while (row.length < columns) row.push(n === 1 ? "---" : ""); });
  const caret = changes[name](table);
  if (!caret) return false;
  const insert = formatTable(table.rows), lines = insert.split("\n");
  let at = table.from + lines.slice(0, caret[0]).reduce((sum, line) => sum + line.length + 1, 0) + 2;
  const widths = lines[1].slice(2, -2).split(" | ").map((cell) => cell.length);
  const cells = table.rows[caret[0]];
  for (let i = 0; i < caret[1]; i++) at += Math.max(widths[i], cells[i].length) + 3;
  view.dispatch({ changes: { from: table.from, to: table.to, insert }, selection: { anchor: at }, scrollIntoView: true, userEvent: "input" });
  return true;
}

const buttons = [
  ["addRow", "Add row"], ["addColumn", "Add column"], ["rowUp", "Row up"], ["rowDown", "Row down"], ["columnLeft", "Column left"], ["columnRight", "Column right"],
  ["align", "Align"], ["tidy", "Tidy"], ["deleteRow", "Delete row"], ["deleteColumn", "Delete column"],
];

function tablePanel(view) {
  const dom = document.createElement("div");
  Object.assign(dom, { className: "cm-table", role: "toolbar", ariaLabel: "Table" });
  for (const [name, label] of buttons) {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", className: "cm-button", textContent: label });
    button.addEventListener("mousedown", (event) => event.preventDefault()); // keep the focus in the text
    button.addEventListener("click", () => { changeTable(view, name); view.focus(); });
    dom.append(button);
  }
  return { dom };
}

// tables shows a bar while the caret is in a table.
export const tables = StateField.define({
  create: (state) => tableAt(state, state.selection.main.head) !== null,
  update: (value, tr) => tr.docChanged || tr.selection ? tableAt(tr.state, tr.state.selection.main.head) !== null : value,
  provide: (field) => showPanel.from(field, (inside) => inside ? tablePanel : null),
});

// readSheet reads text with tabs, with cells in quotes where they contain line ends.
function readSheet(text) {
  const rows = [[]];
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"(?=[\t\r\n]|$)|([^\t\r\n]*))(\t|\r?\n|\r|$)/g)) {
    rows.at(-1).push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end === "") break;
    if (end !== "\t") rows.push([]);
  }
  return rows.filter((row) => row.some((cell) => cell.trim()));
}

// pasteSheet pastes cells of a spreadsheet as a table. Spreadsheets put them on the
// clipboard as text with tabs and as an HTML table.
export function pasteSheet(event, view) {
  const data = event.clipboardData, text = data.getData("text/plain");
  if (!text.includes("\t") || !/<table[\s>]/i.test(data.getData("text/html"))) return false;
  const rows = readSheet(text).map((row) => row.map((cell) => cell.trim().replaceAll("|", "\\|").replace(/\s*\r?\n\s*/g, "<br>")));
  if (!rows.length) return false;
  rows.splice(1, 0, rows[0].map(() => "---"));
  if (rows.length === 2) rows.push(rows[0].map(() => ""));
  const { from } = view.state.selection.main, { doc } = view.state;
  const lead = from === 0 || doc.sliceString(from - 2, from) === "\n\n" ? "" : doc.lineAt(from).from === from ? "\n" : "\n\n";
  view.dispatch(view.state.replaceSelection(lead + formatTable(rows) + "\n"), { userEvent: "input.paste", scrollIntoView: true });
  event.preventDefault();
  return true;
}
