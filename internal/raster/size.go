package raster

import (
	"bytes"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"net/http"

	"golang.org/x/image/webp"
)

// Size returns an image's width and height as it is shown, and whether Fit keeps all of
// it: not of GIF and WebP, which can be animated. It reads only the header. ok is false
// for what isn't an image that Supports names.
func Size(data []byte) (width, height int, whole, ok bool) {
	mime := http.DetectContentType(data)
	read, known := map[string]func(io.Reader) (image.Config, error){
		"image/png": png.DecodeConfig, "image/jpeg": jpeg.DecodeConfig, "image/gif": gif.DecodeConfig, "image/webp": webp.DecodeConfig,
	}[mime]
	if !known {
		return 0, 0, false, false
	}
	c, err := read(bytes.NewReader(data))
	if err != nil || c.Width <= 0 || c.Height <= 0 {
		return 0, 0, false, false
	}
	if mime == "image/jpeg" && exifOrientation(data) >= 5 { // lies on its side
		c.Width, c.Height = c.Height, c.Width
	}
	return c.Width, c.Height, mime == "image/png" || mime == "image/jpeg", true
}
