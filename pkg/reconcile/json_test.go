package reconcile_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
)

// jsonOf runs commands of ip(8), one a line, which print arrays of objects.
func jsonOf(commands string, options ...string) ([][]map[string]any, error) {
	cmd := exec.Command("ip", append(options, "-j", "-b", "-")...)
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = strings.NewReader(commands), &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("ip: %w: %s", err, &stderr)
	}
	var docs [][]map[string]any
	d := json.NewDecoder(bytes.NewReader(out))
	for d.More() {
		var doc []map[string]any
		if err := d.Decode(&doc); err != nil {
			return nil, fmt.Errorf("ip: %w", err)
		}
		docs = append(docs, doc)
	}
	return docs, nil
}
