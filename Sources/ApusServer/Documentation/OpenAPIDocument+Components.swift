import ApusProtocol

extension OpenAPIDocument {
    static let responses = """
        "responses": {
        \((problemResponses + [notModified]).joined(separator: ",\n"))
        }
        """

    private static let notModified = #"""
          "NotModified": {
            "description": "The client has it already: its `If-None-Match` names the `ETag` of an earlier answer.",
            "headers": { "ETag": { "schema": { "type": "string" } } }
          }
        """#

    private static let problemResponses = [
        problem("BadRequest", .badRequest, "The request makes no sense; `detail` says why."),
        problem(
            "Unauthorized",
            .unauthorized,
            "The API key is missing or wrong.",
            headers: #""WWW-Authenticate": { "schema": { "type": "string" }, "example": "ApiKey realm=\"apus\"" }"#
        ),
        problem("TopicNotFound", .topicNotFound, "There is no such topic."),
        problem("TopicExists", .topicExists, "There is such a topic already."),
        problem(
            "TooLarge",
            .tooLarge,
            "The body, or what it is when decoded, is over 64 KiB, or over `max_message` where messages are published."
        ),
        problem(
            "UnsupportedEncoding",
            .unsupportedEncoding,
            "The body is encoded in another way than with gzip or deflate.",
            headers: #""Accept-Encoding": { "schema": { "type": "string" }, "example": "gzip, deflate" }"#
        ),
        problem(
            "Refused",
            .badRequest,
            "What is no good request of HTTP is refused whatever it asks for: 400, 408, 413, 414, 417, 431, 501 or 505."
        ),
        problem(
            "UpgradeRequired",
            .upgradeRequired,
            "This path takes WebSocket handshakes only.",
            headers: #""Upgrade": { "schema": { "type": "string" }, "example": "websocket" }"#
        ),
        problem(
            "Unavailable",
            .unavailable,
            "The server is shutting down, or a limit is reached.",
            headers: #""Retry-After": { "description": "Seconds.", "schema": { "type": "integer", "minimum": 0 } }"#
        ),
    ]

    private static func problem(
        _ name: String,
        _ code: ErrorCode,
        _ description: String,
        headers: String = ""
    ) -> String {
        #"""
          "\#(name)": {
            "description": "\#(description)",
            "headers": { \#(headers) },
            "content": {
              "application/problem+json": {
                "schema": { "$ref": "#/components/schemas/Problem" },
                "example": {
                  "type": "about:blank", "title": "\#(code.title)", "status": \#(code.status),
                  "detail": "\#(description)", "code": "\#(code.rawValue)"
                }
              }
            }
          }
        """#
    }
}
