// The colours and sizes of the page, whose custom properties reach the shadow root.
import { EditorView } from "@codemirror/view";

const button = {
  minHeight: "1.75rem", padding: "0 .6rem", border: "var(--firm)", borderRadius: "var(--radius)", background: "var(--paper)",
  color: "var(--ink)", font: "550 var(--tiny)/1.5 var(--sans)", cursor: "pointer",
};

export const theme = EditorView.theme({
  "&": { height: "100%", color: "var(--ink)", background: "var(--paper)" },
  "&.cm-focused": { outline: "2px solid var(--accent)", outlineOffset: "-1px" },
  ".cm-scroller": { font: "var(--small)/1.65 var(--mono)", overflow: "auto" },
  ".cm-content": { padding: "var(--3) 0", caretColor: "var(--accent)", tabSize: "4" },
  ".cm-line": { padding: "0 var(--4)", overflowWrap: "anywhere" },
  ".cm-gutters": { background: "none", color: "var(--soft)", border: "0", fontSize: ".75rem" },
  ".cm-lineNumbers .cm-gutterElement": { minWidth: "2.5rem", lineHeight: "1.925", padding: "0" },
  ".cm-activeLine": { background: "color-mix(in srgb, var(--sunk) 60%, transparent)" },
  ".cm-cursor, .cm-dropCursor": { borderLeft: "2px solid var(--accent)", marginLeft: "-1px" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { background: "color-mix(in srgb, var(--accent) 24%, transparent)" },
  ".cm-content ::selection": { background: "none" },
  ".cm-specialChar": { color: "var(--bad)" },
  ".cm-searchMatch": { background: "var(--marker)", color: "var(--ink)" },
  ".cm-searchMatch-selected": { background: "var(--marker)", outline: "2px solid var(--accent)" },
  ".cm-selectionMatch": { background: "var(--shade)" },
  ".cm-panels": { background: "var(--sunk)", color: "var(--ink)", border: "0", borderBottom: "var(--thin)", font: "var(--tiny)/1.5 var(--sans)" },
  ".cm-panel.cm-search": { padding: "var(--2) 2rem var(--2) var(--2)" },
  ".cm-panel.cm-search label": { display: "inline-flex", alignItems: "center", gap: ".35em", fontSize: "inherit", whiteSpace: "nowrap" },
  ".cm-panel.cm-search [type=checkbox]": { margin: "0", accentColor: "var(--accent)" },
  ".cm-table": { display: "flex", flexWrap: "wrap", gap: "2px", padding: "var(--1)" },
  ".cm-table .cm-button": { borderColor: "transparent", background: "none", padding: "0 .4rem" },
  ".cm-panels-bottom": { borderTop: "var(--thin)", borderBottom: "0" },
  ".cm-textfield": { minHeight: "1.75rem", padding: "0 .5rem", border: "var(--firm)", borderRadius: "var(--radius)", background: "var(--paper)", color: "var(--ink)", font: "var(--small)/1.5 var(--mono)" },
  ".cm-button": button,
  ".cm-button:hover": { borderColor: "var(--ink)", background: "var(--sunk)" },
  ".cm-panel.cm-search [name=close]": { color: "var(--soft)", font: "1.25rem/1 var(--sans)", top: "var(--2)", right: "var(--2)", width: "1.5rem", height: "1.5rem", cursor: "pointer" },
  ":is(.cm-textfield, .cm-button, [name=close]):focus-visible": { outline: "2px solid var(--accent)", outlineOffset: "-1px" },
  ".tok-heading, .tok-strong": { fontWeight: "700" },
  ".tok-emphasis": { fontStyle: "italic" },
  ".tok-strike": { textDecoration: "line-through" },
  ".tok-highlight": { background: "var(--marker)" },
  ".tok-meta, .tok-url, .tok-comment": { color: "var(--soft)" },
  ".tok-link, .tok-tag": { color: "var(--accent)" },
  ".tok-code, .tok-key": { color: "var(--ok)" },
});
