package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A pair is two texts about the same thing, which neither of them names.
type pair struct {
	word  string // what both are about
	query string
	entry string // the text to find
}

// gloss2def returns the pairs of all words that both dictionaries have, in
// alphabetical order, from the files of Debian's packages wordnet-base and
// dict-gcide below root (usually /usr/share).
func gloss2def(root string) ([]pair, error) {
	glosses, err := readGlosses(filepath.Join(root, "wordnet"))
	if err != nil {
		return nil, err
	}
	entries, err := readEntries(filepath.Join(root, "dictd"))
	if err != nil {
		return nil, err
	}
	var pairs []pair
	for word, gloss := range glosses {
		entry := definition(entries[word])
		if entry == "" {
			continue
		}
		name := regexp.MustCompile(`(?i)\b` + word[:max(5, len(word)-2)] + `\w*`)
		pairs = append(pairs, pair{word, name.ReplaceAllString(gloss, "it"), name.ReplaceAllString(entry, "it")})
	}
	slices.SortFunc(pairs, func(a, b pair) int { return strings.Compare(a.word, b.word) })
	return pairs, nil
}

// readGlosses reads WordNet's nouns (wndb(5)) with one sense and at least five
// letters, and their glosses up to the first semicolon, if that has four words.
func readGlosses(dir string) (map[string]string, error) {
	data, err := os.ReadFile(filepath.Join(dir, "data.noun"))
	if err != nil {
		return nil, err
	}
	index, err := os.Open(filepath.Join(dir, "index.noun"))
	if err != nil {
		return nil, err
	}
	defer index.Close()
	word := regexp.MustCompile(`^[a-z]{5,}$`)
	glosses := map[string]string{}
	lines := bufio.NewScanner(index)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 4 || !word.MatchString(f[0]) || f[2] != "1" {
			continue
		}
		offset, err := strconv.Atoi(f[len(f)-1])
		if err != nil || offset >= len(data) {
			return nil, fmt.Errorf("index.noun: %q has no offset", f[0])
		}
		line, _, _ := bytes.Cut(data[offset:], []byte("\n"))
		_, gloss, _ := strings.Cut(string(line), "| ")
		gloss, _, _ = strings.Cut(gloss, ";")
		if len(strings.Fields(gloss)) >= 4 {
			glosses[f[0]] = strings.TrimSpace(gloss)
		}
	}
	return glosses, lines.Err()
}

// readEntries reads a dictionary of dictd: the first entry of each word, by the
// lowercase word.
func readEntries(dir string) (map[string]string, error) {
	packed, err := os.Open(filepath.Join(dir, "gcide.dict.dz"))
	if err != nil {
		return nil, err
	}
	defer packed.Close()
	unpacked, err := gzip.NewReader(packed) // dictzip is gzip with an index
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(unpacked)
	if err != nil {
		return nil, err
	}
	index, err := os.Open(filepath.Join(dir, "gcide.index"))
	if err != nil {
		return nil, err
	}
	defer index.Close()
	entries := map[string]string{}
	lines := bufio.NewScanner(index)
	for lines.Scan() {
		f := strings.Split(lines.Text(), "\t")
		if len(f) < 3 {
			continue
		}
		at, length := number(f[1]), number(f[2])
		if at+length > len(text) {
			return nil, fmt.Errorf("gcide.index: entry of %q is beyond the end of the dictionary", f[0])
		}
		if word := strings.ToLower(f[0]); entries[word] == "" {
			entries[word] = string(text[at : at+length])
		}
	}
	return entries, lines.Err()
}

// number decodes dictd's base 64 numbers.
func number(digits string) (n int) {
	for _, d := range digits {
		n = n<<6 + strings.IndexRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", d)
	}
	return n
}

var bracketed = regexp.MustCompile(`\[[^\]]*\]`)

// definition returns the text of an entry after its etymology, at most 600
// characters, or "" if the entry isn't from 1913 or is too short.
func definition(entry string) string {
	if strings.Contains(entry, "WordNet") || !strings.Contains(entry, "1913 Webster") {
		return ""
	}
	_, text, found := strings.Cut(entry, "]")
	if !found {
		return ""
	}
	text = strings.Join(strings.Fields(bracketed.ReplaceAllString(text, " ")), " ")
	text = cut(text)
	if len(text) < 60 {
		return ""
	}
	return text
}
