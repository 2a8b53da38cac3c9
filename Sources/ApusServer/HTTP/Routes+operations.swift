import HTTPTypes
import Hummingbird
import NIOCore

// Routes for operators' tools, and for what the server provides about itself: its browser client and its documentation.

extension Routes {
    func addOperations(to router: Router<ApusRequestContext>) {
        let base = basePath.text
        for prefix in Set([base, ""]) {
            router.get("\(prefix)/livez") { _, _ in live() }
            router.get("\(prefix)/readyz") { _, _ in ready() }
        }
        router.get("\(base)/metrics") { _, _ in
            Response.json(.ok, await metrics.text(), type: PrometheusText.contentType)
        }
        for (path, document) in documents {
            router.get("\(base)\(path)") { request, _ in document.response(to: request) }
        }
    }

    private var documents: [(path: String, document: StaticDocument)] {
        // Pages of other origins may use these documents as a module.
        let shared: HTTPFields = [.cacheControl: "public, max-age=3600", .accessControlAllowOrigin: "*"]
        let base = basePath.text
        return [
            (
                "/apus.js",
                StaticDocument(type: "text/javascript; charset=utf-8", headers: shared) {
                    BrowserClient.text(basePath: base)
                }
            ),
            (
                "/apus.d.ts",
                StaticDocument(type: "text/plain; charset=utf-8", headers: shared) { EmbeddedTexts.apus_d_ts }
            ),
            ("/docs", StaticDocument(type: "text/html; charset=utf-8") { DocsPage.html }),
            (
                "/openapi.json",
                StaticDocument(type: "application/json") { OpenAPIDocument.json(basePath: base, settings: settings) }
            ),
        ]
    }

    /// Fails slowly: a loop must be silent for a while before the process counts as dead.
    private func live() -> Response {
        contexts.isAlive
            ? .json(.ok, ByteBuffer(string: #"{"status":"alive"}"#))
            : .json(.serviceUnavailable, ByteBuffer(string: #"{"status":"stuck"}"#))
    }

    /// Fails as soon as the server starts to drain, so that it gets no more traffic.
    private func ready() -> Response {
        isDraining.isSet
            ? .json(.serviceUnavailable, ByteBuffer(string: #"{"status":"draining"}"#))
            : .json(.ok, ByteBuffer(string: #"{"status":"ready"}"#))
    }
}
