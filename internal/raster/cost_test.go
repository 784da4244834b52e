package raster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"robot.wtf/internal/hostile"
	"robot.wtf/internal/slow"
	"robot.wtf/internal/wiki"
)

// pageLimits are those of wikis' attachments.
var pageLimits = Limits{Pixels: 40_000_000, Memory: 256 << 20, Total: 512 << 20, Slots: 3, CPU: 4 * time.Second, Wait: 30 * time.Second}

// hostileImages are small files whose decoders need much memory or time, and the
// error that stops them, if any does.
var hostileImages = []struct {
	name string
	make func(testing.TB) []byte
	want error
}{
	{"jpeg, many empty scans", jpegFile(hostile.JPEG{Width: 8000, Height: 5000, Components: 1, Progressive: true, Scans: 5000}), wiki.ErrTooLarge},
	{"jpeg, 20 empty scans", jpegFile(hostile.JPEG{Width: 8000, Height: 5000, Components: 1, Progressive: true, Scans: 20}), nil},
	{"jpeg, 4 components, progressive", jpegFile(hostile.JPEG{Width: 8000, Height: 5000, Components: 4, Progressive: true, Scans: 8}), wiki.ErrTooLarge},
	{"jpeg, 4 components, subsampled, progressive", jpegFile(hostile.JPEG{Width: 4000, Height: 4000, Components: 4, Samples: 0x22, Progressive: true, Scans: 8}), nil},
	{"jpeg, 3 components, progressive", jpegFile(hostile.JPEG{Width: 4000, Height: 3000, Components: 3, Progressive: true, Scans: 6}), nil},
	{"jpeg, 4 components", jpegFile(hostile.JPEG{Width: 5000, Height: 5000, Components: 4, Scans: 4}), nil},
	{"jpeg, 65,500 by 1", jpegFile(hostile.JPEG{Width: 65_500, Height: 1, Components: 3, Samples: 0x42, Progressive: true, Scans: 9}), nil},
	{"png, 39,000,000 by 1", pngFile(hostilePNG{width: 39_000_000, height: 1, depth: 8, color: 6}), wiki.ErrTooLarge},
	{"png, 39,000,000 by 1, gray", pngFile(hostilePNG{width: 39_000_000, height: 1, depth: 8}), nil},
	{"png, 1 by 39,000,000", pngFile(hostilePNG{width: 1, height: 39_000_000, depth: 8, color: 6}), nil},
	{"png, 16 bits", pngFile(hostilePNG{width: 8000, height: 5000, depth: 16, color: 6}), wiki.ErrTooLarge},
	{"png, 16 bits, smaller", pngFile(hostilePNG{width: 6000, height: 5000, depth: 16, color: 6}), nil},
	{"png, interlaced", pngFile(hostilePNG{width: 8000, height: 5000, depth: 8, color: 6, interlaced: true}), wiki.ErrTooLarge},
	{"png, interlaced, smaller", pngFile(hostilePNG{width: 6000, height: 5000, depth: 8, color: 6, interlaced: true}), nil},
	{"png, 1 bit", pngFile(hostilePNG{width: 8000, height: 5000, depth: 1, color: 3}), nil},
	{"gif, many frames", func(t testing.TB) []byte { return hostileGIF(t, 8000, 5000, 30) }, nil},
	{"webp, lossless", func(testing.TB) []byte { return losslessWebP(6000, 5000, false) }, nil},
	{"webp, lossless, indexed", func(testing.TB) []byte { return losslessWebP(16_383, 1800, true) }, nil},
	{"webp, lossless, large", func(testing.TB) []byte { return losslessWebP(8000, 5000, true) }, wiki.ErrTooLarge},
	{"webp, many Huffman trees", func(testing.TB) []byte { return treesWebP() }, nil},
	{"webp, lossy", func(testing.TB) []byte { return lossyWebP(8000, 5000, 8<<20) }, nil},
	{"webp, alpha", func(testing.TB) []byte { return alphaWebP(5000, 4000, 4<<20) }, nil},
	{"webp, claimed length", func(testing.TB) []byte { return claimedWebP(1000, 1000, 100<<20) }, wiki.ErrInvalid},
}

