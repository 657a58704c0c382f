# What the tests need, and the Debian packages that have it; gcc is the race detector's.
TOOLS    := gcc git ip nft ping ssh-keygen strace sysctl tcpdump unshare wg
PACKAGES := gcc git libc6-dev iproute2 nftables iputils-ping openssh-client procps strace tcpdump util-linux wireguard-tools
# What plumb is tested beside.
SERVERS    := fcgiwrap nginx-light openssh-server
NEIGHBOURS := dbus dnsmasq-base docker.io firewalld iptables libvirt-clients libvirt-daemon-system ufw
# What emulated machines need beside that.
VM_TOOLS    := $(TOOLS) busybox cpio depmod objcopy qemu-system-x86_64 xz
VM_PACKAGES := $(PACKAGES) binutils busybox-static cpio kmod qemu-system-common qemu-system-x86 xz-utils
MISSING   = $(strip $(foreach tool,$(1),$(if $(shell command -v $(tool)),,$(tool))))
APT       = $(and $(filter 0,$(shell id -u)),$(shell command -v apt-get))
GOLANGCI := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOTEST   := go test
FUZZTIME := 60s
FAULTS   := all
KERNELS  := 6.1 6.12
TESTS    := .
PKGS     := ./pkg/battery/... ./pkg/kernel ./pkg/kinds ./pkg/link ./pkg/reconcile ./pkg/watch
WALK     := 2000

.PHONY: build test test-git test-systemd test-kernels kernels lint bench bench-heal faults walk fuzz interop demo deps

build: ; CGO_ENABLED=0 go build -trimpath -o bin/plumb ./cmd/plumb

test: deps ; $(if $(filter-out 0,$(shell id -u)),@echo "not root: the tests on a kernel are left out" &&) $(GOTEST) -race -timeout 60m ./...

# Tests plumb beside Docker, ufw, firewalld and libvirt, each in a host of its own. Installs them, and starts none on this machine:
# but at the next boot they start, so a virtual machine is a better place.
interop: deps
	@$(if $(APT),$(INSTALL),:)
	TEST_REQUIRE_INTEROP=1 go test -count=1 -timeout 30m ./pkg/interop

# Reads repositories over ssh and https from real servers. Installs them, and starts none but its own.
test-git: deps
	@$(if $(APT),$(subst $(NEIGHBOURS),$(SERVERS),$(INSTALL)),:)
	TEST_REQUIRE_GIT=1 go test -race -count=1 ./pkg/source


# Runs the agent's unit under a real systemd, in a machine of its own that boots twice.
test-systemd: ; $(call NEED,debootstrap systemd-nspawn,debootstrap systemd-container)
	.ci/systemd/test

# A package asks policy-rc.d whether to start what it brings.
POLICY  := /usr/sbin/policy-rc.d
INSTALL := set -e; [ -e $(POLICY) ] || { trap 'rm -f $(POLICY)' EXIT; printf '\#!/bin/sh\nexit 101\n' >$(POLICY); chmod 755 $(POLICY); }; \
	apt-get update -q; DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $(NEIGHBOURS)

# Runs the tests that need a kernel on Debian's, emulated, with a sample of the faults: up to an hour for each kernel. A part of that:
# make test-kernels KERNELS=6.1 PKGS=./pkg/battery TESTS=TestCases/vxlan
test-kernels: kernels ; .ci/vm/test '$(PKGS)' '$(TESTS)' $(KERNELS)

kernels: ; $(call NEED,$(VM_TOOLS),$(VM_PACKAGES) $$(apt-cache pkgnames virtiofsd))
	for version in $(KERNELS); do .ci/vm/fetch $$version .cache/kernels/$$version || exit; done

lint: ; go run $(GOLANGCI) run ./...

# Measures plumb against other ways of building the same networks, in cells that touch nothing of this machine's. BENCH= takes
# flags, as in BENCH='-shapes hosts-100'; bin/plumb-bench -help tells them.
bench: deps build ; CGO_ENABLED=0 go build -trimpath -o bin/ ./cmd/plumb-bench ./cmd/plumb-bench-plot && bin/plumb-bench $(BENCH)

# Measures how long it takes to heal what somebody has changed, at 100 and at 1000 namespaces: 20 minutes on a machine with nothing else to do.
bench-heal: deps ; go test -run '^$$' -bench '^BenchmarkHeal$$' -benchtime 100x -timeout 2h ./pkg/reconcile

# Disturbs runs at every write, and prints what came of it as a table. FAULTS= takes a sample; with TEST_FAULTS_SEED=N that of another run.
faults: deps ; mkdir -p bin && TEST_FAULTS=$(FAULTS) TEST_FAULTS_TABLE=$(CURDIR)/bin/faults.md go test -count=1 -timeout 90m -run '^TestFaults$$' ./pkg/reconcile && cat bin/faults.md

# Walks at random: edits, changes by hand, failures, kills, another topology. WALK= is the number of rounds; TEST_SEED=N begins elsewhere.
walk: deps ; TEST_WALK=$(WALK) go test -count=1 -timeout 0 -v -run '^TestWalk$$' ./pkg/reconcile

fuzz: ; go test -run '^$$' -fuzz '^FuzzLoad$$' -fuzztime $(FUZZTIME) ./pkg/topology

# In a network, mounts and a /run of its own: nothing of this machine changes.
demo: build ; @unshare --net --mount --propagation private sh -c '$(DEMO)'
DEMO := mount -t tmpfs tmpfs /run; plumb() { echo "$$ plumb $$*"; bin/plumb "$$@"; }; for c in diff apply diff; do plumb $$c -f examples/docker0.yaml; done; ip -all netns exec ip -brief address; plumb destroy docker0

deps: ; $(call NEED,$(TOOLS),$(PACKAGES))
# Sees to it that the tools of the first list are there; the second are the packages that have them.
NEED = $(if $(MISSING),$(if $(APT),apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $(2),@echo "missing: $(MISSING); install $(2)"; exit 1),@:)
