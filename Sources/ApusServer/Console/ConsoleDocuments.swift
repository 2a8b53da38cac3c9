import HTTPTypes

/// The files of the console: a page, and the modules, styles and images beside it. The page loads nothing else.
struct ConsoleDocuments: Sendable {
    private static let folder = "console/"
    private static let pageName = "index.html"

    let page: StaticDocument
    private let files: [String: StaticDocument]

    /// - Parameters:
    ///   - page: the header fields of a page.
    ///   - parts: those of what a page loads.
    init(page: HTTPFields, parts: HTTPFields) {
        let names = EmbeddedTexts.names.filter { $0.hasPrefix(Self.folder) }.map { $0.dropFirst(Self.folder.count) }
        var files: [String: StaticDocument] = [:]
        for name in names where name != Self.pageName { files[String(name)] = Self.document(name, parts) }
        self.files = files
        var fields = page
        fields[.vary] = "Accept"
        self.page = Self.document(Self.pageName[...], fields)
    }

    /// What the page loads from `console/NAME`.
    func file(named name: String) -> StaticDocument? { files[name] }

    /// A browser asks each time whether the file is still the same, so a newer server's page gets its own files.
    private static func document(_ name: Substring, _ headers: HTTPFields) -> StaticDocument {
        var headers = headers
        headers[.cacheControl] = "no-cache"
        return StaticDocument(type: type(of: name), headers: headers) {
            EmbeddedTexts.text(of: folder + name) ?? ""
        }
    }

    private static func type(of name: Substring) -> String {
        switch name.split(separator: ".").last {
        case "html": "text/html; charset=utf-8"
        case "js": "text/javascript; charset=utf-8"
        case "css": "text/css; charset=utf-8"
        case "svg": "image/svg+xml"
        default: "text/plain; charset=utf-8"
        }
    }
}
