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

// listen returns the socket that systemd passed (sd_listen_fds(3)), or opens one at
// an address. The passed socket stays open across restarts, so no connection is
// refused.
func listen(ctx context.Context, address string) (net.Listener, error) {
	const first = 3
	if os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	}
	if n := os.Getenv("LISTEN_FDS"); n != "1" {
		return nil, fmt.Errorf("systemd passed %s sockets, want 1", n)
	}
	syscall.CloseOnExec(first) // git must not inherit it
	if err := errors.Join(os.Unsetenv("LISTEN_PID"), os.Unsetenv("LISTEN_FDS")); err != nil {
		return nil, err
	}
	file := os.NewFile(first, "listen")
	defer file.Close()
	listener, err := net.FileListener(file)
	if err != nil {
		return nil, fmt.Errorf("socket passed by systemd: %w", err)
	}
	return listener, nil
}

// notify reports the state of the service to systemd (sd_notify(3)), if it asked
// for that.
func notify(state string) error {
	address := os.Getenv("NOTIFY_SOCKET")
	if address == "" {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Net: "unixgram", Name: address})
	if err != nil {
		return fmt.Errorf("notify systemd: %w", err)
	}
	defer conn.Close()
	_, err = conn.Write([]byte(state))
	return err
}
