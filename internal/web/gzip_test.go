package web

import (
	"bytes"
	"hash/crc32"
	"testing"

	"github.com/klauspost/compress/flate"
	"pgregory.net/rapid"
)

// Whatever account is put into a page, the member unpacks to the page with it; the
// checksum is that of the text.
func TestSplicedGzip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		part := rapid.SliceOfN(rapid.Byte(), 0, 300)
		head, old, tail, account := part.Draw(t, "head"), part.Draw(t, "old"), part.Draw(t, "tail"), part.Draw(t, "account")
		tail = bytes.Repeat(tail, rapid.IntRange(1, 50).Draw(t, "times"))
		plain := bytes.Join([][]byte{head, old, tail}, nil)
		level := rapid.SampledFrom([]int{flate.BestSpeed, flate.BestCompression}).Draw(t, "level")
		z := newSplicedGzip(level, plain, len(head), len(head)+len(old))
		if got := unzip(t, string(z.member)); got != string(plain) {
			t.Fatalf("the page unpacks to %q, want %q", got, plain)
		}
		if got, err := z.plain(len(plain)); err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("the text is %q, %v, want %q", got, err, plain)
		}
		want := bytes.Join([][]byte{head, account, tail}, nil)
		spliced := &accountPart{html: account, blocks: deflateBlocks(level, account, false)}
		if got := unzip(t, string(z.appendWith(nil, spliced, len(want)))); got != string(want) {
			t.Fatalf("the page with an account unpacks to %q, want %q", got, want)
		}
		if got := crcTimes(crcShift(len(tail)), crc32.ChecksumIEEE(head)) ^ crc32.ChecksumIEEE(tail); got != crc32.ChecksumIEEE(append(head, tail...)) {
			t.Fatalf("the checksum is %x", got)
		}
	})
}
