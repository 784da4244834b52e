package property

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"robot.wtf/internal/wiki"
)

// An Expression selects pages by their properties. The zero Expression selects
// all pages. The grammar, with keywords in any case:
//
//	expression = conjunction { "or" conjunction }
//	conjunction = term { "and" term }
//	term = "not" term | "(" expression ")" | comparison
//	comparison = key ( "exists" | "missing" | operator value )
//	operator = "=" | "!=" | "<" | "<=" | ">" | ">=" | "contains"
//
// Keys and values are words, or quoted if they have spaces or one of ()=!<>. A
// backslash quotes a quote. "==" and "<>" are read as "=" and "!=".
//
// A comparison is false for a page without the key, so "not status = done" also
// selects pages without a status, and "status != done" doesn't. What the value
// means depends on the page's value: with 5, "priority < 7" compares numbers,
// with 2026-12-05, "due < 2027" is false, because 2027 isn't a date. If one of
// two dates has no time, they are compared by their days in UTC. Text is
// compared without regard to case. A list matches if one of its values does;
// "!=" if none of them is equal. "contains" looks for a whole value in lists and
// for a part of other values.
type Expression struct {
	root node
	keys []string
}

// Bounds on an expression.
const (
	maxExpression = 1000 // characters
	maxTerms      = 30   // comparisons
	maxNesting    = 30   // parentheses and "not"
)

// Keys returns the keys that the expression compares, each once, in the form of
// Key.
func (e Expression) Keys() []string { return e.keys }

// Terms returns the number of comparisons.
func (e Expression) Terms() int {
	if e.root == nil {
		return 0
	}
	return e.root.terms()
}

// Match reports whether the expression selects a page with the given properties,
// which are those of Keys in the same order. A property without values is
// missing.
func (e Expression) Match(page []Property) bool { return e.root == nil || e.root.match(page) }

// A node is a part of an expression.
type node interface {
	match(page []Property) bool
	terms() int
}

type (
	both       struct{ a, b node } // and
	either     struct{ a, b node } // or
	negation   struct{ of node }
	comparison struct {
		key      int // index in Expression.keys
		operator string
		literal  literal
	}
)

func (n both) match(page []Property) bool     { return n.a.match(page) && n.b.match(page) }
func (n either) match(page []Property) bool   { return n.a.match(page) || n.b.match(page) }
func (n negation) match(page []Property) bool { return !n.of.match(page) }
func (n both) terms() int                     { return n.a.terms() + n.b.terms() }
func (n either) terms() int                   { return n.a.terms() + n.b.terms() }
func (n negation) terms() int                 { return n.of.terms() }
func (n comparison) terms() int               { return 1 }

// The operators.
const (
	opEqual    = "="
	opUnequal  = "!="
	opContains = "contains"
	opExists   = "exists"
	opMissing  = "missing"
)

func (n comparison) match(page []Property) bool {
	p := page[n.key]
	switch {
	case n.operator == opMissing:
		return len(p.Values) == 0
	case len(p.Values) == 0:
		return false
	case n.operator == opExists:
		return true
	case n.operator == opUnequal:
		return !slices.ContainsFunc(p.Values, n.literal.equals)
	case n.operator == opContains && !p.List:
		return n.literal.within(p.Values[0])
	case n.operator == opEqual || n.operator == opContains:
		return slices.ContainsFunc(p.Values, n.literal.equals)
	}
	return slices.ContainsFunc(p.Values, func(v Value) bool { return n.literal.ordered(v, n.operator) })
}

// A literal is the value of a comparison, with everything it can mean.
type literal struct {
	folded string
	link   string // key of the page, if it is a link
	number float64
	date   time.Time
	isA    map[Kind]bool
}

func newLiteral(text string) literal {
	text = oneLine(text)
	l := literal{folded: wiki.Key(text), isA: map[Kind]bool{}}
	if n, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(n) && !math.IsInf(n, 0) {
		l.number, l.isA[Number] = n, true
	}
	if t, kind, ok := parseDate(text); ok {
		l.date, l.isA[kind] = t, true
	}
	l.link = l.folded
	if target, _, ok := parseLink(text); ok {
		l.link = wiki.Key(target)
	}
	return l
}

// compare compares a page's value with the literal: negative if the page's is
// smaller. It returns false if they can't be compared.
func (l literal) compare(v Value) (order int, ok bool) {
	switch v.Kind {
	case Number:
		return cmp.Compare(v.Number, l.number), l.isA[Number]
	case Boolean:
		return cmp.Compare(v.Folded, l.folded), l.folded == "true" || l.folded == "false"
	case Date, Time:
		if v.Kind == Date || l.isA[Date] {
			return cmp.Compare(day(v.Number), day(float64(l.date.Unix()))), l.isA[Date] || l.isA[Time]
		}
		return cmp.Compare(v.Number, float64(l.date.Unix())), l.isA[Time]
	case Link:
		return cmp.Compare(v.Folded, l.link), true
	}
	return cmp.Compare(v.Folded, l.folded), true
}

func day(seconds float64) float64 { return math.Floor(seconds / (24 * 60 * 60)) }

func (l literal) equals(v Value) bool {
	order, ok := l.compare(v)
	return ok && order == 0
}

func (l literal) ordered(v Value, operator string) bool {
	order, ok := l.compare(v)
	if !ok || v.Kind == Boolean {
		return false
	}
	switch operator {
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	}
	return order >= 0
}

// within reports whether the literal is a part of a value's text.
func (l literal) within(v Value) bool {
	if v.Kind == Link {
		return strings.Contains(v.Folded, l.link) || strings.Contains(wiki.Key(v.Text), l.folded)
	}
	return strings.Contains(v.Folded, l.folded)
}

// Equal returns the expression "key = value".
func Equal(key, value string) Expression {
	return Expression{root: comparison{operator: opEqual, literal: newLiteral(value)}, keys: []string{Key(key)}}
}
