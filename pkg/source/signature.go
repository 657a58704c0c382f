package source

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
)

// signedFor is the namespace of signatures of commits.
const signedFor = "git"

// signer is a line of a file of allowed signers (ssh-keygen(1), ALLOWED SIGNERS).
type signer struct {
	principal string
	key       ssh.PublicKey
}

// verify says who of the allowed signers has signed a commit, of which raw is the object.
func verify(raw []byte, allowed string) (principal string, err error) {
	text, err := readSmall(allowed)
	if err != nil {
		return "", err
	}
	signers, err := parseSigners(string(text))
	if err != nil {
		return "", fmt.Errorf("%s: %w", allowed, err)
	}
	payload, armored := split(raw)
	if armored == nil {
		return "", fmt.Errorf("it is not signed, and must be by one of %s", allowed)
	}
	sig, err := sshsig.Unarmor(armored)
	if err != nil {
		return "", fmt.Errorf("its signature is none of ssh: %w", err)
	}
	i := slices.IndexFunc(signers, func(s signer) bool { return bytes.Equal(s.key.Marshal(), sig.PublicKey.Marshal()) })
	if i < 0 {
		return "", fmt.Errorf("it is signed with the key %s, which is none of %s", ssh.FingerprintSHA256(sig.PublicKey), allowed)
	}
	if err := sshsig.Verify(bytes.NewReader(payload), sig, signers[i].key, sig.HashAlgorithm, signedFor); err != nil {
		return "", fmt.Errorf("its signature does not fit: %w", err)
	}
	return signers[i].principal, nil
}

// split takes the signature out of a commit: what is left is what was signed (gitformat-signature(5)).
func split(raw []byte) (payload, armored []byte) {
	const header = "gpgsig "
	in, ended := false, false
	for line := range bytes.Lines(raw) {
		switch {
		case ended:
			payload = append(payload, line...)
		case len(bytes.TrimRight(line, "\n")) == 0:
			ended, in = true, false
			payload = append(payload, line...)
		case bytes.HasPrefix(line, []byte(header)):
			in = true
			armored = append(armored, line[len(header):]...)
		case in && line[0] == ' ':
			armored = append(armored, line[1:]...)
		default:
			in = false
			payload = append(payload, line...)
		}
	}
	return payload, armored
}

// parseSigners reads a file of allowed signers. Options that narrow what a key may do are an error, but for the
// namespaces that it may sign in: what is not understood must not be taken for less than it says.
func parseSigners(text string) (signers []signer, err error) {
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		principal, rest, _ := strings.Cut(line, " ")
		key, _, options, _, err := ssh.ParseAuthorizedKey([]byte(rest))
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		may, err := maySign(options)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		if may {
			signers = append(signers, signer{principal, key})
		}
	}
	if len(signers) == 0 {
		return nil, errors.New("it allows nobody")
	}
	return signers, nil
}

// maySign says whether options let a key sign commits.
func maySign(options []string) (bool, error) {
	for _, o := range options {
		names, ok := strings.CutPrefix(strings.ToLower(o), "namespaces=")
		if !ok {
			return false, fmt.Errorf("the option %s is not supported: leave the line out, or the option", o)
		}
		if !slices.Contains(strings.Split(strings.Trim(names, `"`), ","), signedFor) {
			return false, nil
		}
	}
	return true, nil
}
