"""A machine of its own for packages: a Debian root that forgets what is done to it, with its own network and processes.

The root is this machine's, or, with E2E_DEBIAN=FOLDER, one that debootstrap has made. systemd is played by a script,
which starts and stops what the unit says.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from apus_e2e import TIMEOUT

ROOT = os.environ.get("E2E_DEBIAN", "/")
# Changes are in memory. The shell is the first process, so that processes whose parents are gone end for good.
BOOT = """
set -e
mount -t tmpfs tmpfs {folder}
mkdir {folder}/changes {folder}/work {folder}/root
mount -t overlay overlay -o lowerdir={lower},upperdir={folder}/changes,workdir={folder}/work {folder}/root
mount -t proc proc {folder}/root/proc
mount --bind /dev {folder}/root/dev
mount -t tmpfs tmpfs {folder}/root/run
mkdir -p {folder}/root/run/systemd/system
ip link set lo up
echo ready
read -r _ || true
"""
# What packages call. It starts the unit as its user with its environment and command, and stops it by SIGTERM.
SYSTEMCTL = """#!/bin/sh
echo "$*" >>/run/calls
unit=apus.service action=
for word; do case $word in start | stop | restart | preset | is-enabled | is-active) action=$word; break ;; esac; done
file=/lib/systemd/system/$unit
wanted=/etc/systemd/system/multi-user.target.wants
of() { sed -n "s/^$1=//p" "$file"; }
stop() {
    [ -e /run/apus.pid ] || return 0
    pid=$(cat /run/apus.pid)
    kill -TERM "$pid"
    while [ -d "/proc/$pid" ]; do sleep 0.05; done
    rm /run/apus.pid
}
start() {
    [ ! -e /run/apus.pid ] || return 0
    set -- $(of Environment | sed 's|%S|/var/lib|g')
    user=$(of User)
    umask "$(of UMask)"
    setsid setpriv --reuid "$user" --regid "$(of Group)" --clear-groups env -i "$@" $(of ExecStart) \
        </dev/null >>/run/log 2>&1 &
    echo $! >/run/apus.pid
    # As Type=notify has it.
    until /usr/bin/apus healthcheck --quiet 2>/dev/null; do
        [ -d "/proc/$(cat /run/apus.pid)" ] || { cat /run/log >&2; exit 1; }
        sleep 0.05
    done
}
case "$action $*" in
    preset*) mkdir -p "$wanted" && ln -sf "$file" "$wanted/" ;;
    is-enabled*) ! [ -e "$wanted/$unit" ] || echo enabled ;;
    is-active*) [ -e /run/apus.pid ] ;;
    start*) start ;;
    stop*) stop ;;
    restart*) stop; start ;;
esac
"""


def available():
    """Why there can be none here; None if there can."""
    if os.geteuid() != 0:
        return "it takes root to make a machine"
    missing = [tool for tool in ("unshare", "nsenter", "setpriv", "ip", "dpkg") if not shutil.which(tool)]
    return f"not here: {', '.join(missing)}" if missing else None


class Machine:
    def __init__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="apus-machine")
        self.root = Path(self._folder.name) / "root"

    def __enter__(self):
        self._process = subprocess.Popen(
            ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "bash", "-c",
             BOOT.format(folder=self._folder.name, lower=ROOT)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout.readline() == "ready\n"
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
        self._first = children.split()[0]
        # What this machine is told about services is not for that one.
        self.run("rm", "-f", "/usr/sbin/policy-rc.d", "/usr/bin/systemctl")
        self.write("/usr/bin/systemctl", SYSTEMCTL, 0o755)
        return self

    def __exit__(self, *_):
        self._process.communicate("\n")
        self._folder.cleanup()

    def _enter(self, *arguments):
        return ["nsenter", "--target", self._first, "--mount", "--net", "--pid", *arguments]

    def inside(self, *command):
        """The command in the machine, for somebody who starts it."""
        return self._enter("chroot", str(self.root), *command)

    def beside(self, *command):
        """A program of this machine, with the network of that one."""
        return ["nsenter", "--target", self._first, "--net", *command]

    def python(self, script, *arguments):
        return self.beside(sys.executable, "-c", script, *arguments)

    def run(self, *command, ok=True):
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
        ended = subprocess.run(self.inside(*command), capture_output=True, text=True, env=environment,
                               stdin=subprocess.DEVNULL, timeout=6 * TIMEOUT)
        assert not ok or ended.returncode == 0, f"{command}: {ended.stdout}{ended.stderr}"
        return ended

    def has(self, path):
        return self.run("test", "-e", path, ok=False).returncode == 0

    def write(self, path, text, mode=0o644):
        script = f'cat >"{path}" && chmod {mode:o} "{path}"'
        subprocess.run(self.inside("sh", "-c", script), input=text, text=True, check=True, timeout=TIMEOUT)

    def copy(self, file, path):
        with open(file, "rb") as source:
            subprocess.run(self.inside("sh", "-c", f'cat >"{path}"'), stdin=source, check=True, timeout=TIMEOUT)

    def curl(self, *arguments):
        ended = subprocess.run(self.beside("curl", "-sS", *arguments), capture_output=True, text=True, timeout=TIMEOUT)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout
