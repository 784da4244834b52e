package server

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// How long a client that has connected may take to send its request when the
// service stops, and how long one that was just read takes to reach its handler.
const (
	settleTimeout = 2 * time.Second
	settleMargin  = 50 * time.Millisecond
)

// freshConns are the connections of which no request was read yet. Once it shuts
// down, http.Server drops what it reads of them, although the client has sent it
// to a service that took its connection: so they are waited for before.
type freshConns struct {
	mu    sync.Mutex
	conns map[net.Conn]bool
}

// note is a server's ConnState.
func (f *freshConns) note(conn net.Conn, state http.ConnState) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if state == http.StateNew {
		f.conns[conn] = true
	} else {
		delete(f.conns, conn)
	}
}

func (f *freshConns) none() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.conns) == 0
}

// settle waits until a request of each was read.
func (f *freshConns) settle() {
	for end := time.Now().Add(settleTimeout); !f.none() && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	time.Sleep(settleMargin)
}
