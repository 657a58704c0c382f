package host

// Where the host meets the world: the addresses of up0, and those of the other end, in namespace world.
const (
	Uplink4, World4 = "198.18.0.2", "198.18.0.1"
	Uplink6, World6 = "2001:db8:ffff::2", "2001:db8:ffff::1"
)

// AddUplink gives the host a way to the internet, played by the namespace world, which knows only the addresses of up0.
func AddUplink() error {
	return Script(`
		ip netns add world
		ip link add up0 address 02:f1:00:00:00:01 type veth peer name eth0 address 02:f1:00:00:00:02 netns world
		ip link set up0 up
		ip -n world link set lo up
		ip -n world link set eth0 up
		ip address add ` + Uplink4 + `/24 dev up0
		ip address add ` + Uplink6 + `/64 dev up0 nodad
		ip -n world address add ` + World4 + `/24 dev eth0
		ip -n world address add ` + World6 + `/64 dev eth0 nodad
		ip route add default via ` + World4 + `
		ip -6 route add default via ` + World6)
}

// RemoveUplink takes it away again.
func RemoveUplink() error {
	return Script(`
		ip link del up0
		ip netns del world`)
}
