package raster

import (
	"image"
	"image/color"
	"testing"
	"time"
)

// The top left corner of the image moves to where a viewer that applies the Exif
// orientation shows it.
func TestApplyOrientation(t *testing.T) {
	for orientation, want := range map[int]image.Point{
		1: {0, 0}, 2: {2, 0}, 3: {2, 1}, 4: {0, 1}, 5: {0, 0}, 6: {1, 0}, 7: {1, 2}, 8: {0, 2}, 9: {0, 0},
	} {
		m := image.NewGray(image.Rect(7, 7, 10, 9))
		m.SetGray(7, 7, color.Gray{255})
		up := applyOrientation(testClock(), m, orientation)
		if r, _, _, _ := up.At(up.Bounds().Min.X+want.X, up.Bounds().Min.Y+want.Y).RGBA(); r != 0xFFFF {
			t.Errorf("orientation %d: corner not at %v", orientation, want)
		}
	}
}

func TestShrinkAveragesPixels(t *testing.T) {
	m := image.NewGray(image.Rect(5, 5, 105, 45))
	for i := range m.Pix {
		m.Pix[i] = uint8(i % 2 * 200) // stripes one pixel wide
	}
	small := shrink(testClock(), m, 50)
	if small.Bounds() != image.Rect(0, 0, 50, 20) {
		t.Fatal(small.Bounds())
	}
	for x := range 50 {
		if r, _, _, _ := small.At(x, 10).RGBA(); r>>8 != 100 {
			t.Fatalf("x=%d: got %d, want 100", x, r>>8)
		}
	}
}

// A wide image is converted in tiles. Its columns add up as if it were one.
func TestShrinkWideImages(t *testing.T) {
	for _, size := range []image.Point{{3 * tileWidth, 5}, {3*tileWidth + 7, 1}, {tileWidth + 1, 3 * tileHeight}, {7, 5 * tileHeight}} {
		m := image.NewGray(image.Rect(0, 0, size.X, size.Y))
		for i := range m.Pix {
			m.Pix[i] = uint8(i * 7)
		}
		small := shrink(testClock(), m, 50)
		b := small.Bounds()
		for y := range b.Dy() {
			for x := range b.Dx() {
				sum, n := 0, 0
				for sy := y * size.Y / b.Dy(); sy < max((y+1)*size.Y/b.Dy(), y*size.Y/b.Dy()+1); sy++ {
					for sx := x * size.X / b.Dx(); sx < max((x+1)*size.X/b.Dx(), x*size.X/b.Dx()+1); sx++ {
						sum, n = sum+int(m.GrayAt(sx, sy).Y), n+1
					}
				}
				if r, _, _, _ := small.At(x, y).RGBA(); int(r>>8) != (sum+n/2)/n {
					t.Fatalf("%v: pixel %d,%d is %d, want %d", size, x, y, r>>8, (sum+n/2)/n)
				}
			}
		}
	}
}

func testClock() *clock { return newClock(time.Minute, func() error { return nil }) }
