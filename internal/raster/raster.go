// Package raster re-encodes untrusted images so that only their pixels remain:
// no metadata, no script, no content hidden behind another format. It decodes
// PNG, JPEG, GIF (the first frame) and WebP. It stores nothing and decides no
// access.
//
// Everything an image can cost is bounded. Its memory is computed from its header
// before it is decoded. Its CPU time is checked every 64 bytes of input, and so is
// the context. Each owner decodes one image at a time.
package raster

import (
	"context"
	"errors"
	"image"
	"image/draw"
	"image/jpeg"
	"image/png"
	"runtime"
	"time"

	"robot.wtf/internal/budget"
	"robot.wtf/internal/wiki"
)

// A Picture is an encoded image.
type Picture struct {
	Data []byte
	MIME string
}

// Limits bound the work of an Encoder.
type Limits struct {
	Pixels int64         // of one image
	Memory int64         // bytes that decoding one image needs, and so the share of an owner
	Total  int64         // bytes that all images being decoded need
	Slots  int64         // images being decoded at a time, each for another owner
	CPU    time.Duration // for one image
	Wait   time.Duration // for a slot, and for memory
	// Turns are those of an owner's long work of all kinds, with which decoding
	// alternates; nil if there is none.
	Turns *budget.Slots
}

// An Encoder re-encodes images within limits. It is safe for concurrent use.
type Encoder struct {
	limits   Limits
	slots    *budget.Slots // one for each owner
	memory   *budget.Slots // in bytes
	failures failures
}

// NewEncoder returns an Encoder.
func NewEncoder(l Limits) *Encoder {
	return &Encoder{limits: l, slots: budget.NewSlots(l.Slots, 1), memory: budget.NewSlots(l.Total, l.Memory)}
}

// Fit re-encodes an image to fit a square of size pixels; 0 keeps its size.
// Images are never enlarged. The work counts against the owner: a wiki's slug or
// an account's DID. Fit calls read when it is the owner's turn, so that images
// that wait need no memory.
//
// Fit fails with wiki.ErrTooLarge if the image has too many pixels or takes too
// much memory or time, with wiki.ErrInvalid if it is damaged or not an image, and
// with wiki.ErrUnavailable if the owner's turn doesn't come.
func (e *Encoder) Fit(ctx context.Context, owner string, size int, read func(context.Context) ([]byte, error)) (Picture, error) {
	release, err := e.acquire(ctx, e.slots, owner, 1)
	if err != nil {
		return Picture{}, err
	}
	defer release()
	data, err := read(ctx)
	if err != nil {
		return Picture{}, err
	}
	known := failureKey(owner, data)
	if err := e.failures.find(known); err != nil {
		return Picture{}, err
	}
	h, err := readHeader(data)
	if err != nil {
		return Picture{}, err
	}
	need, err := e.limits.check(h, size)
	if err != nil {
		return Picture{}, err
	}
	releaseMemory, err := e.acquire(ctx, e.memory, owner, need)
	if err != nil {
		return Picture{}, err
	}
	defer releaseMemory()
	if need > collectAbove {
		defer runtime.GC() // so that the memory is free when it is released
	}
	check, end, err := e.takeTurn(ctx, owner)
	if err != nil {
		return Picture{}, err
	}
	defer end()
	picture, used, err := h.fit(check, data, size, e.limits.CPU)
	if err != nil && ctx.Err() == nil {
		e.failures.add(known, err, used)
	}
	return picture, err
}

// takeTurn waits for the owner's turn. The work must call check often, which returns
// the error to stop with.
func (e *Encoder) takeTurn(ctx context.Context, owner string) (check func() error, end func(), err error) {
	if e.limits.Turns == nil {
		return ctx.Err, func() {}, nil
	}
	turn, err := e.limits.Turns.TakeTurn(ctx, owner)
	return func() error { return turn.Check(ctx) }, turn.End, err
}

// collectAbove is the size of images, in bytes of memory, that are worth a garbage
// collection.
const collectAbove = 64 << 20

func (e *Encoder) acquire(ctx context.Context, slots *budget.Slots, owner string, units int64) (release func(), err error) {
	wait, cancel := context.WithTimeout(ctx, e.limits.Wait)
	defer cancel()
	release, err = slots.AcquireUnits(wait, owner, units)
	if err != nil && ctx.Err() == nil && wait.Err() != nil {
		return nil, wiki.Problemf(wiki.ErrUnavailable, "", "Too many images are waiting to be resized. Try again in a minute.")
	}
	return release, err
}

