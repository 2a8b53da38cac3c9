"""A command under a pseudo-terminal: its screen, its keys, and the state in which it leaves the terminal."""

import fcntl
import os
import pty
import re
import select
import shlex
import signal
import struct
import termios
import time

from apus_e2e import TIMEOUT, client_environment

SEQUENCE = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07]*\x07)")
FULL, BACK = "\x1b[?1049h", "\x1b[?1049l"


class PseudoTerminal:
    """Runs `apus …`, or another program. Ended at the latest at the end of the block."""

    def __init__(self, *arguments, env=None, rows=24, columns=80, program=None):
        self._command = [program or os.environ["APUS_BIN"], *arguments]
        self._env = client_environment({"TERM": "xterm"} | (env or {}))
        self._size, self._output, self.exit_code = (rows, columns), b"", None

    def __enter__(self):
        ours, its = pty.openpty()
        self._set_size(its, *self._size)
        self.before = termios.tcgetattr(its)
        self._its = its
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.close(ours)
                os.setsid()
                fcntl.ioctl(its, termios.TIOCSCTTY, 0)
                # As a new terminal has them. Tests in the background, or under nohup(1), have some ignored.
                for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
                    signal.signal(number, signal.SIG_DFL)
                for stream in range(3):
                    os.dup2(its, stream)
                os.execve(self._command[0], self._command, self._env)
            finally:
                os._exit(127)
        self._terminal = ours
        return self

    def __exit__(self, *_):
        if self.exit_code is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._terminal)
        os.close(self._its)

    @staticmethod
    def _set_size(terminal, rows, columns):
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, rows, columns):
        """As a window does: the kernel sends SIGWINCH."""
        self._set_size(self._terminal, rows, columns)

    def send(self, keys):
        os.write(self._terminal, keys.encode())

    def signal(self, number):
        os.kill(self.pid, number)

    @property
    def output(self):
        return self._output.decode(errors="replace")

    @property
    def settings(self):
        """What the terminal is set to now."""
        return termios.tcgetattr(self._its)

    def screen(self):
        """The lines of the last whole drawing, without colours."""
        drawings = self.output.split("\x1b[H")
        lines = SEQUENCE.sub("", drawings[-1]).split("\r\n")
        return [line.rstrip() for line in lines]

    def _read(self, patience):
        if not select.select([self._terminal], [], [], patience)[0]:
            return False
        self._output += os.read(self._terminal, 65536)
        return True

    def until(self, condition, what):
        """Reads until the condition holds, which gets this terminal."""
        end = time.monotonic() + TIMEOUT
        while not condition(self):
            assert time.monotonic() < end, f"{what} does not come: {self.output[-3000:]!r}"
            self._read(0.1)

    def shows(self, text):
        self.until(lambda terminal: text in "\n".join(terminal.screen()), f"'{text}' on the screen")

    def says(self, text):
        self.until(lambda terminal: text in SEQUENCE.sub("", terminal.output), f"'{text}'")

    def wait(self, reads=True):
        """Waits for the end, with what is said until then; the exit code."""
        end = time.monotonic() + TIMEOUT
        while True:
            if reads:
                self._read(0.05)
            else:
                time.sleep(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                break
            assert time.monotonic() < end, f"it does not end: {self.output[-3000:]!r}"
        while self._read(0):
            pass
        self.exit_code = os.waitstatus_to_exitcode(status)
        return self.exit_code


class JobShell(PseudoTerminal):
    """A shell that knows jobs, and leaves the settings of the terminal to them. Its first job is `apus …`."""

    def __init__(self, *arguments, env=None, **options):
        super().__init__("-i", program="/bin/dash", env={"PS1": "prompt$ ", "ENV": ""} | (env or {}), **options)
        self._arguments, self._said = arguments, 0

    def __enter__(self):
        super().__enter__()
        self.says("prompt$ ")
        self.send(shlex.join([os.environ["APUS_BIN"], *self._arguments]) + "\n")
        return self

    def says(self, text):
        """Waits for a text after what was waited for before."""
        self.until(lambda _: text.encode() in self._output[self._said:], f"'{text}'")
        self._said = self._output.index(text.encode(), self._said) + len(text)

    @property
    def job(self):
        """The process group in the foreground."""
        return os.tcgetpgrp(self._terminal)

    @staticmethod
    def is_stopped(job):
        with open(f"/proc/{job}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] == "T"

    @property
    def is_raw(self):
        return not self.settings[3] & (termios.ICANON | termios.ECHO)

    def __exit__(self, *_):
        """The shell would not end a job that runs. One that is stopped ends without it."""
        if self.exit_code is None and self.job != self.pid:
            os.killpg(self.job, signal.SIGKILL)
        super().__exit__()
