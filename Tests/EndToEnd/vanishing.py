"""Peers that vanish without a word: neither FIN nor reset, and nothing that they are sent is acknowledged."""

import ctypes
import os
import socket
import struct
import subprocess
import threading

import pytest

SO_ATTACH_FILTER = 26
CLONE_NEWNET = 0x40000000
NEAR, FAR = "10.213.77.1", "10.213.77.2"


def drop_all(plain):
    """Has the kernel drop all that comes for this socket, as if its machine had lost its power. Needs no rights."""
    # One instruction of classic BPF: return 0, which is to take none of the packet.
    code = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))
    plain.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", 1, ctypes.addressof(code)))


class Link:
    """A network namespace of this test's, with a cable to it that can be cut."""

    def __init__(self):
        self._name = f"apus-{os.getpid()}"
        self._near = f"apn{os.getpid()}"[:15]

    def __enter__(self):
        far = f"apf{os.getpid()}"[:15]
        try:
            ip("netns", "add", self._name)
        except (FileNotFoundError, subprocess.CalledProcessError) as error:
            pytest.skip(f"no network namespace can be made here: {getattr(error, 'stderr', error)}".strip())
        try:
            ip("link", "add", self._near, "type", "veth", "peer", "name", far, "netns", self._name)
            ip("address", "add", f"{NEAR}/30", "dev", self._near)
            ip("link", "set", self._near, "up")
            ip("-n", self._name, "address", "add", f"{FAR}/30", "dev", far)
            ip("-n", self._name, "link", "set", far, "up")
        except subprocess.CalledProcessError as error:
            self.__exit__()
            pytest.skip(f"no cable can be laid to a network namespace here: {error.stderr}".strip())
        return self

    def __exit__(self, *_):
        # The cable goes with it.
        ip("netns", "delete", self._name)

    def socket(self):
        """A socket in there. The thread that makes it is of no more use."""
        made = []

        def make():
            with open(f"/run/netns/{self._name}") as namespace:
                if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET) == 0:
                    made.append(socket.socket())
        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        return made[0]

    def cut(self):
        ip("link", "set", self._near, "down")


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)
