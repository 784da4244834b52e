package pages

import (
	"context"
	"errors"
	"strconv"

	"robot.wtf/internal/content"
	"robot.wtf/internal/markdown"
	"robot.wtf/internal/raster"
	"robot.wtf/internal/wiki"
)

// LargePicture is the size of the copies that pages show of larger images: twice the
// width of the text, for fine screens.
const LargePicture = 1600 // pixels, one of thumbnailSizes

const (
	// maxPictureReads bounds the images that one rendering reads to learn their sizes.
	// It isn't cached then, and later ones read the others.
	maxPictureReads = 20
	// maxSizedPictures bounds the images of a page whose sizes are looked for.
	maxSizedPictures = 100
)

// errPicturesLeft says that a rendering doesn't know the sizes of all its images yet.
var errPicturesLeft = errors.New("pages: more images than one rendering reads")

// A pictureSize is the size of an image in pixels; zero if it isn't known.
type pictureSize struct {
	width, height int
	whole         bool // a smaller copy shows all of it
}

func (pictureSize) weight() uint32 { return 100 }

// pictureSizes returns a function that finds the sizes of images by their blobs, for one
// rendering.
func (s *Service) pictureSizes(w *content.Wiki) func(ctx context.Context, blob string) (pictureSize, error) {
	reads, pictures := 0, 0
	return func(ctx context.Context, blob string) (pictureSize, error) {
		if pictures++; pictures > maxSizedPictures {
			return pictureSize{}, nil
		}
		key := cacheKey{"picture size", w.Slug(), blob}
		if c, ok := s.views.GetIfPresent(key); ok {
			return c.(pictureSize), nil
		}
		if reads++; reads > maxPictureReads {
			return pictureSize{}, errPicturesLeft
		}
		data, err := w.Blob(ctx, blob)
		if err != nil {
			return pictureSize{}, nil // it can't be shown either
		}
		var size pictureSize
		size.width, size.height, size.whole, _ = raster.Size(data)
		s.views.Set(key, size)
		return size, nil
	}
}

// describePicture adds the size of an image to a target, and the address of a smaller
// copy if it is large. It returns the image's blob.
func (r *resolver) describePicture(ctx context.Context, file string, got *markdown.Target) (blob string) {
	if r.pictureSize == nil {
		return ""
	}
	f, err := r.w.Find(ctx, file)
	if err != nil || r.w.MayRead(f.Blob) != nil {
		return ""
	}
	size, err := r.pictureSize(ctx, f.Blob)
	if err != nil {
		r.fail(err)
	}
	got.Width, got.Height = size.width, size.height
	if size.whole && max(size.width, size.height) > LargePicture {
		got.Smaller = wiki.PathURL(file) + "?size=" + strconv.Itoa(LargePicture)
	}
	return f.Blob
}
