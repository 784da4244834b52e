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
	e := NewEncoder(100 * 100)
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
			_, err := e.Fit(ctx, b.Bytes(), 10)
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
	if _, err := NewEncoder(25_000_000).Fit(ctx, bomb, 96); !errors.Is(err, wiki.ErrTooLarge) {
		t.Errorf("10,000 million pixels: %v", err)
	}
}

// Attack: many pictures at the limit are sent at once. Together they hold no more
// than one of them may.
func TestPixelsDecodedAtOnce(t *testing.T) {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 100, 100))); err != nil {
		t.Fatal(err)
	}
	e := NewEncoder(100 * 100)
	if err := e.pixels.Acquire(t.Context(), 1); err != nil { // another picture is being decoded
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := e.Fit(ctx, b.Bytes(), 10); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("decoded beside another: %v", err)
	}
	e.pixels.Release(1)
	for range 3 {
		if _, err := e.Fit(t.Context(), b.Bytes(), 10); err != nil {
			t.Error(err)
		}
	}
	if !e.pixels.TryAcquire(100 * 100) {
		t.Error("pixels were not given back")
	}
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
