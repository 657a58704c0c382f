package source

import "github.com/plumbnet/plumb/pkg/topology"

// Revision is what a source says at a time.
type Revision struct {
	// ID is the commit, or a digest of the files.
	ID string
	// Inputs are the files.
	Inputs []topology.Input
	// Signer is who has signed the commit; empty where nobody had to.
	Signer string
}
