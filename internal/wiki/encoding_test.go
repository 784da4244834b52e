package wiki

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestDecodeText(t *testing.T) {
	for _, c := range []struct {
		data, want string
		as         Encoding
	}{
		{"plain", "plain", ""},
		{"Grüße 日本", "Grüße 日本", ""},
		{"\ufeffwith a mark", "\ufeffwith a mark", ""},
		{"Gr\xfc\xdfe", "Grüße", Windows1252},
		{"\x80 \x93quoted\x94 \x85", "€ “quoted” …", Windows1252},
		{"\x81\x8d\x8f\x90\x9d", "\u0081\u008d\u008f\u0090\u009d", Windows1252},
		{"\xff\xfeG\x00\xfc\x00\r\x00\n\x00=\xd8\x80\xde", "Gü\r\n🚀", UTF16LE},
		{"\xfe\xff\x00G\x00\xfc", "Gü", UTF16BE},
		{"\xff\xfeG\x00\xfc", "G\ufffd", UTF16LE}, // half a character
		{"Grüße aus Köln, caf\xe9", "Grüße aus Köln, café", BrokenUTF8},
	} {
		got, as := DecodeText([]byte(c.data))
		if string(got) != c.want || as != c.as {
			t.Errorf("%q: %q in %q, want %q in %q", c.data, got, as, c.want, c.as)
		}
		if strings.Contains(c.want, "\ufffd") || as == BrokenUTF8 {
			continue
		}
		if back, ok := EncodeText(got, as); !ok || string(back) != c.data {
			t.Errorf("%q: encoded again it is %q, %v", c.data, back, ok)
		}
	}
	if back, ok := EncodeText([]byte("日本"), Windows1252); ok {
		t.Errorf("Windows-1252 holds %q", back)
	}
}

// FuzzDecodeText: the text is UTF-8, and no byte is lost.
func FuzzDecodeText(f *testing.F) {
	for _, s := range []string{"Gr\xfc\xdfe", "\xff\xfea\x00", "ü\xfc", "\xfe\xff\xd8\x00", "\xe2\x82"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		text, as := DecodeText(data)
		if !utf8.Valid(text) {
			t.Fatalf("%q became %q", data, text)
		}
		if as == BrokenUTF8 || as != Windows1252 && bytes.ContainsRune(text, utf8.RuneError) {
			return
		}
		if back, ok := EncodeText(text, as); !ok || !bytes.Equal(back, data) {
			t.Fatalf("%q became %q in %s, and back %q, %v", data, text, as, back, ok)
		}
	})
}
