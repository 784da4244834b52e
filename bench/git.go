package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// gitCommits is the length of the imported history, of 490 pages in 20 folders,
// each of 5 to 6 KB.
const gitCommits = 5000

// git measures importing a history, cloning it, and the lag of the export after a
// save. The baseline for clones is git upload-pack answering the same requests
// from the same repository.
func (b *bench) git() error {
	data, repos := filepath.Join(b.dir, "git"), filepath.Join(b.dir, "repos")
	s, err := b.startService(data)
	if err != nil {
		return err
	}
	if err := s.stop(); err != nil {
		return err
	}
	if err := makeHistory(filepath.Join(repos, "bob.git")); err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Join(data, "wikis", "bob")); err != nil {
		return err
	}
	began := time.Now()
	if out, err := exec.Command(b.binary, "restore", "--from-repos", repos, "--data", data).CombinedOutput(); err != nil {
		return fmt.Errorf("restore: %w: %s", err, out)
	}
	took := time.Since(began)
	b.add(fmt.Sprintf("import of %s commits, with all checks", thousands(gitCommits)), fmt.Sprintf("%s commits per second (%.1f s)", thousands(int(gitCommits/took.Seconds())), took.Seconds()), 0, 0, "")
	if s, err = b.startService(data); err != nil {
		return err
	}
	defer s.stop()
	return b.clone(s, filepath.Join(data, "wikis", "bob", "repo.git"))
}

// makeHistory creates a bare repository with generated commits.
func makeHistory(dir string) error {
	var in bytes.Buffer
	r := rand.New(rand.NewPCG(1, 2))
	words := strings.Fields("the wind is measured each minute by a cup on a mast of four metres which stands where no tree is near")
	text := func() string {
		var t strings.Builder
		for t.Len() < 5000+r.IntN(1000) {
			t.WriteString(words[r.IntN(len(words))] + " ")
			if r.IntN(12) == 0 {
				t.WriteByte('\n')
			}
		}
		return t.String()
	}
	pages := make([]string, 490)
	for i := range gitCommits {
		n := r.IntN(len(pages))
		if pages[n] == "" {
			pages[n] = text()
		}
		at := r.IntN(len(pages[n]))
		pages[n] = pages[n][:at] + " changed " + strconv.Itoa(i) + pages[n][at:]
		fmt.Fprintf(&in, "commit refs/heads/main\ncommitter A <a@b> %d +0000\ndata 4\nedit\nM 100644 inline Folder_%d/Page_%d.md\ndata %d\n%s\n", 1_700_000_000+60*i, n%20, n, len(pages[n]), pages[n])
	}
	if err := exec.Command("git", "init", "-q", "--bare", "-b", "main", dir).Run(); err != nil {
		return err
	}
	load := exec.Command("git", "fast-import", "--quiet")
	load.Dir, load.Stdin, load.Stderr = dir, &in, os.Stderr
	return load.Run()
}

// clone compares the service and git answering the requests of one clone.
func (b *bench) clone(s *service, repo string) error {
	if err := s.fetch(nil); err != nil { // creates the export, which is repacked in the background
		return err
	}
	for began := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		if found, _ := filepath.Glob(filepath.Join(repo, "objects", "pack", "*.bitmap")); len(found) > 0 {
			break
		}
		if time.Since(began) > 5*time.Minute {
			return errors.New("the export wasn't repacked with bitmaps")
		}
	}
	if err := s.rest(); err != nil { // otherwise indexing the imported pages would disturb the figures
		return err
	}
	ref, err := os.ReadFile(filepath.Join(repo, "refs", "heads", "main"))
	if err != nil {
		return err
	}
	requests := [][]byte{nil, pkts("command=ls-refs", "", "peel", "symrefs"), pkts("command=fetch", "", "ofs-delta", "no-progress", "want "+strings.TrimSpace(string(ref)), "done")}
	const times = 5
	var ours, theirs, ratios []float64
	for range b.rounds {
		before := wholeCPU(s.cmd.Process.Pid)
		for range times {
			for _, request := range requests {
				if err := s.fetch(request); err != nil {
					return err
				}
			}
		}
		own := wholeCPU(s.cmd.Process.Pid) - before
		var bare time.Duration
		for range times {
			for _, request := range requests {
				used, err := uploadPack(repo, request)
				if err != nil {
					return err
				}
				bare += used
			}
		}
		ours, theirs, ratios = append(ours, float64(own)/times), append(theirs, float64(bare)/times), append(ratios, float64(own)/float64(bare))
	}
	ratio := median(ratios)
	b.add(fmt.Sprintf("server CPU of a clone at %s commits, compared with git upload-pack with bitmaps", thousands(gitCommits)),
		fmt.Sprintf("%s, %s: %.2f times", ms(time.Duration(median(ours))), ms(time.Duration(median(theirs))), ratio), ratio, 1.25, "times")
	return b.lag(s, repo)
}

