import ApusBroker
import ApusProtocol
import HTTPTypes
import Hummingbird
import NIOCore
import NIOHTTP1

/// A REST error: `application/problem+json` (RFC 9457) with a stable `code`.
struct Problem: Error, HTTPResponseError {
    let code: ErrorCode
    let detail: String
    let headers: [(HTTPField.Name, String)]

    init(_ code: ErrorCode, _ detail: String, headers: [(HTTPField.Name, String)] = []) {
        self.code = code
        self.detail = detail
        self.headers = headers
    }

    init(_ error: BrokerError) {
        self =
            switch error.wireCode {
            case .unavailable: .unavailable(error.message)
            case .rateLimited: .rateLimited(error.message, wait: error.retryAfter?.wholeMilliseconds ?? 1000)
            case let code: Problem(code, error.message)
            }
    }

    /// Something could not be kept.
    init(_ failure: CommitFailure) {
        self = .unavailable(failure.message)
    }

    static let undecodableTopicName = Problem(
        .badRequest,
        "The topic name in the path is not percent-encoded UTF-8"
    )

    /// The server cannot serve the request now. The client may try again in a second.
    static func unavailable(_ detail: String) -> Problem {
        Problem(.unavailable, detail, headers: [(.retryAfter, "1")])
    }

    /// The server uses as much memory as `max_memory` allows.
    static let memoryIsFull = unavailable("The server's memory is full; try again later")

    /// The client has reached a rate limit.
    ///
    /// - Parameter wait: when it may try again, in milliseconds.
    static func rateLimited(_ detail: String, wait: Int64) -> Problem {
        Problem(.rateLimited, detail, headers: [(.retryAfter, "\(max(wait / 1000 + (wait % 1000 > 0 ? 1 : 0), 1))")])
    }

    var status: HTTPResponse.Status { HTTPResponse.Status(code: code.status) }

    static let mediaType = "application/problem+json"

    /// The problem document as JSON.
    var body: ByteBuffer {
        var body = ByteBuffer()
        body.writeString(#"{"type":"about:blank","title":"#)
        appendJSONString(code.title, to: &body)
        body.writeString(#","status":\#(code.status),"detail":"#)
        appendJSONString(detail, to: &body)
        body.writeString(#","code":"\#(code.rawValue)"}"#)
        return body
    }

    /// A complete HTTP response that ends the connection, for callers without an HTTP encoder.
    var lastAnswer: ByteBuffer {
        var answer = ByteBuffer()
        let body = body
        answer.writeString("HTTP/1.1 \(code.status) \(status.reasonPhrase)\r\nContent-Type: \(Self.mediaType)\r\n")
        answer.writeString("Content-Length: \(body.readableBytes)\r\nConnection: close\r\nDate: \(httpDate())\r\n")
        for (name, value) in headers { answer.writeString("\(name.rawName): \(value)\r\n") }
        answer.writeString("\r\n")
        answer.writeImmutableBuffer(body)
        return answer
    }

    /// The head of a response that ends the connection.
    ///
    /// - Parameter head: the request's; `nil` when it could not be parsed.
    func lastHead(to head: HTTPRequestHead?) -> HTTPResponseHead {
        var fields: HTTPHeaders = [
            "Content-Type": Self.mediaType, "Content-Length": "\(body.readableBytes)", "Connection": "close",
            "Date": httpDate(),
        ]
        for (name, value) in headers { fields.replaceOrAdd(name: name.rawName, value: value) }
        return HTTPResponseHead(
            version: head?.version == .http1_0 ? .http1_0 : .http1_1,
            status: HTTPResponseStatus(statusCode: code.status),
            headers: fields
        )
    }

    func response(from request: Request, context: some RequestContext) throws -> Response {
        var response = Response.json(status, body, type: Self.mediaType)
        for (name, value) in headers { response.headers[name] = value }
        return response
    }
}

extension Problem: Equatable {
    static func == (one: Problem, other: Problem) -> Bool {
        one.code == other.code && one.detail == other.detail && one.headers.elementsEqual(other.headers, by: ==)
    }
}

extension Response {
    static func json(_ status: HTTPResponse.Status, _ body: ByteBuffer, type: String = "application/json") -> Response {
        Response(status: status, headers: [.contentType: type], body: ResponseBody(byteBuffer: body))
    }
}
