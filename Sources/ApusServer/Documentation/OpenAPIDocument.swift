import ApusProtocol

/// The REST API as an OpenAPI 3.1 document, served at `/openapi.json` and used by the page at `/docs`.
///
/// It is written by hand and kept as text, because it is a promise to clients and not derived from the implementation.
/// The paths of both dialects share one template, because they differ only in their prefix and one member.
enum OpenAPIDocument {
    /// - Parameters:
    ///   - basePath: the prefix of all paths of the server; may be empty.
    ///   - settings: the limits of values, and whether API keys are required.
    static func json(basePath: String = "", settings: ServerConfiguration = ServerConfiguration()) -> String {
        """
        {
        "openapi": "3.1.0",
        \(information(basePath: basePath)),
        "security": \(security(settings, "ApiKeyAuth")),
        "paths": {
        \(paths(of: .base, settings)),
        \(paths(of: .v1, settings)),
        \(commonPaths)
        },
        "components": {
        "securitySchemes": {
          "ApiKeyAuth": {
            "type": "apiKey",
            "in": "header",
            "name": "X-API-Key",
            "description": "Needed only where the server has API keys."
          },
          "ApiKeyQuery": {
            "type": "apiKey",
            "in": "query",
            "name": "api_key",
            "description": "The same for WebSockets and event streams, where a browser can set no header."
          }
        },
        \(parameters(settings)),
        \(responses),
        \(schemas(settings))
        }
        }
        """
    }

    /// The security requirement: nothing where the server has no keys, otherwise a key in one of these schemes.
    static func security(_ settings: ServerConfiguration, _ schemes: String...) -> String {
        let anonymous = settings.access.apiKeys.isEmpty ? ["{}"] : []
        return "[\((anonymous + schemes.map { #"{ "\#($0)": [] }"# }).joined(separator: ", "))]"
    }

    /// The differences between the paths of the two dialects.
    struct PathDialect {
        let prefix: String
        let tag: String
        /// The suffix of the operation ids, which must be unique in the document.
        let suffix: String
        let health: String
        let published: String
        let page: String
        let timeMember: String
        let messageID: String

        static let base = PathDialect(
            prefix: "",
            tag: "base",
            suffix: "",
            health: "Health",
            published: "Published",
            page: "Page",
            timeMember: "ts",
            messageID: "a UUID, with or without dashes"
        )
        static let v1 = PathDialect(
            prefix: "/v1",
            tag: "v1",
            suffix: "V1",
            health: "HealthV1",
            published: "PublishedV1",
            page: "PageV1",
            timeMember: "timestamp",
            messageID: "any non-empty string"
        )
    }

    private static func information(basePath: String) -> String {
        #"""
        "info": {
          "title": "Apus",
          "version": "\#(apusVersion)",
          "summary": "Real-time publish/subscribe over WebSocket and HTTP.",
          "description": "Topics are created and inspected here. Messages travel over the WebSocket at `/ws`, or over \#
        HTTP: published with `POST`, read in pages, followed as event streams. The paths under `/v1` reach the same \#
        topics in a second dialect.",
          "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" }
        },
        "servers": [{ "url": "\#(basePath.isEmpty ? "/" : basePath)", "description": "This server" }],
        "tags": [
          { "name": "base", "description": "Times are in `ts`; over WebSocket, message ids are UUIDs." },
          { "name": "v1", "description": "Times are in `timestamp`, message ids are any non-empty string." },
          { "name": "operations", "description": "For those who run the server." },
          { "name": "docs", "description": "This description, and the JavaScript client." }
        ]
        """#
    }
}
