package file

// Map is a mapping whose keys are names, with its entries in the order of the file. Names are checked where K is a
// [Parser], which may bring them into a canonical form too. Its spots are in the same order: see [Spots.Items].
type Map[K ~string, T any] []Entry[K, T]

// Entry is an entry of a [Map].
type Entry[K ~string, T any] struct {
	Key   K
	Value T
}

// Get finds the entry of a key.
func (m Map[K, T]) Get(key K) (value *T, ok bool) {
	for i := range m {
		if m[i].Key == key {
			return &m[i].Value, true
		}
	}
	return nil, false
}

// tabular marks the types of [Map].
type tabular interface{ isMap() }

func (*Map[K, T]) isMap() {}
