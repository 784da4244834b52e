package raster

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color/palette"
	"image/gif"
	"image/jpeg"
	"image/png"
	"testing"
	"time"

	"robot.wtf/internal/wiki"
)

// Attack: a small file declares a huge picture, whose pixels would fill memory.
func TestPixelLimit(t *testing.T) {
	e := NewEncoder(limitsOf(100 * 100))
	for name, encode := range map[string]func(*bytes.Buffer, image.Image) error{
		"png":  func(b *bytes.Buffer, m image.Image) error { return png.Encode(b, m) },
		"jpeg": func(b *bytes.Buffer, m image.Image) error { return jpeg.Encode(b, m, nil) },
		"gif":  func(b *bytes.Buffer, m image.Image) error { return gif.Encode(b, m, nil) },
	} {
		fit := func(width, height int) error {
			t.Helper()
			var b bytes.Buffer
			if err := encode(&b, image.NewPaletted(image.Rect(0, 0, width, height), palette.WebSafe)); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			_, err := fit(ctx, e, "ada", b.Bytes(), 10)
			return err
		}
		if err := fit(100, 100); err != nil {
			t.Errorf("%s at the limit: %v", name, err)
		}
		for _, size := range []image.Point{{101, 100}, {1, 10_001}, {300, 300}} {
			if err := fit(size.X, size.Y); !errors.Is(err, wiki.ErrTooLarge) {
				t.Errorf("%s of %v: %v", name, size, err)
			}
		}
	}
}

// A PNG whose header alone is there: 100,000 by 100,000 pixels.
func TestPixelLimitReadsTheHeader(t *testing.T) {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 1, 1))); err != nil {
		t.Fatal(err)
	}
	bomb := withSize(b.Bytes(), 100_000, 100_000)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, err := fit(ctx, NewEncoder(limitsOf(25_000_000)), "ada", bomb, 96); !errors.Is(err, wiki.ErrTooLarge) {
		t.Errorf("10,000 million pixels: %v", err)
	}
}

// Attack: many pictures at the limit are sent at once. Together they hold no more
// memory than all images may.
func TestMemoryDecodedAtOnce(t *testing.T) {
	data := pngOf(t, 100, 100)
	e := NewEncoder(limitsOf(100 * 100))
	e.limits.Wait = 20 * time.Millisecond
	busy, err := e.memory.AcquireUnits(t.Context(), "bob", e.limits.Memory) // another picture is being decoded
	if err != nil {
		t.Fatal(err)
	}
	busier, err := e.memory.AcquireUnits(t.Context(), "eve", e.limits.Total-e.limits.Memory)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fit(t.Context(), e, "ada", data, 10); !errors.Is(err, wiki.ErrUnavailable) {
		t.Errorf("decoded beside others: %v", err)
	}
	busy()
	for range 3 {
		if _, err := fit(t.Context(), e, "ada", data, 10); err != nil {
			t.Error(err)
		}
	}
	busier()
	for _, owner := range []string{"ada", "bob"} {
		if _, err := e.memory.AcquireUnits(t.Context(), owner, e.limits.Memory); err != nil {
			t.Errorf("memory was not released: %v", err)
		}
	}
}

// limitsOf are generous limits for images of a number of pixels.
func limitsOf(pixels int64) Limits {
	memory := 64*pixels + 1<<20
	return Limits{Pixels: pixels, Memory: memory, Total: 2 * memory, Slots: 2, CPU: 30 * time.Second, Wait: time.Minute}
}

// fit fits an image that is already in memory.
func fit(ctx context.Context, e *Encoder, owner string, data []byte, size int) (Picture, error) {
	return e.Fit(ctx, owner, size, func(context.Context) ([]byte, error) { return data, nil })
}

// withSize changes the size in a PNG's header (PNG 3rd edition, 11.2.1).
func withSize(data []byte, width, height uint32) []byte {
	data = bytes.Clone(data)
	header := data[12:29] // type and content of IHDR
	binary.BigEndian.PutUint32(header[4:], width)
	binary.BigEndian.PutUint32(header[8:], height)
	binary.BigEndian.PutUint32(data[29:], crc32.ChecksumIEEE(header))
	return data
}

func pngOf(t *testing.T, width, height int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, width, height))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
