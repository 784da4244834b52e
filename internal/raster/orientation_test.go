package raster

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/jpeg"
	"testing"

	"robot.wtf/internal/wiki"
)

// exifOf makes the start of a JPEG whose Exif segment has one tag.
func exifOf(order binary.AppendByteOrder, tag, value uint16) []byte {
	tiff := []byte("MM\x00*")
	if order == binary.LittleEndian {
		tiff = []byte("II*\x00")
	}
	tiff = order.AppendUint32(tiff, 8)
	tiff = order.AppendUint16(tiff, 1)
	tiff = order.AppendUint16(tiff, tag)
	tiff = order.AppendUint16(tiff, 3)
	tiff = order.AppendUint32(tiff, 1)
	tiff = order.AppendUint16(tiff, value)
	tiff = order.AppendUint16(tiff, 0)
	segment := append([]byte("Exif\x00\x00"), tiff...)
	data := binary.BigEndian.AppendUint16([]byte{0xFF, 0xD8, 0xFF, 0xE1}, uint16(len(segment)+2))
	return append(data, segment...)
}

func TestExifOrientation(t *testing.T) {
	for _, order := range []binary.AppendByteOrder{binary.BigEndian, binary.LittleEndian} {
		if got := exifOrientation(exifOf(order, 0x0112, 6)); got != 6 {
			t.Errorf("%v: %d", order, got)
		}
		if got := exifOrientation(exifOf(order, 0x0113, 6)); got != 1 {
			t.Errorf("%v: another tag is read as %d", order, got)
		}
	}
	behind := append([]byte{0xFF, 0xD8, 0xFF, 0xE0, 0, 4, 1, 2}, exifOf(binary.BigEndian, 0x0112, 3)[2:]...)
	if got := exifOrientation(behind); got != 3 {
		t.Errorf("behind another segment: %d", got)
	}
	scan := append([]byte{0xFF, 0xD8, 0xFF, 0xDA, 0, 2}, exifOf(binary.BigEndian, 0x0112, 3)[2:]...)
	if got := exifOrientation(scan); got != 1 {
		t.Errorf("behind the start of the scan: %d", got)
	}
}

// Attack: Exif data that ends early, or points beyond its end. Reading it must
// not panic.
func TestHostileExif(t *testing.T) {
	whole := exifOf(binary.BigEndian, 0x0112, 6)
	for n := range len(whole) {
		exifOrientation(whole[:n])
		short := bytes.Clone(whole[:n]) // with a length that fits the rest
		if n >= 6 {
			binary.BigEndian.PutUint16(short[4:], uint16(n-4))
			if got := exifOrientation(short); got != 1 && n < len(whole)-2 {
				t.Errorf("cut after %d bytes: %d", n, got)
			}
		}
	}
	for at := range len(whole) {
		for _, b := range []byte{0, 1, 0x7F, 0xFF} {
			changed := bytes.Clone(whole)
			changed[at] = b
			exifOrientation(changed)
		}
	}
	for _, length := range []uint16{0, 1} { // a segment that never ends
		exifOrientation(binary.BigEndian.AppendUint16([]byte{0xFF, 0xD8, 0xFF, 0xE0}, length))
	}
}

// A file that isn't an image that can be decoded is refused before it is decoded.
func TestFitRefusesOtherFiles(t *testing.T) {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 8, 8)), nil); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{
		"empty": "", "text": "hello", "svg": "<svg xmlns='http://www.w3.org/2000/svg'/>", "pdf": "%PDF-1.7", "bmp": "BM" + string(make([]byte, 60)),
		"cut jpeg": b.String()[:20], "png without a size": string(withSize(pngOf(t, 1, 1), 0, 0)),
	} {
		if _, err := fit(t.Context(), NewEncoder(limitsOf(1000)), "ada", []byte(data), 10); !errors.Is(err, wiki.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
