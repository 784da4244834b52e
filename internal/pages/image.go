package pages

import (
	"bytes"
	"context"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"robot.wtf/internal/budget"
	"robot.wtf/internal/content"
	"robot.wtf/internal/raster"
	"robot.wtf/internal/wiki"
)

// extensionTypes maps extensions to types, for content that sniffing can't
// identify. The system's table isn't used, because it differs between machines.
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
	case bytes.Contains(head, []byte("<svg")) && !raster.Supports(sniffed):
		return "image/svg+xml"
	case activeTypes[sniffed] || raster.Supports(sniffed) || sniffed == "application/pdf":
		return sniffed
	case byName == "" || raster.Supports(byName) || byName == "application/pdf":
		return sniffed
	}
	return byName
}

func imageByName(name string) bool { return raster.Supports(typeOf(name, nil)) }

// pictureLimits bound the decoding of images. A wiki decodes one image at a time,
// in at most half of the memory. The memory is enough for 40 million pixels of
// most images, and for 30 million of a progressive JPEG with subsampled colors.
var pictureLimits = raster.Limits{
	Pixels: 40_000_000,
	Memory: 256 << 20,
	Total:  512 << 20,
	Slots:  3,
	CPU:    4 * time.Second,
	Wait:   30 * time.Second,
}

func pictureLimitsOf(turns *budget.Slots) raster.Limits {
	l := pictureLimits
	l.Turns = turns
	return l
}

// thumbnailSizes lists the sizes that are generated. It bounds the work and the
// cache entries that requests for one image in many sizes can cause.
var thumbnailSizes = [...]int{16, 24, 32, 40, 48, 64, 80, 96, 128, 160, 240, 320, 480, 640, 800, 1200, 1600}

// roundThumbnailSize returns the largest size that fits, or the smallest.
func roundThumbnailSize(asked int) int {
	fits := thumbnailSizes[0]
	for _, step := range thumbnailSizes {
		if step <= asked {
			fits = step
		}
	}
	return fits
}

// A thumbnail is a re-encoded image.
type thumbnail struct{ raster.Picture }

func (t *thumbnail) weight() uint32 { return uint32(len(t.Data) + 100) }

// Thumbnail re-encodes an image to fit a square of size pixels (16 to 1,600, in
// steps), or at its own size without metadata if size is 0. Of an animation it
// returns the first frame. ErrTooLarge for images that take too much memory or time
// to decode, ErrInvalid for files that aren't images, ErrUnavailable if too many
// images of the wiki are waiting.
func (s *Service) Thumbnail(ctx context.Context, a wiki.Access, path, revision string, size int) (data []byte, mime string, err error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return nil, "", err
	}
	defer release()
	if size != 0 {
		size = roundThumbnailSize(size)
	}
	f, err := s.findRevisionOfAttachment(ctx, w, a, path, revision)
	if err != nil {
		return nil, "", err
	}
	key := cacheKey{"thumbnail", w.Slug(), f.Blob + "/" + strconv.Itoa(size)}
	if c, ok := s.views.GetIfPresent(key); ok {
		t := c.(*thumbnail)
		return t.Data, t.MIME, nil
	}
	picture, err := s.pictures.Fit(ctx, w.Slug(), size, func(ctx context.Context) ([]byte, error) {
		return w.Blob(ctx, f.Blob)
	})
	if err != nil {
		return nil, "", err
	}
	s.views.Set(key, &thumbnail{picture})
	return picture.Data, picture.MIME, nil
}

// findRevisionOfAttachment finds a file that the caller may read, at a revision or
// the current one.
func (s *Service) findRevisionOfAttachment(ctx context.Context, w *content.Wiki, a wiki.Access, p, revision string) (wiki.File, error) {
	if revision != "" {
		f, _, err := s.readAttachment(ctx, w, a, p, revision)
		return f, err
	}
	f, err := s.findAttachment(ctx, w, a, p)
	if err == nil {
		err = w.MayRead(f.Blob)
	}
	return f, err
}
