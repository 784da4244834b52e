// The menu of blocks and templates after a / at the start of a line.
import { limit, suggest } from "./complete.js";

// Each block is a label, a hint and the source; the caret goes to the place of ‸.
const blocks = [
  ["Heading", "##", "## ‸"],
  ["Table", "rows and columns", "| ‸ |  |\n| --- | --- |\n|  |  |"],
  ["Task list", "- [ ]", "- [ ] ‸"],
  ["List", "-", "- ‸"],
  ["Numbered list", "1.", "1. ‸"],
  ["Note", "> [!NOTE]", "> [!NOTE]\n> ‸"],
  ["Tip", "> [!TIP]", "> [!TIP]\n> ‸"],
  ["Warning", "> [!WARNING]", "> [!WARNING]\n> ‸"],
  ["Quote", ">", "> ‸"],
  ["Code", "```", "```‸\n\n```"],
  ["Formula", "$$", "$$\n‸\n$$"],
  ["Diagram", "mermaid", "```mermaid\nflowchart LR\n  A --> ‸B\n```"],
  ["Fold", "<details>", "<details><summary>‸</summary>\n\n\n</details>"],
  ["Contents", "[TOC]", "[TOC]\n‸"],
  ["List of pages", "::: pages", "::: pages where: status = ‸draft, show: status, due\n"],
  ["Rule", "---", "---\n‸"],
];

const blockSection = { name: "Blocks", rank: 0 }, templateSection = { name: "Templates", rank: 1 };

function insert(view, from, to, source) {
  const caret = source.indexOf("‸");
  const text = source.replace("‸", "");
  view.dispatch({ changes: { from, to, insert: text }, selection: { anchor: from + (caret < 0 ? text.length : caret) }, scrollIntoView: true, userEvent: "input.complete" });
}

// insertTemplate inserts a template's text with its places filled in. Its front matter
// is only for a page without any text.
async function insertTemplate(view, from, to, name, values) {
  let text;
  try {
    const response = await fetch("/" + name.split("/").map(encodeURIComponent).join("/") + ".md");
    if (!response.ok) throw new Error(response.status);
    text = (await response.text()).replaceAll("\r\n", "\n");
  } catch {
    return values.failed("The template couldn’t be loaded.");
  }
  if (from > 0) text = text.replace(/^---\n[^]*?\n---\n+/, "");
  const places = { date: new Date().toISOString().slice(0, 10), title: values.title, author: values.author, content: "‸" };
  insert(view, from, to, text.replace(/\{\{(date|title|author|content)\}\}/g, (_, place) => places[place]));
}

// slash returns the completion source. values has the title and author for templates,
// actions of the form (label, hint, act), and failed, which shows a message.
export const slash = (values, inside) => async (context) => {
  const typed = context.matchBefore(/^[ \t]*\/[\p{L} ]{0,20}/u);
  if (!typed || inside(context)) return null;
  const from = typed.from + typed.text.indexOf("/") + 1, word = typed.text.trim().slice(1);
  const option = (label, detail, section, act) => ({ label, detail, section, apply: (view, _, a, b) => act(view, a - 1, b) });
  const options = blocks.map(([label, detail, source]) => option(label, detail, blockSection, (view, a, b) => insert(view, a, b, source)));
  for (const [label, detail, act] of values.actions) {
    options.push(option(label, detail, blockSection, (view, a, b) => { insert(view, a, b, ""); act(); }));
  }
  const templates = await suggest(context, "templates", word);
  for (const { text, hint } of templates) {
    options.push(option(text, hint, templateSection, (view, a, b) => insertTemplate(view, a, b, hint, values)));
  }
  return { from, options, validFor: word || templates.length >= limit ? undefined : /^[\p{L} ]*$/u };
};
