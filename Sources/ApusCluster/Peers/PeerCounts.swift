import ApusProtocol

/// A node's numbers of subscribers, as it tells them.
struct ToldCounts: Sendable {
    /// A part has so many bytes at most, or one topic.
    static let partBytes = 32 << 10

    /// The number of the last part.
    private(set) var number: UInt64 = 0
    private var told: [ExactText: Int] = [:]

    /// What has changed since the last time.
    mutating func changes(to counts: [TopicCount]) -> [CountsPart] {
        var changed: [TopicCount] = []
        var now: [ExactText: Int] = [:]
        for count in counts where count.subscribers > 0 {
            now[ExactText(count.topic)] = count.subscribers
            if told[ExactText(count.topic)] != count.subscribers { changed.append(count) }
        }
        for topic in told.keys where now[topic] == nil { changed.append(TopicCount(topic.text, 0)) }
        told = now
        return Self.split(changed).map { part in
            number += 1
            return CountsPart(number: number, kind: .change, counts: part)
        }
    }

    /// All that was told, for who has missed some of it.
    mutating func whole() -> [CountsPart] {
        let parts = Self.split(told.map { TopicCount($0.key.text, $0.value) })
        guard parts.count > 1 else {
            number += 1
            return [CountsPart(number: number, kind: .only, counts: parts.first ?? [])]
        }
        return parts.enumerated().map { index, part in
            number += 1
            let kind: CountsPart.Kind = index == 0 ? .first : index == parts.count - 1 ? .last : .middle
            return CountsPart(number: number, kind: kind, counts: part)
        }
    }

    private static func split(_ counts: [TopicCount]) -> [[TopicCount]] {
        var parts: [[TopicCount]] = []
        var bytes = Int.max
        for count in counts {
            // Each byte of a name may need six, as an escape.
            let size = 6 * count.topic.utf8.count + 24
            if parts.isEmpty || bytes + size > partBytes {
                parts.append([])
                bytes = 0
            }
            parts[parts.count - 1].append(count)
            bytes += size
        }
        return parts
    }
}

/// A peer's numbers of subscribers, as they have come.
struct HeardCounts: Sendable {
    /// The part up to which everything is known.
    private(set) var number: UInt64 = 0
    /// The highest number that the peer is known to have sent.
    private var latest: UInt64 = 0
    private(set) var counts: [ExactText: Int] = [:]
    /// What has come of all there is, up to this number.
    private var whole: (counts: [ExactText: Int], number: UInt64)?

    var isComplete: Bool { number >= latest }

    /// The peer has sent parts up to this number.
    mutating func expect(_ number: UInt64) { latest = max(latest, number) }

    /// - Parameter limit: how many topics are kept; further ones are left out.
    /// - Returns: what has changed, as differences.
    mutating func take(_ part: CountsPart, limit: Int) -> [ExactText: Int] {
        expect(part.number)
        guard part.number > number else { return [:] }
        switch part.kind {
        case .change:
            guard part.number == number + 1 else { return [:] }
            number = part.number
            var differences: [ExactText: Int] = [:]
            for count in part.counts {
                let topic = ExactText(count.topic)
                let before = counts[topic] ?? 0
                guard before > 0 || counts.count < limit else { continue }
                counts[topic] = count.subscribers > 0 ? count.subscribers : nil
                differences[topic, default: 0] += count.subscribers - before
            }
            return differences
        case .first, .only:
            // One that comes again must not undo what came behind it.
            if let before = whole?.number, part.number <= before { return [:] }
            whole = ([:], part.number)
        case .middle, .last:
            guard let before = whole?.number, part.number == before + 1 else {
                // A part that comes again leaves things as they are.
                if let before = whole?.number, part.number > before { whole = nil }
                return [:]
            }
            whole?.number = part.number
        }
        for count in part.counts where whole?.counts.count ?? 0 < limit && count.subscribers > 0 {
            whole?.counts[ExactText(count.topic)] = count.subscribers
        }
        guard part.kind == .last || part.kind == .only, let taken = whole else { return [:] }
        defer { (counts, number, whole) = (taken.counts, taken.number, nil) }
        return counts.mapValues { -$0 }.merging(taken.counts, uniquingKeysWith: +)
    }
}
