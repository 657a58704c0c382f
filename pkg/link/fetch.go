package link

import "github.com/plumbnet/plumb/pkg/object"

// Fetch asks what the dump of links does not tell, where the topology has to do with it.
func Fetch(e *object.Env, s *object.Section, enter func(f func() error) error) error {
	if err := fetchCosts(e, s, enter); err != nil {
		return err
	}
	if err := fetchUnlisted(e, s, enter); err != nil {
		return err
	}
	return fetchVLANs(e, s, enter)
}
