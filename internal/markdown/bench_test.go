package markdown

import (
	"fmt"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
)

// ordinaryPage is a page of about 6 KB with a mix of all elements.
func ordinaryPage() []byte {
	part := `## Section %

The station reads each sensor *twice* and sends the **median**; see [[Firmware|the firmware]],
[the datasheet](https://example.com/sht45.pdf "SHT45") and ` + "`station.yaml`" + `. After a change, flash it
with the cable, because updates over LoRa take nineteen minutes. #hardware[^1]

| Part | Measures | Accuracy |
|------|----------|---------:|
| SHT45 | temperature | 0.1 °C |
| BMP390 | pressure | 0.5 hPa |

- [ ] Replace the bearing in the vane
- [x] Second shield

> [!WARNING]
> Do not raise ` + "`retries`" + ` above 3.

` + "```yaml\nstation:\n  id: mast-1\n  interval: 10m # gusts\n```" + `

![[Weather_Station/mast.png|The mast]]

`
	return []byte("---\ntitle: Weather Station\ntags: [hardware, outdoors]\nstatus: running\n---\n" +
		strings.Repeat(part, 8) + "[^1]: 12 to 14 January, freezing fog.\n")
}

func BenchmarkRender(b *testing.B) {
	source := ordinaryPage()
	w := &world{all: true}
	b.SetBytes(int64(len(source)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := shared.Render(b.Context(), "ada", "Page", source, w); err != nil {
			b.Fatal(err)
		}
		w.asked = w.asked[:0]
	}
}

// BenchmarkGoldmark is the baseline: no wiki syntax, highlighting or
// sanitizer.
func BenchmarkGoldmark(b *testing.B) {
	source := ordinaryPage()
	md := goldmark.New(goldmark.WithExtensions(extension.GFM, extension.Footnote))
	b.SetBytes(int64(len(source)))
	b.ReportAllocs()
	for b.Loop() {
		var out strings.Builder
		if err := md.Convert(source, &out); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkExtractFacts(b *testing.B) {
	source := ordinaryPage()
	b.SetBytes(int64(len(source)))
	b.ReportAllocs()
	for b.Loop() {
		ExtractFacts("Page", source)
	}
}

func BenchmarkSections(b *testing.B) {
	source := ordinaryPage()
	b.SetBytes(int64(len(source)))
	for b.Loop() {
		Sections(source)
	}
}

// BenchmarkFactsOfLinks parses a page of 6 KB: one paragraph with a link in
// each line.
func BenchmarkFactsOfLinks(b *testing.B) {
	var text strings.Builder
	for i := 0; text.Len() < 6<<10; i++ {
		fmt.Fprintf(&text, "Line %d of the page says that the mast stands in [[Garden %d]] and measures wind, rain and frost.\n", i, i%7)
	}
	source := []byte(text.String())
	b.SetBytes(int64(len(source)))
	b.ReportAllocs()
	for b.Loop() {
		ExtractFacts("Page", source)
	}
}
