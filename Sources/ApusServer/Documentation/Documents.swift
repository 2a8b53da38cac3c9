import HTTPTypes

/// What the server provides about itself: its JavaScript client and its documentation.
struct Documents: Sendable {
    let client: StaticDocument
    let clientTypes: StaticDocument
    /// A page with the REST API, forms to try it, and a console for the WebSocket. It loads nothing except its script,
    /// its style and `openapi.json`, and inserts all data as text, never as markup.
    let docsPage: StaticDocument
    let docsScript: StaticDocument
    let docsStyle: StaticDocument
    let openAPI: StaticDocument
    let asyncAPI: StaticDocument
    let console: ConsoleDocuments

    init(basePath: String, settings: SettingsInForce) {
        // Pages of other origins may use these documents as a module.
        let shared: HTTPFields = [.cacheControl: "public, max-age=3600", .accessControlAllowOrigin: "*"]
        client = StaticDocument(type: "text/javascript; charset=utf-8", headers: shared) {
            BrowserClient.text(basePath: basePath)
        }
        clientTypes = StaticDocument(type: "text/plain; charset=utf-8", headers: shared) { EmbeddedTexts.apus_d_ts }
        docsPage = StaticDocument(type: "text/html; charset=utf-8", headers: Self.ofPages) {
            EmbeddedTexts.docs_page_html
        }
        docsScript = StaticDocument(type: "text/javascript; charset=utf-8", headers: Self.ofPageParts) {
            EmbeddedTexts.docs_page_js
        }
        docsStyle = StaticDocument(type: "text/css; charset=utf-8", headers: Self.ofPageParts) {
            EmbeddedTexts.docs_page_css
        }
        openAPI = StaticDocument(type: "application/json") {
            OpenAPIDocument.json(basePath: basePath, settings: settings.configuration)
        }
        asyncAPI = StaticDocument(type: AsyncAPIDocument.mediaType) {
            AsyncAPIDocument.json(basePath: basePath, settings: settings.configuration)
        }
        console = ConsoleDocuments(page: Self.ofPages, parts: Self.ofPageParts)
    }

    /// The header fields of every HTML page: a browser runs and loads only what comes from this server, and no other
    /// site learns of the page or frames it.
    private static var ofPages: HTTPFields {
        var fields = ofPageParts
        fields[.contentSecurityPolicy] = contentPolicy
        if let name = HTTPField.Name("Referrer-Policy") { fields[name] = "no-referrer" }
        return fields
    }

    private static var ofPageParts: HTTPFields {
        var fields = HTTPFields()
        if let name = HTTPField.Name("X-Content-Type-Options") { fields[name] = "nosniff" }
        return fields
    }

    private static let contentPolicy = [
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self' data:",
        "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
    ].joined(separator: "; ")
}
