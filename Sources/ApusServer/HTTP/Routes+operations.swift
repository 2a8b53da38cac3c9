import HTTPTypes
import Hummingbird
import NIOCore

// What operators' tools ask, and the browser's client.

extension Routes {
    func addOperations(to router: Router<ApusRequestContext>) {
        router.get("/livez") { _, _ in live() }
        router.get("/readyz") { _, _ in ready() }
        router.get("/metrics") { _, _ in
            Response.json(.ok, await metrics.text(), type: PrometheusText.contentType)
        }
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
