"""A collector of spans (OTLP/HTTP, JSON) that decodes them with OpenTelemetry's messages, and can hang or refuse."""

import base64
import http.server
import json
import threading
from dataclasses import dataclass

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from apus_e2e import TIMEOUT, until

IDS = {"traceId", "spanId", "parentSpanId"}
KINDS = {Span.SPAN_KIND_SERVER: "server", Span.SPAN_KIND_PRODUCER: "producer"}


def _with_bytes(value, key=None):
    """OTLP writes ids as hexadecimal digits, and protobuf's JSON has bytes in base64."""
    if isinstance(value, dict):
        return {name: _with_bytes(part, name) for name, part in value.items()}
    if isinstance(value, list):
        return [_with_bytes(part) for part in value]
    return base64.b64encode(bytes.fromhex(value)).decode() if key in IDS else value


def _attributes(pairs):
    def plain(value):
        kind = value.WhichOneof("value")
        return getattr(value, kind)
    found = {pair.key: plain(pair.value) for pair in pairs}
    assert len(found) == len(pairs), f"an attribute occurs twice: {pairs}"
    return found


@dataclass(frozen=True)
class Received:
    name: str
    kind: str
    trace: str
    id: str
    # None for the first of a trace.
    parent: str | None
    start: int
    end: int
    attributes: dict
    # Of each link, trace and span.
    links: list
    state: str
    is_error: bool
    resource: dict


def _received(span, resource):
    assert len(span.trace_id) == 16 and len(span.span_id) == 8 and len(span.parent_span_id) in (0, 8)
    assert any(span.trace_id) and any(span.span_id) and span.flags & 1
    assert 0 < span.start_time_unix_nano <= span.end_time_unix_nano
    return Received(span.name, KINDS[span.kind], span.trace_id.hex(), span.span_id.hex(),
                    span.parent_span_id.hex() or None, span.start_time_unix_nano, span.end_time_unix_nano,
                    _attributes(span.attributes), [(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
                    span.trace_state, span.status.code == Status.STATUS_CODE_ERROR, resource)


class Collector:
    """Answers with `statuses` one after the other, the last one for ever. With `hangs` it answers nothing."""

    def __init__(self, statuses=(200,), hangs=False, answer=b"{}"):
        self.spans, self.requests, self.headers = [], 0, []
        self._statuses, self._hangs, self._answer = list(statuses), hangs, answer
        self._lock, self._over = threading.Lock(), threading.Event()

    def __enter__(self):
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = collector._take(self.path, self.headers, body)
                if status is None:
                    collector._over.wait(TIMEOUT)
                    return
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(collector._answer)))
                self.end_headers()
                self.wfile.write(collector._answer)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    def _take(self, path, headers, body):
        with self._lock:
            self.requests += 1
            self.headers.append((path, dict(headers)))
            if self._hangs:
                return None
            status = self._statuses.pop(0) if len(self._statuses) > 1 else self._statuses[0]
            if status == 200:
                assert headers["Content-Type"] == "application/json"
                request = json_format.ParseDict(_with_bytes(json.loads(body)), ExportTraceServiceRequest())
                for group in request.resource_spans:
                    resource = _attributes(group.resource.attributes)
                    for scope in group.scope_spans:
                        self.spans += [_received(span, resource) for span in scope.spans]
            return status

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def named(self, name):
        with self._lock:
            return [span for span in self.spans if span.name == name]

    async def wait(self, name, count=1):
        """The spans of that name, once there are so many."""
        await until(lambda: len(self.named(name)) >= count, f"{count} spans '{name}': {self.spans}")
        return self.named(name)
