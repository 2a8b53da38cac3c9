"""The reference of the site, made from the program itself at each build, so that it cannot be older than the program.

Settings and commands come from what the program says of its arguments, codes and requests from a running server's
OpenAPI document and from the one table of codes in the sources, metrics from that server's `/metrics`.
"""

import json
import os
import re
import subprocess
import textwrap
import urllib.request
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CODES = ROOT / "Sources/ApusProtocol/Messages/ErrorCode.swift"
WIDTH = 96
SOURCE = re.compile(r" ?\((?:env: (?P<env>[\w, ]+); )?default: (?P<default>.*)\)$")


def pages():
    """The text of each page, by its address in the site."""
    program = os.environ.get("APUS_BIN")
    assert program and os.access(program, os.X_OK), "set APUS_BIN to the path of the apus executable; dev/site does"
    commands = json.loads(_output(program, "--experimental-dump-help"))["command"]
    with _server(program) as address:
        openapi, metrics = json.loads(_get(address, "/openapi.json")), _get(address, "/metrics")
    version = _output(program, "--version").strip()
    texts = {"settings": _settings(commands, _output(program, "config", "print")), "commands": _commands(commands),
             "codes": _codes(openapi), "rest": _rest(openapi), "metrics": _metrics(metrics)}
    note = f"*Made from Apus {version} itself.*"
    pages = {}
    for name, text in texts.items():
        title, _, rest = text.partition("\n")
        # Wide tables need the room.
        hidden = "" if name == "commands" else "---\nhide: [toc]\n---"
        pages[f"reference/{name}.md"] = f"{hidden}\n\n{title}\n\n{note}\n{rest}"
    return pages | {"reference/openapi.json": json.dumps(openapi, indent=1)}


def _output(*command):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("APUS_", "PUBSUB_"))}
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


@contextmanager
def _server(program):
    """A server on a free port; its address."""
    command, environment = [program, "serve", "--port", "0"], {"PATH": os.environ["PATH"]}
    with subprocess.Popen(command, env=environment, text=True, stderr=subprocess.PIPE) as process:
        try:
            yield next(re.search(r"http://\S+", line)[0] for line in process.stderr if " listening " in line)
        finally:
            process.kill()


def _get(address, path):
    with urllib.request.urlopen(address + path) as answer:
        return answer.read().decode()


