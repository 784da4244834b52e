package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"robot.wtf/internal/config"
)

type homeInstallCommand struct {
	homeFlags
	homeFeatures
}

// Run writes the unit for the service manager of this system. It starts nothing: the
// output says how.
func (c homeInstallCommand) Run(ctx context.Context) error {
	cfg, err := c.config(ctx, c.homeFeatures, config.TestFlags{})
	if err != nil {
		return err
	}
	binary, err := os.Executable()
	if err != nil {
		return err
	}
	if strings.Contains(binary, "go-build") {
		return errors.New("this is a temporary binary of go run: build one that stays with go install ./cmd/robot, and run that")
	}
	args := []string{binary, "home", "--data", cfg.Data, "--listen", c.Listen}
	if c.URL != "" {
		args = append(args, "--url", c.URL)
	}
	if c.ATProto {
		args = append(args, "--atproto")
	}
	if c.NoSemanticSearch {
		args = append(args, "--no-semantic-search")
	}
	file, text, next, err := serviceUnit(runtime.GOOS, args)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	before, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		return err
	}
	verb := "wrote"
	if before != nil && !bytes.Equal(before, text) {
		verb = "replaced"
	}
	fmt.Printf("%s %s\nStart it now and whenever you sign in to this machine:\n%s\nThen print a link to sign in: %s home login%s\n", verb, file, next, binary, dataArgument(cfg.Data))
	return nil
}

// serviceUnit returns the file for a system's service manager, and the commands that
// start it.
func serviceUnit(system string, args []string) (file string, text []byte, next string, err error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return "", nil, "", err
	}
	switch system {
	case "linux":
		config := os.Getenv("XDG_CONFIG_HOME")
		if !filepath.IsAbs(config) {
			config = filepath.Join(home, ".config")
		}
		return filepath.Join(config, "systemd", "user", "robot.service"), systemdUnit(args), "  systemctl --user daemon-reload\n  systemctl --user enable --now robot\n  loginctl enable-linger   # also while you are signed out", nil
	case "darwin":
		file = filepath.Join(home, "Library", "LaunchAgents", launchdLabel+".plist")
		text, err = launchdAgent(args)
		return file, text, "  launchctl bootstrap gui/$(id -u) " + file, err
	}
	return "", nil, "", fmt.Errorf("robot home install knows systemd and launchd, not the service manager of %s: have it run %s", system, strings.Join(args, " "))
}

// systemdUnit is a user unit (systemd.service(5)).
func systemdUnit(args []string) []byte {
	quoted := make([]string, len(args))
	for i, arg := range args {
		// systemd.syntax(7): quotes and backslashes; % and $ have a meaning of their own
		quoted[i] = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "%", "%%", "$", "$$", "\n", `\n`).Replace(arg) + `"`
	}
	return []byte("[Unit]\nDescription=Wiki (robot home)\n\n[Service]\nType=notify\nExecStart=" + strings.Join(quoted, " ") + "\nRestart=on-failure\n\n[Install]\nWantedBy=default.target\n")
}

const launchdLabel = "wtf.robot.home"

// launchdAgent is a property list for launchd (launchd.plist(5)).
func launchdAgent(args []string) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(xml.Header + `<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">` + "\n")
	b.WriteString("<plist version=\"1.0\">\n<dict>\n<key>Label</key><string>" + launchdLabel + "</string>\n<key>ProgramArguments</key>\n<array>\n")
	for _, arg := range args {
		b.WriteString("<string>")
		if err := xml.EscapeText(&b, []byte(arg)); err != nil {
			return nil, err
		}
		b.WriteString("</string>\n")
	}
	b.WriteString("</array>\n<key>RunAtLoad</key><true/>\n<key>KeepAlive</key><dict><key>SuccessfulExit</key><false/></dict>\n</dict>\n</plist>\n")
	return b.Bytes(), nil
}
