#!/usr/bin/env python3
"""Runs the Autobahn cases (PyPI's kosoku) against the program's echo server: `APUS_BIN=… python autobahn/run.py`.

Needs requirements-autobahn.txt. Of the cases about compression, it leaves out most of those with large messages unless
`--all` is given. Arguments, if any, are the cases to run instead. With `--tls` they run over wss: as kosoku speaks no
TLS, HAProxy passes its bytes on to the server, sealed.
"""

import argparse
import collections
import contextlib
import fnmatch
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from certificates import authority, local_pair  # noqa: E402

# 9 is load; 8 and 11 do not exist.
BASIC = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*"]
# permessage-deflate: five kinds of content, then seven offers of parameters. Each has 18 cases of 1,000 messages: of 16
# bytes to 128 KiB, the last eight with other limits of a frame. Those with large messages
# are nine tenths of the time.
COMPRESSION = [f"12.{kind}" for kind in range(1, 6)] + [f"13.{kind}" for kind in range(1, 8)]
SHORT = [f"{kind}.{case}" for kind in COMPRESSION for case in (1, 2, 3, 4, 5, 6, 7, 11)] + ["12.1.10", "12.1.18", "13.3.10"]
PASSING = {"OK", "NON-STRICT", "INFORMATIONAL"}
# How many cases run at a time. The client and the server take turns, each with a core's worth of work: more of them, or a
# second client beside the first one, is hardly faster.
PARALLEL = 2
# The client gives each case 25 s, whatever the case says. Those of 1,000 incompressible messages of 128 KiB take most of
# that when they have the machine to themselves; so what was not done in time is run again alone.
LATE = "did not finish within"
START_SECONDS, RUN_SECONDS, STOP_SECONDS = 20, 3600, 20


def start_echo(*flags):
    """The echo server and its address, taken from its `listening` record."""
    # The fastest: sections 12 and 13 are gigabytes, and only what is read of them counts.
    process = subprocess.Popen([os.environ["APUS_BIN"], "echo", "--port", "0", "--compression-level", "1", *flags],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    watchdog = threading.Timer(START_SECONDS, process.kill)
    watchdog.start()
    log = []
    for line in process.stderr:
        log.append(line)
        if "listening" in line:
            watchdog.cancel()
            # Keeps the pipe from filling up.
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return process, line.split("address=")[1].split()[0].strip('"').replace("http", "ws", 1)
    watchdog.cancel()
    sys.exit("the echo server did not start:\n" + "".join(log))


SEALING = """
defaults
    mode tcp
    timeout connect 10s
    timeout client 1h
    timeout server 1h
listen sealing
    bind 127.0.0.1:{port}
    server apus 127.0.0.1:{server} ssl verify required verifyhost localhost ca-file {authority}
"""


@contextlib.contextmanager
def sealed(address):
    """A plain address whose bytes go to this one over TLS."""
    program = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or sys.exit("needs haproxy")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "configuration")
        file.write_text(SEALING.format(port=port, server=address.rpartition(":")[2].strip("/"), authority=authority().certificate))
        process = subprocess.Popen([program, "-db", "-f", file], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            for _ in range(START_SECONDS * 10):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    break
                time.sleep(0.1)
            yield f"ws://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


def stop(process):
    if process.poll() is not None:
        sys.exit(f"the echo server ended during the cases, exit {process.returncode}")
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        sys.exit("the echo server did not stop")


def run_cases(address, patterns, parallel=PARALLEL):
    """The result of every case: {case: {"behavior": …, "behaviorClose": …, "is_late": …}}."""
    program = Path(sys.executable).with_name("kosoku")
    selection = [argument for pattern in patterns for argument in ("-i", pattern)]
    with tempfile.TemporaryDirectory() as folder:
        # Its exit code says no more than the report.
        subprocess.run([program, "-m", "fuzzingclient", "-p", str(parallel), *selection, "-o", folder, address],
                       stdout=subprocess.DEVNULL, timeout=RUN_SECONDS)
        report = Path(folder, "index.json")
        if not report.exists():
            return {}
        [results] = json.loads(report.read_text()).values()
        for result in results.values():
            result["is_late"] = LATE in json.loads(Path(folder, result["reportfile"]).read_text())["result"]
        return results


def is_failed(result):
    return result["behavior"] not in PASSING or result["behaviorClose"] not in PASSING


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("cases", nargs="*")
    arguments = parser.parse_args()
    compression = [f"{kind}.*" for kind in COMPRESSION] if arguments.all else SHORT
    patterns = arguments.cases or BASIC + compression
    process, address = start_echo(*(local_pair().flags if arguments.tls else ()))
    try:
        with sealed(address) if arguments.tls else contextlib.nullcontext(address) as address:
            results = run_cases(address, patterns)
            late = [case for case, result in results.items() if is_failed(result) and result["is_late"]]
            if late:
                print(f"not done in time, so once more alone: {', '.join(late)}")
                results |= run_cases(address, late, parallel=1)
    finally:
        stop(process)
    failed = {case: result for case, result in results.items() if is_failed(result)}
    print("section  cases  result")
    counts = collections.Counter((int(case.split(".")[0]), result["behavior"]) for case, result in results.items())
    for (section, behavior), count in sorted(counts.items()):
        print(f"{section:>7}  {count:>5}  {behavior}")
    for case, result in failed.items():
        print(f"case {case}: {result['behavior']}, close {result['behaviorClose']} (code {result['remoteCloseCode']})")
    missing = [pattern for pattern in patterns if not fnmatch.filter(results, pattern)]
    for pattern in missing:
        print(f"no case of {pattern} was run")
    print(f"{len(results) - len(failed)} passed, {len(failed) + len(missing)} failed")
    return 1 if failed or missing or not results else 0


if __name__ == "__main__":
    sys.exit(main())
