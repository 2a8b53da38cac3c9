"""Publishing and reading history over HTTP, as a client of extensions.md section 6 does it."""

from urllib.parse import urlencode

from apus_e2e import BASE, PATIENCE, TIME, Client
from extensions import publish_batch, topic_path

JSON, TEXT, NDJSON = "application/json", "text/plain", "application/x-ndjson"


def post(server, topic, body, kind=JSON, dialect=BASE, headers=None, **query):
    path = topic_path(topic, "/messages", dialect) + (f"?{urlencode(query)}" if query else "")
    body = body if isinstance(body, bytes) else body.encode()
    return server.rest("POST", path, body, {"Content-Type": kind} | (headers or {}))


def get(server, topic, dialect=BASE, headers=None, **query):
    path = topic_path(topic, "/messages", dialect) + (f"?{urlencode(query)}" if query else "")
    return server.rest("GET", path, headers=headers, timeout=30 * PATIENCE)


def page(server, topic, dialect=BASE, **query):
    """A page of history without the times of its messages, whose form is checked here."""
    response = get(server, topic, dialect, **query)
    assert response.status == 200, response.body
    assert response.content_type == JSON
    for element in response.json["messages"]:
        assert TIME.fullmatch(element[dialect.time_key])
    return response.json | {"messages": [{name: value for name, value in element.items() if name != dialect.time_key}
                                         for element in response.json["messages"]]}


def history(server, topic):
    """All messages that the topic has, page by page."""
    found, start = [], {"since": "all"}
    while True:
        told = get(server, topic, limit=1000, **start).json
        found += told["messages"]
        if not told["messages"]:
            return found
        start = {"after": told["messages"][-1]["offset"], "epoch": told["epoch"]}


def offsets(told):
    return [element["offset"] for element in told["messages"]]


async def fill(server, topic, count):
    """Publishes the numbers from 1 on; the epoch."""
    async with await Client.open(server) as client:
        return (await publish_batch(client, topic, list(range(1, count + 1)), outcome=True))[1]["epoch"]