// check returns the bytes that fitting an image needs. It fails with ErrTooLarge
// if they exceed the limits.
func (l Limits) check(h header, size int) (int64, error) {
	pixels := int64(h.width) * int64(h.height)
	if pixels > l.Pixels {
		return 0, wiki.Problemf(wiki.ErrTooLarge, "", "This image is too large: it can have at most %d million pixels.", l.Pixels/1_000_000)
	}
	if pixels*h.scans > maxScanPixels {
		return 0, wiki.Problemf(wiki.ErrTooLarge, "", "This JPEG stores its pixels in too many scans (%d). Save it with fewer scans, or without the progressive option.", h.scans)
	}
	need := h.memory + h.outputMemory(size)
	if need > l.Memory {
		return 0, wiki.Problemf(wiki.ErrTooLarge, "", "This image takes %d MB of memory to decode; the limit is %d MB. Use fewer pixels, 8 bits per color, or a JPEG without the progressive option.", need>>20, l.Memory>>20)
	}
	return need, nil
}

// maxScanPixels bounds the passes over a JPEG's pixels. Ordinary encoders make
// about ten. Decoding an empty scan takes about 0.6 ns per pixel.
const maxScanPixels = 1_000_000_000

// maxOutput bounds an encoded picture.
const maxOutput = 16 << 20

// outputMemory returns the bytes that shrinking and encoding need.
func (h header) outputMemory(size int) int64 {
	w, height := int64(h.width), int64(h.height)
	if size > 0 && max(w, height) > int64(size) {
		w, height = min(w, int64(size)), min(height, int64(size))
		return 3*4*w*height + tileBytes // the small image, turned, and encoded
	}
	rows := 6 * 8 * w // of png.Encoder, at 8 bytes per pixel
	return 4*w*height + rows + min(3*4*w*height, 3*maxOutput)
}

// fit decodes, shrinks, turns and encodes an image. It returns the CPU time used. It
// stops with the error of check, if that returns one.
func (h header) fit(check func() error, data []byte, size int, limit time.Duration) (Picture, time.Duration, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c := newClock(limit, check)
	picture, err := h.fitBy(c, data, size)
	switch {
	case c.err != nil: // decoders and encoders hide it
		return Picture{}, c.used(), c.err
	case errors.Is(err, wiki.ErrTooLarge):
		return Picture{}, c.used(), err
	case err != nil:
		return Picture{}, c.used(), errDamaged
	}
	return picture, c.used(), nil
}

var (
	errDamaged    = wiki.Problemf(wiki.ErrInvalid, "", "This image is damaged.")
	errBigPicture = wiki.Problemf(wiki.ErrTooLarge, "", "This image is too large to be shown without its metadata. Ask for a smaller size.")
)

func (h header) fitBy(c *clock, data []byte, size int) (Picture, error) {
	m, err := h.decode(&reader{data: data, clock: c})
	if err == nil && m.Bounds().Empty() {
		err = errDamaged // a GIF's frame can be empty
	}
	if err != nil {
		return Picture{}, err
	}
	if size > 0 {
		m = shrink(c, m, size)
	}
	if h.mime == "image/jpeg" {
		m = applyOrientation(c, m, exifOrientation(data))
	}
	return encode(c, m, h.lossy)
}

func encode(c *clock, m image.Image, lossy bool) (Picture, error) {
	lossy = lossy && isOpaque(m)
	m = drawable(c, m)
	out := &writer{clock: c}
	var err error
	mime := "image/png"
	if lossy {
		mime = "image/jpeg"
		err = jpeg.Encode(out, m, &jpeg.Options{Quality: 85})
	} else {
		level := png.DefaultCompression
		if b := m.Bounds(); b.Dx()*b.Dy() > 4_000_000 {
			level = png.BestSpeed
		}
		err = (&png.Encoder{CompressionLevel: level}).Encode(out, m)
	}
	return Picture{out.buffer.Bytes(), mime}, err
}

// drawable returns an image that encoders don't read through one interface call
// for each pixel.
func drawable(c *clock, m image.Image) image.Image {
	switch m.(type) {
	case *image.CMYK, *image.NYCbCrA:
	default:
		return m
	}
	b := m.Bounds()
	out := image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	for y := 0; y < b.Dy() && c.check() == nil; y += 16 {
		draw.Draw(out, image.Rect(0, y, b.Dx(), min(y+16, b.Dy())), m, image.Pt(b.Min.X, b.Min.Y+y), draw.Src)
	}
	return out
}

func isOpaque(m image.Image) bool {
	o, ok := m.(interface{ Opaque() bool })
	return ok && o.Opaque()
}
