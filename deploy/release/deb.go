package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/deb"
	"github.com/goreleaser/nfpm/v2/files"
)

// units are installed as they are in deploy/, but for the binary's path.
var units = []string{"robot.service", "robot.socket", "robot-backup.service", "robot-backup.timer", "robot-failed.service", "robot-verify.service", "robot-verify.timer"}

// writeDeb writes the Debian package.
func (r release) writeDeb(t target, binary, scratch string) error {
	contents, err := r.debContents(binary, scratch)
	if err != nil {
		return err
	}
	scripts := filepath.Join(r.root, "deploy", "release", "debian")
	info := nfpm.WithDefaults(&nfpm.Info{
		Name: "robot", Arch: t.processor, Platform: "linux", Version: r.version, VersionSchema: "none", Release: "1", Section: "web", Priority: "optional",
		Maintainer: "The robot.wtf maintainers <maintainers@robot.wtf>", Homepage: "https://robot.wtf", License: "see /usr/share/doc/robot/copyright",
		Description: "wikis that people and their AI agents write together\nOne service for many wikis: Markdown with full history, an MCP server for each,\nsearch by words and meaning, and clones with git.",
		MTime:       r.at,
		Overridables: nfpm.Overridables{
			Depends: []string{"git", "adduser | systemd-sysusers | systemd", "ca-certificates"}, Recommends: []string{"caddy", "age"},
			Contents: contents,
			Scripts:  nfpm.Scripts{PostInstall: filepath.Join(scripts, "postinst"), PreRemove: filepath.Join(scripts, "prerm"), PostRemove: filepath.Join(scripts, "postrm")},
		},
	})
	packager, err := nfpm.Get("deb")
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := packager.Package(info, &out); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.dir, fmt.Sprintf("robot_%s_%s.deb", r.version, t.processor)), out.Bytes(), 0o644)
}

// debContents lists the files of the package, and writes those that are made for it.
func (r release) debContents(binary, scratch string) (files.Contents, error) {
	deploy := filepath.Join(r.root, "deploy")
	add := func(list files.Contents, from, to, kind string, mode os.FileMode) files.Contents {
		return append(list, &files.Content{Source: from, Destination: to, Type: kind, FileInfo: &files.ContentFileInfo{Mode: mode, MTime: r.at, Owner: "root", Group: "root"}})
	}
	list := add(nil, binary, "/usr/bin/robot", "", 0o755)
	for _, name := range units {
		text, err := os.ReadFile(filepath.Join(deploy, name))
		if err != nil {
			return nil, err
		}
		made := filepath.Join(scratch, name)
		if err := os.WriteFile(made, bytes.ReplaceAll(text, []byte("/usr/local/bin/robot"), []byte("/usr/bin/robot")), 0o644); err != nil {
			return nil, err
		}
		list = add(list, made, "/usr/lib/systemd/system/"+name, "", 0o644)
	}
	manual, err := r.writeManual(scratch)
	if err != nil {
		return nil, err
	}
	list = add(list, manual, "/usr/share/man/man1/robot.1", "", 0o644)
	list = add(list, filepath.Join(deploy, "robot.env"), "/etc/robot/robot.env", "config|noreplace", 0o640)
	list = add(list, filepath.Join(deploy, "release", "debian", "sysusers"), "/usr/lib/sysusers.d/robot.conf", "", 0o644)
	list = add(list, filepath.Join(deploy, "release", "debian", "tmpfiles"), "/usr/lib/tmpfiles.d/robot.conf", "", 0o644)
	list = add(list, filepath.Join(r.root, "LICENSE"), "/usr/share/doc/robot/copyright", "", 0o644)
	list = add(list, filepath.Join(r.root, "CHANGELOG.md"), "/usr/share/doc/robot/CHANGELOG.md", "", 0o644)
	list = add(list, filepath.Join(deploy, "Caddyfile"), "/usr/share/doc/robot/examples/Caddyfile", "", 0o644)
	return list, nil
}

// writeManual writes a manual page with what the commands' help says.
func (r release) writeManual(scratch string) (string, error) {
	var page strings.Builder
	fmt.Fprintf(&page, ".TH ROBOT 1 %q %q\n.SH NAME\nrobot \\- wikis that people and their AI agents write together\n", r.at.Format("2006-01-02"), "robot "+r.version)
	for _, command := range [][]string{nil, {"serve"}, {"home"}, {"backup"}, {"verify"}, {"restore"}, {"export"}, {"import"}, {"admin"}, {"move-in"}, {"move-out"}} {
		cmd := exec.Command("go", append(append([]string{"run", "./cmd/robot"}, command...), "--help")...)
		cmd.Dir, cmd.Env = r.root, append(os.Environ(), "GOFLAGS=-buildvcs=false", "COLUMNS=78")
		text, err := cmd.Output()
		if err != nil {
			return "", fmt.Errorf("help of %v: %w", command, err)
		}
		title := strings.ToUpper(strings.Join(append([]string{"robot"}, command...), " "))
		fmt.Fprintf(&page, ".SH %q\n.nf\n%s.fi\n", title, escapeRoff(string(text)))
	}
	file := filepath.Join(scratch, "robot.1")
	return file, os.WriteFile(file, []byte(page.String()), 0o644)
}

// escapeRoff makes lines that troff shows as they are.
func escapeRoff(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		line = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(line)
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			line = `\&` + line
		}
		out.WriteString(line)
	}
	return out.String()
}
