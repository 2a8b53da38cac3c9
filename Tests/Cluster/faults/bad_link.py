"""bad_link.py LINK LINK DELAY_MS JITTER_MS LOSS SEED: carries packets between two links, late, and loses some.

In place of `tc netem`, which not every kernel has.
"""

import heapq
import itertools
import random
import select
import socket
import sys
import time

SOL_PACKET, PACKET_IGNORE_OUTGOING, PACKET_VNET_HDR = 263, 23, 15
ETH_P_ALL = 3
# A packet, before it is cut up for the link, and what the kernel says of it.
LARGEST = 65536 + 64
# Packets under way. What comes when there are so many is lost, as in a router.
MOST = 5000


def open_link(name):
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    # What the kernel leaves to the network card, checksums and cutting up, is left to who takes the packet.
    link.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    link.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    link.setblocking(False)
    link.bind((name, ETH_P_ALL))
    return link


def main():
    delay, jitter, loss = (float(text) for text in sys.argv[3:6])
    chance = random.Random(sys.argv[6])
    links = [open_link(name) for name in sys.argv[1:3]]
    other = {links[0]: links[1], links[1]: links[0]}
    late, order = [], itertools.count()
    print("ready", flush=True)
    while True:
        wait = max(late[0][0] - time.monotonic(), 0) if late else None
        for link in select.select(links, [], [], wait)[0]:
            while True:
                try:
                    packet = link.recv(LARGEST)
                except BlockingIOError:
                    break
                if chance.random() >= loss and len(late) < MOST:
                    due = time.monotonic() + max(delay + chance.uniform(-jitter, jitter), 0) / 1000
                    heapq.heappush(late, (due, next(order), other[link], packet))
        while late and late[0][0] <= time.monotonic():
            _, _, link, packet = heapq.heappop(late)
            try:
                link.send(packet)
            except OSError:
                # The link has no room or is down: it is lost.
                continue


main()
