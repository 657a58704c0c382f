package agent

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/object"
)

// Config is what /etc/plumb/agent.yaml says.
type Config struct {
	Topologies []Entry  `file:"topologies,required=always,item=an entry of topologies" missing:"as topologies: [{file: lab.yaml}]" doc:"where topologies come from"`
	Lifelines  []string `file:"lifelines,item=an interface" doc:"interfaces that are never to be cut, beside the host's uplinks and those of SSH sessions"`
	Metrics    Telling  `file:"metrics" doc:"where metrics are told beside the socket"`
	OnStalled  []string `file:"on-stalled,item=an argument" doc:"command to run when a topology can't be applied: its name and why are the last arguments"`
	DiffGroup  string   `file:"diff-group" doc:"group whose users may ask the agent by plumb diff what a file would change"`
}

// Telling says where metrics are told.
type Telling struct {
	Listen string `file:"listen" doc:"address and port on which Prometheus finds the metrics, as 127.0.0.1:9469"`
}

// Entry says where topologies come from, and how they are kept.
type Entry struct {
	File      string        `file:"file" doc:"a topology file, from the directory of this one"`
	Directory string        `file:"directory" doc:"a directory of topology files"`
	Git       Git           `file:"git" doc:"a git repository"`
	Interval  file.Duration `file:"interval" doc:"how often the source is asked, with a tenth more or less"`
	Mode      string        `file:"mode,enum=enforce|warn" doc:"warn only reports what differs"`
	Prune     file.Flag     `file:"prune" doc:"destroys topologies that come from here no longer"`
	Disrupt   file.Flag     `file:"allow-disruptive" doc:"lets a revision delete most of what is there, or cut the host off"`
	Allow     []string      `file:"allow,item=an item of allow,enum=attach|existing|host-nat|host-sysctls|input-filter" doc:"what the topologies may reach beyond what they make: all for files, nothing for git"`
	Keys      string        `file:"keys" doc:"directory that files of keys must lie beneath; needed for those of a git source"`
	Probes    []Probe       `file:"probes,item=a probe" doc:"what must work after a change, if it worked before: else the change is taken back"`

	at file.Spots
}

// Git is a place in a git repository.
type Git struct {
	URL            string `file:"url,required" doc:"of the repository, as ssh://git@host/net.git"`
	Ref            string `file:"ref" doc:"branch or tag"`
	Path           string `file:"path" doc:"file or directory in it"`
	KnownHosts     string `file:"known-hosts" doc:"file with the server's key, for ssh"`
	KeyFile        string `file:"key-file" doc:"file with the key to log in with, for ssh"`
	TokenFile      string `file:"token-file" doc:"file with the token to log in with, for https"`
	AllowedSigners string `file:"allowed-signers" doc:"file with those who may sign commits (ssh-keygen(1)): all others are refused"`
}

// Probe is something that must work.
type Probe struct {
	From   string        `file:"from" doc:"namespace, or host"`
	Ping   netip.Addr    `file:"ping" doc:"address that must answer"`
	TCP    string        `file:"tcp" doc:"address and port that must accept a connection, as 10.0.0.5:80"`
	Within file.Duration `file:"within" doc:"time for it to begin to work after a change"`
}

// Default implements [file.Defaulter].
func (e *Entry) Default() {
	e.Interval, e.Mode = file.Duration(time.Minute), "enforce"
	e.Git.Ref, e.Git.Path = "main", "."
}

// Default implements [file.Defaulter].
func (p *Probe) Default() { p.From, p.Within = "host", file.Duration(10*time.Second) }

