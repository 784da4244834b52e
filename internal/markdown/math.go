package markdown

import (
	"robot.wtf/internal/mathml"
)

// maxFormulas is how many formulas of a page are drawn. The rest is shown as source.
const maxFormulas = 200

// drawFormula converts a formula to MathML. If that fails, it returns the reason in
// words for people.
func (w *writer) drawFormula(source string, block bool) (drawn, problem string) {
	w.math = true
	if w.formulas++; w.formulas > maxFormulas {
		return "", "Only the first " + thousands(maxFormulas) + " formulas of a page are drawn."
	}
	w.checkTime()
	drawn, err := w.tex.Convert(source, block)
	if err != nil {
		return "", mathml.Message(err)
	}
	return drawn, ""
}

// writeFormula writes a formula within a line.
func (w *writer) writeFormula(source string) {
	drawn, problem := w.drawFormula(source, false)
	if problem == "" {
		w.write(drawn)
		return
	}
	w.write(`<code class="math">`)
	w.writeText(source)
	w.write(`</code> <small class="bad">(`)
	w.writeText(problem)
	w.write(")</small>")
}

// writeFormulaBlock writes a formula on lines of its own.
func (w *writer) writeFormulaBlock(source []byte) {
	drawn, problem := w.drawFormula(string(source), true)
	if problem == "" {
		w.write(`<div class="math">`, drawn, "</div>\n")
		return
	}
	w.writeAsSource("", source, "This formula can't be drawn. "+problem)
}
