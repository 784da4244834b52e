package raster

import (
	"image"
	"image/color"
	"testing"
)

// The top left corner of the image moves to where a viewer that applies the Exif
// orientation shows it.
func TestApplyOrientation(t *testing.T) {
	for orientation, want := range map[int]image.Point{
		1: {0, 0}, 2: {2, 0}, 3: {2, 1}, 4: {0, 1}, 5: {0, 0}, 6: {1, 0}, 7: {1, 2}, 8: {0, 2}, 9: {0, 0},
	} {
		m := image.NewGray(image.Rect(7, 7, 10, 9))
		m.SetGray(7, 7, color.Gray{255})
		up := applyOrientation(m, orientation)
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
	small := shrink(m, 50)
	if small.Bounds() != image.Rect(0, 0, 50, 20) {
		t.Fatal(small.Bounds())
	}
	for x := range 50 {
		if r, _, _, _ := small.At(x, 10).RGBA(); r>>8 != 100 {
			t.Fatalf("x=%d: got %d, want 100", x, r>>8)
		}
	}
}
