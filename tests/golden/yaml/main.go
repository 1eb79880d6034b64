// Command golden reads YAML inputs and writes what the real sigs.k8s.io/yaml makes of them, and what kubectl
// reads where that is something else: its reader splits documents, tries JSON first and ends the last line.
//
// The result is kept in the tree and the Rust loader is held to it. Regenerate it with
//
//	go run . cases.txt > golden.json
//
// A case is a line "=== name", followed by the input up to the next such line. In the input "\e" at the end
// of a line stands for "no line feed here", so that inputs without a final line feed can be written.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	kubectl "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

type result struct {
	Name  string          `json:"name"`
	Input string          `json:"input"`
	JSON  json.RawMessage `json:"json,omitempty"`
	Error string          `json:"error,omitempty"`
	// What kubectl reads, if that differs.
	Kubectl *stream `json:"kubectl,omitempty"`
}

type stream struct {
	// Documents that are not null, up to the first error.
	Documents []json.RawMessage `json:"documents"`
	Error     string            `json:"error,omitempty"`
}

func main() {
	if len(os.Args) != 2 {
		fail(fmt.Errorf("usage: golden CASES"))
	}
	cases, err := read(os.Args[1])
	if err != nil {
		fail(err)
	}
	results := make([]result, 0, len(cases))
	for _, c := range cases {
		converted, err := yaml.YAMLToJSON([]byte(c.Input))
		if err != nil {
			c.Error = err.Error()
		} else {
			c.JSON = converted
		}
		if read := readStream(c.Input); !read.agrees(c) {
			c.Kubectl = &read
		}
		results = append(results, c)
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(results); err != nil {
		fail(err)
	}
	os.Stdout.Write(out.Bytes())
}

func readStream(input string) stream {
	decoder := kubectl.NewYAMLOrJSONDecoder(strings.NewReader(input), 4096)
	read := stream{Documents: []json.RawMessage{}}
	for {
		var document json.RawMessage
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return read
		}
		if err != nil {
			read.Error = err.Error()
			return read
		}
		if len(document) > 0 && string(document) != "null" {
			read.Documents = append(read.Documents, document)
		}
	}
}

func (s stream) agrees(c result) bool {
	if s.Error != "" || c.Error != "" {
		return s.Error != "" && c.Error != "" && len(s.Documents) == 0
	}
	if string(c.JSON) == "null" {
		return len(s.Documents) == 0
	}
	return len(s.Documents) == 1 && bytes.Equal(compact(s.Documents[0]), c.JSON)
}

func compact(document []byte) []byte {
	var out bytes.Buffer
	if err := json.Compact(&out, document); err != nil {
		fail(err)
	}
	return out.Bytes()
}

func read(path string) ([]result, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var cases []result
	scanner := bufio.NewScanner(file)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		line := scanner.Text()
		if name, found := strings.CutPrefix(line, "=== "); found {
			cases = append(cases, result{Name: name})
			continue
		}
		if len(cases) == 0 {
			continue
		}
		last := &cases[len(cases)-1]
		last.Input += unescape(line)
	}
	return cases, scanner.Err()
}

// unescape turns a line of a case into text: \e at the end drops the line feed, \q{...} is a Go string.
func unescape(line string) string {
	end := "\n"
	if cut, found := strings.CutSuffix(line, `\e`); found {
		line, end = cut, ""
	}
	if quoted, found := strings.CutPrefix(line, `\q`); found {
		if text, err := strconv.Unquote(quoted); err == nil {
			return text
		}
	}
	return line + end
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
