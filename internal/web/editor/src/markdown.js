// Markdown as this wiki reads it: GitHub's, with front matter, [[links]], #tags,
// ==marks==, footnotes, formulas and emoji.
import { HighlightStyle, Language, defineLanguageFacet, languageDataProp, syntaxHighlighting } from "@codemirror/language";
import { Tag, styleTags, tags as t } from "@lezer/highlight";
import { Emoji, GFM, parser } from "@lezer/markdown";

const marked = Tag.define(), tagName = Tag.define(), key = Tag.define();

// between returns an inline parser for text between two marks.
const between = (name, open, close, { flat = false, refuse } = {}) => ({
  name,
  before: "Link",
  parse(cx, next, pos) {
    if (next !== open.charCodeAt(0) || cx.slice(pos, pos + open.length) !== open) return -1;
    const end = cx.slice(pos, Math.min(cx.end, pos + 1000)).indexOf(close, open.length);
    if (end <= open.length || refuse?.test(cx.slice(pos + open.length, pos + end))) return -1;
    const stop = pos + end + close.length;
    return cx.addElement(cx.elt(name, pos, stop, flat ? [] : [
      cx.elt(name + "Mark", pos, pos + open.length), cx.elt(name + "Mark", pos + end, stop),
    ]));
  },
});

const inner = (name, style, mark = t.processingInstruction) => [{ name, style }, { name: name + "Mark", style: mark }];

const tagPattern = /^#[\p{L}\p{N}_][\p{L}\p{N}_/-]*/u;

const hashTag = {
  name: "HashTag",
  parse(cx, next, pos) {
    if (next !== 35 || /[\p{L}\p{N}_#&/]/u.test(cx.slice(Math.max(cx.offset, pos - 1), pos))) return -1;
    const found = tagPattern.exec(cx.slice(pos, Math.min(cx.end, pos + 100)));
    if (!found || /^#[\d_]*$/.test(found[0])) return -1;
    return cx.addElement(cx.elt("HashTag", pos, pos + found[0].length));
  },
};

// frontMatter is the block between --- lines at the start, with its keys.
const frontMatter = {
  name: "FrontMatter",
  before: "HorizontalRule",
  parse(cx, line) {
    if (cx.lineStart > 0 || !/^---\s*$/.test(line.text)) return false;
    const parts = [cx.elt("FrontMatterMark", 0, 3)];
    for (let lines = 0; lines < 500 && cx.nextLine(); lines++) {
      if (/^(?:---|\.\.\.)\s*$/.test(line.text)) {
        parts.push(cx.elt("FrontMatterMark", cx.lineStart, cx.lineStart + 3));
        cx.addElement(cx.elt("FrontMatter", 0, cx.lineStart + 3, parts));
        cx.nextLine();
        return true;
      }
      const named = /^[^\s:#-][^:]*(?=:(?:\s|$))/.exec(line.text);
      if (named) parts.push(cx.elt("FrontMatterKey", cx.lineStart, cx.lineStart + named[0].length));
    }
    cx.addElement(cx.elt("FrontMatter", 0, cx.prevLineEnd(), parts));
    return true;
  },
};

// formulaBlock is a formula between $$ lines.
const formulaBlock = {
  name: "FormulaBlock",
  before: "FencedCode",
  endLeaf: (cx, line) => /^\s*\$\$/.test(line.text),
  parse(cx, line) {
    if (!/^\$\$(?!.*\$\$)/.test(line.text.slice(line.pos))) return false;
    const from = cx.lineStart + line.pos;
    while (cx.nextLine()) {
      if (!/\$\$\s*$/.test(line.text)) continue;
      cx.addElement(cx.elt("FormulaBlock", from, cx.lineStart + line.text.length));
      cx.nextLine();
      return true;
    }
    cx.addElement(cx.elt("FormulaBlock", from, cx.prevLineEnd()));
    return true;
  },
};

const ours = {
  defineNodes: [
    ...inner("WikiLink", t.link), ...inner("Marked", marked),
    { name: "Footnote", style: t.link }, { name: "Formula", style: t.monospace },
    { name: "HashTag", style: tagName },
    { name: "FrontMatter", block: true }, { name: "FrontMatterMark", style: t.processingInstruction }, { name: "FrontMatterKey", style: key },
    { name: "FormulaBlock", block: true, style: t.monospace },
  ],
  parseInline: [
    between("WikiLink", "[[", "]]", { refuse: /[[\]\n]/ }),
    between("Marked", "==", "==", { refuse: /^\s|\s$|^=/ }),
    between("Footnote", "[^", "]", { flat: true, refuse: /[\s[]/ }),
    between("Formula", "$", "$", { flat: true, refuse: /^\s|\s$|\n/ }),
    hashTag,
  ],
  parseBlock: [frontMatter, formulaBlock],
};

const data = defineLanguageFacet({ commentTokens: { block: { open: "<!--", close: "-->" } }, closeBrackets: { brackets: [] } });

const language = new Language(data, parser.configure([GFM, Emoji, ours, {
  props: [
    languageDataProp.add({ Document: data }),
    styleTags({ "FencedCode/CodeText CodeBlock/CodeText": t.monospace, "Task/TaskMarker": t.processingInstruction, Emoji: t.meta }),
  ],
}]), [], "markdown");

const style = HighlightStyle.define([
  { tag: t.heading, class: "tok-heading" },
  { tag: t.strong, class: "tok-strong" },
  { tag: t.emphasis, class: "tok-emphasis" },
  { tag: t.strikethrough, class: "tok-strike" },
  { tag: marked, class: "tok-highlight" },
  { tag: t.link, class: "tok-link" },
  { tag: tagName, class: "tok-tag" },
  { tag: [t.url, t.labelName, t.string], class: "tok-url" },
  { tag: t.monospace, class: "tok-code" },
  { tag: key, class: "tok-key" },
  { tag: t.comment, class: "tok-comment" },
  { tag: [t.processingInstruction, t.contentSeparator, t.meta, t.character, t.quote], class: "tok-meta" },
]);

export const markdown = [language, syntaxHighlighting(style)];
