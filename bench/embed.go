package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"robot.wtf/internal/minilm"
)

// embed compares the model with onnxruntime on the same int8 weights, if Node and
// its package are installed or can be fetched.
func (b *bench) embed() error {
	if err := b.modelMemory(); err != nil {
		return err
	}
	rival, err := b.startRival()
	if err != nil {
		fmt.Fprintf(os.Stderr, "embed: onnxruntime not available: %v\n", err)
	} else {
		defer rival.stop()
	}
	chunk := sentences(minilm.TextTokens)
	for _, path := range minilm.Paths() {
		m, err := minilm.NewPath(path)
		if err != nil {
			return err
		}
		what := fmt.Sprintf("embedding 256 tokens on one core, %s", path)
		if path == "portable" {
			b.add(what, ms(embedTime(m, chunk, 1))+" CPU", 0, 0, "")
			continue
		}
		bound := 1.15
		if path == "avx2" {
			bound = 2.5
		}
		if err := b.compareModels(rival, m, chunk, what, 4, bound); err != nil {
			return err
		}
	}
	m, err := minilm.New()
	if err != nil {
		return err
	}
	return b.query(m)
}

// query measures embedding a query of 16 tokens.
func (b *bench) query(m *minilm.Model) error {
	text := sentences(14)
	var times []time.Duration
	for range b.rounds {
		times = append(times, embedTime(m, text, 50))
	}
	t := median(times)
	b.add("embedding a query of 16 tokens", ms(t)+" CPU", float64(t)/1e6, 3, "ms")
	return nil
}

// compareModels measures m and the rival alternately and checks that their vectors
// agree.
func (b *bench) compareModels(rival *rival, m *minilm.Model, text, what string, times int, bound float64) error {
	var ours, theirs []time.Duration
	for range b.rounds {
		ours = append(ours, embedTime(m, text, times))
		if rival == nil {
			continue
		}
		took, vector, err := rival.run(m.Tokens(text), times)
		if err != nil {
			return err
		}
		theirs = append(theirs, took)
		if c := cosine(vector, m.Embed(text)); c < 0.98 {
			return fmt.Errorf("%s: onnxruntime's vector has a cosine of %.3f to ours", what, c)
		}
	}
	if rival == nil {
		b.add(what, ms(median(ours))+" CPU; onnxruntime not available", 0, 0, "")
		return nil
	}
	o, t := median(ours), median(theirs)
	b.add(what, fmt.Sprintf("%s CPU; onnxruntime %s, int8, %s", ms(o), rival.version, ms(t)), float64(o)/float64(t), bound, "times its CPU")
	return nil
}

// modelMemory measures the memory that the model adds to a process once every word
// of its vocabulary has been used.
func (b *bench) modelMemory() error {
	runtime.GC()
	before := resident(os.Getpid())
	began := time.Now()
	m, err := minilm.New()
	if err != nil {
		return err
	}
	loaded := time.Since(began)
	words, err := os.ReadFile("internal/minilm/vocab.txt")
	if err != nil {
		return err
	}
	text := string(words)
	tokens := m.Tokens(text)
	for i := 0; i < len(tokens); i += minilm.TextTokens {
		m.Embed(text[tokens[i].Start:])
	}
	mb := float64(resident(os.Getpid())-before) / (1 << 20)
	b.add("memory of the model, after using every word", fmt.Sprintf("%.0f MB more resident; loaded in %s", mb, ms(loaded)), mb, 60, "MB")
	runtime.KeepAlive(m)
	return nil
}

// embedTime returns the mean processor time of embedding text.
func embedTime(m *minilm.Model, text string, times int) time.Duration {
	m.Embed(text) // warms up
	before := ownCPU()
	for range times {
		m.Embed(text)
	}
	return (ownCPU() - before) / time.Duration(times)
}

func ownCPU() time.Duration {
	var r syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// sentences returns a text of exactly the given number of tokens.
func sentences(tokens int) string {
	words := strings.Fields("the wind in the garden is from the north and the station reports it to the house every hour of the day")
	text := make([]string, tokens)
	for i := range text {
		text[i] = words[i%len(words)]
	}
	return strings.Join(text, " ")
}

func cosine(a, b []float32) float64 {
	var dot, aa, bb float64
	for i := range a {
		dot += float64(a[i]) * float64(b[i])
		aa += float64(a[i]) * float64(a[i])
		bb += float64(b[i]) * float64(b[i])
	}
	return dot / math.Sqrt(aa*bb)
}

// A rival is onnxruntime in a Node process.
type rival struct {
	version string
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
}

func (b *bench) startRival() (*rival, error) {
	const dir = "bench/onnx"
	manifest := filepath.Join(dir, "node_modules", "onnxruntime-node", "package.json")
	if _, err := os.Stat(manifest); err != nil {
		install := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
		install.Dir = dir
		if out, err := install.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("npm ci in %s: %w: %.200s", dir, err, out)
		}
	}
	raw, err := os.ReadFile(manifest)
	if err != nil {
		return nil, err
	}
	model := filepath.Join(b.dir, "model.onnx")
	if err := writeONNX("internal/minilm/model.bin", model); err != nil {
		return nil, err
	}
	r := &rival{version: field(raw, "version"), cmd: exec.Command("node", "worker.mjs", model)}
	r.cmd.Dir, r.cmd.Stderr = dir, os.Stderr
	if r.in, err = r.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	r.out = bufio.NewReader(out)
	return r, r.cmd.Start()
}

func (r *rival) stop() {
	r.in.Close()
	r.cmd.Wait()
}

// run lets the rival embed tokens and returns the processor time of one run.
func (r *rival) run(tokens []minilm.Token, times int) (time.Duration, []float32, error) {
	ids := []int32{101}
	for _, t := range tokens {
		ids = append(ids, t.ID)
	}
	ask, err := json.Marshal(map[string]any{"ids": append(ids, 102), "times": times})
	if err != nil {
		return 0, nil, err
	}
	if _, err := r.in.Write(append(ask, '\n')); err != nil {
		return 0, nil, err
	}
	line, err := r.out.ReadBytes('\n')
	if err != nil {
		return 0, nil, fmt.Errorf("onnxruntime stopped: %w", err)
	}
	var answer struct {
		MS     float64 `json:"ms"`
		Vector []float32
	}
	if err := json.Unmarshal(line, &answer); err != nil {
		return 0, nil, err
	}
	if len(answer.Vector) != minilm.Dim || slices.ContainsFunc(answer.Vector, func(f float32) bool { return math.IsNaN(float64(f)) }) {
		return 0, nil, fmt.Errorf("onnxruntime returned %d values, or NaN", len(answer.Vector))
	}
	return time.Duration(answer.MS * 1e6), answer.Vector, nil
}
