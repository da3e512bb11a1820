// read_lines: what Go's readers make of alert lines on standard input.
//
// Without arguments each line becomes a JSON object of its fields, by go-logfmt, as Loki and
// Grafana read it. Each argument is a regular expression, as LogQL's |~ has them: then each line
// becomes a JSON array that tells which ones match.
package main

import (
	"bufio"
	"encoding/json"
	"log"
	"os"
	"regexp"
	"strings"

	"github.com/go-logfmt/logfmt"
)

func fields(line string) map[string]string {
	found := map[string]string{}
	decoder := logfmt.NewDecoder(strings.NewReader(line))
	for decoder.ScanRecord() {
		for decoder.ScanKeyval() {
			key := string(decoder.Key())
			if _, twice := found[key]; twice {
				log.Fatalf("%s twice in %s", key, line)
			}
			found[key] = string(decoder.Value())
		}
	}
	if err := decoder.Err(); err != nil {
		log.Fatalf("%v in %s", err, line)
	}
	return found
}

func main() {
	var patterns []*regexp.Regexp
	for _, text := range os.Args[1:] {
		patterns = append(patterns, regexp.MustCompile(text))
	}
	out := json.NewEncoder(os.Stdout)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if len(patterns) == 0 {
			out.Encode(fields(lines.Text()))
			continue
		}
		matches := []bool{}
		for _, pattern := range patterns {
			matches = append(matches, pattern.MatchString(lines.Text()))
		}
		out.Encode(matches)
	}
}
