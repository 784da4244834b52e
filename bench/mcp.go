package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const (
	callRate    = 200 // per second
	callsEach   = 600 // per kind and round
	callWorkers = 8
)

// agents compares tools/call at 200 per second with a plain handler that writes
// the same bytes.
func (b *bench) agents() error {
	s, err := b.startService(filepath.Join(b.dir, "agents"))
	if err != nil {
		return err
	}
	defer s.stop()
	ours := s.call()
	answer, err := s.send(ours)
	if err != nil {
		return err
	}
	plain, addr, err := serveFile(filepath.Join(b.dir, "answer.json"), answer)
	if err != nil {
		return err
	}
	defer func() { plain.Process.Kill(); plain.Wait() }()
	var ratios []float64
	var mine, bare, took []time.Duration
	for i := range b.rounds + 1 {
		m, times, err := s.atRate(s.cmd.Process.Pid, s.addr, ours)
		if err != nil {
			return err
		}
		p, _, err := s.atRate(plain.Process.Pid, addr, ours)
		if err != nil {
			return err
		}
		if i == 0 {
			continue // warm-up
		}
		mine, bare, took = append(mine, m), append(bare, p), append(took, times...)
		ratios = append(ratios, float64(m)/float64(max(p, 1)))
	}
	b.add(fmt.Sprintf("`tools/call` (read_page, %d bytes) at %d per second", len(answer), callRate),
		fmt.Sprintf("%.0f µs CPU per call, %.1f times a plain handler's %.0f µs; p50 %s, p99 %s",
			micros(median(mine)), median(ratios), micros(median(bare)), ms(percentile(took, 0.5)), ms(percentile(took, 0.99))),
		0, 0, "") // the target is 10 ms at p99 on an idle machine
	return nil
}

func micros(d time.Duration) float64 { return float64(d) / 1e3 }

// serveFile runs the plain handler on content.
func serveFile(file string, content []byte) (*exec.Cmd, string, error) {
	if err := os.WriteFile(file, content, 0o644); err != nil {
		return nil, "", err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	plain := exec.Command(self, "-bare", file)
	stdout, err := plain.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := plain.Start(); err != nil {
		return nil, "", err
	}
	addr, err := bufio.NewReader(stdout).ReadString('\n')
	return plain, strings.TrimSpace(addr), err
}

func (s *service) call() string {
	return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_page","arguments":{"path":"Home"}}}`
}

func (s *service) send(body string) ([]byte, error) { return s.sendTo(s.addr, body) }

func (s *service) sendTo(addr, body string) ([]byte, error) {
	r, err := http.NewRequest("POST", "http://"+addr+"/mcp", bytes.NewReader([]byte(body)))
	if err != nil {
		return nil, err
	}
	r.Host = "ada.robot.localhost:" + s.port
	r.Header = http.Header{
		"Authorization": {"Bearer " + s.tokens["ada"]["owner"]}, "Content-Type": {"application/json"},
		"Accept": {"application/json, text/event-stream"}, "Mcp-Protocol-Version": {"2025-11-25"},
	}
	res, err := s.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %.300s", body, res.Status, text)
	}
	return text, err
}

// atRate sends a call repeatedly at callRate. It returns the server's processor
// time per call and the duration of each call.
func (s *service) atRate(pid int, addr, body string) (time.Duration, []time.Duration, error) {
	due := make(chan time.Time, callsEach)
	took := make([]time.Duration, 0, callsEach)
	var mu sync.Mutex
	var failed error
	var workers sync.WaitGroup
	before := cpu(pid)
	for range callWorkers {
		workers.Go(func() {
			for at := range due {
				_, err := s.sendTo(addr, body)
				mu.Lock()
				took = append(took, time.Since(at))
				if err != nil {
					failed = err
				}
				mu.Unlock()
			}
		})
	}
	tick := time.NewTicker(time.Second / callRate)
	defer tick.Stop()
	for range callsEach {
		due <- <-tick.C
	}
	close(due)
	workers.Wait()
	return (cpu(pid) - before) / callsEach, took, failed
}
