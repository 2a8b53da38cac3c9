import ApusProtocol

/// The protocol of Apus over WebSocket (docs/protocol.md), and of any server with the same messages.
public struct ApusWireProtocol: LoadProtocol {
    public let name = "apus"
    public let acknowledgesPublishes = true
    public let announcesDrops = true
    /// The payload is a JSON string, and its quotes count.
    public var smallestPayload: Int { LoadMark.byteCount + 2 }

    private let handshake: [UInt8]

    /// Makes the protocol for a server.
    ///
    /// - Parameters:
    ///   - host: the value of the `Host` header.
    ///   - path: the path of the WebSocket endpoint.
    ///   - headers: further headers of the handshake, such as `X-API-Key`.
    public init(host: String, path: String = "/ws", headers: [(name: String, value: String)] = []) {
        handshake = WebSocketClient.handshake(host: host, path: path, headers: headers.map { ($0.name, $0.value) })
    }

    public func publishTemplate(topic: String, payloadBytes: Int) -> PublishTemplate {
        var text = Array("{\"type\":\"publish\",\"topic\":\"\(topic)".utf8)
        let digits = text.count - LoadTopics.digits
        text += Array("\",\"message\":{\"id\":\"".utf8)
        let identifier = text.count
        text += Array("00000000-0000-4000-8000-000000000000\",\"payload\":\"".utf8)
        let mark = text.count
        text += PublishTemplate.payload(bytes: payloadBytes - 2)
        text += Array("\"},\"request_id\":\"".utf8)
        let request = text.count
        text += Array("0000000000000000\"}".utf8)
        var message = PublishTemplate(bytes: text, mark: mark)
        message.topicDigits = digits
        message.identifier = identifier
        message.request = request
        return WebSocketClient.template(around: message)
    }

    public func makeParser() -> any LoadParser {
        Parser(handshake: handshake)
    }

    /// The progress of a connection.
    private enum Step {
        static let handshake = 1
        static let subscribing = 2
        static let ready = 3
    }

    private struct Parser: LoadParser {
        /// `e":"ack"`, which is 5 bytes after the start of an ack as Apus writes it.
        private static let ackWord = UInt64(littleEndian: 0x226B_6361_223A_2265)
        private static let ackPlace = 5
        /// From this size on, the beginning of a message is processed before the end has arrived. In bytes.
        private static let largeBytes = 4 << 10

        let handshake: [UInt8]
        private var finder = MarkFinder()

        init(handshake: [UInt8]) {
            self.handshake = handshake
        }

        mutating func begin(_ connection: inout LoadConnection, output: inout [UInt8]) {
            connection.step = Step.handshake
            output += handshake
        }

        mutating func parse(
            _ input: UnsafeRawBufferPointer,
            connection: inout LoadConnection,
            events: inout LoadEvents,
            output: inout [UInt8]
        ) -> Int {
            var done = 0
            if connection.step == Step.handshake {
                switch WebSocketClient.answer(in: input) {
                case .incomplete: return 0
                case .refused(let line):
                    events.closed("the handshake was answered with \(line)")
                    return input.count
                case .accepted(let count): done = count
                }
                open(&connection, events: &events, output: &output)
            }
            done += skip(UnsafeRawBufferPointer(rebasing: input[done...]), connection: &connection, events: &events)
            do throws(WebSocketFault) {
                while let frame = try .first(in: UnsafeRawBufferPointer(rebasing: input[done...])) as WebSocketFrame? {
                    done += frame.byteCount
                    if frame.opcode == .text {
                        message(frame.payload, connection: &connection, events: &events)
                    } else if !control(frame, events: &events, output: &output) {
                        return input.count
                    }
                }
            } catch {
                events.closed(error.text)
                return input.count
            }
            if input.count - done >= Self.largeBytes {
                done += begin(UnsafeRawBufferPointer(rebasing: input[done...]), connection: &connection)
            }
            return done
        }

        // MARK: Large messages

        /// Processes the beginning of an incomplete message. Once its mark is known, the rest is only counted.
        ///
        /// Stored, a message of 1 MiB for each of 1,000 subscribers would take a GiB.
        private mutating func begin(_ input: UnsafeRawBufferPointer, connection: inout LoadConnection) -> Int {
            guard connection.role == .subscriber, connection.step == Step.ready,
                let total = WebSocketFrame.textByteCount(in: input), total > input.count,
                let mark = finder.find(in: input)
            else { return 0 }
            connection.unfinished = mark
            connection.missingBytes = total - input.count
            return input.count
        }

        /// Skips the rest of such a message, and reports the message when it is complete.
        private func skip(
            _ input: UnsafeRawBufferPointer,
            connection: inout LoadConnection,
            events: inout LoadEvents
        ) -> Int {
            guard let mark = connection.unfinished else { return 0 }
            let skipped = min(connection.missingBytes, input.count)
            connection.missingBytes -= skipped
            if connection.missingBytes == 0 {
                connection.unfinished = nil
                events.delivery(mark)
            }
            return skipped
        }

        private func open(_ connection: inout LoadConnection, events: inout LoadEvents, output: inout [UInt8]) {
            guard connection.role == .subscriber else {
                connection.step = Step.ready
                events.ready()
                return
            }
            connection.step = Step.subscribing
            let text = """
                {"type":"subscribe","topic":"\(connection.topic)","client_id":"s\(connection.number)","request_id":"s"}
                """
            WebSocketClient.append(Array(text.utf8), opcode: .text, to: &output)
        }

        @inline(__always)
        private mutating func message(
            _ text: UnsafeRawBufferPointer,
            connection: inout LoadConnection,
            events: inout LoadEvents
        ) {
            if connection.role == .subscriber {
                if let mark = finder.find(in: text) { return events.delivery(mark) }
            } else if text.count >= Self.ackPlace + 8, let base = text.baseAddress,
                (base + Self.ackPlace).loadUnaligned(as: UInt64.self) == Self.ackWord
            {
                return events.ack()
            }
            rare(text, connection: &connection, events: &events)
        }

        /// Handles messages other than the events and acks expected on the connection.
        @inline(never)
        private func rare(
            _ text: UnsafeRawBufferPointer,
            connection: inout LoadConnection,
            events: inout LoadEvents
        ) {
            if ByteSearch.first("\"messages_dropped\"", in: text) != nil {
                events.dropped(ByteSearch.number(after: "\"dropped\":", in: text) ?? 0)
            } else if ByteSearch.first("\"ack\"", in: text) != nil {
                if connection.role == .publisher { return events.ack() }
                if connection.step == Step.subscribing { events.ready() }
                connection.step = Step.ready
            } else if ByteSearch.first("\"error\"", in: text) != nil
                || ByteSearch.first("\"topic_deleted\"", in: text) != nil
            {
                events.error(String(decoding: text.prefix(300), as: UTF8.self))
            } else {
                events.other()
            }
        }

        /// Handles a control frame. Returns `false` when the connection has ended.
        private func control(_ frame: WebSocketFrame, events: inout LoadEvents, output: inout [UInt8]) -> Bool {
            switch frame.opcode {
            case .ping:
                WebSocketClient.append(Array(frame.payload), opcode: .pong, to: &output)
            case .close:
                events.closed(frame.closeText)
                return false
            case .pong: events.other()
            case .continuation, .text, .binary:
                events.closed("the server sent a frame of kind \(frame.opcode)")
                return false
            }
            return true
        }
    }
}
