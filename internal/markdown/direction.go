package markdown

import (
	"bytes"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"robot.wtf/internal/wiki"
)

// rightToLeft are the ranges of scripts that run from right to left.
var rightToLeft = &unicode.RangeTable{
	R16: []unicode.Range16{{Lo: 0x0590, Hi: 0x08ff, Stride: 1}, {Lo: 0xfb1d, Hi: 0xfdff, Stride: 1}, {Lo: 0xfe70, Hi: 0xfeff, Stride: 1}},
	R32: []unicode.Range32{{Lo: 0x10800, Hi: 0x10fff, Stride: 1}, {Lo: 0x1e800, Hi: 0x1efff, Stride: 1}},
}

// hasRightToLeft reports whether a text has characters that run from right to left.
func hasRightToLeft(text []byte) bool {
	for i := 0; i < len(text); {
		if text[i] < 0xd6 { // before U+0590
			i++
			continue
		}
		r, size := utf8.DecodeRune(text[i:])
		if unicode.Is(rightToLeft, r) {
			return true
		}
		i += size
	}
	return false
}

// letDirection lets browsers find the direction of the block that was written from an
// offset, if it or the page has right-to-left text. Only the outermost element gets the
// attribute, because one with the attribute hides its text from those around it. Code
// stays as it is, and so does raw HTML that says its direction.
func (w *writer) letDirection(start int) {
	if start >= w.out.Len() || w.isFull() {
		return
	}
	block := w.out.Bytes()[start:]
	if block[0] != '<' || !w.rightToLeft && !hasRightToLeft(block) {
		return
	}
	end := bytes.IndexAny(block, " >\n")
	tag, _, _ := bytes.Cut(block, []byte(">"))
	if end < 0 || string(block[:end]) == "<pre" || bytes.Contains(tag, []byte(" dir=")) {
		return
	}
	const attribute = ` dir="auto"`
	rest := bytes.Clone(block[end:])
	w.out.Truncate(start + end)
	w.out.WriteString(attribute)
	w.out.Write(rest)
	for i, at := range w.contents {
		if at > start {
			w.contents[i] += len(attribute)
		}
	}
}

// maxLanguageText is how much of a page decides its language.
const maxLanguageText = 8 << 10 // bytes

// A scriptLanguage is the language that a script tells.
type scriptLanguage struct {
	language string
	script   *unicode.RangeTable
}

// scriptLanguages are the languages of scripts that one language is written in, or
// that most of the text in is. Text in Latin is in no certain language.
var scriptLanguages = []scriptLanguage{
	{"ja", unicode.Hiragana}, {"ja", unicode.Katakana}, {"zh", unicode.Han}, {"ko", unicode.Hangul},
	{"ar", unicode.Arabic}, {"he", unicode.Hebrew}, {"el", unicode.Greek}, {"hy", unicode.Armenian},
	{"ka", unicode.Georgian}, {"th", unicode.Thai}, {"hi", unicode.Devanagari}, {"ru", unicode.Cyrillic},
}

// letterLanguages are letters that only some languages of a script have.
var letterLanguages = []struct{ of, language, letters string }{
	{"ar", "fa", "پچژگ"}, {"ru", "uk", "іїєґ"},
}

// languageOf returns the language (BCP 47) of a page: that in its front matter, or the
// one that its script tells; "" if neither does. own means that it is in the front matter.
func languageOf(front *frontMatter, source []byte) (lang string, own bool) {
	for _, v := range front.values([]string{"lang", "language"}) {
		if v, err := wiki.ParseLanguage(v); err == nil && v != "" {
			return v, true
		}
	}
	return languageOfScript(source[:min(len(source), maxLanguageText)]), false
}

// languageScripts are the scripts of languages that aren't written in Latin letters.
var languageScripts = scriptsByLanguage()

func scriptsByLanguage() map[string]*unicode.RangeTable {
	byLanguage := map[string]*unicode.RangeTable{}
	for languages, script := range map[string]*unicode.RangeTable{
		"ar fa ur ps ckb ug sd": unicode.Arabic, "he yi": unicode.Hebrew, "dv": unicode.Thaana, "syr": unicode.Syriac,
		"ru uk bg sr mk be kk ky mn tg tt": unicode.Cyrillic, "el": unicode.Greek, "hy": unicode.Armenian, "ka": unicode.Georgian,
		"th": unicode.Thai, "hi mr ne sa": unicode.Devanagari, "ja zh yue": unicode.Han, "ko": unicode.Hangul,
		"bn as": unicode.Bengali, "ta": unicode.Tamil, "te": unicode.Telugu, "kn": unicode.Kannada, "ml": unicode.Malayalam,
		"gu": unicode.Gujarati, "pa": unicode.Gurmukhi, "am ti": unicode.Ethiopic, "km": unicode.Khmer, "lo": unicode.Lao, "my": unicode.Myanmar,
	} {
		for _, l := range strings.Fields(languages) {
			byLanguage[l] = script
		}
	}
	return byLanguage
}

// LangIn returns the language of a page with this source in a wiki whose pages are mostly
// in another, "" if that is unknown. What the page says counts, then the wiki's language
// if the text can be in it: a fourth of the letters are of its script, or for Latin the
// script tells no other language.
func (p *Page) LangIn(wikiLang string, source []byte) string {
	primary, _, _ := strings.Cut(wikiLang, "-")
	script := languageScripts[primary]
	switch {
	case wikiLang == "" || p.OwnLang:
		return p.Lang
	case script == nil && p.Lang == "":
		return wikiLang
	case script == nil:
		return p.Lang
	}
	letters, own := 0, 0
	for _, r := range string(source[:min(len(source), maxLanguageText)]) {
		if unicode.IsLetter(r) {
			letters++
		}
		if unicode.Is(script, r) || primary == "ja" && unicode.In(r, unicode.Hiragana, unicode.Katakana) {
			own++
		}
	}
	if own > 0 && own*4 >= letters {
		return wikiLang
	}
	return p.Lang
}

// RightToLeft reports whether a language is written from right to left.
func RightToLeft(lang string) bool {
	primary, _, _ := strings.Cut(lang, "-")
	switch languageScripts[primary] {
	case unicode.Arabic, unicode.Hebrew, unicode.Thaana, unicode.Syriac:
		return true
	}
	return false
}

func languageOfScript(text []byte) string {
	if bytes.IndexFunc(text, func(r rune) bool { return r >= 0x370 && r != utf8.RuneError }) < 0 {
		return ""
	}
	counts, letters, special := map[string]int{}, 0, map[string]int{}
	for _, r := range string(text) {
		if !unicode.IsLetter(r) {
			continue
		}
		letters++
		for _, s := range scriptLanguages {
			if r >= 0x370 && unicode.Is(s.script, r) {
				counts[s.language]++
				break
			}
		}
		for _, l := range letterLanguages {
			if strings.ContainsRune(l.letters, unicode.ToLower(r)) {
				special[l.language]++
			}
		}
	}
	if counts["ja"]*10 >= counts["zh"] && counts["ja"] > 0 { // Japanese mixes kana with Han
		counts["ja"] += counts["zh"]
		counts["zh"] = 0
	}
	best := slices.MaxFunc(scriptLanguages, func(a, b scriptLanguage) int { return counts[a.language] - counts[b.language] }).language
	if counts[best]*2 <= letters {
		return "" // another script, or a mixture
	}
	for _, l := range letterLanguages {
		if l.of == best && special[l.language]*100 >= counts[best] {
			return l.language
		}
	}
	return best
}
