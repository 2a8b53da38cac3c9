public import ApusLoad

/// Redis' PUBLISH and SUBSCRIBE in RESP 2 (redis.io, "Redis serialization protocol specification").
///
/// A publish is answered with the number of subscribers, before these have it.
public struct RedisProtocol: LoadProtocol {
    public let name = "redis"
    public let acknowledgesPublishes = true
    public var smallestPayload: Int { PeerMessage.smallestPayload }

    public init() {}

    public func publishTemplate(topic: String, payloadBytes: Int) -> PublishTemplate {
        let message = PeerMessage(payloadBytes: payloadBytes)
        let verb = Array("*3\r\n$7\r\nPUBLISH\r\n$\(topic.utf8.count)\r\n\(topic)".utf8)
        let head = verb + Array("\r\n$\(message.bytes.count)\r\n".utf8)
        return message.template(head: head, topicEnd: verb.count, tail: Array("\r\n".utf8))
    }

    public func makeParser() -> any LoadParser { Parser() }

    private struct Parser: LoadParser {
        /// The most elements of an array that pushes have.
        private static let elementLimit = 4
        private var finder = MarkFinder()

        init() {}

        mutating func begin(_ connection: inout LoadConnection, output: inout [UInt8]) {
            switch connection.role {
            case .subscriber:
                let topic = connection.topic
                output += Array("*2\r\n$9\r\nSUBSCRIBE\r\n$\(topic.utf8.count)\r\n\(topic)\r\n".utf8)
            case .publisher:
                output += Array("*1\r\n$4\r\nPING\r\n".utf8)
            }
        }

        mutating func parse(
            _ input: UnsafeRawBufferPointer,
            connection: inout LoadConnection,
            events: inout LoadEvents,
            output: inout [UInt8]
        ) -> Int {
            var done = 0
            while let (line, next) = input.line(from: done) {
                let reading: Reading
                switch line.first {
                case UInt8(ascii: ":"):
                    events.ack()
                    reading = .next(next)
                case UInt8(ascii: "*"):
                    reading = push(line, next, of: input, events: &events)
                case UInt8(ascii: "+"):
                    if connection.step == 0 { events.ready() }
                    connection.step = 1
                    reading = .next(next)
                case UInt8(ascii: "-"):
                    events.error(line.shortText)
                    reading = .next(next)
                default:
                    reading = .closed("the server sent: \(line.shortText)")
                }
                switch reading {
                case .next(let place): done = place
                case .incomplete: return done
                case .closed(let reason):
                    events.closed(reason)
                    return input.count
                }
            }
            return done
        }

        /// `message topic payload`, or `subscribe topic number`.
        @inline(__always)
        private mutating func push(
            _ line: UnsafeRawBufferPointer,
            _ start: Int,
            of input: UnsafeRawBufferPointer,
            events: inout LoadEvents
        ) -> Reading {
            guard let count = line.decimal(from: 1), (1...Self.elementLimit).contains(count) else {
                return .closed("the server sent: \(line.shortText)")
            }
            var place = start
            var kind: UInt8 = 0
            var last = UnsafeRawBufferPointer(rebasing: input[place..<place])
            for number in 0..<count {
                guard let (head, next) = input.line(from: place) else { return .incomplete }
                place = next
                // An integer is its own line.
                guard head.first == UInt8(ascii: "$") else { continue }
                guard let size = head.decimal(from: 1) else { return .closed("the server sent: \(head.shortText)") }
                guard input.count >= place + size + 2 else { return .incomplete }
                last = UnsafeRawBufferPointer(rebasing: input[place..<(place + size)])
                if number == 0 { kind = last.first ?? 0 }
                place += size + 2
            }
            switch kind {
            case UInt8(ascii: "m"):
                if let mark = finder.find(in: last) { events.delivery(mark) } else { events.other() }
            case UInt8(ascii: "s"):
                events.ready()
            default:
                events.other()
            }
            return .next(place)
        }
    }
}
