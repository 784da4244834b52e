package wiki

import (
	"bytes"
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// An Encoding is the character encoding of a stored text that isn't UTF-8, for
// people. "" is UTF-8.
type Encoding string

// The encodings that DecodeText tells apart.
const (
	Windows1252 Encoding = "Windows-1252"
	UTF16LE     Encoding = "UTF-16 LE"
	UTF16BE     Encoding = "UTF-16 BE"
	BrokenUTF8  Encoding = "damaged UTF-8"
)

// DecodeText returns the text of a page in UTF-8, and the encoding that it is stored
// in. UTF-16 is known by its byte-order mark, which the text then lacks. Otherwise
// each byte that isn't UTF-8 is a character of Windows-1252, which includes Latin-1:
// in BrokenUTF8 because most of the other characters are UTF-8. No byte is lost,
// except that unpaired surrogates become U+FFFD. Text in UTF-8 is returned itself.
func DecodeText(data []byte) ([]byte, Encoding) {
	if utf8.Valid(data) {
		return data, ""
	}
	switch {
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}):
		return decodeUTF16(data[2:], binary.LittleEndian), UTF16LE
	case bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		return decodeUTF16(data[2:], binary.BigEndian), UTF16BE
	}
	whole, broken := 0, 0 // characters beyond ASCII
	for rest := data; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		switch {
		case r == utf8.RuneError && size == 1:
			broken++
		case size > 1:
			whole++
		}
		rest = rest[size:]
	}
	if whole > broken {
		return decodeWindows1252(data, true), BrokenUTF8
	}
	return decodeWindows1252(data, false), Windows1252
}

// decodeWindows1252 decodes bytes as Windows-1252. Like browsers (WHATWG Encoding),
// it takes the five bytes without a character for control characters. With keep, it
// keeps characters in UTF-8.
func decodeWindows1252(data []byte, keep bool) []byte {
	out := make([]byte, 0, len(data)+len(data)/4)
	for len(data) > 0 {
		if r, size := utf8.DecodeRune(data); keep && (r != utf8.RuneError || size > 1) || r < utf8.RuneSelf {
			out, data = append(out, data[:size]...), data[size:]
			continue
		}
		out, data = utf8.AppendRune(out, windows1252(data[0])), data[1:]
	}
	return out
}

func windows1252(b byte) rune {
	if r := charmap.Windows1252.DecodeByte(b); r != utf8.RuneError {
		return r
	}
	return rune(b)
}

func decodeUTF16(data []byte, order binary.ByteOrder) []byte {
	units := make([]uint16, 0, len(data)/2)
	for ; len(data) >= 2; data = data[2:] {
		units = append(units, order.Uint16(data))
	}
	out := make([]byte, 0, 2*len(units))
	for _, r := range utf16.Decode(units) {
		out = utf8.AppendRune(out, r)
	}
	if len(data) > 0 {
		out = utf8.AppendRune(out, utf8.RuneError)
	}
	return out
}

// EncodeText is the reverse of DecodeText. It returns false if the encoding can't
// hold the text, or for BrokenUTF8.
func EncodeText(text []byte, as Encoding) ([]byte, bool) {
	switch as {
	case "":
		return text, true
	case Windows1252:
		return encodeWindows1252(text)
	case UTF16LE:
		return encodeUTF16(text, binary.LittleEndian), true
	case UTF16BE:
		return encodeUTF16(text, binary.BigEndian), true
	}
	return nil, false
}

func encodeWindows1252(text []byte) ([]byte, bool) {
	out := make([]byte, 0, len(text))
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		text = text[size:]
		b, ok := charmap.Windows1252.EncodeRune(r)
		if !ok && r < 0x100 {
			b, ok = byte(r), windows1252(byte(r)) == r
		}
		if !ok {
			return nil, false
		}
		out = append(out, b)
	}
	return out, true
}

func encodeUTF16(text []byte, order binary.AppendByteOrder) []byte {
	out := order.AppendUint16(nil, 0xfeff)
	for _, unit := range utf16.Encode([]rune(string(text))) {
		out = order.AppendUint16(out, unit)
	}
	return out
}
