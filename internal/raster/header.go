package raster

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"net/http"

	"golang.org/x/image/webp"

	"robot.wtf/internal/wiki"
)

// A header describes an image before it is decoded.
type header struct {
	mime          string
	lossy         bool // may be re-encoded as JPEG
	decode        func(io.Reader) (image.Image, error)
	width, height int
	memory        int64 // bytes that the decoder allocates, at most
	scans         int64 // passes over the pixels of a JPEG; otherwise 1
}

// Supports reports whether images of a MIME type can be decoded.
func Supports(mime string) bool {
	switch mime {
	case "image/png", "image/jpeg", "image/gif", "image/webp":
		return true
	}
	return false
}

// readHeader reads an image's header. It doesn't decode any pixels.
func readHeader(data []byte) (header, error) {
	h := header{mime: http.DetectContentType(data), scans: 1}
	var config func(io.Reader) (image.Config, error)
	var weigh func(*header, []byte) bool
	switch h.mime {
	case "image/png":
		config, h.decode, weigh = png.DecodeConfig, png.Decode, (*header).weighPNG
	case "image/jpeg":
		config, h.decode, weigh, h.lossy = jpeg.DecodeConfig, jpeg.Decode, (*header).weighJPEG, true
	case "image/gif":
		config, h.decode, weigh = gif.DecodeConfig, gif.Decode, (*header).weighGIF
	case "image/webp":
		config, h.decode, weigh, h.lossy = webp.DecodeConfig, webp.Decode, (*header).weighWebP, true
	default:
		return h, wiki.Problemf(wiki.ErrInvalid, "", "This file isn't an image that can be shown. Use PNG, JPEG, GIF or WebP.")
	}
	size, err := config(bytes.NewReader(data))
	if err != nil || size.Width <= 0 || size.Height <= 0 {
		return h, errDamaged
	}
	h.width, h.height = size.Width, size.Height
	if !weigh(&h, data) {
		return h, errDamaged
	}
	h.memory += int64(len(data))
	return h, nil
}

// weighPNG adds the memory that image/png allocates: the image, two rows, and for
// an interlaced one the passes, which together are a second image, with two rows
// each.
func (h *header) weighPNG(data []byte) bool {
	if len(data) < 29 || string(data[12:16]) != "IHDR" { // PNG 3rd edition, 5.6
		return false
	}
	depth, color, interlaced := int64(data[24]), data[25], data[28] == 1
	channels := map[byte]int64{0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color] // 11.2.1
	pixel := int64(4)
	switch {
	case color == 3, color == 0 && depth <= 8 && !bytes.Contains(data, []byte("tRNS")):
		pixel = 1
	case depth == 16:
		pixel = 8
	}
	w, height := int64(h.width), int64(h.height)
	row := 1 + (channels*depth*w+7)/8
	h.memory = pixel*w*height + 2*row
	if interlaced {
		h.memory = 2*pixel*w*height + 5*row
	}
	return true
}

// weighGIF adds the memory that image/gif allocates: one byte per pixel of the
// first frame, which isn't larger than the screen, and a copy if it is
// interlaced.
func (h *header) weighGIF([]byte) bool {
	h.memory = 2 * int64(h.width) * int64(h.height)
	return true
}

// weighWebP adds the memory that golang.org/x/image/webp allocates for the chunks
// up to the picture (RFC 9649, section 2).
func (h *header) weighWebP(data []byte) bool {
	w, height := int64(h.width), int64(h.height)
	for rest := data[min(12, len(data)):]; len(rest) >= 8; {
		kind, length := string(rest[:4]), int64(binary.LittleEndian.Uint32(rest[4:]))
		if rest = rest[8:]; length > int64(len(rest)) {
			return false // the decoder would allocate what the chunk claims
		}
		switch kind {
		case "ALPH":
			h.memory += w * height
			if length > 0 && rest[0]&3 == 1 {
				h.weighLossless(length)
			}
		case "VP8L":
			h.weighLossless(length)
			return true
		case "VP8 ":
			blocks := (w + 15) / 16 * ((height + 15) / 16)
			h.memory += blocks*(16*16*3/2+8) + length
			return true
		}
		rest = rest[min(length+length&1, int64(len(rest))):]
	}
	return true // without a picture, which the decoder reports
}

