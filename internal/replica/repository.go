package replica

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// writeRepository writes a wiki's repository: a bare one in an early disk, else one
// with a working tree.
func (d *Disk) writeRepository(dir string, w Wiki) error {
	repo, args := filepath.Join(dir, "repo"), []string{"init", "-q", "-b", "main"}
	if d.schema == Early {
		repo, args = filepath.Join(dir, "repo.git"), append(args, "--bare")
	}
	if err := runGit("", nil, append(args, repo)...); err != nil {
		return err
	}
	return d.writeHistory(repo, w, 0)
}

// Extend adds commits to a wiki's repository, as edits do that are made while the
// wiki is moved.
func (d *Disk) Extend(slug, owner string, commits int) error {
	return d.writeHistory(d.Repository(slug), Wiki{Slug: slug, Owner: owner, Commits: commits}, 1_000_000)
}

// Repository returns the directory of a wiki's repository.
func (d *Disk) Repository(slug string) string {
	if d.schema == Early {
		return filepath.Join(d.Dir, "wikis", slug, "repo.git")
	}
	return filepath.Join(d.Dir, "wikis", slug, "repo")
}

// writeHistory appends commits by the owner and an agent in turn.
func (d *Disk) writeHistory(repo string, w Wiki, first int) error {
	var in bytes.Buffer
	fmt.Fprint(&in, "feature done\n")
	for n := range w.Commits {
		n += first
		who := fmt.Sprintf("%s <@%s.example>", strings.ToUpper(w.Owner), w.Owner)
		if n%2 == 1 {
			who = "Claude (MCP) <claude-mcp@otterwiki.local>"
		}
		when := 1_770_000_000 + n*60
		fmt.Fprintf(&in, "commit refs/heads/main\nauthor %s %d +0000\ncommitter %s %d +0000\n", who, when, who, when)
		writeData(&in, fmt.Sprintf("Change %d", n))
		if n == first && first > 0 {
			fmt.Fprint(&in, "from refs/heads/main^0\n")
		}
		if n == 0 {
			writeFile(&in, "Home.md", "# Home\n\nSee [[Notes]] and [[Agent Guide|the guide]].\n")
			writeFile(&in, "Agent_Guide.md", "# Agent guide\n\nWrite short pages.\n")
		}
		writeFile(&in, fmt.Sprintf("Notes_%d.md", n%7), fmt.Sprintf("# Notes %d\n\nRevision %d of %s. See [[Home]].\n", n%7, n, w.Slug))
		if n == w.Commits-1 {
			for _, name := range slices.Sorted(maps.Keys(w.Files)) {
				writeFile(&in, name, w.Files[name])
			}
		}
	}
	fmt.Fprint(&in, "done\n")
	return runGit(repo, &in, "fast-import", "--quiet")
}

func writeData(in *bytes.Buffer, text string) { fmt.Fprintf(in, "data %d\n%s\n", len(text), text) }

func writeFile(in *bytes.Buffer, name, text string) {
	fmt.Fprintf(in, "M 100644 inline %s\n", name)
	writeData(in, text)
}

// runGit runs git in a repository.
func runGit(repo string, in *bytes.Buffer, args ...string) error {
	if repo != "" {
		args = append([]string{"-C", repo}, args...)
	}
	cmd := exec.Command("git", args...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
	if in != nil {
		cmd.Stdin = in
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// writeKey writes the ATProto client's key as a JWK.
func writeKey(dir, id string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	public, err := key.PublicKey.Bytes()
	if err != nil {
		return err
	}
	private, err := key.Bytes()
	if err != nil {
		return err
	}
	code := base64.RawURLEncoding.EncodeToString
	text, err := json.MarshalIndent(map[string]string{
		"kty": "EC", "crv": "P-256", "x": code(public[1:33]), "y": code(public[33:]), "d": code(private), "kid": id, "use": "sig", "alg": "ES256",
	}, "", "  ")
	return errors.Join(err, os.WriteFile(filepath.Join(dir, "client_jwk.json"), text, 0o600))
}

// Forge adds a commit that claims to be made by this service for the wiki's owner.
func (d *Disk) Forge(slug, file, text string) error {
	var in bytes.Buffer
	fmt.Fprintf(&in, "feature done\ncommit refs/heads/main\nauthor %s <%s> 1780000000 +0000\ncommitter robot.wtf <noreply@robot.wtf> 1780000000 +0000\n", slug, d.Owners[slug])
	writeData(&in, "Guide\n\nAgent: Claude\nGrant: 1")
	fmt.Fprint(&in, "from refs/heads/main^0\n")
	writeFile(&in, file, text)
	fmt.Fprint(&in, "done\n")
	return runGit(d.Repository(slug), &in, "fast-import", "--quiet")
}
