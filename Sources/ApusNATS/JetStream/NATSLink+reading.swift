#if NATS
package import ApusCluster
import NIOCore

// What is read back from a stream, by direct get: any server that has the stream answers.

extension NATSLink {
    package func read(_ request: PackRead, answer: @escaping @Sendable (PackReadAnswer) -> Void) {
        let question: [String: Setting] = [
            "seq": .number(Int64(clamping: request.from)),
            "next_by_subj": .text(request.subject),
            // The status that ends the answer takes a place, too.
            "batch": .number(Int64(min(request.count, NATSSettings.Limit.answers - 1))),
            "max_bytes": .number(Int64(request.bytes)),
        ]
        connection.request(
            "$JS.API.DIRECT.GET.\(names.stream(request.stream))",
            body: ByteBuffer(encoding: question),
            timeout: .milliseconds(request.timeout),
            gathers: true,
            endsWithStatus: true
        ) { answer(PackReadAnswer($0)) }
    }
}

extension PackReadAnswer {
    init(_ answer: NATSAnswer) {
        switch answer {
        case .gathered(let messages): self.init(messages)
        case .answered(let message): self.init([message])
        case .noResponders: self = .unavailable("no responders")
        case .timedOut: self = .unavailable("no answer")
        case .disconnected: self = .unavailable("no connection")
        case .tooLarge, .tooMany: self = .unavailable("too many requests wait for an answer")
        }
    }

    /// A stream does not come so far.
    private static let mostSequence: UInt64 = 1 << 62

    /// Takes messages up to the first one that does not follow on the one before it.
    private init(_ messages: [NATSMessage]) {
        var packs: [StoredPack] = []
        var status: String?
        for message in messages {
            status = message[header: "Status"]
            guard status == nil, let sequence = Self.number(message, "Nats-Sequence"),
                sequence > packs.last?.sequence ?? 0, sequence < Self.mostSequence,
                Self.number(message, "Nats-Last-Sequence") ?? 0 == packs.last?.sequence ?? 0
            else { break }
            packs.append(StoredPack(sequence: sequence, header: message[header: PackHeader.name], body: message.body))
        }
        if !packs.isEmpty {
            self = .packs(packs)
        } else {
            self = status == "404" ? .nothing : .unavailable("status \(status ?? "none")")
        }
    }

    private static func number(_ message: NATSMessage, _ name: String) -> UInt64? {
        message[header: name].flatMap { UInt64($0) }
    }
}
#endif
