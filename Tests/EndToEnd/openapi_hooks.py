"""What schemathesis loads beside the document: see test_openapi.py. Its process knows the topics from OPENAPI_TOPICS."""

import json
import os
import re
import urllib.request
from urllib.parse import quote

import schemathesis

TOPICS = json.loads(os.environ.get("OPENAPI_TOPICS", "[]"))
KEY = os.environ.get("OPENAPI_KEY")
BASE = os.environ.get("OPENAPI_BASE", "")
_PLAIN_NAME = re.compile(r"[^\x00-\x1f\x7f-\x9f*>]+")
_DURATION = re.compile(r"(\d+)(?:\.\d*)?(ms|s|m|h|d)?")
_UNITS = {"ms": 0.001, "s": 1, None: 1, "m": 60, "h": 3600, "d": 86400}


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """`default` stands for what is no good request of HTTP; what schemathesis sends is one, and each status needs a name."""
    for item in raw_schema["paths"].values():
        for operation in item.values():
            if isinstance(operation, dict):
                operation.get("responses", {}).pop("default", None)


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    """Most names that are drawn are of no topic: three of four of the allowed ones become one that is there."""
    name = (path_parameters or {}).get("name")
    if TOPICS and isinstance(name, str) and _PLAIN_NAME.fullmatch(name) and len(name.encode()) <= 255:
        chosen = sum(name.encode())
        if chosen % 4:
            return {**path_parameters, "name": TOPICS[chosen % len(TOPICS)]}
    return path_parameters


@schemathesis.hook
def before_call(context, case, kwargs):
    """Nobody has time for long polls: an allowed `wait` becomes a short one. One that is not is sent as it is."""
    wait = (case.query or {}).get("wait")
    if case.path.endswith("/messages") and isinstance(wait, str) and (parts := _DURATION.fullmatch(wait)):
        seconds = int(parts[1]) * _UNITS[parts[2]]
        if 0 < seconds <= 300:
            case.query["wait"] = "20ms"


@schemathesis.hook
def after_call(context, case, response):
    """The topics that the others need come back when they were deleted."""
    if response.request.method == "DELETE" and response.status_code == 200:
        name = json.loads(response.content)["topic"]
        if name in TOPICS:
            fill(name)


def fill(name):
    """Makes a topic with messages in it, some with a key."""
    _post("/topics", {"name": name})
    for number in range(3):
        _post(f"/topics/{quote(name, safe='')}/messages?key=k{number % 2}", {"number": number})


def _post(path, body):
    headers = {"Content-Type": "application/json"} | ({"X-API-Key": KEY} if KEY else {})
    request = urllib.request.Request(BASE + path, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=10) as response:
        response.read()
