package pages

import (
	"bytes"
	"context"
	"encoding/binary"
	"image"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"net/http"
	"path"
	"strconv"
	"strings"

	"golang.org/x/image/webp"

	"robot.wtf/internal/wiki"
)

// imageTypes are those that can be shown, because they can be re-encoded.
var imageTypes = map[string]bool{"image/png": true, "image/jpeg": true, "image/gif": true, "image/webp": true}

// extensionTypes are the types of names whose content does not say what it is.
// The system's own table is not asked: it differs between machines.
var extensionTypes = map[string]string{
	".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp",
	".svg": "image/svg+xml", ".html": "text/html", ".htm": "text/html", ".xhtml": "application/xhtml+xml",
	".xml": "text/xml", ".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css",
	".txt": "text/plain", ".csv": "text/csv", ".tsv": "text/tab-separated-values", ".log": "text/plain",
	".json": "application/json", ".yaml": "application/yaml", ".yml": "application/yaml", ".toml": "application/toml",
	".pdf": "application/pdf", ".zip": "application/zip", ".gz": "application/gzip",
	".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
	".odt":  "application/vnd.oasis.opendocument.text", ".ods": "application/vnd.oasis.opendocument.spreadsheet",
	".mp3": "audio/mpeg", ".ogg": "audio/ogg", ".wav": "audio/wav", ".mp4": "video/mp4", ".webm": "video/webm",
}

// activeTypes can run script in a browser: either sign of one decides.
var activeTypes = map[string]bool{"text/html": true, "image/svg+xml": true, "application/xhtml+xml": true, "text/xml": true}

// typeOf is a file's MIME type, without parameters. With data, an image is one
// only if it begins as one.
func typeOf(name string, data []byte) string {
	byName := extensionTypes[strings.ToLower(path.Ext(name))]
	if data == nil {
		if byName == "" {
			return "application/octet-stream"
		}
		return byName
	}
	sniffed, _, _ := strings.Cut(http.DetectContentType(data), ";")
	head := bytes.ToLower(data[:min(len(data), 2048)])
	switch {
	case activeTypes[byName]:
		return byName
	case bytes.Contains(head, []byte("<svg")) && !imageTypes[sniffed]:
		return "image/svg+xml"
	case activeTypes[sniffed] || imageTypes[sniffed] || sniffed == "application/pdf":
		return sniffed
	case byName == "" || imageTypes[byName] || byName == "application/pdf":
		return sniffed
	}
	return byName
}

func imageByName(name string) bool { return imageTypes[typeOf(name, nil)] }

const (
	// maxPixels bounds an image, and all images being decoded at one time: at 4
	// bytes a pixel, 160 MB.
	maxPixels = 40_000_000
)

// thumbnailSizes are those that are made. Whoever asks for one picture in a
// thousand sizes makes us decode it as often as there are steps, and fills the
// cache with no more than these.
var thumbnailSizes = [...]int{16, 24, 32, 40, 48, 64, 80, 96, 128, 160, 240, 320, 480, 640, 800, 1200, 1600}

// thumbnailSize is the largest step that fits into a size, the smallest for
// what is under it.
func thumbnailSize(asked int) int {
	fits := thumbnailSizes[0]
	for _, step := range thumbnailSizes {
		if step <= asked {
			fits = step
		}
	}
	return fits
}

// A thumbnail is an image re-encoded.
type thumbnail struct {
	data []byte
	mime string
}

func (t *thumbnail) weight() uint32 { return uint32(len(t.data) + 100) }

// Thumbnail gives an image re-encoded to fit a square of size pixels (16 to
// 1,600, in steps); size 0 re-encodes at its own size, without metadata. Bombs are
// ErrTooLarge; what is no image is ErrInvalid. Of an animation it is the first
// picture.
func (s *Service) Thumbnail(ctx context.Context, a wiki.Access, path, revision string, size int) (data []byte, mime string, err error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return nil, "", err
	}
	defer release()
	if size != 0 {
		size = thumbnailSize(size)
	}
	f, data, err := s.readAttachment(ctx, w, path, revision)
	if err != nil {
		return nil, "", err
	}
	key := cacheKey{"thumbnail", w.Slug(), f.Blob + "/" + strconv.Itoa(size)}
	if c, ok := s.cache.GetIfPresent(key); ok {
		t := c.(*thumbnail)
		return t.data, t.mime, nil
	}
	t, err := s.reencode(ctx, data, size)
	if err != nil {
		return nil, "", err
	}
	s.cache.Set(key, t)
	return t.data, t.mime, nil
}

// reencode decodes and encodes an image, which drops all that is not picture.
func (s *Service) reencode(ctx context.Context, data []byte, size int) (*thumbnail, error) {
	mime := typeOf("", data)
	if !imageTypes[mime] {
		return nil, wiki.Problemf(wiki.ErrInvalid, "", "This file is not a picture that can be shown.")
	}
	config, err := decodeConfig(mime, data)
	if err != nil || config.Width <= 0 || config.Height <= 0 {
		return nil, wiki.Problemf(wiki.ErrInvalid, "", "This picture is damaged.")
	}
	if int64(config.Width)*int64(config.Height) > maxPixels {
		return nil, wiki.Problemf(wiki.ErrTooLarge, "", "This picture is too large to be shown: it may have 40 million pixels.")
	}
	weight := int64(config.Width) * int64(config.Height)
	if err := s.pixels.Acquire(ctx, weight); err != nil {
		return nil, err
	}
	defer s.pixels.Release(weight)
	picture, err := decode(mime, data)
	if err != nil {
		return nil, wiki.Problemf(wiki.ErrInvalid, "", "This picture is damaged.")
	}
	if size > 0 {
		picture = shrink(picture, size)
	}
	if mime == "image/jpeg" {
		picture = upright(picture, orientation(data))
	}
	return encode(picture, mime == "image/jpeg" || mime == "image/webp" && opaque(picture))
}

