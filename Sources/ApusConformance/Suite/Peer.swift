import ApusClient
import ApusProtocol
import NIOCore
import NIOWebSocket

/// A WebSocket connection of a check. Everything that it waits for has a limit.
package struct Peer: Sendable {
    let connection: WebSocketConnection
    let dialect: Dialect
    let patience: Duration

    // MARK: Sending

    func send(_ text: String) async throws {
        try await sent { [connection] in try await connection.send(text: text) }
    }

    func send(_ texts: [String]) async throws {
        try await sent { [connection] in try await connection.send(texts: texts) }
    }

    func frame(
        _ opcode: WebSocketOpcode,
        _ bytes: [UInt8] = [],
        isLast: Bool = true,
        isReserved: Bool = false,
        isMasked: Bool = true
    ) async throws {
        try await sent { [connection] in
            try await connection.sendFrame(
                opcode: opcode,
                fin: isLast,
                rsv1: isReserved,
                isMasked: isMasked,
                data: ByteBuffer(bytes: bytes)
            )
        }
    }

    /// A write to a server that does not read ends with the connection, and not when it is cancelled.
    private func sent(_ write: @escaping @Sendable () async throws -> Void) async throws {
        let abort: @Sendable () async -> Void = { [connection] in await connection.abort() }
        do {
            try await within(patience, otherwise: "the server did not read what was sent", abort, write)
        } catch is ClientError {
            throw Fault("the connection is closed")
        }
    }

    // MARK: Receiving

    /// The next message of any kind.
    func message(within limit: Duration? = nil) async throws -> WebSocketMessage {
        let connection = connection
        let limit = limit ?? patience
        do {
            let message = try await within(limit) { try await connection.receive() }
            guard let message else { throw Fault("the connection has ended") }
            return message
        } catch let error as ClientError {
            throw Fault(error.message)
        }
    }

    /// The next message of the protocol. Heartbeats are passed over, as every client does.
    func next(within limit: Duration? = nil) async throws -> Reply {
        while true {
            switch try await message(within: limit) {
            case .text(let text):
                let reply = try Reply(text)
                if reply.type == "info", reply["msg"] == #""ping""# { continue }
                return reply
            case .ping, .pong:
                continue
            case .binary:
                throw Fault("the server sent a binary message")
            case .close(let close):
                throw Fault("the server closed the connection with \(close.code) \(close.reason)")
            }
        }
    }

    @discardableResult
    func expect(_ expected: [String: String], isOpen: Bool = false) async throws -> Reply {
        let reply = try await next()
        try reply.expect(expected, in: dialect, isOpen: isOpen)
        return reply
    }

    @discardableResult
    func expectAck(_ topic: String?, request: String? = nil, isOpen: Bool = false) async throws -> Reply {
        var expected = ["type": #""ack""#, "status": #""ok""#]
        expected["topic"] = topic?.quoted
        expected["request_id"] = request
        return try await expect(expected, isOpen: isOpen)
    }

    @discardableResult
    func expectError(_ code: ErrorCode, request: String? = nil) async throws -> String {
        let reply = try await next()
        guard reply.type == "error", let error = reply.members["error"]?.members else {
            throw Fault("an error \(code.rawValue) must come, not \(reply.text.shortened)")
        }
        var expected = ["type": #""error""#, "error": reply["error"] ?? ""]
        expected["request_id"] = request
        try reply.expect(expected, in: dialect)
        guard reply.code == code.rawValue else {
            throw Fault("the code must be \(code.rawValue) in \(reply.text.shortened)")
        }
        guard let text = error["message"]?.stringValue, !text.isEmpty else {
            throw Fault("an error must have a 'message' in \(reply.text.shortened)")
        }
        return text
    }

    /// The next message must be this event of a plain subscription.
    @discardableResult
    func expectEvent(_ topic: String, _ message: String) async throws -> Reply {
        try await expect(["type": #""event""#, "topic": topic.quoted, "message": message])
    }

    /// The next message must be an event of this message, whatever else it has.
    @discardableResult
    func expectEvent(of id: String) async throws -> Reply {
        let reply = try await next()
        guard reply.type == "event", reply.id == id else {
            throw Fault("the event of the message '\(id)' must come, not \(reply.text.shortened)")
        }
        return reply
    }

    @discardableResult
    func expectInfo(_ word: String, _ topic: String) async throws -> Reply {
        try await expect(["type": #""info""#, "msg": word.quoted, "topic": topic.quoted], isOpen: true)
    }

    /// Nothing is on its way: what the server is asked for next is what comes next.
    func expectNothing() async throws {
        try await send(#"{"type":"ping","request_id":"nothing"}"#)
        try await expect(["type": #""pong""#, "request_id": #""nothing""#])
    }

    /// The server must close the connection. What it sends before is passed over.
    @discardableResult
    func expectClose(_ code: UInt16) async throws -> WebSocketClose {
        while true {
            guard case .close(let close) = try await message() else { continue }
            guard close.code == code else {
                throw Fault("the connection must be closed with \(code), not \(close.code) \(close.reason)")
            }
            return close
        }
    }

    // MARK: Commands

    func subscribe(_ topic: String, as client: String = "c", _ more: String = "") async throws {
        try await send(Self.subscription(topic, as: client, more))
    }

    static func subscription(_ topic: String, as client: String = "c", _ more: String = "") -> String {
        #"{"type":"subscribe","topic":\#(topic.quoted),"client_id":\#(client.quoted)\#(more)}"#
    }

    /// Subscribes, and takes the ack.
    @discardableResult
    func subscribed(_ topic: String, as client: String = "c", _ more: String = "") async throws -> Reply {
        try await subscribe(topic, as: client, more)
        return try await expectAck(topic, isOpen: !more.isEmpty)
    }

    static func publication(_ topic: String, _ message: String, _ more: String = "") -> String {
        #"{"type":"publish","topic":\#(topic.quoted),"message":\#(message)\#(more)}"#
    }

    /// Publishes, and takes the ack.
    @discardableResult
    func published(_ topic: String, _ message: String, _ more: String = "") async throws -> Reply {
        try await send(Self.publication(topic, message, more))
        return try await expectAck(topic, isOpen: !more.isEmpty)
    }
}

/// The value of `work`, which is cancelled after `limit`, or with the task. As the end of `work` is waited for even
/// then, `giveUp` must end what does not heed that.
func within<Value: Sendable>(
    _ limit: Duration,
    otherwise what: String = "nothing came",
    _ giveUp: @Sendable () async -> Void = {},
    _ work: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    try await withThrowingTaskGroup(of: Value?.self) { group in
        group.addTask { try await work() }
        group.addTask {
            try await Task.sleep(for: limit)
            return nil
        }
        defer { group.cancelAll() }
        do {
            guard let first = try await group.next(), let value = first else {
                throw Fault("\(what) within \(limit.milliseconds) ms")
            }
            return value
        } catch {
            await giveUp()
            throw error
        }
    }
}
