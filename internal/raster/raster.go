// Package raster re-encodes untrusted images so that only their pixels remain:
// no metadata, no script, no content hidden behind another format. It decodes
// PNG, JPEG, GIF (the first frame) and WebP, and bounds the number of pixels
// being decoded at any time. It stores nothing and decides no access.
package raster

import (
	"bytes"
	"context"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"net/http"

	"golang.org/x/image/webp"
	"golang.org/x/sync/semaphore"

	"robot.wtf/internal/wiki"
)

// A format is an image format that can be decoded.
type format struct {
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
	lossy  bool // may be re-encoded as JPEG
}

// formatOf returns the format of a MIME type.
func formatOf(mime string) (format, bool) {
	switch mime {
	case "image/png":
		return format{png.DecodeConfig, png.Decode, false}, true
	case "image/jpeg":
		return format{jpeg.DecodeConfig, jpeg.Decode, true}, true
	case "image/gif":
		return format{gif.DecodeConfig, gif.Decode, false}, true
	case "image/webp":
		return format{webp.DecodeConfig, webp.Decode, true}, true
	}
	return format{}, false
}

// Supports reports whether images of a MIME type can be decoded.
func Supports(mime string) bool {
	_, ok := formatOf(mime)
	return ok
}

// A Picture is an encoded image.
type Picture struct {
	Data []byte
	MIME string
}

// An Encoder re-encodes images within a memory limit. It is safe for concurrent
// use.
type Encoder struct {
	maxPixels int64
	pixels    *semaphore.Weighted // of all images being decoded
}

// NewEncoder returns an Encoder that decodes at most maxPixels pixels at a time,
// at 4 bytes each, and rejects images that have more.
func NewEncoder(maxPixels int64) *Encoder {
	return &Encoder{maxPixels: maxPixels, pixels: semaphore.NewWeighted(maxPixels)}
}

// Fit re-encodes an image to fit a square of size pixels; 0 keeps its size.
// Images are never enlarged. Fit fails with wiki.ErrTooLarge if the image has
// too many pixels, and with wiki.ErrInvalid if it is damaged or not an image.
func (e *Encoder) Fit(ctx context.Context, data []byte, size int) (Picture, error) {
	mime := http.DetectContentType(data)
	f, ok := formatOf(mime)
	if !ok {
		return Picture{}, wiki.Problemf(wiki.ErrInvalid, "", "This file isn't an image that can be shown. Use PNG, JPEG, GIF or WebP.")
	}
	config, err := f.config(bytes.NewReader(data))
	if err != nil || config.Width <= 0 || config.Height <= 0 {
		return Picture{}, wiki.Problemf(wiki.ErrInvalid, "", "This image is damaged.")
	}
	weight := int64(config.Width) * int64(config.Height)
	if weight > e.maxPixels {
		return Picture{}, wiki.Problemf(wiki.ErrTooLarge, "", "This image is too large: it can have at most %d million pixels.", e.maxPixels/1_000_000)
	}
	if err := e.pixels.Acquire(ctx, weight); err != nil {
		return Picture{}, err
	}
	defer e.pixels.Release(weight)
	img, err := f.decode(bytes.NewReader(data))
	if err != nil {
		return Picture{}, wiki.Problemf(wiki.ErrInvalid, "", "This image is damaged.")
	}
	if size > 0 {
		img = shrink(img, size)
	}
	if mime == "image/jpeg" {
		img = applyOrientation(img, exifOrientation(data))
	}
	return encode(img, f.lossy && isOpaque(img))
}

func encode(m image.Image, lossy bool) (Picture, error) {
	var out bytes.Buffer
	if lossy {
		err := jpeg.Encode(&out, m, &jpeg.Options{Quality: 85})
		return Picture{out.Bytes(), "image/jpeg"}, err
	}
	err := png.Encode(&out, m)
	return Picture{out.Bytes(), "image/png"}, err
}

func isOpaque(m image.Image) bool {
	o, ok := m.(interface{ Opaque() bool })
	return ok && o.Opaque()
}
