"""Debian's Prometheus as a process, with the files of Deploy/observability, sixty times as fast."""

import json
import re
import shutil
import subprocess
import threading
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

from apus_e2e import TIMEOUT, eventually

FILES = Path(__file__).parents[2] / "Deploy/observability"
UNITS = {"s": 1, "m": 60, "h": 3600}
# How long a test waits for what needs several scrapes and evaluations.
PATIENT = 3 * TIMEOUT


def promtool(*arguments):
    """What it prints; it must be content."""
    done = subprocess.run(["promtool", *map(str, arguments)], cwd=FILES, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def faster(rules):
    """The rules with all durations a sixtieth: minutes are seconds."""
    def shorter(match):
        return f"{match[1]}{int(match[2]) * UNITS[match[3]] * 1000 // 60}ms"
    return re.sub(r"(\[|\boffset |\bfor: )(\d+)([smh])\b", shorter, rules)


def copied(folder, port, key=None, ca=None):
    """Copies the files, as who deploys them would change them for a server at this port; the configuration."""
    text = (FILES / "prometheus.yml").read_text()
    changes = [("127.0.0.1:8080", f"127.0.0.1:{port}"), ("interval: 15s", "interval: 1s")]
    if key is not None:
        (folder / "apus.key").write_text(f"{key}\n")
        changes.append(("# authorization:", "authorization:"))
    if ca is not None:
        shutil.copy(ca, folder / "ca.pem")
        changes += [("# scheme:", "scheme:"), ("# tls_config:", "tls_config:")]
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    for name in ("recording.yml", "alerts.yml"):
        (folder / name).write_text(faster((FILES / name).read_text()))
    configuration = folder / "prometheus.yml"
    configuration.write_text(text)
    return configuration


class Prometheus:
    def __init__(self, folder, server, **secrets):
        self._folder = folder
        self._configuration = copied(folder, server.port, **secrets)
        self._ready, self._log = threading.Event(), []

    def __enter__(self):
        self._process = subprocess.Popen(
            ["prometheus", f"--config.file={self._configuration}", f"--storage.tsdb.path={self._folder / 'data'}",
             "--web.listen-address=127.0.0.1:0", "--log.level=info"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not self._ready.wait(PATIENT):
            self.__exit__()
            raise AssertionError(f"Prometheus is not ready: {self._log[-5:]}")
        return self

    def __exit__(self, *_):
        self._process.terminate()
        try:
            self._process.wait(PATIENT)
        finally:
            self._process.kill()
            self._reader.join(TIMEOUT)

    def _read(self):
        for line in self._process.stderr:
            self._log.append(line)
            # The line before it has the address of the flag, whose port is 0.
            if found := re.search(r'msg="Listening on" address=(\S+)', line):
                self._address = found[1]
            if "Server is ready" in line:
                self._ready.set()

    def get(self, path, **query):
        with urlopen(f"http://{self._address}/api/v1/{path}?{urlencode(query)}", timeout=PATIENT) as answer:
            told = json.load(answer)
        assert told["status"] == "success" and not told.get("warnings"), told
        return told["data"]

    def query(self, text):
        """The series that it results in, with their labels and values; of a number none."""
        data = self.get("query", query=text)
        return data["result"] if data["resultType"] == "vector" else []

    def firing(self):
        """The alerts that fire, by name."""
        return {alert["labels"]["alertname"]: alert for alert in self.get("alerts")["alerts"]
                if alert["state"] == "firing"}

    def wait_for_scrape(self, query="up == 1"):
        eventually(lambda: self.query(query), f"a scrape with {query}: {self._targets()}", PATIENT)

    def _targets(self):
        return [target["lastError"] for target in self.get("targets")["activeTargets"]]
