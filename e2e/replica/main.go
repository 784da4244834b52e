// Command replica builds a disk as the Python robot.wtf left it, for the browser
// tests: replica DIR REDIRECT. It prints the disk's facts as JSON.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"robot.wtf/internal/replica"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "replica:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return errors.New("want a directory and a redirect URI")
	}
	d, err := replica.Build(args[0], replica.Options{Schema: replica.Late, Wikis: 1, Commits: 2, Redirect: args[1]})
	if err != nil {
		return err
	}
	return errors.Join(json.NewEncoder(os.Stdout).Encode(d), d.Close())
}
