package snapshot

// Numbers of the kernel's headers that golang.org/x/sys/unix lacks.
const (
	familyIPv4, familyIPv6 = 2, 10 // as attributes of IFLA_AF_SPEC
	inetConf               = 1     // IFLA_INET_CONF
	inet6Conf              = 2     // IFLA_INET6_CONF
	inet6GenMode           = 8     // IFLA_INET6_ADDR_GEN_MODE
	confDisableIPv6        = 26    // DEVCONF_DISABLE_IPV6

	attrAltName = 53 // IFLA_ALT_IFNAME

	ntfSelf, ntfProxy = 0x02, 0x08 // NTF_* of linux/neighbour.h

	routeCloned   = 0x200 // RTM_F_CLONED
	hopLinkDown   = 0x10  // RTNH_F_LINKDOWN
	protoKernel   = 2     // RTPROT_KERNEL
	tableLocal    = 255
	addrProto     = 11 // IFA_PROTO
	addrKernelLL  = 3  // IFAPROT_KERNEL_LL
	operUnknown   = 0  // IF_OPER_*
	operUp        = 6
	genModeEUI64  = 0 // IN6_ADDR_GEN_MODE_EUI64
	minMTUForIPv6 = 1280
)
