public import ApusLoad

/// nchan over WebSocket.
///
/// The channel is in the path, messages go as they are, and each publish is answered with the channel's state.
public struct NchanProtocol: LoadProtocol {
    public let name = "nchan"
    public let acknowledgesPublishes = true
    public let publishersHaveOneTopic = true
    public var smallestPayload: Int { PeerMessage.smallestPayload }

    private let host: String

    /// - Parameter host: the value of the `Host` header.
    public init(host: String) {
        self.host = host
    }

    public func publishTemplate(topic: String, payloadBytes: Int) -> PublishTemplate {
        WebSocketClient.template(around: PeerMessage(payloadBytes: payloadBytes).template(head: [], topicEnd: nil))
    }

    public func makeParser() -> any LoadParser { Parser(host: host) }

    private struct Parser: LoadParser {
        private let host: String
        private var finder = MarkFinder()

        init(host: String) {
            self.host = host
        }

        mutating func begin(_ connection: inout LoadConnection, output: inout [UInt8]) {
            let folder = connection.role == .subscriber ? "sub" : "pub"
            output += WebSocketClient.handshake(host: host, path: "/\(folder)/\(connection.topic)")
        }

        mutating func parse(
            _ input: UnsafeRawBufferPointer,
            connection: inout LoadConnection,
            events: inout LoadEvents,
            output: inout [UInt8]
        ) -> Int {
            var done = 0
            if connection.step == 0 {
                switch WebSocketClient.answer(in: input) {
                case .incomplete: return 0
                case .refused(let line):
                    events.closed("the handshake was answered with \(line)")
                    return input.count
                case .accepted(let count): done = count
                }
                connection.step = 1
                events.ready()
            }
            do throws(WebSocketFault) {
                while let frame = try WebSocketFrame.first(in: UnsafeRawBufferPointer(rebasing: input[done...])) {
                    done += frame.byteCount
                    switch frame.opcode {
                    case .text, .binary:
                        take(frame.payload, connection.role, events: &events)
                    case .ping:
                        WebSocketClient.append(Array(frame.payload), opcode: .pong, to: &output)
                    case .close:
                        events.closed(frame.closeText)
                        return input.count
                    default:
                        events.other()
                    }
                }
            } catch {
                events.closed(error.text)
                return input.count
            }
            return done
        }

        @inline(__always)
        private mutating func take(
            _ message: UnsafeRawBufferPointer,
            _ role: LoadConnection.Role,
            events: inout LoadEvents
        ) {
            if role == .publisher {
                events.ack()
            } else if let mark = finder.find(in: message) {
                events.delivery(mark)
            } else {
                events.other()
            }
        }
    }
}
