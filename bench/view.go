package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const viewsPerRound = 20_000

// view compares a cached public page with a plain handler that writes the same
// bytes, by the server's processor time per request.
func (b *bench) view() error {
	s, err := b.startService(filepath.Join(b.dir, "view"))
	if err != nil {
		return err
	}
	defer s.stop()
	if err := s.settled(); err != nil { // otherwise indexing the seeds would disturb the figures
		return err
	}
	const path = "/Weather_Station"
	page, err := s.do("GET", "ada", path, nil)
	if err != nil {
		return err
	}
	plain, addr, err := serveFile(filepath.Join(b.dir, "page.html"), page)
	if err != nil {
		return err
	}
	defer func() { plain.Process.Kill(); plain.Wait() }()
	host := "ada.robot.localhost:" + s.port
	if err := b.signedIn(s, path); err != nil {
		return err
	}
	if err := b.revision(s, path); err != nil {
		return err
	}
	get := "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nAccept: text/html\r\n\r\n"
	var ratios []float64
	var ours, theirs []time.Duration
	for i := range b.rounds + 1 {
		mine, err := cost(s.cmd.Process.Pid, s.addr, get)
		if err != nil {
			return err
		}
		bare, err := cost(plain.Process.Pid, addr, get)
		if err != nil {
			return err
		}
		if i == 0 {
			continue // warm-up
		}
		ours, theirs = append(ours, mine), append(theirs, bare)
		ratios = append(ratios, float64(mine)/float64(bare))
	}
	ratio := median(ratios)
	b.add("cached public page view, signed out", fmt.Sprintf("%.1f µs CPU per request; plain handler with the same %s bytes and their length %.1f µs", float64(median(ours))/1e3, thousands(len(page)), float64(median(theirs))/1e3), ratio, 1.5, "times its CPU")
	return nil
}

// cost returns a server's processor time per request over one connection.
func cost(pid int, addr, request string) (time.Duration, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	method, _, _ := strings.Cut(request, " ")
	in := bufio.NewReaderSize(conn, 1<<17)
	before := cpu(pid)
	for range viewsPerRound {
		if _, err := io.WriteString(conn, request); err != nil {
			return 0, err
		}
		res, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			return 0, err
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			return 0, err
		}
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return 0, fmt.Errorf("%.60q: %s", request, res.Status)
		}
	}
	return (cpu(pid) - before) / viewsPerRound, nil
}

// serveBare is the baseline: a handler that writes a file's bytes, of a .gz file as a
// compressed page.
func serveBare(file string) {
	page, err := os.ReadFile(file)
	if err != nil {
		panic(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr())
	panic(http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Length", strconv.Itoa(len(page)))
		if strings.HasSuffix(file, ".gz") {
			w.Header().Set("Content-Encoding", "gzip")
		}
		w.Write(page)
	})))
}
