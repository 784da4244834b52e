package raster

import (
	"image"
	"image/draw"
)

// shrink scales an image down to fit a square by averaging pixels. It converts
// one strip at a time, so a large image needs no second copy. An image that
// already fits is returned unchanged.
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
			averageColor(out.Pix[out.PixOffset(x, y):][:4], strip, left, right, rows)
		}
	}
	return out
}

// averageColor sets pixel to the mean color of part of a strip.
func averageColor(pixel []uint8, strip *image.RGBA, left, right, rows int) {
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
