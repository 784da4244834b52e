package server

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// When the service stops, firstRequestTimeout bounds the wait for a connected
// client's first request. handlerMargin is the time for a request that was read
// to reach its handler.
const (
	firstRequestTimeout = 2 * time.Second
	handlerMargin       = 50 * time.Millisecond
)

// freshConns tracks connections without a request so far. During shutdown,
// http.Server drops requests on them although it accepted the connection, so
// Serve waits for these first.
type freshConns struct {
	mu    sync.Mutex
	conns map[net.Conn]bool
}

// trackState is the server's ConnState hook.
func (f *freshConns) trackState(conn net.Conn, state http.ConnState) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if state == http.StateNew {
		f.conns[conn] = true
	} else {
		delete(f.conns, conn)
	}
}

func (f *freshConns) isEmpty() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.conns) == 0
}

// waitForRequests waits until a request was read on each connection.
func (f *freshConns) waitForRequests() {
	for end := time.Now().Add(firstRequestTimeout); !f.isEmpty() && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	time.Sleep(handlerMargin)
}
