// Lines with right-to-left text get their direction from it.
import { RangeSetBuilder } from "@codemirror/state";
import { Decoration, EditorView, ViewPlugin } from "@codemirror/view";

const rightToLeft = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;
const auto = Decoration.line({ attributes: { dir: "auto" } });

function decorate(view) {
  const builder = new RangeSetBuilder();
  for (const { from, to } of view.visibleRanges) {
    for (let at = from; at <= to;) {
      const line = view.state.doc.lineAt(at);
      if (rightToLeft.test(line.text)) builder.add(line.from, line.from, auto);
      at = line.to + 1;
    }
  }
  return builder.finish();
}

const plugin = ViewPlugin.fromClass(class {
  constructor(view) { this.decorations = decorate(view); }
  update(update) { if (update.docChanged || update.viewportChanged) this.decorations = decorate(update.view); }
}, { decorations: (p) => p.decorations });

export const lineDirection = [plugin, EditorView.perLineTextDirection.of(true)];
