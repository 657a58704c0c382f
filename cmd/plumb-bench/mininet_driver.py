"""Builds one bridge and its hosts with mininet: driver.py NETWORK.json FOLDER.

A network of mininet lives in the process that made it. So this process forks, the child builds, and the parent ends
when the network stands. The child stays until somebody writes to FOLDER/stop; then it removes the network and answers
through FOLDER/done.
"""

import json
import os
import resource
import sys

from mininet.net import Mininet
from mininet.nodelib import LinuxBridge

# Mininet's own start raises limits of the whole machine. Those of this process are enough.
Mininet.inited = True
FILES_PER_HOST = 8


def build(network):
    files = 1024 + FILES_PER_HOST * len(network["hosts"])
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    net = Mininet(switch=LinuxBridge, controller=None, waitConnected=False)
    bridge = net.addSwitch(network["bridge"])
    for host in network["hosts"]:
        node = net.addHost(host["name"], ip=host["address"], defaultRoute="via " + host["via"])
        net.addLink(node, bridge)
    net.start()
    bridge.cmd("ip address add", network["address"], "dev", bridge)
    return net


def show(net, folder):
    """Gives the namespaces names, for those who check them."""
    os.makedirs(folder, exist_ok=True)
    for host in net.hosts:
        path = os.path.join(folder, host.name)
        if os.path.lexists(path):
            os.remove(path)
        os.symlink("/proc/%d/ns/net" % host.pid, path)


def stay(network, folder, ready):
    net = build(network)
    show(net, os.path.join(folder, "netns"))
    os.write(ready, b"up")
    with open(os.path.join(folder, "stop")) as stop:
        stop.read()
    net.stop()
    with open(os.path.join(folder, "done"), "w") as done:
        done.write("down\n")


def main(file, folder):
    with open(file) as f:
        network = json.load(f)
    built, ready = os.pipe()
    if os.fork() == 0:
        os.close(built)
        stay(network, folder, ready)
        return
    os.close(ready)
    if not os.read(built, 2):
        sys.exit("mininet has built no network")


if __name__ == "__main__":
    main(*sys.argv[1:])
