package main

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// mixedViews are the views of the run after which memory is measured.
const mixedViews = 20_000

// mixed measures a service's memory after views of 500 pages by strangers and by a
// signed-in person, compressed and not, with a save after every 50 views.
func (b *bench) mixed(data string) error {
	s, err := b.startService(data)
	if err != nil {
		return err
	}
	defer s.stop()
	if _, err := s.do("GET", "ada", "/api/v1/search?q=cold+weather", nil); err != nil { // uses the model
		return err
	}
	began := cpu(s.cmd.Process.Pid)
	saves, err := b.viewMixed(s)
	if err != nil {
		return err
	}
	took := cpu(s.cmd.Process.Pid) - began
	if err := s.settled(); err != nil {
		return err
	}
	time.Sleep(2 * time.Second)
	mb := float64(proportional(s.cmd.Process.Pid)) / (1 << 20)
	b.add("memory after 20,000 mixed views of 500 pages", fmt.Sprintf("%.0f MB (PSS), with %d saves between them and the model in use; %.1f ms CPU per view, saves and indexing included", mb, saves, took.Seconds()*1000/mixedViews), mb, 100, "MB")
	return nil
}

// viewMixed views pages at random, and saves one after every 50 views.
func (b *bench) viewMixed(s *service) (saves int, err error) {
	cookie, err := s.signIn("ada")
	if err != nil {
		return 0, err
	}
	wire, err := s.dial()
	if err != nil {
		return 0, err
	}
	defer wire.conn.Close()
	choose := rand.New(rand.NewPCG(1, 2))
	for n := range mixedViews {
		page := fmt.Sprintf("Notes/Page_%d", 50+choose.IntN(400))
		request := "GET /" + page + " HTTP/1.1\r\nHost: ada.robot.localhost:" + s.port + "\r\nAccept: text/html\r\n"
		if choose.IntN(2) == 0 {
			request += "Accept-Encoding: gzip, deflate, br\r\n"
		}
		if choose.IntN(2) == 0 {
			request += "Cookie: " + cookie + "\r\n"
		}
		if _, err := wire.ask([]byte(request + "\r\n")); err != nil {
			return saves, err
		}
		if n%50 > 0 {
			continue
		}
		saves++
		raw, err := s.do("GET", "ada", "/api/v1/pages/"+page, nil)
		if err == nil {
			_, err = s.do("PUT", "ada", "/api/v1/pages/"+page, map[string]string{"content": prose(n), "revision": field(raw, "revision")})
		}
		if err != nil {
			return saves, err
		}
	}
	return saves, nil
}

// proportional returns the memory of a process in bytes, with its share of the pages that
// other processes also use (PSS in proc_pid_smaps_rollup(5)).
func proportional(pid int) int64 {
	return memoryOf(pid, "smaps_rollup", "Pss:")
}