// weighLossless adds the memory of a VP8L picture of a number of bytes: 4 bytes
// per pixel, 2 more before colors are looked up, three images of tiles of 4 by 4
// pixels, and up to 2,600 groups of Huffman trees.
func (h *header) weighLossless(length int64) {
	w, height := int64(h.width), int64(h.height)
	tiles := (w + 3) / 4 * ((height + 3) / 4)
	const group, groups = 53 << 10, 2600
	trees := min(groups*group, 400*length) + 7<<20
	h.memory += 6*w*height + 3*4*tiles + min(trees, tiles*group+group)
}

// weighJPEG adds the memory that image/jpeg allocates: a plane for each component,
// its coefficients in a progressive image (4 bytes each), and a copy for colors
// other than YCbCr.
func (h *header) weighJPEG(data []byte) bool {
	f, ok := readFrame(data)
	if !ok || f.width != h.width || f.height != h.height {
		return false
	}
	h.scans = f.scans
	for _, samples := range f.samples {
		h.memory += f.units * samples * 64
		if f.progressive {
			h.memory += f.units * samples * 64 * 4
		}
	}
	if len(f.samples) > 1 && (len(f.samples) == 4 || f.rgb || bytes.Contains(data, []byte("Adobe"))) {
		h.memory += 4 * int64(h.width) * int64(h.height)
	}
	return true
}

// A frame is the frame header of a JPEG (ITU-T T.81, B.2.2).
type frame struct {
	width, height int
	progressive   bool
	rgb           bool    // by its component identifiers
	samples       []int64 // blocks of each component in a coded unit
	units         int64   // coded units (A.2)
	scans         int64
}

// readFrame finds the frame header and counts the scans. It skips entropy-coded
// data as the decoder does: up to the next marker.
func readFrame(data []byte) (f frame, ok bool) {
	for i := 2; ; {
		next := bytes.IndexByte(data[min(i, len(data)):], 0xFF)
		if next < 0 {
			return f, f.units > 0
		}
		for i += next; i < len(data) && data[i] == 0xFF; i++ {
		}
		if i >= len(data) {
			return f, f.units > 0
		}
		marker := data[i]
		i++
		switch {
		case marker == 0 || marker >= 0xD0 && marker <= 0xD7: // stuffing, restart
			continue
		case marker == 0xD9:
			return f, f.units > 0
		case i+2 > len(data):
			return f, f.units > 0
		}
		length := int(binary.BigEndian.Uint16(data[i:]))
		if length < 2 {
			return f, false
		}
		segment := data[min(i+2, len(data)):min(i+length, len(data))]
		switch {
		case marker == 0xDA:
			f.scans++
		case marker >= 0xC0 && marker <= 0xC2 && f.units == 0:
			if !f.read(segment) {
				return f, false
			}
			f.progressive = marker == 0xC2
		}
		i += length
	}
}

// read reads the segment of a frame header.
func (f *frame) read(segment []byte) bool {
	if len(segment) < 6 || len(segment) != 6+3*int(segment[5]) || segment[5] == 0 {
		return false
	}
	f.height, f.width = int(binary.BigEndian.Uint16(segment[1:])), int(binary.BigEndian.Uint16(segment[3:]))
	components := segment[6:]
	f.rgb = len(components) == 9 && components[0] == 'R' && components[3] == 'G' && components[6] == 'B'
	across, down := int64(components[1]>>4), int64(components[1]&15)
	if len(components) == 3 {
		across, down = 1, 1 // A.2.2
		f.samples = []int64{1}
	} else {
		for c := 0; c < len(components); c += 3 {
			f.samples = append(f.samples, int64(components[c+1]>>4)*int64(components[c+1]&15))
		}
	}
	if across == 0 || down == 0 {
		return false
	}
	f.units = (int64(f.width) + 8*across - 1) / (8 * across) * ((int64(f.height) + 8*down - 1) / (8 * down))
	return f.units > 0
}