def _settings(commands, printed):
    serve = next(command for command in commands["subcommands"] if command["commandName"] == "serve")
    flags = {}
    for argument in serve["arguments"]:
        if found := SOURCE.search(argument.get("abstract", "")):
            flags[found["env"].split(",")[0]] = (_usage(argument), SOURCE.sub("", argument["abstract"]))
    rows, parents = [], []
    for line in printed.splitlines():
        found = re.match(r"( *)([\w-]+):\s*(.*?)\s*(?:# from .*)?$", line)
        if not found:
            continue
        del parents[len(found[1]) // 2:]
        path = ".".join([*parents, found[2]])
        if not found[3]:
            parents.append(found[2])
            continue
        name = f"APUS_{path.replace('.', '_').upper()}"
        flag, text = flags.pop(name, ("", "only in a file"))
        environment = f"`{name}`" if flag else ""
        rows.append(f"| `{path}` | `{found[3]}` | {f'`{flag}`' if flag else ''} | {environment} | {_cell(text)} |")
    rest = [f"| | | `{flag}` | `{name}` | {_cell(text)} |" for name, (flag, text) in flags.items()]
    return "\n".join([
        "# Settings", "",
        "Each setting by its name in a file, with its default, its flag and its variable of the environment.",
        "What they mean, with examples, and which of them can change while the server runs:",
        "[Settings, explained](../configuration.md). `apus config print` shows those in force, and where each comes from.",
        "",
        "| setting | default | flag | environment | |", "|---|---|---|---|---|", *rows, *rest, ""])


def _commands(root):
    lines = ["# Commands", "",
             "Every command of the program `apus` with its options: what `apus help COMMAND` says, and",
             "`apus man DIR` writes as manual pages. [The command line](../cli.md) shows how to use them.", ""]

    def add(command, name):
        if not command.get("shouldDisplay", True) or command["commandName"] == "help":
            return
        lines.extend([f"## {name}", "", command.get("abstract", ""), ""])
        if command.get("discussion"):
            text = "\n".join(textwrap.fill(line, WIDTH) for line in command["discussion"].rstrip().splitlines())
            lines.extend(["```text", text, "```", ""])
        shown = [one for one in command.get("arguments", [])
                 if one["shouldDisplay"] and one.get("valueName") not in ("version", "help")]
        # Those of `serve` are the settings, and `config` takes the same.
        if len(shown) > 60:
            lines.extend(["Its options are the [settings](settings.md).", ""])
        elif shown:
            lines.extend(["| option | |", "|---|---|"])
            lines.extend(f"| `{_usage(one)}` | {_cell(one.get('abstract', ''))}{_default(one)} |" for one in shown)
            lines.append("")
        for one in command.get("subcommands", []):
            add(one, f"{name} {one['commandName']}")

    add(root, "apus")
    return "\n".join(lines)


def _usage(argument):
    if argument["kind"] == "positional":
        return argument["valueName"].upper() + ("…" if argument["isRepeating"] else "")
    names = [("--" if name["kind"] == "long" else "-") + name["name"] for name in argument["names"]]
    value = "" if argument["kind"] == "flag" else f" <{argument['valueName']}>"
    return ", ".join(names) + value


def _default(argument):
    values = argument.get("allValues")
    said = f" One of {', '.join(f'`{value}`' for value in values)}." if values else ""
    return said + (f" Default: `{argument['defaultValue']}`." if argument.get("defaultValue") else "")


def _codes(openapi):
    source = CODES.read_text()
    names = dict(re.findall(r'case `?(\w+)`? = "(\w+)"', source))
    statuses = {}
    for cases, status in re.findall(r"case ([.\w, ]+): (\d{3})$", source, re.M):
        statuses.update(dict.fromkeys(re.findall(r"\.(\w+)", cases), status))
    titles = dict(re.findall(r'case \.(\w+): "([^"]+)"', source))
    over_http = set(openapi["components"]["schemas"]["Problem"]["properties"]["code"]["enum"])
    assert names and names.keys() == statuses.keys() == titles.keys() and over_http <= set(names.values())
    lines = ["# Error codes", "",
             "Programs go by the code; texts may change. When each comes, and what a client does then:",
             "[Protocol: errors](../protocol.md#error-codes).", "", "| code | | HTTP status |", "|---|---|---|"]
    lines += [f"| `{code}` | {titles[name]} | {statuses[name] if code in over_http else 'only over WebSocket'} |"
              for name, code in names.items()]
    lines += ["", "## Close codes of WebSockets", "",
              "Whether to connect again: [Protocol: close codes](../protocol.md#close-codes).", "", "| code | reason |", "|---|---|"]
    for code, reason in re.findall(r"= Disconnect\((\d+), (.+)\)", source):
        named = re.fullmatch(r"ErrorCode\.(\w+)\.rawValue", reason)
        lines.append(f"| {code} | `{names[named[1]] if named else json.loads(reason)}` |")
    return "\n".join([*lines, ""])


def _rest(openapi):
    lines = ["# REST", "",
             "All that can be asked over HTTP, from the [OpenAPI document](openapi.json), which every server has at",
             "`/openapi.json`, with a page to read and try it at `/docs`. Examples: [Protocol](../protocol.md#rest).",
             "Everything tagged `base` is also below `/v1`, with `timestamp` in place of `ts`.", ""]
    for tag in openapi["tags"]:
        if tag["name"] == "v1":
            continue
        lines += [f"## {tag['name']}", "", tag.get("description", ""), "", "| | | answers |", "|---|---|---|"]
        for path, operations in openapi["paths"].items():
            for method, operation in operations.items():
                if tag["name"] in (operation.get("tags", []) if isinstance(operation, dict) else []):
                    statuses = ", ".join(sorted(status for status in operation["responses"] if status != "default"))
                    lines.append(f"| `{method.upper()} {path}` | {_cell(operation['summary'])} | {statuses} |")
        lines.append("")
    return "\n".join(lines)


def _metrics(text):
    lines = ["# Metrics", "",
             "Every metric of `GET /metrics` of a server that has just started; some come with their first use.",
             "What they mean together, and what to ask of them: [Metrics, explained](../metrics.md).", "",
             "| metric | type | labels | |", "|---|---|---|---|"]
    helps = dict(re.findall(r"^# HELP (\S+) (.*)$", text, re.M))
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M):
        samples = re.findall(rf"^{name}(?:_bucket)?{{(.*?)}} ", text, re.M)
        labels = sorted({label for sample in samples for label in re.findall(r'(\w+)="', sample)} - {"le"})
        shown = ", ".join(f"`{label}`" for label in labels)
        lines.append(f"| `{name}` | {kind} | {shown} | {_cell(helps.get(name, ''))} |")
    return "\n".join([*lines, ""])


def _cell(text):
    text = re.sub(r"\s+", " ", text).replace("|", "\\|").replace("<", "&lt;")
    return re.sub(r"(?<!\w)(\*|_)", r"\\\1", text)
