// Completion of [[pages]], their #headings, #tags, :emoji: and front matter.
import { autocompletion, startCompletion } from "@codemirror/autocomplete";
import { EditorView } from "@codemirror/view";
import { syntaxTree } from "@codemirror/language";

// ask returns the JSON at an address of the wiki, or null.
async function ask(context, address) {
  const abort = new AbortController();
  context.addEventListener("abort", () => abort.abort(), { onDocChange: true });
  try {
    const response = await fetch(address, { signal: abort.signal });
    return response.ok ? await response.json() : null;
  } catch {
    return null;
  }
}

export async function suggest(context, kind, typed, page = "", from = "") {
  const found = await ask(context, `/-/suggest/${kind}?${new URLSearchParams({ q: typed, page, from })}`);
  return found?.items ?? [];
}

const spaced = (name) => name.replaceAll("_", " ");
const before = (context, pattern) => context.matchBefore(pattern);
const list = (from, options) => options.length ? { from, options, filter: false } : null;

// words is a list that is filtered as more is typed, without another request, if the
// service returned all that there is.
export const limit = 20;
const words = (from, options) => {
  const found = list(from, options);
  return found && options.length < limit ? { from, options, validFor: /^[\p{L}\p{N}_/ -]*$/u } : found;
};

// inside reports whether a position is in a node of one of the names.
export const inside = (context, ...names) => {
  for (let node = syntaxTree(context.state).resolveInner(context.pos, -1); node; node = node.parent) if (names.includes(node.name)) return true;
  return false;
};
export const inCode = (context) => inside(context, "InlineCode", "FencedCode", "CodeBlock", "FormulaBlock", "Formula", "Comment", "CommentBlock");

// closing replaces the typed part of a link, and closes it.
const closing = (text, caret = 0) => (view, _, from, to) => {
  const close = view.state.sliceDoc(to, to + 2) === "]]" ? 2 : 0;
  view.dispatch({ changes: { from, to: to + close, insert: text + "]]" }, selection: { anchor: from + text.length + 2 - caret }, userEvent: "input.complete" });
};

// pages completes the target of a link on a page. Whether it can be after a bar is for
// the wiki to say.
const pages = (self) => async (context) => {
  const typed = before(context, /\[\[(?:[^[\]|#\n]{1,80}\|)?[^[\]|#\n]{0,80}/);
  if (!typed || inCode(context)) return null;
  const start = typed.text.includes("|") ? typed.text.indexOf("|") + 1 : 2;
  const from = typed.from + start, text = typed.text.slice(start), name = text.trim();
  const answer = await ask(context, `/-/suggest?${new URLSearchParams({ q: text, from: self })}`);
  if (start > 2 && !answer?.textFirst) return null;
  const found = answer?.pages ?? [];
  const options = found.slice(0, 10).map((page) => ({
    label: spaced(page.name.split("/").pop()), detail: spaced(page.name.split("/").slice(0, -1).join("/")), apply: closing(page.link),
  }));
  const known = found.some((page) => spaced(page.name).toLowerCase() === spaced(name).toLowerCase());
  if (name && !known) options.push({ label: `New page “${name}”`, apply: closing(name) });
  return list(from, options);
};

// ownHeadings lists the headings of the text itself.
function ownHeadings(state, typed) {
  const found = [];
  syntaxTree(state).iterate({ enter: (node) => {
    const level = /^(?:ATX|Setext)Heading(\d)$/.exec(node.name)?.[1];
    if (!level) return node.name === "Document";
    const text = state.doc.lineAt(node.from).text.replace(/^\s*#+\s*|\s*#*\s*$/g, "");
    if (text.toLowerCase().includes(typed.toLowerCase())) found.push({ text, hint: "#".repeat(level) });
    return false;
  } });
  return found.slice(0, 20);
}

const headings = (self) => async (context) => {
  const typed = before(context, /\[\[(?:[^[\]|#\n]{1,80}\|)?[^[\]|#\n]{0,80}#[^[\]|#\n]{0,80}/);
  if (!typed || inCode(context)) return null;
  const [page, text] = typed.text.slice(typed.text.includes("|") ? typed.text.indexOf("|") + 1 : 2).split("#");
  const found = page.trim() ? await suggest(context, "headings", text, page.trim(), self) : ownHeadings(context.state, text);
  return words(typed.to - text.length, found.map((item) => ({ label: item.text, detail: item.hint, apply: closing(item.text) })));
};

async function tags(context) {
  const typed = before(context, /(?:^|[\s(])#[\p{L}\p{N}_/-]{0,50}/u);
  if (!typed || inCode(context) || inside(context, "FrontMatter")) return null;
  const text = typed.text.slice(typed.text.indexOf("#") + 1);
  if (!text && !context.explicit) return null; // a heading begins like a tag
  const found = await suggest(context, "tags", text);
  return words(typed.to - text.length, found.map((item) => ({ label: item.text, detail: item.hint })));
}

async function emoji(context) {
  const typed = before(context, /(?:^|[\s(]):[a-z0-9_+-]{2,50}/);
  if (!typed || inCode(context) || inside(context, "FrontMatter")) return null;
  const text = typed.text.slice(typed.text.indexOf(":") + 1);
  const found = await suggest(context, "emoji", text);
  return list(typed.to - text.length - 1, found.map((item) => ({ label: `${item.hint} ${item.text}`, apply: `:${item.text}: ` })));
}

// frontMatter completes keys, and tags in a list of tags.
async function frontMatter(context) {
  if (!inside(context, "FrontMatter")) return null;
  const line = context.state.doc.lineAt(context.pos), text = line.text.slice(0, context.pos - line.from);
  if (/^[\p{L}\p{N}_-]{1,50}$/u.test(text) || context.explicit && !text) {
    const found = await suggest(context, "keys", text);
    return words(line.from, found.map((item) => ({ label: item.text, detail: item.hint, apply: item.text + ": " })));
  }
  const tag = /^tags:.*?([\p{L}\p{N}_/-]{1,50})$/u.exec(text)?.[1];
  if (!tag) return null;
  const found = await suggest(context, "tags", tag);
  return words(context.pos - tag.length, found.map((item) => ({ label: item.text, detail: item.hint })));
}

// complete completes the text of a page, whose name can be "".
export const complete = (self, more) => autocompletion({
  override: [pages(self), headings(self), tags, emoji, frontMatter, ...more],
  icons: false,
  aboveCursor: false,
  maxRenderedOptions: 40,
});

export { startCompletion };

export const completeTheme = EditorView.theme({
  ".cm-tooltip": { border: "var(--black)", borderRadius: "var(--radius)", background: "var(--paper)", color: "var(--ink)", boxShadow: "4px 4px 0 var(--shade)" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": { font: "var(--small)/1.6 var(--sans)", padding: "var(--1)", minWidth: "17rem", maxWidth: "min(26rem, 90vw)", maxHeight: "18rem" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li": { display: "flex", justifyContent: "space-between", gap: "var(--3)", padding: ".1875rem var(--2)", borderRadius: "2px" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li[aria-selected]": { background: "var(--tint)", color: "var(--accent)" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > completion-section": { display: "block", padding: "var(--2) var(--2) 2px", border: "0", color: "var(--soft)", font: "650 var(--tiny)/1.5 var(--sans)", opacity: "1" },
  ".cm-completionLabel": { overflow: "hidden", textOverflow: "ellipsis" },
  ".cm-completionDetail": { margin: "0", fontStyle: "normal", fontSize: "var(--tiny)", color: "var(--soft)" },
  ".cm-completionMatchedText": { textDecoration: "none", background: "var(--marker)", color: "var(--ink)" },
});
