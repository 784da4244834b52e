package raster

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color/palette"
	"image/gif"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
)

// A hostilePNG describes a PNG of zeros.
type hostilePNG struct {
	width, height int
	depth, color  byte // PNG 3rd edition, 11.2.1
	interlaced    bool
}

func (h hostilePNG) bytes(t testing.TB) []byte {
	t.Helper()
	channels := map[byte]int{0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[h.color]
	raw := 0
	pass := func(width, height int) {
		if width > 0 && height > 0 {
			raw += height * (1 + (width*channels*int(h.depth)+7)/8)
		}
	}
	header := binary.BigEndian.AppendUint32(nil, uint32(h.width))
	header = binary.BigEndian.AppendUint32(header, uint32(h.height))
	header = append(header, h.depth, h.color, 0, 0, 0)
	if h.interlaced {
		header[12] = 1
		for _, p := range [][4]int{{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}} {
			pass((h.width-p[0]+p[2]-1)/p[2], (h.height-p[1]+p[3]-1)/p[3])
		}
	} else {
		pass(h.width, h.height)
	}
	b := append([]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", header)...)
	if h.color == 3 {
		b = append(b, chunk("PLTE", make([]byte, 6))...)
	}
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	if _, err := io.CopyN(z, zeros{}, int64(raw)); err != nil {
		t.Fatal(err)
	}
	z.Close()
	return append(append(b, chunk("IDAT", packed.Bytes())...), chunk("IEND", nil)...)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// chunk is a chunk of a PNG.
func chunk(kind string, data []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	b = append(append(b, kind...), data...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

// hostileGIF has many frames, of one color, which compress well.
func hostileGIF(t testing.TB, width, height, frames int) []byte {
	t.Helper()
	m := image.NewPaletted(image.Rect(0, 0, width, height), palette.WebSafe)
	g := &gif.GIF{Image: []*image.Paletted{m}, Delay: []int{0}}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, g); err != nil {
		t.Fatal(err)
	}
	begin := bytes.IndexByte(b.Bytes()[13+3*256:], 0x2C) + 13 + 3*256
	frame := b.Bytes()[begin : b.Len()-1]
	return append(append(bytes.Clone(b.Bytes()[:begin]), bytes.Repeat(frame, frames)...), 0x3B)
}

// bitWriter writes bits as VP8L reads them: the least significant first.
type bitWriter struct {
	b []byte
	n int
}

func (w *bitWriter) put(value uint32, bits int) {
	for i := range bits {
		if w.n%8 == 0 {
			w.b = append(w.b, 0)
		}
		w.b[w.n/8] |= byte(value>>i&1) << (w.n % 8)
		w.n++
	}
}

// losslessWebP is black: each Huffman tree has one symbol, so that pixels take no
// bits (RFC 9649, section 3.7.2.1.1). With indexed, it uses a palette of 16
// colors, whose decoder needs half a picture more.
func losslessWebP(width, height int, indexed bool) []byte {
	w := &bitWriter{}
	w.put(0x2F, 8)
	w.put(uint32(width-1), 14)
	w.put(uint32(height-1), 14)
	w.put(0, 4) // no alpha, version
	single := func() {
		for range 5 {
			w.put(1, 1) // simple code
			w.put(0, 1) // one symbol
			w.put(0, 1) // of one bit
			w.put(0, 1)
		}
	}
	if indexed {
		w.put(1, 1)
		w.put(3, 2)
		w.put(15, 8)
		w.put(0, 1) // no color cache
		single()
	}
	w.put(0, 1) // no more transforms
	w.put(0, 1) // no color cache
	w.put(0, 1) // no meta codes
	single()
	return webpFile("VP8L", append(w.b, 0))
}

// lossyWebP is a key frame of noise (RFC 6386, section 9).
func lossyWebP(width, height, size int) []byte {
	noise := rand.NewChaCha8([32]byte{})
	b := make([]byte, 10+size)
	noise.Read(b[10:])
	first := min(size/2, 1<<19-1)
	tag := uint32(first)<<5 | 1<<4
	copy(b, []byte{byte(tag), byte(tag >> 8), byte(tag >> 16), 0x9D, 0x01, 0x2A})
	binary.LittleEndian.PutUint16(b[6:], uint16(width))
	binary.LittleEndian.PutUint16(b[8:], uint16(height))
	copy(b[10:], []byte{0, 0, 0})
	return webpFile("VP8 ", b)
}

// alphaWebP has alpha that is compressed like losslessWebP.
func alphaWebP(width, height, size int) []byte {
	x := make([]byte, 10)
	x[0] = 1 << 4
	copy(x[4:], []byte{byte(width - 1), byte((width - 1) >> 8), 0, byte(height - 1), byte((height - 1) >> 8), 0})
	alpha := losslessWebP(width, height, true)[20+5:]
	picture := lossyWebP(width, height, size)[12:]
	return riff(riffChunk("VP8X", x), riffChunk("ALPH", append([]byte{1}, alpha...)), picture)
}

func webpFile(kind string, data []byte) []byte { return riff(riffChunk(kind, data)) }

func riffChunk(kind string, data []byte) []byte {
	if len(data)%2 == 1 {
		data = append(data, 0)
	}
	return append(binary.LittleEndian.AppendUint32([]byte(kind), uint32(len(data))), data...)
}

func riff(chunks ...[]byte) []byte {
	body := append([]byte("WEBP"), slices.Concat(chunks...)...)
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...)
}

// claimedWebP is a few bytes that claim to be many.
func claimedWebP(width, height int, claimed uint32) []byte {
	b := lossyWebP(width, height, 100)
	binary.LittleEndian.PutUint32(b[4:], claimed+12)
	binary.LittleEndian.PutUint32(b[16:], claimed)
	return b
}

// treesWebP is a small picture with as many large Huffman trees as the decoder
// accepts: 2,600 groups, one for each tile of 4 by 4 pixels (RFC 9649, section
// 3.7.2).
func treesWebP() []byte {
	const across, down = 52, 50 // tiles
	w := &bitWriter{}
	w.put(0x2F, 8)
	w.put(4*across-1, 14)
	w.put(4*down-1, 14)
	w.put(0, 4)
	w.put(0, 1) // no transforms
	w.put(1, 1) // a color cache of 2,048
	w.put(11, 4)
	w.put(1, 1) // meta codes, in tiles of 4 by 4
	w.put(0, 3)
	w.put(0, 1) // their picture has no color cache
	w.fullTree(280)
	w.fullTree(256)
	w.simpleTrees(3)
	for i := range uint32(across * down) { // each tile has its own group
		w.code(i&0xFF, 8)
		w.code(i>>8, 8)
	}
	for range across * down {
		w.cachedTree()
		for range 3 {
			w.fullTree(256)
		}
		w.simpleTrees(1)
	}
	pixels := make([]byte, across*down*16*(11+3*8)/8+1) // the symbols 0
	return webpFile("VP8L", append(w.b, pixels...))
}

// code writes a Huffman code, the most significant bit first.
func (w *bitWriter) code(code uint32, bits int) {
	for bits--; bits >= 0; bits-- {
		w.put(code>>bits&1, 1)
	}
}

func (w *bitWriter) simpleTrees(n int) {
	for range n {
		w.put(1, 1) // simple, one symbol of one bit: 0
		w.put(0, 3)
	}
}

// fullTree is a tree in which 256 symbols have 8 bits, and others none.
func (w *bitWriter) fullTree(alphabet int) {
	w.put(0, 1)
	w.put(9-4, 4) // lengths of the codes of 17, 18, 0 to 5, 16: 18 and 16 have one bit
	for _, length := range []uint32{0, 1, 0, 0, 0, 0, 0, 0, 1} {
		w.put(length, 3)
	}
	w.put(0, 1)
	w.repeat(256, 0, 1)
	if rest := alphabet - 256; rest > 0 {
		w.put(1, 1) // 18: zeros
		w.put(uint32(rest-11), 7)
	}
}

// cachedTree is a tree of 2,328 symbols: 1,768 of 11 bits, and 560 of 12.
func (w *bitWriter) cachedTree() {
	w.put(0, 1)
	w.put(16-4, 4) // 16 has one bit; 11 and 12 have two
	for _, length := range []uint32{0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2, 2} {
		w.put(length, 3)
	}
	w.put(0, 1)
	w.code(2, 2)
	w.repeat(1767, 0, 1)
	w.code(3, 2)
	w.repeat(558, 0, 1)
	w.code(3, 2)
}

// repeat repeats the last length, 8 at first, with the code of 16.
func (w *bitWriter) repeat(n int, code uint32, bits int) {
	for n > 0 {
		some := min(n, 6)
		if n-some > 0 && n-some < 3 {
			some -= 3
		}
		w.code(code, bits)
		w.put(uint32(some-3), 2)
		n -= some
	}
}
