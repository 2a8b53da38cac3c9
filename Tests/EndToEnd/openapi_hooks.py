"""What schemathesis loads beside the document: see test_openapi.py.

From its environment it knows the server (OPENAPI_BASE), topics that it keeps there (OPENAPI_TOPICS) and a key (OPENAPI_KEY).
"""

import json
import os
import re
import select
import urllib.request
from urllib.parse import quote

import schemathesis
from schemathesis.openapi.checks import RejectedPositiveData
from schemathesis.transport import requests as transport

TOPICS = json.loads(os.environ.get("OPENAPI_TOPICS", "[]"))
KEY = os.environ.get("OPENAPI_KEY")
BASE = os.environ.get("OPENAPI_BASE", "")
# The greatest sizes in bytes. JSON Schema counts characters.
SIZES = {"name": 255, "topic": 255, "id": 256, "Idempotency-Key": 256, "key": 256, "client_id": 1024,
         "search": 255, "prefix": 255}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m)?")
_UNITS = {"ms": 0.001, "s": 1, None: 1, "m": 60}


def _read_briefly(response):
    """What a stream says at once; schemathesis would wait for more until its time is up, hundreds of times."""
    while chunk := response.raw.read1(65536, decode_content=True):
        yield chunk
        if not select.select([response.raw.fileno()], [], [], 0.03)[0]:
            return


# Not part of what schemathesis promises: another version may call it otherwise, and is then told here.
assert callable(transport._iter_event_stream)
transport._iter_event_stream = _read_briefly


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """`default` is for what is no good request of HTTP. Schemathesis sends good ones: each status must have its name."""
    for item in raw_schema["paths"].values():
        for operation in item.values():
            if isinstance(operation, dict):
                operation.get("responses", {}).pop("default", None)


@schemathesis.hook
def before_call(context, case, kwargs):
    """Changes that make no wrong request right and no right one wrong.

    Most names that are drawn are of no topic: of right requests, three of four become one that is there.
    Nobody has time for long polls: a `wait` that is allowed becomes a short one. And 1.0 becomes 1 in a topic's settings: for
    JSON Schema it is an integer, for the contract it is none.
    """
    name = (case.path_parameters or {}).get("name")
    if TOPICS and case.meta and case.meta.generation.mode.is_positive and isinstance(name, str):
        chosen = sum(name.encode("utf-8", "surrogatepass"))
        if chosen % 4 and _size(name) <= SIZES["name"]:
            case.path_parameters["name"] = TOPICS[chosen % len(TOPICS)]
    wait = (case.query or {}).get("wait")
    if case.path.endswith("/messages") and isinstance(wait, str) and (parts := _DURATION.fullmatch(wait)):
        if 0 < float(parts[1]) * _UNITS[parts[2]] <= 300:
            case.query["wait"] = "20ms"
    if case.method == "PUT" and isinstance(case.body, dict):
        case.body = {name: int(value) if isinstance(value, float) and value.is_integer() else value
                     for name, value in case.body.items()}


@schemathesis.hook
def after_call(context, case, response):
    """The topics that other requests need come back when they were deleted, and their messages when they were purged."""
    if response.request.method == "DELETE" and response.status_code == 200:
        name = json.loads(response.content).get("topic")
        if name in TOPICS:
            fill(name, is_there=response.request.url.split("?")[0].endswith("/messages"))


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Refusals of requests whose parameters are right one by one and wrong together: OpenAPI has no words for that."""
    return not (isinstance(failure, RejectedPositiveData) and response.status_code == 400
                and (_contradicts_itself(case.path, case.query or {}) or _is_too_large(case)
                     or b"beyond the topic's last offset" in response.content))


def _contradicts_itself(path, query):
    topics = query.get("topic") or []
    has_pattern = any(sign in str(topic) for topic in topics for sign in "*>")
    return (sum(name in query for name in ("since", "last_n", "after")) > 1
            or "epoch" in query and "after" not in query
            or path.endswith("/events") and has_pattern and ("since" in query or "wait" in query))


def _is_too_large(case):
    """Whether a text has more bytes than are allowed, though not more characters."""
    parts = [case.path_parameters, case.query, case.headers, case.body]
    values = {name: value for part in parts if isinstance(part, dict) or hasattr(part, "items")
              for name, value in part.items()}
    return any(limit < _size(text) and len(text) <= limit for name, limit in SIZES.items()
               for text in _texts(values.get(name)))


def _texts(value):
    return [text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)]


def _size(text):
    return len(text.encode("utf-8", "surrogatepass"))


def fill(name, is_there=False):
    """Makes a topic with messages in it, each with a key."""
    if not is_there:
        _post("/topics", {"name": name})
    for number in range(3):
        _post(f"/topics/{quote(name, safe='')}/messages?key=k{number % 2}", {"number": number})


def _post(path, body):
    headers = {"Content-Type": "application/json"} | ({"X-API-Key": KEY} if KEY else {})
    request = urllib.request.Request(BASE + path, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=10) as response:
        response.read()
