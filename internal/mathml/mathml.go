// Package mathml converts formulas in TeX, as LaTeX with amsmath, KaTeX and MathJax
// write them, to MathML Core, which browsers draw without script.
//
// It knows the commands that people use in notes: fractions, roots, scripts and
// limits, delimiters, accents, fonts, spaces, text, matrices and the other
// environments of amsmath, and macros by \newcommand, \def and
// \DeclareMathOperator. An unknown command is an error.
//
// Time and output are linear in the source. A macro can repeat itself, so the number
// of tokens after expansion has a limit.
//
// Invariant: the result has only the elements and attributes of Elements and
// Attributes, and all text from the source is escaped.
package mathml

import (
	"errors"
	"fmt"
	"strings"
)

// Elements and Attributes are the names in results, for sanitizers. The values of
// attributes are words, numbers, lengths and colors: see Values.
var (
	Elements = strings.Fields(`math mrow mi mn mo mtext mspace mfrac msqrt mroot msub msup msubsup
		munder mover munderover mtable mtr mtd mstyle mpadded mphantom`)
	Attributes = strings.Fields(`display mathvariant stretchy fence separator form lspace rspace minsize maxsize
		movablelimits largeop accent accentunder width height depth linethickness displaystyle scriptlevel mathcolor`)
)

// Values is a regular expression that all values of Attributes match.
const Values = `[a-z]{1,12}|#[0-9a-f]{3,6}|-?[0-9]{0,4}(?:\.[0-9]{1,4})?(?:em|ex|px|pt|mu)?`

// Limits of a formula.
const (
	maxSource = 20_000  // bytes
	maxSteps  = 20_000  // tokens, after expansion of macros
	maxDepth  = 60      // nesting
	maxMacros = 200     // of a page
	maxBody   = 2_000   // tokens of a macro
	maxTotal  = 200_000 // steps of a page
)

// An Error describes a mistake in a formula, in words for its writer.
type Error struct{ Message string }

func (e *Error) Error() string { return "mathml: " + e.Message }

// A Page converts the formulas of one page, in order. Macros that a formula defines
// hold in it and the later ones. The zero value is ready; it isn't safe for concurrent
// use.
type Page struct {
	macros map[string]macro
	steps  int
}

// Convert converts a formula to a <math> element, set apart if block. It fails with
// *Error.
func (c *Page) Convert(tex string, block bool) (html string, err error) {
	if len(tex) > maxSource {
		return "", &Error{fmt.Sprintf("The formula is longer than %d bytes.", maxSource)}
	}
	if c.steps > maxTotal {
		return "", &Error{"The formulas of this page are too long to draw all of them."}
	}
	if c.macros == nil {
		c.macros = map[string]macro{}
	}
	p := &parser{input: [][]token{lex(tex)}, macros: c.macros}
	defer func() {
		c.steps += p.steps
		v := recover()
		if failed, ok := v.(*Error); ok {
			html, err = "", failed
		} else if v != nil {
			panic(v)
		}
	}()
	top := p.formula()
	var b strings.Builder
	b.WriteString("<math")
	if block {
		b.WriteString(` display="block"`)
	}
	b.WriteString(">")
	top.write(&b)
	b.WriteString("</math>")
	return b.String(), nil
}

// Message returns the text of an error of Convert, for people.
func Message(err error) string {
	if e := new(Error); errors.As(err, &e) {
		return e.Message
	}
	return "The formula can't be drawn."
}

// fail ends the conversion. Convert recovers.
func (p *parser) fail(format string, args ...any) {
	panic(&Error{fmt.Sprintf(format, args...)})
}
