/// What a message says that is published for its ack: some of the last messages that its sender has seen.
///
/// ```
/// Apus-Barrier: ok 90210 k3j9x1hq2 90187 1y2p3
///               │  │     │         └ others, up to seven
///               │  │     └ digest of its id
///               │  └ sequence of the newest
///               └ or lost3: the sender has found, for the third time, that the stream has lost messages
/// ```
/// A node that has seen something else at one of these sequences learns that the stream has lost messages which one of
/// the two had.
package struct BarrierHeader: Sendable, Equatable {
    package static let name = "Apus-Barrier"
    static let mostPlaces = 8

    package struct Place: Sendable, Equatable {
        package let sequence: UInt64
        package let digest: UInt64

        package init(sequence: UInt64, digest: UInt64) { (self.sequence, self.digest) = (sequence, digest) }
    }

    /// How often the sender has found that the stream has lost messages, as long as others may not know of the last
    /// time.
    package let alarm: UInt64?
    package let places: [Place]

    package init(_ places: [Place], alarm: UInt64?) {
        self.alarm = alarm
        self.places = Array(places.prefix(Self.mostPlaces))
    }

    package var text: String {
        var text = alarm.map { "lost\($0)" } ?? "ok"
        for place in places { text += " \(place.sequence) \(String(place.digest, radix: 36))" }
        return text
    }

    /// Reads what a stranger may have written.
    ///
    /// - Returns: `nil` unless it is exactly what ``text`` makes.
    package init?(_ text: String) {
        guard text.utf8.count <= Self.mostPlaces * 36 + 24 else { return nil }
        let parts = text.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count % 2 == 1 else { return nil }
        var places: [Place] = []
        for index in stride(from: 1, to: parts.count, by: 2) {
            guard let sequence = UInt64(parts[index]), let digest = UInt64(parts[index + 1], radix: 36) else {
                return nil
            }
            places.append(Place(sequence: sequence, digest: digest))
        }
        self.init(places, alarm: parts[0].hasPrefix("lost") ? UInt64(parts[0].dropFirst(4)) : nil)
        guard self.text == text else { return nil }
    }
}
