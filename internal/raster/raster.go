// Package raster re-encodes pictures that strangers sent, so that nothing but
// their pixels is left: no metadata, no script, no second meaning. It decodes
// PNG, JPEG, GIF (the first picture) and WebP, and bounds how many pixels are
// decoded at one time.
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

// A format is a kind of picture that can be decoded.
type format struct {
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
	photo  bool // may be written with loss
}

// formatOf knows the formats by MIME type.
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

// Is reports whether pictures of a MIME type can be decoded.
func Is(mime string) bool {
	_, ok := formatOf(mime)
	return ok
}

// A Picture is an encoded image.
type Picture struct {
	Data []byte
	MIME string
}

// An Encoder re-encodes within a bound of memory. It is safe for concurrent use.
type Encoder struct {
	max    int64
	pixels *semaphore.Weighted // of the pictures being decoded at one time
}

// NewEncoder makes an Encoder that decodes up to max pixels at one time, of 4
// bytes each, and refuses pictures that have more.
func NewEncoder(max int64) *Encoder {
	return &Encoder{max: max, pixels: semaphore.NewWeighted(max)}
}

// Fit re-encodes a picture so that it fits a square of size pixels; 0 keeps its
// size, and none is enlarged. Bombs are ErrTooLarge, what is no picture or
// damaged is ErrInvalid.
func (e *Encoder) Fit(ctx context.Context, data []byte, size int) (Picture, error) {
	mime := http.DetectContentType(data)
	f, ok := formatOf(mime)
	if !ok {
		return Picture{}, wiki.Problemf(wiki.ErrInvalid, "", "This file is not a picture that can be shown.")
	}
	config, err := f.config(bytes.NewReader(data))
	if err != nil || config.Width <= 0 || config.Height <= 0 {
		return Picture{}, wiki.Problemf(wiki.ErrInvalid, "", "This picture is damaged.")
	}
	weight := int64(config.Width) * int64(config.Height)
	if weight > e.max {
		return Picture{}, wiki.Problemf(wiki.ErrTooLarge, "", "This picture is too large to be shown: it may have %d million pixels.", e.max/1_000_000)
	}
	if err := e.pixels.Acquire(ctx, weight); err != nil {
		return Picture{}, err
	}
	defer e.pixels.Release(weight)
	picture, err := f.decode(bytes.NewReader(data))
	if err != nil {
		return Picture{}, wiki.Problemf(wiki.ErrInvalid, "", "This picture is damaged.")
	}
	if size > 0 {
		picture = shrink(picture, size)
	}
	if mime == "image/jpeg" {
		picture = upright(picture, orientation(data))
	}
	return encode(picture, f.photo && opaque(picture))
}

func encode(m image.Image, photo bool) (Picture, error) {
	var out bytes.Buffer
	if photo {
		err := jpeg.Encode(&out, m, &jpeg.Options{Quality: 85})
		return Picture{out.Bytes(), "image/jpeg"}, err
	}
	err := png.Encode(&out, m)
	return Picture{out.Bytes(), "image/png"}, err
}

func opaque(m image.Image) bool {
	o, ok := m.(interface{ Opaque() bool })
	return ok && o.Opaque()
}
