package import NIOCore

/// Writes the server's replies and pushes, except events, as WebSocket text frames in one dialect.
///
/// `requestID` is the client's own JSON token, echoed byte for byte; `nil` leaves the member out.
package struct MessageEncoder: Sendable {
    package let dialect: Dialect

    package init(dialect: Dialect) {
        self.dialect = dialect
    }

    /// `{"type":"ack","request_id":…,"topic":…,"status":"ok","ts":…}`; `topicJSON` is a quoted JSON string.
    package func ack(
        requestID: UnsafeRawBufferPointer?,
        topicJSON: [UInt8]?,
        time: Timestamp,
        to buffer: inout ByteBuffer
    ) {
        let head: StaticString = #"{"type":"ack""#
        let topicKey: StaticString = #","topic":"#
        let status: StaticString = #","status":"ok""#
        let topicSize = topicJSON.map { topicKey.size + $0.count } ?? 0
        let payload = head.size + Self.size(requestID) + topicSize + status.size + timeSize
        buffer.writeTextFrame(payload: payload) { writer in
            writer.put(head)
            Self.put(requestID, to: &writer)
            if let topicJSON {
                writer.put(topicKey)
                writer.put(topicJSON)
            }
            writer.put(status)
            put(time, to: &writer)
        }
    }

    /// An ack with more members after its status, such as `,"count":3`.
    package func ack(
        requestID: UnsafeRawBufferPointer?,
        topicJSON: [UInt8],
        members: String,
        time: Timestamp,
        to buffer: inout ByteBuffer
    ) {
        let head: StaticString = #"{"type":"ack""#
        let topicKey: StaticString = #","topic":"#
        let status: StaticString = #","status":"ok""#
        var members = members
        members.withUTF8 { members in
            let middleSize = topicKey.size + topicJSON.count + status.size + members.count
            buffer.writeTextFrame(payload: head.size + Self.size(requestID) + middleSize + timeSize) { writer in
                writer.put(head)
                Self.put(requestID, to: &writer)
                writer.put(topicKey)
                writer.put(topicJSON)
                writer.put(status)
                writer.put(UnsafeRawBufferPointer(members))
                put(time, to: &writer)
            }
        }
    }

    /// The request id, as JSON, in a reply that was written before.
    package static func requestID(of reply: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        var members = JSONMembers(of: JSONMembers.root(of: reply), in: reply)
        while let (name, value) = members?.next() {
            if name.string(in: reply) == "request_id" { return UnsafeRawBufferPointer(rebasing: reply[value.range]) }
        }
        return nil
    }

    /// `{"type":"pong","request_id":…,"ts":…}`.
    package func pong(requestID: UnsafeRawBufferPointer?, time: Timestamp, to buffer: inout ByteBuffer) {
        let head: StaticString = #"{"type":"pong""#
        buffer.writeTextFrame(payload: head.size + Self.size(requestID) + timeSize) { writer in
            writer.put(head)
            Self.put(requestID, to: &writer)
            put(time, to: &writer)
        }
    }

    /// `{"type":"error","request_id":…,"error":{"code":…,"message":…},"ts":…}`.
    ///
    /// - Parameter retryAfter: in milliseconds; `nil` leaves the member out.
    package func error(
        _ code: ErrorCode,
        _ message: String,
        retryAfter: Int64? = nil,
        requestID: UnsafeRawBufferPointer?,
        time: Timestamp,
        to buffer: inout ByteBuffer
    ) {
        let head: StaticString = #"{"type":"error""#
        let details = Array(
            JSONWriter.moreMembers { writer in
                writer.object("error") { error in
                    error.member("code", code.rawValue)
                    error.member("message", message)
                    if let retryAfter { error.member("retry_after_ms", retryAfter) }
                }
            }.utf8
        )
        let payload = head.size + Self.size(requestID) + details.count + timeSize
        buffer.writeTextFrame(payload: payload) { writer in
            writer.put(head)
            Self.put(requestID, to: &writer)
            writer.put(details)
            put(time, to: &writer)
        }
    }

    /// `{"type":"info",…,"ts":…}`.
    package func info(_ info: InfoMessage, time: Timestamp, to buffer: inout ByteBuffer) {
        let text = Array((#"{"type":"info""# + info.members).utf8)
        buffer.writeTextFrame(payload: text.count + timeSize) { writer in
            writer.put(text)
            put(time, to: &writer)
        }
    }

    private static var requestIDKey: StaticString { #","request_id":"# }
    private static var tail: StaticString { "\"}" }

    @inline(__always)
    private var timeSize: Int { dialect.timeKey.size + Timestamp.textSize + Self.tail.size }

    @inline(__always)
    private func put(_ time: Timestamp, to writer: inout FrameWriter) {
        // Separate literals: the optimizer turns each into a few stores.
        switch dialect {
        case .base: writer.put(Dialect.base.timeKey)
        case .v1: writer.put(Dialect.v1.timeKey)
        }
        writer.put(time)
        writer.put(Self.tail)
    }

    @inline(__always)
    private static func size(_ requestID: UnsafeRawBufferPointer?) -> Int {
        requestID.map { requestIDKey.size + $0.count } ?? 0
    }

    @inline(__always)
    private static func put(_ requestID: UnsafeRawBufferPointer?, to writer: inout FrameWriter) {
        guard let requestID else { return }
        writer.put(requestIDKey)
        writer.put(requestID)
    }
}
