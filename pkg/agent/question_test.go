package agent

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/plumbnet/plumb/pkg/topology"
)

// TestJudge holds that a file of somebody who may only ask reaches what the config names for its topology, and not what
// a local file may reach by default, and that its keys lie where the config says or are not read.
func TestJudge(t *testing.T) {
	const nat = "\nbridges: {a: {addresses: [10.0.0.1/24]}}\nnat: [{masquerade: 10.0.0.0/24}]"
	const key = "\nnamespaces: {n: {interfaces: {w: {wireguard: {private-key-file: w.key}}}}}"
	const sysctl = "\nsysctls: {net.core.somaxconn: 4096}"
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, `topologies:
  - {file: plain.yaml}
  - {file: keyed.yaml, keys: keys}
  - {file: named.yaml, allow: [host-nat]}
`)
		w.boot()
		for _, name := range []string{"plain", "keyed", "named"} {
			w.say(name+".yaml", "name: "+name)
		}
		for text, want := range map[string]string{
			"name: plain\nbridges: {a: {}}":         "",
			"name: other\nbridges: {a: {}}":         "",
			"name: plain" + nat:                     "f.yaml:3:1: the agent's config does not name this (host-nat) for /etc/plumb/plain.yaml: allow:",
			"name: plain" + sysctl:                  "(host-sysctls)",
			"name: plain" + key:                     "(keys) for /etc/plumb/plain.yaml: keys: DIRECTORY says where they are",
			"name: named" + nat:                     "",
			"name: named" + nat + sysctl:            "(host-sysctls)",
			"name: keyed" + key:                     "",
			"name: other" + nat:                     "the agent does not keep other, and lets nobody else reach this (host-nat)",
			"name: other" + key:                     "(keys)",
			"name: keyed" + key + "\n---\nname: x":  "(keys)",
			"name: plain\n---\nname: keyed" + key:   "(keys)",
			"name: keyed\n---\nname: named" + nat:   "",
			"name: named" + nat + "\nbridgse: {}":   "", // is no topology, and has no diff
			"name: keyed" + key + "\n---\nname: [x": "",
		} {
			in := topology.Input{Name: "f.yaml", Data: []byte(text), Keys: "/somewhere"}
			files, err := w.Judge([]topology.Input{in})
			if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v, want %q", text, err, want)
			}
			if err == nil && strings.Contains(text, key) && files[0].Keys == "/somewhere" {
				t.Errorf("%q: its keys are where it says", text)
			}
			if text == "name: keyed"+key && files[0].Keys != "/etc/plumb/keys" {
				t.Errorf("the keys lie in %q", files[0].Keys)
			}
		}
	})
}

// TestQuestions holds that a question is answered as it is put, unless it is too large, and that one waits for the
// other.
func TestQuestions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	asker := Client{Socket: path}
	if _, err := asker.Diff(t.Context(), Question{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("with nobody there: %v", err)
	}
	l, err := ListenForGroup(path, os.Getgid())
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("%v, %v", info, err)
	}
	busy := make(chan bool, 1)
	server := &http.Server{Handler: Questions(func(_ context.Context, q Question) (Answer, error) {
		select {
		case busy <- true:
			defer func() { <-busy }()
		default:
			t.Error("two at once")
		}
		if len(q.Files) == 0 {
			return Answer{}, errors.New("no file")
		}
		return Answer{Stdout: q.Files[0].Data, Stderr: []byte(q.Files[0].Name), Exit: 1}, nil
	})}
	go server.Serve(l)   //nolint:errcheck // ends with Close
	defer server.Close() //nolint:errcheck // nobody asks any longer
	answers := make(chan error, 8)
	for range cap(answers) {
		go func() {
			a, err := asker.Diff(t.Context(), Question{Files: []topology.Input{{Name: "f", Data: []byte("text")}}})
			if err == nil && (string(a.Stdout) != "text" || string(a.Stderr) != "f" || a.Exit != 1) {
				err = errors.New(string(a.Stdout))
			}
			answers <- err
		}()
	}
	for range cap(answers) {
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
	if _, err := asker.Diff(t.Context(), Question{}); err == nil || err.Error() != "no file" {
		t.Errorf("with no file: %v", err)
	}
	large := topology.Input{Data: make([]byte, 5<<20)}
	if _, err := asker.Diff(t.Context(), Question{Files: []topology.Input{large}}); err == nil ||
		!strings.Contains(err.Error(), "4 MiB") {
		t.Errorf("with a large file: %v", err)
	}
}
