import HTTPTypes
import Hummingbird
import NIOCore

// What operators' tools ask, and the browser's client.

extension Routes {
    func addOperations(to router: Router<ApusRequestContext>) {
        router.get("/livez") { _, _ in live() }
        router.get("/readyz") { _, _ in ready() }
        router.get("/apus.js") { _, _ in
            embedded(EmbeddedTexts.apus_js, type: "text/javascript; charset=utf-8")
        }
        router.get("/apus.d.ts") { _, _ in
            embedded(EmbeddedTexts.apus_d_ts, type: "text/plain; charset=utf-8")
        }
        router.get("/metrics") { _, _ in
            Response.json(.ok, await metrics.text(), type: PrometheusText.contentType)
        }
    }

    /// A file that is part of the program.
    private func embedded(_ text: String, type: String) -> Response {
        var response = Response.json(.ok, ByteBuffer(string: text), type: type)
        response.headers[.cacheControl] = "public, max-age=3600"
        // Pages of other origins may use it as a module.
        response.headers[.accessControlAllowOrigin] = "*"
        return response
    }

    /// Fails slow: a loop must have been silent for a while before the process is taken for dead.
    private func live() -> Response {
        workers.isAlive
            ? .json(.ok, ByteBuffer(string: #"{"status":"alive"}"#))
            : .json(.serviceUnavailable, ByteBuffer(string: #"{"status":"stuck"}"#))
    }

    /// Fails at once when the server is to stop, so that no more traffic is sent to it.
    private func ready() -> Response {
        isDraining.isSet
            ? .json(.serviceUnavailable, ByteBuffer(string: #"{"status":"draining"}"#))
            : .json(.ok, ByteBuffer(string: #"{"status":"ready"}"#))
    }
}
