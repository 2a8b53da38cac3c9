import ApusBroker
import DequeModule

/// What was read back last, for others who read the same. The oldest goes first.
struct RecentAnswers {
    private struct Key: Hashable {
        let topic: UInt32
        let offset: Offset
    }

    private var answers: [Key: [Batch]] = [:]
    private var order = Deque<Key>()
    private(set) var bytes = 0

    subscript(_ topic: UInt32, _ offset: Offset) -> [Batch]? { answers[Key(topic: topic, offset: offset)] }

    /// - Parameter limit: the most bytes of all answers.
    mutating func insert(_ batches: [Batch], of topic: UInt32, at offset: Offset, limit: Int) {
        let key = Key(topic: topic, offset: offset)
        guard answers[key] == nil else { return }
        answers[key] = batches
        order.append(key)
        bytes += Self.size(of: batches)
        while bytes > limit, let oldest = order.popFirst() {
            bytes -= answers.removeValue(forKey: oldest).map(Self.size) ?? 0
        }
    }

    mutating func removeAll() { self = Self() }

    private static func size(of batches: [Batch]) -> Int { batches.reduce(0) { $0 + $1.size } }
}