// quickImages are those that cost little to make and to decode.
var quickImages = []string{"jpeg, many empty scans", "jpeg, 4 components, progressive", "jpeg, 65,500 by 1", "webp, lossless, large", "webp, claimed length"}

func jpegFile(h hostile.JPEG) func(testing.TB) []byte {
	return func(testing.TB) []byte { return h.Bytes() }
}

func pngFile(h hostilePNG) func(testing.TB) []byte {
	return func(t testing.TB) []byte { return h.bytes(t) }
}

// Attack: a small image takes gigabytes of memory or minutes of CPU time. Each is
// decoded in a process of its own, whose peak memory and CPU time are bounded. Its
// computed memory covers the memory it took.
func TestHostileImages(t *testing.T) {
	if name := os.Getenv("RASTER_HOSTILE"); name != "" {
		decodeHostileImage(t, name)
		return
	}
	decoded := 0
	for _, test := range hostileImages {
		if !slow.Enabled() && !slices.Contains(quickImages, test.name) {
			continue
		}
		if test.want == nil && os.Getenv("ROBOT_LONG") == "" { // these take a second each
			if decoded++; decoded%4 != 1 {
				continue
			}
		}
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestHostileImages$", "-test.v")
		child.Env = append(os.Environ(), "RASTER_HOSTILE="+test.name)
		out, err := child.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%.2000s", test.name, err, out)
			continue
		}
		for line := range strings.Lines(string(out)) {
			if after, ok := strings.CutPrefix(line, "measured: "); ok {
				t.Logf("%s: %s", test.name, strings.TrimSpace(after))
			}
		}
	}
}

// decodeHostileImage decodes one image, and nothing else, in this process.
func decodeHostileImage(t *testing.T, name string) {
	for _, test := range hostileImages {
		if test.name != name {
			continue
		}
		data := test.make(t)
		h, err := readHeader(data)
		if err != nil && !errors.Is(err, test.want) {
			t.Fatal(err)
		}
		before, idle := processCPU(t), peakMemory(t)
		_, err = fit(t.Context(), NewEncoder(pageLimits), "ada", data, 96)
		if !errors.Is(err, test.want) {
			t.Errorf("%v, want %v", err, test.want)
		}
		used, peak := processCPU(t)-before, peakMemory(t)-idle
		computed := h.memory + h.outputMemory(96)
		fmt.Printf("measured: %d bytes, CPU %s, peak memory %d MB, computed %d MB\n", len(data), used.Round(time.Millisecond), peak>>20, computed>>20)
		if allowed := min(computed, pageLimits.Memory) + computed/10 + 8<<20; err == nil && peak > allowed {
			t.Errorf("peak memory %d MB, computed %d MB", peak>>20, computed>>20)
		}
		if err != nil && (peak > 8<<20 || used > time.Second) {
			t.Errorf("refused after %s and %d MB", used, peak>>20)
		}
		if used > pageLimits.CPU+pageLimits.CPU/2 { // the collector's and the test's, too
			t.Errorf("used %s", used)
		}
	}
}

