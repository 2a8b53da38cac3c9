"""What becomes of a server whose log nobody reads any more."""

import http.client
import os
import re
import shlex
import signal
import subprocess
import time

import pytest

from apus_e2e import PATIENCE, TIMEOUT, Server, environment

pytestmark = pytest.mark.one_server("it is about one process")

REQUESTS = 50


def ask(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    connection.request("GET", "/topics")
    assert connection.getresponse().status == 200
    connection.close()


@pytest.mark.plain("the log is the same over TLS")
def test_a_log_whose_reader_is_gone_ends_nothing():
    process = subprocess.Popen([os.environ["APUS_BIN"], "serve", "--port", "0"], env=environment(),
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        port = int(re.search(rb"127\.0\.0\.1:(\d+)", process.stderr.readline())[1])
        process.stderr.close()
        process.stdout.close()
        for _ in range(REQUESTS):
            ask(port)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20 * PATIENCE) == 0
    finally:
        process.kill()
        process.wait()


@pytest.mark.plain("the log is the same over TLS")
def test_a_server_without_standard_streams_serves_and_never_writes_its_log_to_a_client():
    with Server() as known:
        port = known.port
    command = f'exec {shlex.quote(os.environ["APUS_BIN"])} serve --port {port} --log-level trace 0<&- 1>&- 2>&-'
    process = subprocess.Popen(["sh", "-c", command], env=environment())
    try:
        for _ in range(int(100 * PATIENCE)):
            try:
                ask(port)
                break
            except ConnectionRefusedError:
                assert process.poll() is None
                time.sleep(0.02)
        # None of the three has become something that a log could be written to.
        for descriptor in range(3):
            assert os.readlink(f"/proc/{process.pid}/fd/{descriptor}") == "/dev/null"
        for _ in range(REQUESTS):
            ask(port)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20 * PATIENCE) == 0
    finally:
        process.kill()
        process.wait()
