"""The Swift client under the scenarios, as the program `apus` has it: `apus sub` and `apus pub`.

Steps are JSON lines on standard input, what happens is on standard output. The program says notices on standard error,
so that their order among the events is not known here.
"""

import json
import os
import re
import subprocess
import sys
import threading

NOTICES = [
    (r"dropped, offsets (\d+) to (\d+)", "dropped"), (r"lost, offsets (\d+) to (\d+)", "gap"), (r"began anew", "gap"),
    (r"may be lost", "gap"), (r"is not there; waiting", "waiting"), (r"' is there", "topicCreated"),
    (r"was deleted$", "topicDeleted"),
]  # fmt: skip


one_at_a_time = threading.Lock()


def say(**event):
    # Several threads say something, and a pipe keeps only short writes in one piece.
    with one_at_a_time:
        print(json.dumps(event), flush=True)


class Driver:
    def __init__(self, url, token_file):
        self.connection = ["--url", url, *(["--token-file", token_file] if token_file else [])]
        self.may_take = threading.Event()
        self.may_take.set()
        self.publisher = None
        self.processes = []

    def start(self, *arguments, **options):
        process = subprocess.Popen(
            [os.environ["APUS_BIN"], *arguments, *self.connection],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options,
        )  # fmt: skip
        self.processes.append(process)
        return process

    def subscribe(self, topic, options):
        # With an extension, events have their offsets; this one is the server's own setting.
        flags = ["--json", "--queue", str(options.get("queue", 1000)), *(["--wait"] if options.get("wait") else [])]
        process = self.start("sub", topic, *flags)

        def events():
            for line in process.stdout:
                event = json.loads(line)
                say(event="item", payload=event["message"]["payload"], offset=event.get("offset"))
                self.may_take.wait()
            process.wait()
            say(event="ended", code=None)

        def notices():
            for line in process.stderr:
                if "; reconnecting" in line:
                    say(event="lost", reason=line.strip())
                for text, name in NOTICES:
                    if found := re.search(text, line.rstrip()):
                        say(event="item", notice=name, missed=[int(number) for number in found.groups()] or None)

        for work in (events, notices):
            threading.Thread(target=work, daemon=True).start()

    def publish(self, topic, payload, name):
        text = json.dumps(payload)
        if name is not None or len(text) > 100_000:
            return self.publish_alone(topic, text, name)
        if self.publisher is None:
            self.publisher = self.start("pub", topic, "-", "--outcome", "--json", stdin=subprocess.PIPE)
            process = self.publisher

            def outcomes():
                for line in process.stdout:
                    outcome = json.loads(line)
                    say(event="outcome", offset=outcome["offset"], duplicate=outcome["duplicate"])

            def losses():
                for line in process.stderr:
                    if "; reconnecting" in line:
                        say(event="lost", reason=line.strip())

            for work in (outcomes, losses):
                threading.Thread(target=work, daemon=True).start()
        self.publisher.stdin.write(f"{text}\n")
        self.publisher.stdin.flush()

    def publish_alone(self, topic, text, name):
        way = [text, "--id", name] if name else ["-"]
        process = self.start("pub", topic, *way, "--outcome", "--json", stdin=subprocess.PIPE)
        output, errors = process.communicate(None if name else f"{text}\n")
        for line in output.splitlines():
            outcome = json.loads(line)
            say(event="outcome", offset=outcome["offset"], duplicate=outcome["duplicate"])
        if process.returncode != 0:
            code = re.search(r"\((?:\d+ )?([A-Z_]+)\)$", errors.strip())
            say(event="refused", code=code[1] if code else errors.strip())

    def do(self, step):
        match step:
            case {"do": "subscribe", "topic": topic, "options": options}:
                self.subscribe(topic, options)
            case {"do": "publish", "topic": topic, "payload": payload, "id": name}:
                self.publish(topic, payload, name)
            case {"do": "pause"}:
                self.may_take.clear()
            case {"do": "resume"}:
                self.may_take.set()

    def close(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()


driver = Driver(sys.argv[1], sys.argv[2])
try:
    for line in sys.stdin:
        driver.do(json.loads(line))
finally:
    driver.close()
