package minilm_test

import (
	"strings"
	"testing"

	"robot.wtf/internal/minilm"
)

// One text of so many tokens on one core, on each path:
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
