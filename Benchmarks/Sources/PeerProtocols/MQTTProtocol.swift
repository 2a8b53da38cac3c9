public import ApusLoad

/// MQTT 3.1.1 with quality of service 0, in which nothing is acknowledged (OASIS MQTT 3.1.1, chapter 3).
public struct MQTTProtocol: LoadProtocol {
    public let name = "mqtt"
    public let acknowledgesPublishes = false
    public var smallestPayload: Int { PeerMessage.smallestPayload }

    public init() {}

    public func publishTemplate(topic: String, payloadBytes: Int) -> PublishTemplate {
        let message = PeerMessage(payloadBytes: payloadBytes)
        let name = Self.string(topic)
        let head = [Packet.publish << 4] + Self.length(name.count + message.bytes.count) + name
        return message.template(head: head, topicEnd: head.count)
    }

    public func makeParser() -> any LoadParser { Parser() }

    /// The kinds of packets, which are the upper half of their first byte (section 2.2.1).
    private enum Packet {
        static let connect: UInt8 = 1
        static let connectAnswer: UInt8 = 2
        static let publish: UInt8 = 3
        static let subscribe: UInt8 = 8
        static let subscribeAnswer: UInt8 = 9
    }

    /// Length and bytes (section 1.5.3).
    static func string(_ text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        return [UInt8(truncatingIfNeeded: bytes.count >> 8), UInt8(truncatingIfNeeded: bytes.count)] + bytes
    }

    /// The remaining length of a packet: seven bits a byte, the lowest first (section 2.2.3).
    static func length(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = count
        repeat {
            bytes.append(UInt8(rest & 0x7F) | (rest > 0x7F ? 0x80 : 0))
            rest >>= 7
        } while rest > 0
        return bytes
    }

    private static func packet(_ kind: UInt8, flags: UInt8 = 0, _ body: [UInt8]) -> [UInt8] {
        [kind << 4 | flags] + length(body.count) + body
    }

    private struct Parser: LoadParser {
        private var finder = MarkFinder()

        init() {}

        mutating func begin(_ connection: inout LoadConnection, output: inout [UInt8]) {
            let letter = connection.role == .subscriber ? "s" : "p"
            // Level 4, a clean session, and no keep-alive.
            let header = MQTTProtocol.string("MQTT") + [4, 2, 0, 0]
            output += MQTTProtocol.packet(Packet.connect, header + MQTTProtocol.string("\(letter)\(connection.number)"))
        }

        mutating func parse(
            _ input: UnsafeRawBufferPointer,
            connection: inout LoadConnection,
            events: inout LoadEvents,
            output: inout [UInt8]
        ) -> Int {
            var done = 0
            while input.count - done >= 2 {
                var (length, place, shift) = (0, done + 1, 0)
                var byte: UInt8 = 0x80
                while byte & 0x80 != 0 {
                    guard shift < 28 else {
                        events.closed("the server sent a length of more than four bytes")
                        return input.count
                    }
                    guard place < input.count else { return done }
                    byte = input[place]
                    length |= Int(byte & 0x7F) << shift
                    (place, shift) = (place + 1, shift + 7)
                }
                guard input.count - place >= length else { return done }
                let body = UnsafeRawBufferPointer(rebasing: input[place..<(place + length)])
                if let reason = take(input[done] >> 4, body, &connection, events: &events, output: &output) {
                    events.closed(reason)
                    return input.count
                }
                done = place + length
            }
            return done
        }

        /// Says why the connection is at its end, if it is.
        @inline(__always)
        private mutating func take(
            _ kind: UInt8,
            _ body: UnsafeRawBufferPointer,
            _ connection: inout LoadConnection,
            events: inout LoadEvents,
            output: inout [UInt8]
        ) -> String? {
            switch kind {
            case Packet.publish:
                guard body.count >= 2 else { return "the server sent a publish without a topic" }
                let start = 2 + Int(body[0]) << 8 + Int(body[1])
                guard start <= body.count else { return "the server sent a publish without a topic" }
                if let mark = finder.find(in: UnsafeRawBufferPointer(rebasing: body[start...])) {
                    events.delivery(mark)
                } else {
                    events.other()
                }
            case Packet.connectAnswer:
                guard body.count == 2, body[1] == 0 else { return "the server refused the connection" }
                if connection.role == .publisher {
                    events.ready()
                } else {
                    // Packet 1, quality of service 0.
                    let request = [0, 1] + MQTTProtocol.string(connection.topic) + [0]
                    output += MQTTProtocol.packet(Packet.subscribe, flags: 2, request)
                }
            case Packet.subscribeAnswer:
                guard body.count == 3, body[2] == 0 else { return "the server refused the subscription" }
                events.ready()
            default:
                events.other()
            }
            return nil
        }
    }
}
