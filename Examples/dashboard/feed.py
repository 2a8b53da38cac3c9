#!/usr/bin/env python3
"""Publishes how busy this machine is, once a second: python3 feed.py [SERVER [NAME]]

Needs Linux and nothing but Python. Run it on several machines, with a server that they reach, to see them side by side.
"""

import json
import platform
import sys
import time
import urllib.parse
import urllib.request

server = sys.argv[1] if len(sys.argv) > 1 else "http://localhost:8080"
name = sys.argv[2] if len(sys.argv) > 2 else platform.node()


def processor():
    """Seconds of all cores, in hundredths: busy, and altogether."""
    with open("/proc/stat") as file:
        times = [int(number) for number in file.readline().split()[1:9]]
    return sum(times) - times[3] - times[4], sum(times)


def memory():
    with open("/proc/meminfo") as file:
        sizes = {line.split(":")[0]: int(line.split()[1]) for line in file}
    return 100 * (1 - sizes["MemAvailable"] / sizes["MemTotal"])


before = processor()
while True:
    time.sleep(1)
    now = processor()
    busy, whole = now[0] - before[0], now[1] - before[1]
    before = now
    sample = {"host": name, "cpu": round(100 * busy / max(whole, 1), 1), "memory": round(memory(), 1)}
    address = f"{server}/topics/machines/messages?key={urllib.parse.quote(name)}"
    try:
        urllib.request.urlopen(urllib.request.Request(
            address, json.dumps(sample).encode(), {"Content-Type": "application/json"}), timeout=5).close()
        print(sample, flush=True)
    except OSError as error:
        print(f"not published: {error}", flush=True)
