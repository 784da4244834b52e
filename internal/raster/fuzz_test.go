package raster

import (
	"bytes"
	"context"
	"encoding/base64"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"testing"
	"time"

	"robot.wtf/internal/wiki"
)

// Any bytes are re-encoded within the limits, or fail with an error for people.
func FuzzFit(f *testing.F) {
	m := image.NewNRGBA(image.Rect(0, 0, 9, 7))
	paletted := image.NewPaletted(m.Rect, color.Palette{color.Black, color.White, color.Transparent})
	for i := range m.Pix {
		m.Pix[i] = byte(37 * i)
	}
	for _, encode := range []func(*bytes.Buffer) error{
		func(b *bytes.Buffer) error { return png.Encode(b, m) },
		func(b *bytes.Buffer) error { return png.Encode(b, paletted) },
		func(b *bytes.Buffer) error { return png.Encode(b, image.NewGray16(m.Rect)) },
		func(b *bytes.Buffer) error { return jpeg.Encode(b, m, nil) },
		func(b *bytes.Buffer) error { return jpeg.Encode(b, image.NewGray(m.Rect), nil) },
		func(b *bytes.Buffer) error { return gif.Encode(b, m, nil) },
	} {
		var b bytes.Buffer
		if err := encode(&b); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes(), 5)
		f.Add(b.Bytes()[:b.Len()-9], 0)
	}
	for _, webp := range []string{ // one pixel: lossless, lossy
		"UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==",
		"UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA",
	} {
		data, err := base64.StdEncoding.DecodeString(webp)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, 5)
	}
	f.Add([]byte("\xff\xd8\xff\xe1\x00\x10Exif\x00\x00MM\x00*\x00\x00\x00\x08\xff\xd9"), 5)
	f.Fuzz(func(t *testing.T, data []byte, size int) {
		size = max(size, -size) % 64
		e := NewEncoder(Limits{Pixels: 1 << 20, Memory: 32 << 20, Total: 64 << 20, Slots: 1, CPU: 2 * time.Second, Wait: time.Second})
		p, err := e.Fit(t.Context(), "ada", size, func(context.Context) ([]byte, error) { return data, nil })
		if err != nil {
			if wiki.KindOf(err) == nil {
				t.Errorf("an error without a kind: %v", err)
			}
			return
		}
		decoded, _, err := image.DecodeConfig(bytes.NewReader(p.Data))
		if err != nil || size > 0 && max(decoded.Width, decoded.Height) > size {
			t.Errorf("%s of %d x %d for size %d: %v", p.MIME, decoded.Width, decoded.Height, size, err)
		}
	})
}