func processCPU(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func peakMemory(t testing.TB) int64 {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return u.Maxrss << 10
}

// Attack: the file is doubled. The work must not do more than double.
func TestCostIsLinear(t *testing.T) {
	slow.Test(t)
	for name, make := range map[string]func(n int) []byte{
		"jpeg scans": func(n int) []byte {
			return hostile.JPEG{Width: 1000, Height: 1000, Components: 1, Progressive: true, Scans: 200 * n}.Bytes()
		},
		"jpeg pixels": func(n int) []byte {
			return hostile.JPEG{Width: 2000, Height: 1000 * n, Components: 4, Scans: 4}.Bytes()
		},
		"png": func(n int) []byte {
			return hostilePNG{width: 2000, height: 1000 * n, depth: 16, color: 6, interlaced: true}.bytes(t)
		},
		"png width":  func(n int) []byte { return hostilePNG{width: 2_000_000 * n, height: 1, depth: 16, color: 6}.bytes(t) },
		"gif frames": func(n int) []byte { return hostileGIF(t, 1000, 1000, 20*n) },
		"webp":       func(n int) []byte { return losslessWebP(2000, 1000*n, true) },
		"webp noise": func(n int) []byte { return lossyWebP(2000, 1000*n, n<<19) },
	} {
		cost := func(data []byte) time.Duration {
			h, err := readHeader(data)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			_, used, err := h.fit(t.Context().Err, data, 96, time.Minute)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			return used
		}
		file, doubled := make(1), make(2)
		once, twice := time.Hour, time.Hour
		for range 3 { // the machine may be busy
			once, twice = min(once, cost(file)), min(twice, cost(doubled))
			if twice <= once*5/2+20*time.Millisecond {
				break
			}
		}
		t.Logf("%s: %s, doubled %s", name, once, twice)
		if twice > once*5/2+20*time.Millisecond {
			t.Errorf("%s: %s, doubled %s", name, once, twice)
		}
	}
}

// Attack: an image that a header can't tell from an ordinary one takes long. It is
// stopped when its CPU time is used up, says so, and isn't decoded again.
func TestDecodeDeadline(t *testing.T) {
	limits := pageLimits
	limits.CPU = 100 * time.Millisecond
	e := NewEncoder(limits)
	data := hostile.JPEG{Width: 8000, Height: 5000, Components: 1, Progressive: true, Scans: 24}.Bytes()
	fitIn := func(owner string) time.Duration {
		t.Helper()
		before := processCPU(t)
		_, err := fit(t.Context(), e, owner, data, 96)
		if !errors.Is(err, wiki.ErrTooLarge) || !strings.Contains(err.Error(), "too long to decode") {
			t.Fatalf("%v", err)
		}
		return processCPU(t) - before
	}
	if used := fitIn("ada"); used < limits.CPU || used > 5*limits.CPU {
		t.Errorf("stopped after %s", used)
	}
	for range 50 {
		if used := fitIn("ada"); used > limits.CPU/2 {
			t.Fatalf("decoded again: %s", used)
		}
	}
	if used := fitIn("bob"); used < limits.CPU {
		t.Errorf("another owner's image was not tried: %s", used)
	}
}

// A decode ends soon after its caller has left, and that isn't remembered.
func TestDecodeStopsWithItsContext(t *testing.T) {
	limits := pageLimits
	limits.CPU = time.Minute
	e := NewEncoder(limits)
	for name, data := range map[string][]byte{
		"jpeg": hostile.JPEG{Width: 8000, Height: 5000, Components: 1, Progressive: true, Scans: 24}.Bytes(),
		"png":  hostilePNG{width: 1000, height: 1000, depth: 16, color: 6}.bytes(t),
		"gif":  hostileGIF(t, 2000, 2000, 1),
	} {
		checks := 0
		c := newClock(time.Minute, func() error {
			if checks++; checks > 20 {
				return context.Canceled
			}
			return nil
		})
		h, err := readHeader(data)
		if err != nil {
			t.Fatal(err)
		}
		input := &reader{data: data, clock: c}
		if _, err := h.decode(input); err == nil || len(data)-len(input.data) > 20*readSize {
			t.Errorf("%s: read %d bytes, %v", name, len(data)-len(input.data), err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	data := hostile.JPEG{Width: 8000, Height: 5000, Components: 1, Progressive: true, Scans: 24}.Bytes()
	time.AfterFunc(100*time.Millisecond, cancel)
	if _, err := fit(ctx, e, "ada", data, 96); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if len(e.failures.known) != 0 {
		t.Error("a request that was canceled is remembered as a failure")
	}
}

// Shrinking, turning and encoding stop with the clock, too.
func TestAllStepsStop(t *testing.T) {
	stopped := newClock(time.Minute, func() error { return context.Canceled })
	m := untouchable{t}
	shrink(stopped, m, 96)
	applyOrientation(stopped, m, 3)
	for _, lossy := range []bool{false, true} {
		if _, err := encode(stopped, image.NewGray(image.Rect(0, 0, 100, 100)), lossy); !errors.Is(err, context.Canceled) {
			t.Errorf("lossy %v: %v", lossy, err)
		}
	}
}

// untouchable is an image whose pixels must not be read.
type untouchable struct{ t *testing.T }

func (untouchable) ColorModel() color.Model { return color.GrayModel }
func (untouchable) Bounds() image.Rectangle { return image.Rect(0, 0, 3000, 2000) }
func (u untouchable) At(x, y int) color.Color {
	if x == 0 {
		u.t.Errorf("pixel %d,%d was read after the end", x, y)
	}
	return color.Gray{}
}

// Attack: one wiki sends images that take seconds, in many requests. Another
// wiki's thumbnail needs no more than its own work, and the images that wait take
// no memory.
func TestOwnersDontWaitForEachOther(t *testing.T) {
	limits := pageLimits
	limits.CPU = 20 * time.Second
	e := NewEncoder(limits)
	slow := hostile.JPEG{Width: 8000, Height: 5000, Components: 1, Progressive: true, Scans: 24}.Bytes()
	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	var reading int
	started := make(chan struct{})
	var flood sync.WaitGroup
	for range 30 {
		flood.Go(func() {
			e.Fit(ctx, "eve", 96, func(context.Context) ([]byte, error) {
				mu.Lock()
				defer mu.Unlock()
				if reading++; reading == 1 {
					close(started)
				}
				return slow, nil
			})
		})
	}
	<-started
	for range 10 {
		if _, err := fit(t.Context(), e, "ada", pngOf(t, 100, 100), 16); err != nil {
			t.Error(err)
		}
	}
	mu.Lock()
	if reading > 5 { // each took its turn, and more CPU time than all of ada's images
		t.Errorf("%d images of one wiki were read meanwhile", reading)
	}
	mu.Unlock()
	cancel()
	flood.Wait()
}

// An owner whose turn doesn't come gets an answer.
func TestWaitIsBounded(t *testing.T) {
	limits := pageLimits
	limits.Wait = 20 * time.Millisecond
	e := NewEncoder(limits)
	release, err := e.slots.Acquire(t.Context(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if _, err := fit(t.Context(), e, "ada", pngOf(t, 10, 10), 16); !errors.Is(err, wiki.ErrUnavailable) {
		t.Errorf("%v", err)
	}
	if _, err := fit(t.Context(), e, "bob", pngOf(t, 10, 10), 16); err != nil {
		t.Errorf("another owner: %v", err)
	}
}

// A GIF's frame can be smaller than its screen, even empty.
func TestEmptyFrame(t *testing.T) {
	data := []byte("GIF89a\xC8\x00\x2C\x01\x80\x00\x00" + "\x00\x00\x00\xFF\xFF\xFF" + // a screen of 200 by 300
		"\x2C\x00\x00\x00\x00\x00\x00\x2C\x01\x00" + // a frame of 0 by 300
		"\x02\x01\x2C\x00\x3B") // clear, end
	if m, err := gif.Decode(bytes.NewReader(data)); err != nil || !m.Bounds().Empty() {
		t.Fatalf("%v, %v", m, err)
	}
	if _, err := fit(t.Context(), NewEncoder(pageLimits), "ada", data, 96); !errors.Is(err, wiki.ErrInvalid) {
		t.Errorf("%v", err)
	}
}