func decodeConfig(mime string, data []byte) (image.Config, error) {
	r := bytes.NewReader(data)
	switch mime {
	case "image/png":
		return png.DecodeConfig(r)
	case "image/jpeg":
		return jpeg.DecodeConfig(r)
	case "image/gif":
		return gif.DecodeConfig(r)
	}
	return webp.DecodeConfig(r)
}

func decode(mime string, data []byte) (image.Image, error) {
	r := bytes.NewReader(data)
	switch mime {
	case "image/png":
		return png.Decode(r)
	case "image/jpeg":
		return jpeg.Decode(r)
	case "image/gif":
		return gif.Decode(r)
	}
	return webp.Decode(r)
}

func encode(m image.Image, photo bool) (*thumbnail, error) {
	var out bytes.Buffer
	if photo {
		err := jpeg.Encode(&out, m, &jpeg.Options{Quality: 85})
		return &thumbnail{out.Bytes(), "image/jpeg"}, err
	}
	err := png.Encode(&out, m)
	return &thumbnail{out.Bytes(), "image/png"}, err
}

func opaque(m image.Image) bool {
	o, ok := m.(interface{ Opaque() bool })
	return ok && o.Opaque()
}

// shrink makes a picture fit a square by taking the mean of the pixels that
// fall together. It converts a strip at a time, so that a large picture costs
// no second copy. A picture that fits is not enlarged.
func shrink(m image.Image, size int) image.Image {
	b := m.Bounds()
	w, h := b.Dx(), b.Dy()
	if w <= size && h <= size {
		return m
	}
	dw, dh := size, max(1, h*size/w)
	if h > w {
		dw, dh = max(1, w*size/h), size
	}
	out := image.NewRGBA(image.Rect(0, 0, dw, dh))
	strip := image.NewRGBA(image.Rect(0, 0, w, (h+dh-1)/dh+1))
	for y := range dh {
		top, bottom := y*h/dh, max((y+1)*h/dh, y*h/dh+1)
		rows := bottom - top
		draw.Draw(strip, image.Rect(0, 0, w, rows), m, image.Pt(b.Min.X, b.Min.Y+top), draw.Src)
		for x := range dw {
			left, right := x*w/dw, max((x+1)*w/dw, x*w/dw+1)
			mean(out.Pix[out.PixOffset(x, y):][:4], strip, left, right, rows)
		}
	}
	return out
}

// mean writes the mean colour of a part of a strip.
func mean(pixel []uint8, strip *image.RGBA, left, right, rows int) {
	var sum [4]int
	for y := range rows {
		row := strip.Pix[y*strip.Stride+4*left : y*strip.Stride+4*right]
		for i := 0; i < len(row); i += 4 {
			sum[0] += int(row[i])
			sum[1] += int(row[i+1])
			sum[2] += int(row[i+2])
			sum[3] += int(row[i+3])
		}
	}
	n := (right - left) * rows
	for i := range sum {
		pixel[i] = uint8((sum[i] + n/2) / n)
	}
}

// upright turns a picture as its camera was held (Exif 2.32, section 4.6.4,
// tag 0x0112): the tag itself is lost with the metadata.
func upright(m image.Image, orientation int) image.Image {
	if orientation < 2 || orientation > 8 {
		return m
	}
	b := m.Bounds()
	w, h := b.Dx(), b.Dy()
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	if orientation >= 5 {
		out = image.NewRGBA(image.Rect(0, 0, h, w))
	}
	row := image.NewRGBA(image.Rect(0, 0, w, 1))
	for y := range h {
		draw.Draw(row, row.Bounds(), m, image.Pt(b.Min.X, b.Min.Y+y), draw.Src)
		for x := range w {
			var tx, ty int
			switch orientation {
			case 2:
				tx, ty = w-1-x, y
			case 3:
				tx, ty = w-1-x, h-1-y
			case 4:
				tx, ty = x, h-1-y
			case 5:
				tx, ty = y, x
			case 6:
				tx, ty = h-1-y, x
			case 7:
				tx, ty = h-1-y, w-1-x
			case 8:
				tx, ty = y, w-1-x
			}
			copy(out.Pix[out.PixOffset(tx, ty):][:4], row.Pix[4*x:])
		}
	}
	return out
}

// orientation reads the tag from a JPEG's Exif segment, 1 where there is none.
func orientation(data []byte) int {
	for i := 2; i+4 <= len(data) && data[i] == 0xFF; {
		marker, length := data[i+1], int(binary.BigEndian.Uint16(data[i+2:]))
		if marker == 0xDA || length < 2 || i+2+length > len(data) {
			return 1
		}
		segment := data[i+4 : i+2+length]
		if tiff, ok := bytes.CutPrefix(segment, []byte("Exif\x00\x00")); marker == 0xE1 && ok {
			return tiffOrientation(tiff)
		}
		i += 2 + length
	}
	return 1
}

func tiffOrientation(tiff []byte) int {
	if len(tiff) < 8 {
		return 1
	}
	var order binary.ByteOrder = binary.BigEndian
	if tiff[0] == 'I' {
		order = binary.LittleEndian
	}
	at := int64(order.Uint32(tiff[4:]))
	if at+2 > int64(len(tiff)) {
		return 1
	}
	entries := int(order.Uint16(tiff[at:]))
	for e := range entries {
		o := at + 2 + int64(e)*12
		if o+12 > int64(len(tiff)) {
			return 1
		}
		if order.Uint16(tiff[o:]) == 0x0112 {
			return int(order.Uint16(tiff[o+8:]))
		}
	}
	return 1
}
