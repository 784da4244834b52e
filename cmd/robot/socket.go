package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"robot.wtf/internal/config"
	"robot.wtf/internal/service"
)

// socketName is where the service that owns a data directory takes the
// operator's commands. Whoever can open it (0600) is the operator.
const socketName = "robot.sock"

// An operation is a command of the operator's that works on a service: on the
// running one, over its socket, or on one that is opened for the purpose. args
// are the command's own; in is what it reads, such as an upload; what it writes
// to out is seen at once. It gets nothing else of the process that asked for it:
// that may be another user's, in another directory.
type operation func(ctx context.Context, s *service.Service, args url.Values, in io.Reader, out io.Writer) error

// operations are what the socket answers to, by name.
var operations = map[string]operation{
	"status":   showStatus, // admin status, and so on
	"wikis":    listWikis,
	"users":    listUsers,
	"audit":    showAudit,
	"suspend":  suspend,
	"resume":   resume,
	"delete":   remove,
	"quota":    setQuota,
	"reindex":  reindex,
	"reports":  showReports,
	"takedown": takeDown,
	"putback":  putBack,

	"rotate-keys": rotateKeys,

	"import":       importWiki,
	"restore-wiki": restoreWiki, // from a repository
	"recover":      recoverWiki, // from a backup
}

// operate runs an operation on a data directory: in the service that has it, or
// here, where none has.
func operate(ctx context.Context, dir, name string, args url.Values, in io.Reader, out io.Writer) (err error) {
	if _, err := os.Stat(filepath.Join(dir, "robot.db")); err != nil {
		return fmt.Errorf("--data: %s is no data directory of this program: %w", dir, err)
	}
	lock, err := service.Lock(dir)
	if errors.Is(err, service.ErrInUse) {
		if asked := askService(ctx, dir, name, args, in, out); !errors.Is(asked, errNoSocket) {
			return asked
		}
		return err
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	cfg, origins := config.Offline(dir)
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	s, err := openService(ctx, cfg, origins, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return operations[name](ctx, s, args, in, out)
}

// A socket is the open socket of a service.
type socket struct {
	server *http.Server
	file   string
}

// errorTrailer says how an operation ended: no value, or the error.
const errorTrailer = "Robot-Error"

// openSocket takes operations for a service until close.
func openSocket(s *service.Service, dir string, log *slog.Logger) (*socket, error) {
	listener, err := listenSocket(dir)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	mux := http.NewServeMux()
	for name, run := range operations {
		mux.HandleFunc("POST /"+name, func(w http.ResponseWriter, r *http.Request) {
			log.Info("operator", "command", name, "args", r.URL.RawQuery)
			w.Header().Set("Trailer", errorTrailer)
			w.WriteHeader(http.StatusOK)
			flush := http.NewResponseController(w)
			_ = flush.EnableFullDuplex() // answers while an upload comes in
			_ = flush.Flush()
			if err := run(r.Context(), s, r.URL.Query(), r.Body, flushing{w, flush}); err != nil {
				w.Header().Set(errorTrailer, url.QueryEscape(err.Error()))
			}
		})
	}
	so := &socket{&http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}, filepath.Join(dir, socketName)}
	go func() { _ = so.server.Serve(listener) }() // until it is closed
	return so, nil
}

func (s *socket) close() error {
	return errors.Join(s.server.Close(), os.Remove(s.file))
}

// listenSocket makes the socket in a directory of its own, so that it has its
// mode before anybody can find it, and puts it in the place of one that a
// killed process left. The path goes over the open directory: addresses of
// sockets have at most 108 bytes (unix(7)).
func listenSocket(dir string) (net.Listener, error) {
	making, err := os.MkdirTemp(dir, ".socket-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(making)
	at, err := os.Open(making)
	if err != nil {
		return nil, err
	}
	defer at.Close()
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: socketAddress(at)})
	if err != nil {
		return nil, err
	}
	listener.SetUnlinkOnClose(false) // its name changes
	made := filepath.Join(making, socketName)
	if err := errors.Join(os.Chmod(made, 0o600), os.Rename(made, filepath.Join(dir, socketName))); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return listener, nil
}

func socketAddress(dir *os.File) string {
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), socketName)
}

var errNoSocket = errors.New("the service takes no commands")

// askService has the running service do it.
func askService(ctx context.Context, dir, name string, args url.Values, in io.Reader, out io.Writer) error {
	at, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer at.Close()
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socketAddress(at))
	}}}
	defer client.CloseIdleConnections()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://robot/"+name+"?"+args.Encode(), in)
	if err != nil {
		return err
	}
	answer, err := client.Do(r)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errNoSocket
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s belongs to the user that the service runs as: be that user", filepath.Join(dir, socketName))
	case err != nil:
		return fmt.Errorf("ask the running service: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the running service does not know %q: it is of another version", name)
	}
	if _, err := io.Copy(out, answer.Body); err != nil {
		return fmt.Errorf("the running service ended before the command did: %w", err)
	}
	if failed, _ := url.QueryUnescape(answer.Trailer.Get(errorTrailer)); failed != "" {
		return errors.New(strings.TrimSpace(failed))
	}
	return nil
}

// flushing shows what is written at once.
type flushing struct {
	io.Writer
	control *http.ResponseController
}

func (f flushing) Write(data []byte) (int, error) {
	n, err := f.Writer.Write(data)
	if err == nil {
		err = f.control.Flush()
	}
	return n, err
}

// showStatus says which process it is that has the data directory.
func showStatus(_ context.Context, s *service.Service, _ url.Values, _ io.Reader, out io.Writer) error {
	_, err := fmt.Fprintf(out, "process %d, up for %s\n", os.Getpid(), time.Since(s.Opened).Round(time.Second))
	return err
}
