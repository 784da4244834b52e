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

	"robot.wtf/internal/background"
	"robot.wtf/internal/config"
	"robot.wtf/internal/service"
)

// socketName is the socket in the data directory on which a service accepts the
// operator's commands. Access to it (0600) makes the operator.
const socketName = "robot.sock"

// An operation is an operator's command on a service: the running one, over its
// socket, or one opened for the purpose. It reads args and in, such as an upload, and
// its output to out appears at once. It knows nothing else of the calling process,
// which can be another user's, in another directory.
type operation func(ctx context.Context, s *service.Service, args url.Values, in io.Reader, out io.Writer) error

// operations are the operations by name.
var operations = map[string]operation{
	"status":   showStatus, // admin status, and so on
	"top":      showTop,
	"check":    checkWikis,
	"drain":    drain,
	"wikis":    listWikis,
	"new":      listNewWikis,
	"users":    listUsers,
	"hosts":    listHosts,
	"audit":    showAudit,
	"invite":   invite,
	"suspend":  suspend,
	"resume":   resume,
	"delete":   remove,
	"reserve":  reserve,
	"transfer": transfer,
	"quota":    setQuota,
	"reindex":  reindex,
	"reports":  showReports,
	"takedown": takeDown,
	"putback":  putBack,
	"aside":    showAside,

	"login":       signInLink, // home login
	"rotate-keys": rotateKeys,
	"invitations": listInvitations,

	"export":         exportWiki,
	"import":         importWiki,
	"move-in-people": moveInPeople, // from the Python robot.wtf, and so on
	"move-in-names":  moveInNames,
	"move-in-state":  moveInState,
	"move-in-wiki":   moveInWiki,
	"move-in-finish": moveInFinish,
	"move-in-verify": moveInVerify,

	"move-in-verify-people": moveInVerifyPeople,

	"restore-wiki": restoreWiki, // from a repository
	"recover":      recoverWiki, // from a backup
}

// operate runs an operation on a data directory: in the running service, or else in
// this process.
func operate(ctx context.Context, dir, name string, args url.Values, in io.Reader, out io.Writer) error {
	opened := func() (config.Config, config.Origins, error) {
		if name == "login" {
			return offlineHome(ctx, dir, args)
		}
		cfg, origins := config.Offline(dir)
		return cfg, origins, nil
	}
	return withOperator(ctx, dir, opened, func(run operator) error { return run(ctx, name, args, in, out) })
}

// An operator runs operations on one service.
type operator func(ctx context.Context, name string, args url.Values, in io.Reader, out io.Writer) error

// withOperator calls do with an operator of a data directory: of the running service,
// or else of one in this process, with the configuration that opened returns.
func withOperator(ctx context.Context, dir string, opened func() (config.Config, config.Origins, error), do func(operator) error) (err error) {
	if _, err := os.Stat(filepath.Join(dir, "robot.db")); err != nil {
		return fmt.Errorf("--data: %s isn't a data directory: %w", dir, err)
	}
	lock, err := service.Lock(dir)
	if errors.Is(err, service.ErrInUse) {
		asked := do(func(ctx context.Context, name string, args url.Values, in io.Reader, out io.Writer) error {
			return askService(ctx, dir, name, args, in, out)
		})
		if !errors.Is(asked, errNoSocket) {
			return asked
		}
		return err
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	cfg, origins, err := opened()
	if err != nil {
		return err
	}
	log := textLog(slog.LevelWarn, false)
	s, err := openService(ctx, cfg, origins, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return do(operatorOf(s))
}

// operatorOf returns an operator of a service in this process.
func operatorOf(s *service.Service) operator {
	return func(ctx context.Context, name string, args url.Values, in io.Reader, out io.Writer) error {
		return operations[name](ctx, s, args, in, out)
	}
}

// A socket accepts a service's operations.
type socket struct {
	server *http.Server
	file   string
}

// errorTrailer contains the error of an operation; empty on success.
const errorTrailer = "Robot-Error"

// openSocket accepts operations for a service until close.
func openSocket(s *service.Service, dir string, log *slog.Logger) (*socket, error) {
	listener, err := listenSocket(dir)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	mux := http.NewServeMux()
	for name, run := range operations {
		mux.HandleFunc("POST /"+name, func(w http.ResponseWriter, r *http.Request) {
			log.Info("operator command received", "command", name, "args", r.URL.RawQuery)
			w.Header().Set("Trailer", errorTrailer)
			w.WriteHeader(http.StatusOK)
			flush := http.NewResponseController(w)
			_ = flush.EnableFullDuplex() // responds while an upload is being read
			_ = flush.Flush()
			if err := run(r.Context(), s, r.URL.Query(), r.Body, flushing{w, flush}); err != nil {
				w.Header().Set(errorTrailer, url.QueryEscape(err.Error()))
			}
		})
	}
	so := &socket{&http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}, filepath.Join(dir, socketName)}
	background.Start(func() error { return so.server.Serve(listener) }) // until it is closed
	return so, nil
}

func (s *socket) close() error {
	return errors.Join(s.server.Close(), os.Remove(s.file))
}

// listenSocket creates the socket in a private directory, so that it has its mode
// before others can reach it, then renames it over any leftover of a killed process.
// socketAddress says how long its path can be.
func listenSocket(dir string) (net.Listener, error) {
	making, err := os.MkdirTemp(dir, ".socket-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(making)
	private, err := os.Open(making)
	if err != nil {
		return nil, err
	}
	defer private.Close()
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: socketAddress(private)})
	if err != nil {
		return nil, err
	}
	listener.SetUnlinkOnClose(false) // it is renamed
	made := filepath.Join(making, socketName)
	if err := errors.Join(os.Chmod(made, 0o600), os.Rename(made, filepath.Join(dir, socketName))); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return listener, nil
}

var errNoSocket = errors.New("the service accepts no commands")

// askService runs an operation in the running service.
func askService(ctx context.Context, dir, name string, args url.Values, in io.Reader, out io.Writer) error {
	opened, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer opened.Close()
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socketAddress(opened))
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
		return fmt.Errorf("%s belongs to the user that runs the service: run this as that user", filepath.Join(dir, socketName))
	case err != nil:
		return fmt.Errorf("ask the running service: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the running service doesn't know %q: it is another version", name)
	}
	if _, err := io.Copy(out, answer.Body); err != nil {
		return fmt.Errorf("the service stopped before the command finished: %w", err)
	}
	if failed, _ := url.QueryUnescape(answer.Trailer.Get(errorTrailer)); failed != "" {
		return errors.New(strings.TrimSpace(failed))
	}
	return nil
}

// flushing sends output at once.
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

// showStatus prints which process uses the data directory.
func showStatus(_ context.Context, s *service.Service, _ url.Values, _ io.Reader, out io.Writer) error {
	_, err := fmt.Fprintf(out, "process %d, up for %s\n", os.Getpid(), time.Since(s.Opened).Round(time.Second))
	return err
}
