package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A service is a running `robot dev`.
type service struct {
	cmd    *exec.Cmd
	addr   string // host:port to dial
	port   string
	ready  time.Duration // from the start of the process to its first line
	tokens map[string]map[string]string
	client *http.Client
}

// startService runs the binary on a data directory and waits until it is ready.
func (b *bench) startService(data string, flags ...string) (*service, error) {
	s := &service{cmd: exec.Command(b.binary, append([]string{"dev", "--listen", "127.0.0.1:0", "--data", data}, flags...)...)}
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.cmd.Stderr = os.Stderr
	began := time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	first := make([]byte, 4096)
	if _, err := stdout.Read(first); err != nil {
		return nil, fmt.Errorf("robot dev printed nothing: %w", err)
	}
	s.ready = time.Since(began)
	go io.Copy(io.Discard, stdout)
	var dev struct {
		URL   string
		Wikis []struct {
			Slug   string
			Tokens map[string]string
		}
	}
	for range 200 {
		raw, _ := os.ReadFile(filepath.Join(data, "dev.json"))
		if json.Unmarshal(raw, &dev) == nil && dev.URL != "" {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(dev.URL, "http://"))
	s.port, s.addr, s.tokens = port, "127.0.0.1:"+port, map[string]map[string]string{}
	for _, w := range dev.Wikis {
		s.tokens[w.Slug] = w.Tokens
	}
	s.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32, DisableCompression: true}}
	return s, nil
}

// stop ends the service with SIGTERM.
func (s *service) stop() error {
	s.cmd.Process.Signal(syscall.SIGTERM)
	return s.cmd.Wait()
}

// do sends a request to a wiki's host and fails unless the status is 2xx.
func (s *service) do(method, slug, path string, body any) ([]byte, error) {
	req, err := s.request(method, slug, path, body)
	if err != nil {
		return nil, err
	}
	res, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	text, err := succeeded(res)
	if err != nil {
		err = fmt.Errorf("%s %s: %w", method, path, err)
	}
	return text, err
}

// create creates a page.
func (s *service) create(slug, page string, data []byte) error {
	_, err := s.do("PUT", slug, "/api/v1/pages/"+page, map[string]string{"content": string(data)})
	return err
}

// request creates a request by a wiki's owner.
func (s *service) request(method, slug, path string, body any) (*http.Request, error) {
	var r io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		r = bytes.NewReader(raw)
	}
	req, err := http.NewRequest(method, "http://"+s.addr+path, r)
	if err != nil {
		return nil, err
	}
	req.Host = slug + ".robot.localhost:" + s.port
	req.Header.Set("Authorization", "Bearer "+s.tokens[slug]["owner"])
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

func succeeded(res *http.Response) ([]byte, error) {
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode/100 != 2 {
		err = fmt.Errorf("%s: %.300s", res.Status, text)
	}
	return text, err
}

// written returns a request as sent over the wire.
func (s *service) written(method, slug, path string, body any) ([]byte, error) {
	request, err := s.request(method, slug, path, body)
	if err != nil {
		return nil, err
	}
	var raw bytes.Buffer
	err = request.Write(&raw)
	return raw.Bytes(), err
}

// A wire is a connection with a very cheap client.
type wire struct {
	conn net.Conn
	in   *bufio.Reader
}

func (s *service) dial() (*wire, error) {
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		return nil, err
	}
	return &wire{conn, bufio.NewReader(conn)}, nil
}

// ask sends a request and reads the response, whose status must be 2xx.
func (w *wire) ask(request []byte) ([]byte, error) {
	if _, err := w.conn.Write(request); err != nil {
		return nil, err
	}
	res, err := http.ReadResponse(w.in, nil)
	if err != nil {
		return nil, err
	}
	return succeeded(res)
}

// cpu returns the processor time that a process has used, from /proc (proc(5):
// fields 14 and 15, in ticks of 10 ms).
func cpu(pid int) time.Duration {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond
}

// resident returns the resident memory of a process in bytes.
func resident(pid int) int64 {
	return memoryOf(pid, "status", "VmRSS:")
}

// memoryOf returns a figure of a process's memory in bytes, from a line of a file in
// /proc that begins with a name; 0 if there is none.
func memoryOf(pid int, file, name string) int64 {
	raw, _ := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			kb, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kb << 10
		}
	}
	return 0
}