// rest waits until the service is idle.
func (s *service) rest() error {
	for end := time.Now().Add(20 * time.Minute); time.Now().Before(end); {
		before := wholeCPU(s.cmd.Process.Pid)
		time.Sleep(2 * time.Second)
		if wholeCPU(s.cmd.Process.Pid)-before <= 20*time.Millisecond {
			return nil
		}
	}
	return errors.New("the service doesn't become idle")
}

// lag measures the time from a save until the export contains it.
func (b *bench) lag(s *service, repo string) error {
	var lags []time.Duration
	for i := range b.rounds {
		if _, err := s.do("PUT", "bob", fmt.Sprint("/api/v1/pages/Lag_", i), map[string]any{"content": fmt.Sprint("text ", i, "\n")}); err != nil {
			return err
		}
		text, err := s.do("GET", "bob", "/api/v1/changelog?limit=1", nil)
		if err != nil {
			return err
		}
		began := time.Now()
		for {
			ref, err := os.ReadFile(filepath.Join(repo, "refs", "heads", "main"))
			if err == nil && bytes.Contains(text, bytes.TrimSpace(ref)) {
				break
			}
			if time.Since(began) > time.Minute {
				return fmt.Errorf("the export doesn't follow the save")
			}
			time.Sleep(5 * time.Millisecond)
		}
		lags = append(lags, time.Since(began))
	}
	lag := median(lags)
	b.add("export lag after a save, including its 300 ms delay", ms(lag), 0, 0, "")
	return nil
}

// fetch sends one request of a clone in protocol version 2; nil asks for the
// advertisement.
func (s *service) fetch(request []byte) error {
	method, path, body := "GET", "/repo.git/info/refs?service=git-upload-pack", io.Reader(nil)
	if request != nil {
		method, path, body = "POST", "/repo.git/git-upload-pack", bytes.NewReader(request)
	}
	r, err := http.NewRequest(method, "http://"+s.addr+path, body)
	if err != nil {
		return err
	}
	r.Host = "bob.robot.localhost:" + s.port
	r.Header.Set("Git-Protocol", "version=2")
	r.Header.Set("Content-Type", "application/x-git-upload-pack-request")
	r.Header.Set("Authorization", "Bearer "+s.tokens["bob"]["owner"])
	answer, err := s.client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	n, err := io.Copy(io.Discard, answer.Body)
	if err == nil && (answer.StatusCode != http.StatusOK || n == 0) {
		err = fmt.Errorf("%s %s: %s", method, path, answer.Status)
	}
	return err
}

// uploadPack lets git answer a request and returns the CPU time of git and its
// children.
func uploadPack(repo string, request []byte) (time.Duration, error) {
	args := []string{"upload-pack", "--stateless-rpc", repo}
	if request == nil {
		args = []string{"upload-pack", "--stateless-rpc", "--advertise-refs", repo}
	}
	cmd := exec.Command("git", args...)
	cmd.Env = []string{"GIT_PROTOCOL=version=2", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "PATH=" + os.Getenv("PATH")}
	cmd.Stdin = bytes.NewReader(request)
	cmd.Stdout = io.Discard
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("git upload-pack: %w", err)
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}

// pkts encodes a request as pkt-lines (gitprotocol-common(5)); "" is the delimiter.
func pkts(lines ...string) []byte {
	var out bytes.Buffer
	for _, line := range lines {
		if line == "" {
			out.WriteString("0001")
			continue
		}
		fmt.Fprintf(&out, "%04x%s\n", len(line)+5, line)
	}
	out.WriteString("0000")
	return out.Bytes()
}

// wholeCPU returns the processor time of a process and of the children that it has
// waited for (proc(5), fields 14 to 17).
func wholeCPU(pid int) time.Duration {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
	var ticks int64
	for _, f := range fields[11:15] {
		n, _ := strconv.ParseInt(f, 10, 64)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
