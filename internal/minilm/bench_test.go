package minilm_test

import (
	"strings"
	"testing"

	"robot.wtf/internal/minilm"
)

// Embeds one text on one core, by path and number of tokens:
//
//	go test -run - -bench Embed ./internal/minilm
func BenchmarkEmbed(b *testing.B) {
	for _, path := range minilm.Paths() {
		m := load(b, path)
		for name, tokens := range map[string]int{"16": 16, "256": 256} {
			text := strings.Repeat("cat ", tokens-2)
			b.Run(path+"/"+name, func(b *testing.B) {
				for b.Loop() {
					m.Embed(text)
				}
			})
		}
	}
}
