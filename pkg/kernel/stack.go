package kernel

// OnDeepStack calls f with room to spare on its stack. A library that hands the kernel the address of something on the
// stack as a plain number needs that: should the runtime move the stack meanwhile, the kernel would write to where it
// was. It moves one that is too small, or that is hardly used.
//
//go:noinline
func OnDeepStack(f func() error) error {
	var room [64 << 10]byte
	err := f()
	keep(&room)
	return err
}

//go:noinline
func keep(*[64 << 10]byte) {}
