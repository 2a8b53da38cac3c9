import HTTPTypes

/// What the server provides about itself: its JavaScript client and its documentation.
struct Documents: Sendable {
    let client: StaticDocument
    let clientTypes: StaticDocument
    let docsPage: StaticDocument
    let openAPI: StaticDocument

    init(basePath: String, settings: ServerConfiguration) {
        // Pages of other origins may use these documents as a module.
        let shared: HTTPFields = [.cacheControl: "public, max-age=3600", .accessControlAllowOrigin: "*"]
        client = StaticDocument(type: "text/javascript; charset=utf-8", headers: shared) {
            BrowserClient.text(basePath: basePath)
        }
        clientTypes = StaticDocument(type: "text/plain; charset=utf-8", headers: shared) { EmbeddedTexts.apus_d_ts }
        docsPage = StaticDocument(type: "text/html; charset=utf-8") { DocsPage.html }
        openAPI = StaticDocument(type: "application/json") {
            OpenAPIDocument.json(basePath: basePath, settings: settings)
        }
    }
}
