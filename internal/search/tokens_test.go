package search

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestTokenize(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", ""},
		{"The VPS_Architecture, 2nd edition.", "the vps architecture 2nd edition"},
		{"naïve Café CAFÉ cafe\u0301", "naive cafe cafe cafe"},
		{"Straße STRASSE Øre øre Łódź", "strasse strasse ore ore lodz"},
		{"ΟΔΟΣ οδός Ёлка ёлка", "οδοσ οδοσ елка елка"},
		{"ﬁne ＡＢＣ１２ ②", "fine abc12 2"},
		{"机器人wiki维基", "机 器 人 wiki 维 基"},
		{"ロボットのページ", "ロ ボ ッ ト の ペ ー ジ"},
		{"로봇은 위키", "로 봇 은 위 키"},
		{"หน้าแรก", "ห น ้ า แ ร ก"},
		{"हिन्दी", "हिन्दी"},
		{"שָׁלוֹם שלום", "שלום שלום"},
		{"co\u00adoperate zero\u200bwidth", "cooperate zerowidth"},
		{"foo.bar-baz don't a@b.c", "foo bar baz don t a b c"},
		{"a🦀b 👍🏽", "a 🦀 b 👍"},
		{"bad\xffutf8 \xf0\x28", "bad utf8"},
		{"x\x00y", "x y"},
	} {
		var got []string
		for tok := range tokenize(c.text) {
			got = append(got, tok.word)
			if tok.start >= tok.end || tok.end > len(c.text) {
				t.Errorf("%q: %q is at %d to %d", c.text, tok.word, tok.start, tok.end)
			}
		}
		if d := cmp.Diff(c.want, strings.Join(got, " ")); d != "" {
			t.Errorf("%q (-want +got):\n%s", c.text, d)
		}
	}
}

// Words consist of lowercase letters, digits and single characters, and folding
// them again changes nothing.
func FuzzTokenize(f *testing.F) {
	f.Add("naïve 机器人 \"AND* ^x NEAR(a)")
	f.Add("Ꮅ ꮅ")
	f.Fuzz(func(t *testing.T, text string) {
		for tok := range tokenize(text) {
			for i := range len(tok.word) {
				if c := tok.word[i]; c < utf8.RuneSelf && !asciiWord[c] || c >= 'A' && c <= 'Z' {
					t.Fatalf("%q has the word %q", text, tok.word)
				}
			}
			if !utf8.ValidString(tok.word) || tok.word == "" {
				t.Fatalf("%q has the word %q", text, tok.word)
			}
			if again := foldWord(tok.word); again != tok.word {
				t.Fatalf("%q folds to %q and then to %q", text, tok.word, again)
			}
		}
	})
}

func TestCleanText(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"  two\n\tlines\r\n", "two lines"},
		{"a\u200bb\u202ec\u2066d\ufeffe", "abcde"},
		{"tags\U000e0041\U000e0042 end", "tags end"},
		{"sel\U000e0100ector", "selector"},
		{"blank\u3164letter\u2800", "blank letter"},
		{"cafe\u0301", "café"},
		{"👩\u200d🔬", "👩\u200d🔬"},
		{"unit\x1fsep\x1earated\x00", "unit sep arated"},
		{"\xff\xfe", ""},
	} {
		if got := cleanText(c.text); got != c.want {
			t.Errorf("clean(%q) = %q, want %q", c.text, got, c.want)
		}
	}
}
