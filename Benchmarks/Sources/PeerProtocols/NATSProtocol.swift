public import ApusLoad

/// Core NATS: a text protocol in which nothing is acknowledged (docs.nats.io, "Client Protocol").
public struct NATSProtocol: LoadProtocol {
    public let name = "nats"
    public let acknowledgesPublishes = false
    public var smallestPayload: Int { PeerMessage.smallestPayload }

    public init() {}

    public func publishTemplate(topic: String, payloadBytes: Int) -> PublishTemplate {
        let message = PeerMessage(payloadBytes: payloadBytes)
        let verb = Array("PUB \(topic)".utf8)
        let head = verb + Array(" \(message.bytes.count)\r\n".utf8)
        return message.template(head: head, topicEnd: verb.count, tail: Array("\r\n".utf8))
    }

    public func makeParser() -> any LoadParser { Parser() }

    private enum Step {
        static let waitingForInfo = 0
        static let waitingForPong = 1
        static let ready = 2
    }

    private struct Parser: LoadParser {
        private var finder = MarkFinder()

        init() {}

        /// The server speaks first.
        mutating func begin(_ connection: inout LoadConnection, output: inout [UInt8]) {}

        mutating func parse(
            _ input: UnsafeRawBufferPointer,
            connection: inout LoadConnection,
            events: inout LoadEvents,
            output: inout [UInt8]
        ) -> Int {
            var done = 0
            while let (line, next) = input.line(from: done) {
                switch read(line, next, of: input, connection: &connection, events: &events, output: &output) {
                case .next(let place): done = place
                case .incomplete: return done
                case .closed(let reason):
                    events.closed(reason)
                    return input.count
                }
            }
            if input.count - done > lineLimit {
                events.closed("the server sent an endless line")
                return input.count
            }
            return done
        }

        @inline(__always)
        private mutating func read(
            _ line: UnsafeRawBufferPointer,
            _ next: Int,
            of input: UnsafeRawBufferPointer,
            connection: inout LoadConnection,
            events: inout LoadEvents,
            output: inout [UInt8]
        ) -> Reading {
            switch line.first {
            // MSG topic subscription [reply] size
            case UInt8(ascii: "M"):
                guard let blank = line.lastIndex(of: UInt8(ascii: " ")), let size = line.decimal(from: blank + 1) else {
                    return .closed("the server sent: \(line.shortText)")
                }
                guard input.count >= next + size + 2 else { return .incomplete }
                if let mark = finder.find(in: UnsafeRawBufferPointer(rebasing: input[next..<(next + size)])) {
                    events.delivery(mark)
                } else {
                    events.other()
                }
                return .next(next + size + 2)
            case UInt8(ascii: "I"):
                // It sends INFO again when something changes.
                if connection.step == Step.waitingForInfo { introduce(&connection, output: &output) }
            case UInt8(ascii: "P") where line.elementsEqual("PING".utf8):
                output += Array("PONG\r\n".utf8)
            case UInt8(ascii: "P"):
                if connection.step == Step.waitingForPong { events.ready() }
                connection.step = Step.ready
            case UInt8(ascii: "-"):
                events.error(line.shortText)
            default:
                events.other()
            }
            return .next(next)
        }

        /// The answer to the first INFO; the PONG says that all before it was done.
        private func introduce(_ connection: inout LoadConnection, output: inout [UInt8]) {
            output += Array("CONNECT {\"verbose\":false,\"pedantic\":false,\"lang\":\"swift\",\"protocol\":1}\r\n".utf8)
            if connection.role == .subscriber { output += Array("SUB \(connection.topic) 1\r\n".utf8) }
            output += Array("PING\r\n".utf8)
            connection.step = Step.waitingForPong
        }
    }
}
