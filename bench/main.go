// Bench measures the performance bounds of the service, each figure against a
// simple baseline in the same run, and writes bench/README.md.
//
//	go run ./bench           measure and write the table (takes several minutes)
//	go run ./bench -check    the same, and fail if a bound is missed
//	go run ./bench -only commit
//
// Machines differ and are noisy, so bounds apply to ratios and CPU times, as
// medians of interleaved rounds. Absolute times are mostly informative.
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

// A result is one row of the table.
type result struct {
	what   string
	figure string
	got    float64 // compared with bound; 0 if there is no bound
	bound  float64
	unit   string // of the bound
}

// A bench holds the state shared by all measurements.
type bench struct {
	dir    string // temporary directory
	binary string // the built service
	rounds int
	out    []result
}

func main() {
	check := flag.Bool("check", false, "fail if a bound is missed")
	only := flag.String("only", "", "one of view, commit, history, search, meaning, many, embed, agents, start, git")
	rounds := flag.Int("rounds", 9, "interleaved rounds; use at least 9 for published figures")
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
		return fmt.Errorf("build ./cmd/robot (run this in the root of the repository): %w", err)
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

const heading = `# Performance

Made by ` + "`go run ./bench`" + `. Each figure is compared with a simple baseline that ran interleaved with it in the same run. Bounds apply to the median over the rounds. Absolute times depend on the machine and its disk, so compare figures only within a row, and only on an otherwise idle machine. Search quality is measured in [search/](search/README.md).

Saves are measured in package content alone, and through the API of a service that indexes and exports in the background, once its initial pages are indexed. On a disk that syncs in 0.2 ms or less, the ratios mostly compare processor time, and vary with the share of the processor that the machine provides. Requests are measured from the first byte sent to the last byte received, without other client work. The service sends a full clone itself, without running git.

Search: queries and page name suggestions go through the API and the web interface of a running service with 500 pages of 4 or 5 KB, alternating with empty requests. Indexing is the processor time of ` + "`robot admin reindex`" + `, which does nothing else. Memory compares two services on copies of the same data, one of them with ` + "`--no-semantic-search`" + `, after the same queries and views: the median of three alternating starts of each. onnxruntime runs the same int8 weights in one thread of a Node process, alternating with ours, and its vectors must agree with ours.

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

// thousands formats a number below a million with a comma: 12,984.
func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}
