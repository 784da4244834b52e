package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"
)

// listen gives the socket that the service was started with (sd_listen_fds(3)),
// or opens one at an address. The one that was given stays open while services
// come and go, so that nobody who connects meanwhile is refused.
func listen(ctx context.Context, address string) (net.Listener, error) {
	const first = 3
	if os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	}
	if n := os.Getenv("LISTEN_FDS"); n != "1" {
		return nil, fmt.Errorf("started with %s sockets, of which it takes one", n)
	}
	syscall.CloseOnExec(first) // not for git
	if err := errors.Join(os.Unsetenv("LISTEN_PID"), os.Unsetenv("LISTEN_FDS")); err != nil {
		return nil, err
	}
	file := os.NewFile(first, "listen")
	defer file.Close()
	listener, err := net.FileListener(file)
	if err != nil {
		return nil, fmt.Errorf("the socket it was started with: %w", err)
	}
	return listener, nil
}

// notify tells the service manager how far the service is (sd_notify(3)), if
// there is one that wants to know.
func notify(state string) error {
	address := os.Getenv("NOTIFY_SOCKET")
	if address == "" {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Net: "unixgram", Name: address})
	if err != nil {
		return fmt.Errorf("tell the service manager: %w", err)
	}
	defer conn.Close()
	_, err = conn.Write([]byte(state))
	return err
}
