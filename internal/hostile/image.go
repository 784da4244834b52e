package hostile

import (
	"bytes"
	"encoding/binary"
)

// A JPEG describes a JPEG whose scans cost few bytes and much processor time.
type JPEG struct {
	Width, Height int
	Components    int
	Samples       byte // sampling factors of the first and fourth component; 0 means 0x11
	Progressive   bool
	Scans         int
}

// Bytes encodes the picture (ITU-T T.81, annex B). A progressive scan says that
// all blocks are empty (figure G.6); a sequential one is gray.
func (j JPEG) Bytes() []byte {
	const adobe = "\xFF\xEE\x00\x0EAdobe\x00\x64\x00\x00\x00\x00\x00"
	b := []byte("\xFF\xD8" + adobe + "\xFF\xDB\x00\x43\x00")
	b = append(b, bytes.Repeat([]byte{1}, 64)...)
	sof := byte(0xC0)
	if j.Progressive {
		sof = 0xC2
	}
	b = append(b, 0xFF, sof, 0, byte(8+3*j.Components), 8)
	b = binary.BigEndian.AppendUint16(b, uint16(j.Height))
	b = binary.BigEndian.AppendUint16(b, uint16(j.Width))
	b = append(b, byte(j.Components))
	for c := range j.Components {
		samples := byte(0x11)
		if (c == 0 || c == 3) && j.Samples != 0 {
			samples = j.Samples
		}
		b = append(b, byte(c+1), samples, 0)
	}
	b = append(b, huffmanTable(0x00, 0)...)
	if j.Progressive {
		b = append(b, huffmanTable(0x10, 0xE0)...) // end of band, run of 14 more bits
	} else {
		b = append(b, huffmanTable(0x10, 0)...)
	}
	for i := range j.Scans {
		c := i % j.Components
		if !j.Progressive {
			b = append(b, 0xFF, 0xDA, 0, 8, 1, byte(c+1), 0, 0, 63, 0)
			b = append(b, make([]byte, (j.blocks(c)*2+7)/8)...)
			continue
		}
		b = append(b, 0xFF, 0xDA, 0, 8, 1, byte(c+1), 0, 1, 63, 0)
		b = append(b, emptyRuns(j.blocks(c))...)
	}
	return append(b, 0xFF, 0xD9)
}

// blocks is the number of blocks in a scan of one component.
func (j JPEG) blocks(component int) int {
	across, down := 8, 8
	if j.Samples == 0x22 && j.Components > 1 && component%3 != 0 {
		across, down = 16, 16
	}
	return ((j.Width + across - 1) / across) * ((j.Height + down - 1) / down)
}

// emptyRuns covers the blocks of a scan with runs of 27,306: the code 0, and 14
// bits that need no stuffing.
func emptyRuns(blocks int) []byte {
	var b []byte
	bits, n := uint32(0), 0
	for ; blocks > 0; blocks -= 1<<14 + 0x2AAA {
		bits, n = bits<<15|0x2AAA, n+15
		for ; n >= 8; n -= 8 {
			b = append(b, byte(bits>>(n-8)))
		}
	}
	return append(b, byte(bits<<(8-n)))
}

// huffmanTable has one symbol, with the code 0.
func huffmanTable(class, symbol byte) []byte {
	b := append([]byte{0xFF, 0xC4, 0, 20, class, 1}, make([]byte, 15)...)
	return append(b, symbol)
}
