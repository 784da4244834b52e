package config

import (
	"errors"
	"fmt"
	"net"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
)

// WatchFlags are what a service is told of how its operator learns how it is.
// The tags are kong's.
type WatchFlags struct {
	Metrics      string `name:"metrics" env:"ROBOT_METRICS" placeholder:"ADDR" help:"Show Prometheus metrics at http://ADDR/metrics, such as 127.0.0.1:9180. An address that is not loopback needs --metrics-token."`
	MetricsToken string `name:"metrics-token" env:"ROBOT_METRICS_TOKEN" placeholder:"TOKEN" help:"Who asks for metrics must send it: Authorization: Bearer TOKEN."`
	Backup       string `name:"backup" env:"ROBOT_BACKUP" placeholder:"DIR" help:"Directory of the backups, to tell when one failed or is late."`
	Webhook      string `name:"alert-webhook" env:"ROBOT_ALERT_WEBHOOK" placeholder:"URL" help:"Post alarms there as JSON: https, or http on loopback."`
	MailTo       string `name:"alert-mail" env:"ROBOT_ALERT_MAIL" placeholder:"ADDRESS" help:"Send alarms there by mail."`
	MailFrom     string `name:"mail-from" env:"ROBOT_MAIL_FROM" placeholder:"ADDRESS" help:"Sender of mail; robot at the platform's host by default."`
	MailServer   string `name:"mail-server" env:"ROBOT_MAIL_SERVER" default:"127.0.0.1:25" placeholder:"HOST:PORT" help:"SMTP server (${default}); TLS from the start on port 465, STARTTLS where it is offered."`
	MailUser     string `name:"mail-user" env:"ROBOT_MAIL_USER" placeholder:"NAME" help:"User at the SMTP server."`
	MailPassword string `name:"mail-password-file" env:"ROBOT_MAIL_PASSWORD_FILE" placeholder:"FILE" help:"File with the password at the SMTP server."`
}

// A Watch is how the operator learns how the service is.
type Watch struct {
	Metrics, MetricsToken string // address, "" for none
	Backup                string // directory, "" when nobody watches backups
	Webhook               string
	Mail                  *Mail // nil for none
}

// A Mail is how mail is sent.
type Mail struct {
	Server         string
	From, To       mail.Address
	User, Password string
}

// watch checks the settings; host is the platform's.
func (f WatchFlags) watch(host string, wrong func(setting string, err error)) Watch {
	w := Watch{Metrics: f.Metrics, MetricsToken: f.MetricsToken, Webhook: f.Webhook}
	wrong("metrics", checkMetrics(f.Metrics, f.MetricsToken))
	if f.Backup != "" {
		var err error
		w.Backup, err = filepath.Abs(f.Backup)
		wrong("backup", err)
	}
	if f.MailTo == "" {
		return w
	}
	m := &Mail{Server: f.MailServer, User: f.MailUser}
	wrong("alert-mail", parseAddress(f.MailTo, &m.To))
	if f.MailFrom == "" {
		f.MailFrom = "robot@" + host
	}
	wrong("mail-from", parseAddress(f.MailFrom, &m.From))
	if _, _, err := net.SplitHostPort(f.MailServer); err != nil {
		wrong("mail-server", fmt.Errorf("%q is not like smtp.example.org:587", f.MailServer))
	}
	if f.MailPassword != "" {
		text, err := os.ReadFile(f.MailPassword)
		m.Password = strings.TrimRight(string(text), "\r\n")
		wrong("mail-password-file", err)
	}
	w.Mail = m
	return w
}

func parseAddress(text string, into *mail.Address) error {
	a, err := mail.ParseAddress(text)
	if err != nil {
		return fmt.Errorf("%q is not a mail address", text)
	}
	*into = *a
	return nil
}

func checkMetrics(address, token string) error {
	if address == "" {
		return nil
	}
	if err := checkListen(address); err != nil {
		return err
	}
	if tcp, err := net.ResolveTCPAddr("tcp", address); err == nil && !tcp.IP.IsLoopback() && len(token) < 16 {
		return errors.New("others than this machine could read them there: choose a loopback address such as 127.0.0.1:9180, or a --metrics-token of 16 characters or more")
	}
	return nil
}
