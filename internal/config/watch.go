package config

import (
	"errors"
	"fmt"
	"net"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"
)

// WatchFlags are the settings for metrics and alerts. The tags are for package
// kong.
type WatchFlags struct {
	Metrics      string        `name:"metrics" env:"ROBOT_METRICS" placeholder:"ADDR" help:"Serve Prometheus metrics at http://ADDR/metrics, such as 127.0.0.1:9180. A non-loopback address requires --metrics-token."`
	MetricsToken string        `name:"metrics-token" env:"ROBOT_METRICS_TOKEN" placeholder:"TOKEN" help:"Token required to read metrics: Authorization: Bearer TOKEN."`
	Backup       string        `name:"backup" env:"ROBOT_BACKUP" placeholder:"DIR" help:"Backup directory to watch: alert when a backup fails or is late."`
	BackupEvery  time.Duration `name:"backup-every" env:"ROBOT_BACKUP_EVERY" default:"1h" placeholder:"DURATION" help:"How often backups are taken (${default}): the alarm is raised two hours after one is due. Verifications are expected daily."`
	Ship         bool          `name:"ship" env:"ROBOT_SHIP" help:"Ship commits to the directory of --backup within seconds. A restore then loses seconds, not everything since the last backup."`
	Recipient    []string      `name:"backup-recipient" env:"ROBOT_BACKUP_RECIPIENT" placeholder:"AGE1…" help:"Encrypt shipped commits for this age recipient, like the keys in a backup."`
	Offsite      string        `name:"offsite-marker" env:"ROBOT_OFFSITE_MARKER" placeholder:"FILE" help:"File that the job for copying backups elsewhere touches when it succeeds: alert when that was 26 hours ago."`
	Certificate  bool          `name:"check-certificate" env:"ROBOT_CHECK_CERTIFICATE" default:"true" negatable:"" help:"Connect to the public address every six hours, and alert when its certificate is invalid or expires within 14 days."`
	Webhook      string        `name:"alert-webhook" env:"ROBOT_ALERT_WEBHOOK" placeholder:"URL" help:"Post alarms as JSON to this URL: https, or http on loopback."`
	MailTo       string        `name:"alert-mail" env:"ROBOT_ALERT_MAIL" placeholder:"ADDRESS" help:"Send alarms to this email address."`
	MailFrom     string        `name:"mail-from" env:"ROBOT_MAIL_FROM" placeholder:"ADDRESS" help:"Sender of emails (robot at the platform's host)."`
	MailServer   string        `name:"mail-server" env:"ROBOT_MAIL_SERVER" default:"127.0.0.1:25" placeholder:"HOST:PORT" help:"SMTP server (${default}): implicit TLS on port 465, otherwise STARTTLS if offered."`
	MailUser     string        `name:"mail-user" env:"ROBOT_MAIL_USER" placeholder:"NAME" help:"Username for the SMTP server."`
	MailPassword string        `name:"mail-password-file" env:"ROBOT_MAIL_PASSWORD_FILE" placeholder:"FILE" help:"File with the password for the SMTP server."`
}

// A Watch holds the validated settings for metrics and alerts.
type Watch struct {
	Metrics, MetricsToken string // address; "" for none
	Backup                string // directory; "" if backups aren't watched
	BackupEvery           time.Duration
	Ship                  bool            // ship to the backup directory
	Recipients            []age.Recipient // of the shipped log
	Offsite               string          // file that is touched by the copy elsewhere, or ""
	Certificate           bool            // check the certificate of the public address
	Webhook               string
	Mail                  *Mail // nil for none
}

// A Mail holds the settings for sending email.
type Mail struct {
	Server         string
	From, To       mail.Address
	User, Password string
}

// parseWatch validates the settings. host is the platform's.
func (f WatchFlags) parseWatch(host string, invalid func(setting string, err error)) Watch {
	w := Watch{Metrics: f.Metrics, MetricsToken: f.MetricsToken, Webhook: f.Webhook, BackupEvery: f.BackupEvery, Offsite: f.Offsite, Certificate: f.Certificate}
	if f.BackupEvery < time.Minute {
		invalid("backup-every", errors.New("must be at least 1m"))
	}
	invalid("metrics", checkMetrics(f.Metrics, f.MetricsToken))
	if f.Backup != "" {
		var err error
		w.Backup, err = filepath.Abs(f.Backup)
		invalid("backup", err)
	}
	w.Ship = f.Ship
	if f.Ship && f.Backup == "" {
		invalid("ship", errors.New("needs --backup, the directory to ship to"))
	}
	var err error
	w.Recipients, err = ParseRecipients(f.Recipient)
	invalid("backup-recipient", err)
	if f.MailTo == "" {
		return w
	}
	m := &Mail{Server: f.MailServer, User: f.MailUser}
	invalid("alert-mail", parseAddress(f.MailTo, &m.To))
	if f.MailFrom == "" {
		f.MailFrom = "robot@" + host
	}
	invalid("mail-from", parseAddress(f.MailFrom, &m.From))
	if _, _, err := net.SplitHostPort(f.MailServer); err != nil {
		invalid("mail-server", fmt.Errorf("%q is not like smtp.example.org:587", f.MailServer))
	}
	if f.MailPassword != "" {
		text, err := os.ReadFile(f.MailPassword)
		m.Password = strings.TrimRight(string(text), "\r\n")
		invalid("mail-password-file", err)
	}
	w.Mail = m
	return w
}

// ParseRecipients parses recipients of encrypted backups.
func ParseRecipients(list []string) ([]age.Recipient, error) {
	var all []age.Recipient
	for _, text := range list {
		r, err := age.ParseX25519Recipient(text)
		if err != nil {
			return nil, fmt.Errorf("%q isn't an age recipient, which starts with age1: %w", text, err)
		}
		all = append(all, r)
	}
	return all, nil
}

func parseAddress(text string, into *mail.Address) error {
	a, err := mail.ParseAddress(text)
	if err != nil {
		return fmt.Errorf("%q is not an email address", text)
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
		return errors.New("other machines could read the metrics: use a loopback address such as 127.0.0.1:9180, or set --metrics-token to 16 characters or more")
	}
	return nil
}
