/// What a message of a topic's stream is, besides its body.
///
/// It is one header, so that it is read in one go:
///
/// ```
/// Apus-Pack: m 2 k3j9x1 41 7 1764519000123 90210 0f1e…9c
///            │ │ │      │  │ │             │     └ id of the topic's message before it, or -
///            │ │ │      │  │ │             └ its sequence: what the sender expected; 0 if there was none
///            │ │ │      │  │ └ newest time, in milliseconds since 1970
///            │ │ │      │  └ count of messages
///            │ │ │      └ first offset
///            │ │ └ epoch
///            │ └ generation: how often the topic was created
///            └ kind
/// ```
package struct PackHeader: Sendable, Equatable {
    package static let name = "Apus-Pack"
    /// Longer ones are refused unread.
    static let longest = 256
    /// What a time may be, so that one can calculate with it: a hundred thousand years.
    package static let times: ClosedRange<Int64> = 0...1 << 52

    package enum Kind: Sendable, Equatable, CaseIterable {
        /// Messages: a sealed batch.
        case messages
        /// The topic ends here. Sent without expectation, so that it comes through beside any number of publishes.
        case tombstone
        /// Messages that a node has shown are lost, so the topic goes on under this epoch.
        case renewal
        /// History begins here.
        case purge

        var letter: String {
            switch self {
            case .messages: "m"
            case .tombstone: "t"
            case .renewal: "r"
            case .purge: "p"
            }
        }
    }

    package var kind: Kind
    package var era: TopicEra
    /// Of its messages; of a pack without any, that of the next message.
    package var first: UInt64
    /// 0 unless these are messages.
    package var count: Int
    package var time: Int64
    /// The topic's message before this one, as its sender knew it; `nil` with tombstones.
    package var previous: PackPlace?

    package init(
        kind: Kind,
        era: TopicEra,
        first: UInt64,
        count: Int = 0,
        time: Int64,
        previous: PackPlace?
    ) {
        self.kind = kind
        self.era = era
        self.first = first
        self.count = count
        self.time = time
        self.previous = previous
    }

    package var end: UInt64 { first + UInt64(count) }
}

/// One life of a topic, from its creation to its deletion, under one epoch.
package struct TopicEra: Sendable, Hashable {
    /// How often the topic was created, this time included.
    package var generation: UInt64
    /// 1 to 64 visible ASCII characters.
    package var epoch: String

    package init(generation: UInt64, epoch: String) {
        self.generation = generation
        self.epoch = epoch
    }

    /// What a generation may be, so that there is a next one.
    static let generations: ClosedRange<UInt64> = 1...1 << 62

    static func isEpoch(_ text: some StringProtocol) -> Bool {
        (1...64).contains(text.utf8.count) && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }
}

/// Where a pack is in its stream, and which one it is.
package struct PackPlace: Sendable, Hashable {
    /// 0 if there is none.
    package var sequence: UInt64
    package var id: PackID?

    /// Before a topic's first pack.
    package static let none = PackPlace(sequence: 0, id: nil)

    package init(sequence: UInt64, id: PackID?) {
        self.sequence = sequence
        self.id = id
    }
}

extension PackHeader {
    package var text: String {
        let place = previous.map { "\($0.sequence) \($0.id?.description ?? "-")" } ?? "- -"
        return "\(kind.letter) \(era.generation) \(era.epoch) \(first) \(count) \(time) \(place)"
    }

    /// Reads what a stranger may have written.
    ///
    /// - Returns: `nil` unless it is exactly what ``text`` makes.
    package init?(_ text: String) {
        guard text.utf8.count <= Self.longest else { return nil }
        let parts = text.split(separator: " ", maxSplits: 8, omittingEmptySubsequences: false)
        guard parts.count == 8, let kind = Kind.allCases.first(where: { $0.letter == parts[0] }),
            let generation = UInt64(parts[1]), TopicEra.generations.contains(generation), TopicEra.isEpoch(parts[2]),
            let first = UInt64(parts[3]), first > 0, let count = Int(parts[4]), let time = Int64(parts[5]),
            Self.times.contains(time), kind == .messages ? (1...1 << 24).contains(count) : count == 0, first < 1 << 62,
            let previous = Self.place(parts[6], parts[7])
        else { return nil }
        self.init(
            kind: kind,
            era: TopicEra(generation: generation, epoch: String(parts[2])),
            first: first,
            count: count,
            time: time,
            previous: previous
        )
        guard self.text == text, (previous == nil) == (kind == .tombstone) else { return nil }
    }

    /// - Returns: `.some(nil)` for no place, `nil` for text that says none.
    private static func place(_ sequence: Substring, _ id: Substring) -> PackPlace?? {
        if sequence == "-", id == "-" { return .some(nil) }
        guard let number = UInt64(sequence), (number == 0) == (id == "-") else { return nil }
        if number == 0 { return PackPlace.none }
        return PackID(id).map { PackPlace(sequence: number, id: $0) }
    }
}