// LoadConfig reads a config. Name is that of its file, from whose directory other files are named.
func LoadConfig(name string, data []byte) (c Config, _ file.Problems) {
	r := file.NewReport(name, data)
	docs, ok := r.Documents(data)
	if ok && len(docs) != 1 {
		r.Errorf(file.Span{}, "a config is one YAML document, not %d", len(docs)).Hint = "as topologies: [{file: lab.yaml}]"
	}
	if !ok || len(docs) != 1 {
		return c, r.Problems()
	}
	at := r.Decode(docs[0], "the config", &c)
	for i, spots := range at.In("topologies").Items() {
		c.Topologies[i].check(r, spots)
		c.Topologies[i].from(filepath.Dir(name))
	}
	if len(c.Topologies) == 0 && at.Good("topologies") {
		r.Errorf(at.At("topologies"), "topologies is empty: there is nothing to keep")
	}
	if host, port, err := net.SplitHostPort(c.Metrics.Listen); c.Metrics.Listen != "" && (err != nil || host == "" || port == "") {
		r.Errorf(at.In("metrics").At("listen"), "%s is no address with a port", file.Quote(c.Metrics.Listen)).
			Hint = "as 127.0.0.1:9469"
	}
	return c, r.Problems()
}

// check reports what does not go together in an entry.
func (e *Entry) check(r *file.Report, at file.Spots) {
	e.at = at
	var from []string
	for _, key := range []string{"file", "directory", "git"} {
		if at.Given(key) {
			from = append(from, key)
		}
	}
	if len(from) != 1 && !at.Doubtful() {
		r.Errorf(at.At(), "an entry of topologies has one of file, directory and git, not %d", len(from))
	}
	if at.Good("interval") && e.Interval < file.Duration(leastInterval) {
		r.Errorf(at.At("interval"), "interval must be %v at least", leastInterval)
	}
	e.Git.check(r, at.In("git"))
	for i, spots := range at.In("probes").Items() {
		e.Probes[i].check(r, spots)
	}
}

// leastInterval keeps a server from being asked all the time.
const leastInterval = 5 * time.Second

func (g *Git) check(r *file.Report, at file.Spots) {
	for _, part := range []struct{ key, value string }{{"url", g.URL}, {"ref", g.Ref}, {"path", g.Path}} {
		if strings.HasPrefix(part.value, "-") || strings.ContainsFunc(part.value, func(c rune) bool { return c < ' ' }) {
			r.Errorf(at.At(part.key), "%s %s cannot be: git would take it for an option", part.key, file.Quote(part.value))
		}
	}
	if !filepath.IsLocal(g.Path) {
		r.Errorf(at.At("path"), "path %s leads out of the repository", file.Quote(g.Path))
	}
}

func (p *Probe) check(r *file.Report, at file.Spots) {
	if p.Ping.IsValid() == (p.TCP != "") && !at.Doubtful() {
		r.Errorf(at.At(), "a probe has one of ping and tcp").Hint = `as {from: ns1, ping: 192.0.2.1}`
	}
	if _, err := netip.ParseAddrPort(p.TCP); p.TCP != "" && err != nil {
		r.Errorf(at.At("tcp"), "%s is no address with a port", file.Quote(p.TCP)).Hint = `as "10.0.0.5:80"`
	}
}

// from says where files are that are named from a directory.
func (e *Entry) from(dir string) {
	for _, path := range []*string{
		&e.File, &e.Directory, &e.Keys, &e.Git.KnownHosts, &e.Git.KeyFile, &e.Git.TokenFile, &e.Git.AllowedSigners,
	} {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(dir, *path)
		}
	}
}

// Name says where the entry's topologies come from.
func (e *Entry) Name() string {
	switch {
	case e.File != "":
		return e.File
	case e.Directory != "":
		return e.Directory
	}
	return fmt.Sprintf("%s %s %s", e.Git.URL, e.Git.Ref, e.Git.Path)
}

// ofGit says whether others than who can write to this host's files decide what the topologies say.
func (e *Entry) ofGit() bool { return e.Git.URL != "" }

// allows says whether the entry's topologies may reach so far: those in local files may, unless it says how far.
func (e *Entry) allows(b object.Beyond) bool {
	free := b == object.BeyondKeys || !e.at.Given("allow")
	return !e.ofGit() && free || e.names(b)
}

// names says whether the entry names so far a reach.
func (e *Entry) names(b object.Beyond) bool {
	if b == object.BeyondKeys {
		return e.Keys != ""
	}
	return slices.Contains(e.Allow, string(b))
}
