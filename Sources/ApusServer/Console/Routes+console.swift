import ApusProtocol
import HTTPTypes
import Hummingbird
import NIOCore

// The server's own address, and the files of the console.

extension Routes {
    /// The console for browsers, and for all others what there is.
    func service(_ request: Request) -> Response {
        guard settings.console, AcceptedTypes(request.headers[values: .accept]).prefersPage else {
            var response = Response.json(.ok, ByteBuffer(string: serviceJSON))
            response.headers[.vary] = "Accept"
            response.headers[.cacheControl] = "no-cache"
            return response
        }
        return documents.console.page.response(to: request)
    }

    private var serviceJSON: String {
        let base = settings.basePath
        let console = settings.console ? [("console", "/")] : []
        let links = (console + Self.links).map { name, path in "\(jsonString(name)):\(jsonString(base + path))" }
        return #"{"service":"apus","version":\#(jsonString(apusVersion)),"links":{\#(links.joined(separator: ","))}}"#
    }

    private static let links = [
        ("docs", "/docs"), ("openapi", "/openapi.json"), ("client", "/apus.js"), ("websocket", "/ws"),
        ("topics", "/topics"), ("events", "/events"), ("subscribers", "/subscribers"), ("stats", "/stats"),
        ("health", "/health"), ("metrics", "/metrics"),
    ]

    func consoleFile(_ request: Request, _ context: ApusRequestContext) throws -> Response {
        guard settings.console, let name = context.match?.name, let file = documents.console.file(named: String(name))
        else { throw Problem(.notFound, "There is nothing at \(request.uri.path)") }
        return file.response(to: request)
    }
}
