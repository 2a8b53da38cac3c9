/// What the registry says of a topic: the last message of its subject there.
///
/// ```
/// Apus-Topic: live 2 k3j9x1 90210 120000        Apus-Topic: gone 2 k3j9x1 90533 -
///             │    │ │      │     └ dedupe window in milliseconds, or -
///             │    │ │      └ the sequence in the topic's stream after which this era begins, or at which it ended
///             │    │ └ epoch
///             │    └ generation
/// ```
/// The body of a live one is the topic's settings.
package struct TopicEntry: Sendable, Equatable {
    package static let name = "Apus-Topic"
    /// Longer bodies are refused.
    package static let longestSettings = 64 << 10

    package var era: TopicEra
    package var isLive: Bool
    /// In the stream of the topic: the message after which this era begins; if it is gone, its tombstone. 0 for none.
    package var boundary: UInt64
    /// In milliseconds; `nil` if the topic takes duplicates.
    package var dedupeWindow: Int64?
    /// What the broker wrote.
    package var settings: String

    package init(
        era: TopicEra,
        isLive: Bool = true,
        boundary: UInt64,
        dedupeWindow: Int64? = nil,
        settings: String = ""
    ) {
        self.era = era
        self.isLive = isLive
        self.boundary = boundary
        self.dedupeWindow = dedupeWindow
        self.settings = settings
    }

    package var text: String {
        let window = dedupeWindow.map { "\($0)" } ?? "-"
        return "\(isLive ? "live" : "gone") \(era.generation) \(era.epoch) \(boundary) \(window)"
    }

    /// Reads what a stranger may have written.
    ///
    /// - Returns: `nil` unless it is exactly what ``text`` makes.
    package init?(_ text: String, settings: String) {
        guard text.utf8.count <= PackHeader.longest, settings.utf8.count <= Self.longestSettings else { return nil }
        let parts = text.split(separator: " ", maxSplits: 5, omittingEmptySubsequences: false)
        guard parts.count == 5, let generation = UInt64(parts[1]), TopicEra.generations.contains(generation),
            TopicEra.isEpoch(parts[2]), let boundary = UInt64(parts[3])
        else { return nil }
        self.init(
            era: TopicEra(generation: generation, epoch: String(parts[2])),
            isLive: parts[0] == "live",
            boundary: boundary,
            dedupeWindow: Int64(parts[4]).flatMap { $0 > 0 ? $0 : nil },
            settings: settings
        )
        guard self.text == text else { return nil }
    }
}
