import ApusProtocol
package import NIOCore

// How peers' messages are written: JSON, so that `nats sub 'apus.peers'` shows what nodes tell each other. Members that
// are not known are ignored, so that nodes of several versions understand each other.

extension PeerMessage {
    /// Longer messages are no node's.
    package static let longest = 256 << 10
    /// Numbers above it are no node's: adding to them never overflows.
    private static let largest: UInt64 = 1 << 53

    package var body: ByteBuffer {
        let text = JSONWriter.object { writer in
            writer.member("node", String(node, radix: 16))
            switch content {
            case .state(let state, let counts):
                writer.member("type", "state")
                writer.member("counts", counts)
                state.write(to: &writer)
            case .counts(let part):
                writer.member("type", "counts")
                writer.member("number", part.number)
                writer.member("kind", part.kind.rawValue)
                let pairs = part.counts.map { "[\(jsonString($0.topic)),\($0.subscribers)]" }
                writer.member("counts", json: "[\(pairs.joined(separator: ","))]")
            case .ask(let other):
                writer.member("type", "ask")
                writer.member("of", String(other, radix: 16))
            case .list(let request):
                writer.member("type", "list")
                request.write(to: &writer)
            case .listed(let part):
                writer.member("type", "listed")
                part.write(to: &writer)
            case .leave:
                writer.member("type", "leave")
            }
        }
        return ByteBuffer(string: text)
    }

    /// Reads what a stranger may have written.
    package init?(_ body: ByteBuffer) {
        guard body.readableBytes <= Self.longest, let text = String(validating: body.readableBytesView, as: UTF8.self),
            case .object(let members)? = JSONValue(text, maxDepth: 8)
        else { return nil }
        let fields = PeerFields(members)
        guard let node = fields.id("node") else { return nil }
        switch fields.text("type", atMost: 16) {
        case "state":
            guard let state = NodeState(fields), let counts = fields.number("counts", atMost: Self.largest) else {
                return nil
            }
            self.init(node: node, .state(state, counts: counts))
        case "counts":
            guard let part = CountsPart(fields, largest: Self.largest) else { return nil }
            self.init(node: node, .counts(part))
        case "ask":
            guard let other = fields.id("of") else { return nil }
            self.init(node: node, .ask(other))
        case "list":
            guard let request = ListingRequest(fields, largest: Self.largest) else { return nil }
            self.init(node: node, .list(request))
        case "listed":
            guard let part = ListingPart(fields, largest: Self.largest) else { return nil }
            self.init(node: node, .listed(part))
        case "leave": self.init(node: node, .leave)
        default: return nil
        }
    }
}

extension NodeState {
    /// Longer names, versions and addresses are no node's.
    package static let longestText = 256
    private static let largestFigure: UInt64 = 1 << 40

    fileprivate func write(to writer: inout JSONWriter) {
        writer.member("name", name)
        writer.member("version", version)
        writer.member("address", address)
        writer.member("started", started)
        writer.member("ready", isReady)
        writer.member("lag", lag)
        writer.member("server", server)
        writer.member("connections", figures.connections)
        writer.member("subscriptions", figures.subscriptions)
        writer.member("publishes", figures.publishes)
        writer.member("deliveries", figures.deliveries)
    }

    fileprivate init?(_ fields: PeerFields) {
        guard let name = fields.text("name", atMost: Self.longestText),
            let version = fields.text("version", atMost: Self.longestText),
            let started = fields.number("started", atMost: 1 << 48)
        else { return nil }
        self.init()
        (self.name, self.version, self.started) = (name, version, Int64(started))
        address = fields.text("address", atMost: Self.longestText) ?? ""
        server = fields.text("server", atMost: Self.longestText) ?? ""
        isReady = fields.flag("ready") ?? false
        lag = fields.number("lag", atMost: Self.largestFigure) ?? 0
        func figure(_ name: String) -> Int { Int(fields.number(name, atMost: Self.largestFigure) ?? 0) }
        figures.connections = figure("connections")
        figures.subscriptions = figure("subscriptions")
        figures.publishes = figure("publishes")
        figures.deliveries = figure("deliveries")
    }
}

extension CountsPart {
    private static let mostSubscribers: UInt64 = 1 << 40

    fileprivate init?(_ fields: PeerFields, largest: UInt64) {
        guard let number = fields.number("number", atMost: largest), number > 0,
            let kind = fields.text("kind", atMost: 16).flatMap({ Kind(rawValue: $0) }),
            case .array(let pairs)? = fields["counts"]
        else { return nil }
        var counts: [TopicCount] = []
        for pair in pairs {
            guard case .array(let values) = pair, values.count == 2, case .string(let topic) = values[0],
                case .number(let text) = values[1], let count = UInt64(text), count <= Self.mostSubscribers,
                (1...255).contains(topic.utf8.count)
            else { return nil }
            counts.append(TopicCount(topic, Int(count)))
        }
        self.init(number: number, kind: kind, counts: counts)
    }
}

/// The members of a peer's message.
struct PeerFields {
    private let members: [(name: String, value: JSONValue)]

    init(_ members: [(name: String, value: JSONValue)]) { self.members = members }

    subscript(name: String) -> JSONValue? { members.first { $0.name == name }?.value }

    func text(_ name: String, atMost bytes: Int) -> String? {
        guard case .string(let text)? = self[name], text.utf8.count <= bytes else { return nil }
        return text
    }

    func number(_ name: String, atMost most: UInt64) -> UInt64? {
        guard case .number(let text)? = self[name], let number = UInt64(text), number <= most else { return nil }
        return number
    }

    func flag(_ name: String) -> Bool? {
        guard case .boolean(let flag)? = self[name] else { return nil }
        return flag
    }

    func id(_ name: String) -> UInt64? {
        text(name, atMost: 16).flatMap { UInt64($0, radix: 16) }
    }
}
