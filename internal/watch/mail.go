package watch

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/smtp"
	"strings"
	"time"
)

// Mail sends notices by email (RFC 5321).
type Mail struct {
	Server   string // host:port; implicit TLS on port 465, otherwise STARTTLS if offered
	From, To mail.Address
	// User and Password, if the server requires them. They are sent only over
	// TLS or to this machine.
	User, Password string
	Service        string // host name of the service, for the subject
}

// Name implements Notifier.
func (m Mail) Name() string { return "mail" }

// Notify sends one message.
func (m Mail) Notify(ctx context.Context, n Notice) error {
	ctx, cancel := context.WithTimeout(ctx, 25*time.Second)
	defer cancel()
	if err := m.send(ctx, m.message(n)); err != nil {
		return fmt.Errorf("watch: send email via %s: %w", m.Server, err)
	}
	return nil
}

func (m Mail) send(ctx context.Context, message []byte) error {
	host, port, err := net.SplitHostPort(m.Server)
	if err != nil {
		return err
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", m.Server)
	if err != nil {
		return err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	secure := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if port == "465" {
		conn = tls.Client(conn, secure)
	}
	client, err := smtp.NewClient(conn, host)
	if err != nil {
		return err
	}
	defer client.Close()
	if offered, _ := client.Extension("STARTTLS"); offered && port != "465" {
		if err := client.StartTLS(secure); err != nil {
			return err
		}
	}
	if m.User != "" {
		if err := client.Auth(smtp.PlainAuth("", m.User, m.Password, host)); err != nil {
			return err
		}
	}
	if err := errors.Join(client.Mail(m.From.Address), client.Rcpt(m.To.Address)); err != nil {
		return err
	}
	w, err := client.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(message); err != nil {
		return err
	}
	return errors.Join(w.Close(), client.Quit())
}

// message formats a notice (RFC 5322). Untrusted text appears only in its body,
// encoded.
func (m Mail) message(n Notice) []byte {
	var b bytes.Buffer
	subject := fmt.Sprintf("[%s] %s: %s", m.Service, n.Key, n.State)
	for _, h := range [][2]string{
		{"From", m.From.String()},
		{"To", m.To.String()},
		{"Subject", mime.QEncoding.Encode("utf-8", strings.Map(controlToSpace, subject))},
		{"Date", n.Time.Format(time.RFC1123Z)},
		{"Message-ID", "<" + rand.Text() + "@" + m.Service + ">"},
		{"Auto-Submitted", "auto-generated"}, // RFC 3834
		{"MIME-Version", "1.0"},
		{"Content-Type", "text/plain; charset=utf-8"},
		{"Content-Transfer-Encoding", "quoted-printable"},
	} {
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	b.WriteString("\r\n")
	w := quotedprintable.NewWriter(&b)
	fmt.Fprintf(w, "%s\r\n\r\nTime: %s\r\n", n.Text, n.Time.Format(time.RFC3339))
	w.Close() // can't fail: it writes to memory
	return b.Bytes()
}

func controlToSpace(r rune) rune {
	if r < ' ' {
		return ' '
	}
	return r
}
