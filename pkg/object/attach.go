package object

import (
	"path/filepath"
	"regexp"
	"strings"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/kernel"
)

// The ways to say whose namespace a section is attached to.
const (
	AttachDocker = "docker"
	AttachPodman = "podman"
	AttachPID    = "pid"
	AttachNetns  = "netns"
	AttachPath   = "path"
)

// Attach says, as the file does, whose namespace a section is attached to: "docker:web". It is empty for a namespace
// that plumb makes.
type Attach string

// engineName is what engines take for the name of a container, or for its number.
var engineName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)

// Split gives the way, and what it leads to.
func (a Attach) Split() (way, to string) {
	way, to, _ = strings.Cut(string(a), ":")
	return way, to
}

// Parse implements [file.Parser].
func (a *Attach) Parse(name, s string) error {
	const most = 1 << 22 // PID_MAX_LIMIT of a machine of 64 bits
	bad := func(why, hint string) error { return file.Flaw{Message: file.Quote(s) + " " + why, Hint: hint} }
	switch way, to := Attach(s).Split(); way {
	case AttachDocker, AttachPodman:
		if !engineName.MatchString(to) || len(to) > 255 {
			return bad("names no container", "a name has letters, digits, '_', '.' and '-', with a letter or digit first")
		}
	case AttachPID:
		if _, err := file.ParseNumber("a process's number", to, 1, most); err != nil {
			return err
		}
	case AttachNetns:
		if to == "" || to == "." || to == ".." || len(to) > 255 || strings.ContainsAny(to, "/\x00") {
			return bad("names no file in "+kernel.NetnsDir, `as in "netns:blue"; for another file write path:/FILE`)
		}
	case AttachPath:
		if !filepath.IsAbs(to) || filepath.Clean(to) != to || strings.ContainsRune(to, 0) {
			return bad("is not the path of a namespace", "write the whole path, as in "+file.Quote("path:/run/netns/blue"))
		}
	default:
		return bad("does not say whose namespace it is",
			"write docker:NAME, podman:NAME, pid:NUMBER, netns:NAME or path:/FILE")
	}
	*a = Attach(s)
	return nil
}

// Text implements [file.Described].
func (*Attach) Text() file.Text {
	return file.Text{
		Words:   "docker:NAME, podman:NAME, pid:NUMBER, netns:NAME or path:/FILE",
		Pattern: `^((docker|podman):[A-Za-z0-9][A-Za-z0-9_.-]{0,254}|pid:[1-9][0-9]{0,6}|netns:[^/]{1,255}|path:/.*)$`,
	}
}

// Attachment is the namespace of somebody else that a section of a topology is attached to.
type Attachment struct {
	// Name is that of the section, and From what the file says of the namespace.
	Name string `json:"name"`
	From Attach `json:"from"`
	// Dev and Ino are those of the namespace's file, and Cookie is a number that no other namespace has had since boot.
	Dev    uint64 `json:"dev"`
	Ino    uint64 `json:"ino"`
	Cookie uint64 `json:"cookie"`
	// Started is when the process was started that From names: another can get its number. 0 is for other ways.
	Started uint64 `json:"started,omitempty"`
}

// ID identifies the namespace among those that exist.
func (a Attachment) ID() kernel.ID { return kernel.ID{Dev: a.Dev, Ino: a.Ino} }

// Same says whether two attachments are to one namespace.
func (a Attachment) Same(b Attachment) bool { return a.ID() == b.ID() && a.Cookie == b.Cookie }
