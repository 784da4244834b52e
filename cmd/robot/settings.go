package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"robot.wtf/internal/merge"
)

// settingsFile reads the JSON file of --config. A member that isn't a flag is an error.
func settingsFile(r io.Reader) (kong.Resolver, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, fmt.Errorf("the settings file isn't a JSON object: %w", err)
	}
	values, err := kong.JSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	return settings{values, slices.Sorted(maps.Keys(members))}, nil
}

// settings are the members of a settings file.
type settings struct {
	kong.Resolver
	members []string
}

// Validate reports members that aren't flags of the commands that read such a file.
func (s settings) Validate(app *kong.Application) error {
	known := map[string]bool{}
	for _, command := range app.Children {
		if slices.ContainsFunc(command.Flags, func(f *kong.Flag) bool { return f.Name == "config" }) {
			for _, flag := range command.Flags {
				known[strings.ReplaceAll(flag.Name, "-", "_")] = true
			}
		}
	}
	return unknown("member %q of the settings file", s.members, known)
}

// otherVariables are environment variables that don't belong to a flag: those of the
// embedding model and of the project's tests.
var otherVariables = map[string]bool{
	"ROBOT_MINILM_PATH": true, "ROBOT_LONG": true, "ROBOT_SLOW": true, "ROBOT_NODE_MODULES": true, "ROBOT_BINARY": true, "ROBOT_VAULTS": true,
}

// checkEnvironment reports variables named ROBOT_… that no command reads: a misspelled
// setting would silently keep its default.
func checkEnvironment(app *kong.Application, environment []string) error {
	known := maps.Clone(otherVariables)
	for _, name := range variablesOf(app.Node) {
		known[name] = true
	}
	var names []string
	for _, variable := range environment {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "ROBOT_") {
			names = append(names, name)
		}
	}
	return unknown("environment variable %s", names, known)
}

// unknown returns an error that names each unknown setting and the known one that is
// most like it.
func unknown(format string, names []string, known map[string]bool) error {
	var errs []error
	for _, name := range names {
		if known[name] {
			continue
		}
		text := fmt.Sprintf(format, name) + " isn't known"
		if like := closest(name, slices.Sorted(maps.Keys(known))); like != "" {
			text += "; did you mean " + like + "?"
		}
		errs = append(errs, errors.New(text))
	}
	return errors.Join(errs...)
}

// variablesOf returns the environment variables that a command and its subcommands
// read.
func variablesOf(node *kong.Node) []string {
	var all []string
	for _, flag := range node.Flags {
		all = append(all, flag.Envs...)
	}
	for _, argument := range node.Positional {
		all = append(all, argument.Tag.Envs...)
	}
	for _, command := range node.Children {
		all = append(all, variablesOf(command)...)
	}
	return all
}

// closest returns the first of the names that differ least from a misspelled one, or "" if
// even that differs in more than a third of its letters, or in more than three.
func closest(misspelled string, names []string) string {
	best, least := "", min(len(misspelled)/3, 3)+1
	for _, name := range names {
		if d := merge.Distance(misspelled, name, least); d < least {
			best, least = name, d
		}
	}
	return best
}
