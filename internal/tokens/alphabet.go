package tokens

// span is the first character of an alphabet's range, which ends at the next.
type span struct {
	from rune
	of   alphabet
}

// spans cover Unicode's Basic Multilingual Plane.
var spans = []span{
	{0, ascii}, {0x80, symbols}, {0xaa, romance}, {0xab, symbols}, {0xba, romance}, {0xbb, symbols}, {0xc0, romance}, {0xc4, accented}, {0xc7, romance}, {0xd0, accented}, {0xd1, romance}, {0xd7, symbols},
	{0xd8, accented}, {0xd9, romance}, {0xdd, accented}, {0xdf, romance}, {0xe4, accented}, {0xe7, romance}, {0xf0, accented}, {0xf1, romance}, {0xf7, symbols}, {0xf8, accented}, {0xf9, romance}, {0xfd, accented}, {0x1a0, vietnamese}, {0x1a2, accented}, {0x1af, vietnamese}, {0x1b1, accented}, {0x2b0, symbols},
	{0x300, marks}, {0x370, greek}, {0x400, farCyrillic}, {0x401, cyrillic}, {0x402, farCyrillic}, {0x410, cyrillic}, {0x450, farCyrillic}, {0x451, cyrillic}, {0x452, farCyrillic},
	{0x530, caucasian}, {0x590, marks}, {0x5d0, hebrew}, {0x600, symbols}, {0x620, arabic}, {0x64b, marks}, {0x660, symbols}, {0x66e, arabic}, {0x6d4, symbols}, {0x6d5, arabic}, {0x6d6, marks},
	{0x6ee, arabic}, {0x6f0, symbols}, {0x6fa, arabic}, {0x700, unknown}, {0x750, arabic}, {0x780, unknown}, {0x900, indic}, {0x964, symbols}, {0x970, indic}, {0xa00, thai}, {0xa80, indic}, {0xb00, tibetan}, {0xb80, indic},
	{0xc00, southIndic}, {0xd80, sinhala}, {0xe00, thai}, {0xe80, tibetan}, {0x1000, thai}, {0x10a0, caucasian}, {0x1100, unknown}, {0x1780, khmer}, {0x1800, unknown},
	{0x1e00, accented}, {0x1ea0, vietnamese}, {0x1f00, unknown}, {0x2000, symbols}, {0x20d0, marks}, {0x2100, symbols}, {0x2300, emoji}, {0x2500, symbols}, {0x2600, emoji}, {0x27c0, symbols},
	{0x2b00, emoji}, {0x2c00, unknown}, {0x2d00, caucasian}, {0x2d30, unknown}, {0x2de0, cyrillic}, {0x2e00, symbols}, {0x2e80, unknown}, {0x3000, symbols}, {0x3040, kana}, {0x3100, unknown}, {0x4e00, han},
	{0xa000, unknown}, {0xac00, hangul}, {0xd7a4, unknown}, {0xfe00, marks}, {0xfe10, unknown}, {0xfe30, symbols}, {0xfe70, unknown}, {0xff00, symbols}, {0xff66, kana}, {0xffa0, unknown}, {0x10000, unknown},
}

// bmp has the alphabet of each character below U+10000.
var bmp = func() (table [1 << 16]alphabet) {
	for i := range spans[1:] {
		for r := spans[i].from; r < spans[i+1].from; r++ {
			table[r] = spans[i].of
		}
	}
	return table
}()

func alphabetOf(r rune) alphabet {
	switch {
	case r < 1<<16:
		return bmp[r]
	case 0x1f000 <= r && r < 0x1fb00:
		return emoji
	}
	return unknown
}

// isLatin reports whether letters of an alphabet are part of words with ASCII
// letters.
func (a alphabet) isLatin() bool { return a == romance || a == accented || a == vietnamese }
