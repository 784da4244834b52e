// Bench measures what docs/design.md section 10 promises, each figure beside a
// plain rival in the same run, and writes bench/README.md.
//
//	go run ./bench           measure and write the table (some minutes)
//	go run ./bench -check    the same, and fail where a bound is not met
//	go run ./bench -only commit
//
// Machines differ and are noisy: ratios and CPU time decide, medians of
// interleaved rounds; absolute times are only reported.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// A result is one line of the table.
type result struct {
	what   string
	figure string
	got    float64 // what the bound is about; 0 when there is none
	bound  float64
	unit   string // of the bound
}

// A bench is everything that the measurements share.
type bench struct {
	dir    string // scratch
	binary string // the built service
	rounds int
	out    []result
}

func main() {
	check := flag.Bool("check", false, "fail where a bound is not met")
	only := flag.String("only", "", "one of view, commit, history, search, meaning, many, embed, agents, start, git")
	rounds := flag.Int("rounds", 9, "interleaved rounds, at least 9 for figures to quote")
	bare := flag.String("bare", "", "internal: serve this file with a plain handler")
	flag.Parse()
	if *bare != "" {
		serveBare(*bare)
		return
	}
	b := &bench{rounds: *rounds}
	if err := b.run(*only); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	table := b.table()
	fmt.Print(table)
	if *only == "" {
		if err := os.WriteFile("bench/README.md", []byte(heading+table), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
	}
	if *check && b.failed() {
		os.Exit(1)
	}
}

func (b *bench) run(only string) (err error) {
	if b.dir, err = os.MkdirTemp("", "robot-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	b.binary = filepath.Join(b.dir, "robot")
	build := exec.Command("go", "build", "-o", b.binary, "./cmd/robot")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("build ./cmd/robot (run this from the repository's root): %w", err)
	}
	for _, m := range []struct {
		name string
		run  func() error
	}{{"view", b.view}, {"commit", b.commit}, {"history", b.history}, {"search", b.search}, {"meaning", b.meaning}, {"many", b.manyWikis}, {"embed", b.embed}, {"agents", b.agents}, {"start", b.start}, {"git", b.git}} {
		if only != "" && only != m.name {
			continue
		}
		began := time.Now()
		if err := m.run(); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		fmt.Fprintf(os.Stderr, "%s: %.0f s\n", m.name, time.Since(began).Seconds())
	}
	return nil
}

func (b *bench) add(what, figure string, got, bound float64, unit string) {
	b.out = append(b.out, result{what, figure, got, bound, unit})
}

func (b *bench) failed() bool {
	return slices.ContainsFunc(b.out, func(r result) bool { return r.bound > 0 && r.got > r.bound })
}

const heading = `# How fast it is

Made by ` + "`go run ./bench`" + `. Each figure stands beside a plain rival that ran interleaved with it in the same run; medians of the rounds decide. Absolute times depend on the machine and its disk, so compare within a line only, and only on a machine that does nothing else. How well search finds what is meant is in [search/](search/README.md).

Saves to content are measured alone, and through the API with a service that indexes and exports behind them, once its seeds are indexed. On a disk that syncs in .2 ms or less their ratios are mostly ratios of processor time, and move with how much of the processor the machine gives. Requests are measured from their first byte to the last of the answer, without what clients do around them. A whole clone is sent by the service itself, without git.

Of search: queries and page names are asked through the API and the web of a running service with 500 pages of 4 or 5 KB, in turns with requests that do nothing. Indexing is the processor's time of ` + "`robot admin reindex`" + `, which does nothing else. Memory is that of two services on copies of the same data, one of them with ` + "`--no-semantic-search`" + `, after the same queries and views, the median of three starts of each in turns. onnxruntime runs the same int8 weights in one thread of a process of Node, in turns with ours, and its vectors have to agree with ours.

`

func (b *bench) table() string {
	var t strings.Builder
	fmt.Fprintf(&t, "%s/%s, %d processors, %s, %d rounds.\n\n", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version(), b.rounds)
	t.WriteString("| what | measured | bound |\n|---|---|---|\n")
	for _, r := range b.out {
		bound := "-"
		if r.bound > 0 {
			verdict := "met"
			if r.got > r.bound {
				verdict = "**missed**"
			}
			bound = fmt.Sprintf("at most %g %s: %.2f, %s", r.bound, r.unit, r.got, verdict)
		}
		fmt.Fprintf(&t, "| %s | %s | %s |\n", r.what, r.figure, bound)
	}
	return t.String()
}

// median sorts its argument.
func median[T int64 | float64 | time.Duration](v []T) T {
	slices.Sort(v)
	return v[len(v)/2]
}

// percentile sorts its argument.
func percentile(v []time.Duration, p float64) time.Duration {
	slices.Sort(v)
	return v[min(len(v)-1, int(float64(len(v))*p))]
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d)/1e6) }
