package raster

import (
	"image"
	"image/draw"
)

// Images are converted in tiles, so that a large or wide image needs no second
// copy.
const (
	tileWidth  = 2048
	tileHeight = 16
	tileBytes  = 4 * tileWidth * tileHeight
)

// shrink scales an image down to fit a square by averaging pixels. An image that
// already fits is returned unchanged. When the clock stops, the rest is blank.
func shrink(c *clock, m image.Image, size int) image.Image {
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
	tile := image.NewRGBA(image.Rect(0, 0, tileWidth, tileHeight))
	sums := make([][4]uint64, dw)
	for y := range dh {
		top, bottom := y*h/dh, max((y+1)*h/dh, y*h/dh+1)
		clear(sums)
		for ; top < bottom; top += tileHeight {
			rows := min(tileHeight, bottom-top)
			for left := 0; left < w; left += tileWidth {
				if c.check() != nil {
					return out
				}
				columns := min(tileWidth, w-left)
				draw.Draw(tile, image.Rect(0, 0, columns, rows), m, image.Pt(b.Min.X+left, b.Min.Y+top), draw.Src)
				addColors(sums, tile, left, columns, rows, w)
			}
		}
		top = y * h / dh
		for x := range dw {
			n := uint64(((x+1)*w/dw - x*w/dw) * (bottom - top))
			pixel := out.Pix[out.PixOffset(x, y):][:4]
			for i, sum := range sums[x] {
				pixel[i] = uint8((sum + n/2) / n)
			}
		}
	}
	return out
}

// addColors adds the colors of a tile, whose first column is left of w columns, to
// the sums of the columns they shrink to.
func addColors(sums [][4]uint64, tile *image.RGBA, left, columns, rows, w int) {
	dw := len(sums)
	for x := left * dw / w; x < dw && x*w/dw < left+columns; x++ {
		from, to := max(x*w/dw, left)-left, min((x+1)*w/dw, left+columns)-left
		for y := range rows {
			row := tile.Pix[y*tile.Stride+4*from : y*tile.Stride+4*max(from, to)]
			for i := 0; i < len(row); i += 4 {
				sums[x][0] += uint64(row[i])
				sums[x][1] += uint64(row[i+1])
				sums[x][2] += uint64(row[i+2])
				sums[x][3] += uint64(row[i+3])
			}
		}
	}
}
