import ApusBroker
import Glibc

/// The names of many topics in the order of their bytes, one behind the other in memory.
///
/// All of them are gone through for each search, sort and tree. With an array for each, which is somewhere else and is
/// counted as it is read, that takes many times as long.
struct TopicNames: Sendable {
    private var bytes: [UInt8] = []
    /// Where each name ends.
    private var ends: [Int] = []

    private init(_ topics: [Topic]) {
        ends.reserveCapacity(topics.count)
        for topic in topics {
            bytes += topic.nameBytes
            ends.append(bytes.count)
        }
    }

    /// The topics in the order of their names' bytes, with their names.
    static func sorted(_ topics: [Topic]) -> (topics: [Topic], names: TopicNames) {
        let names = TopicNames(topics)
        var order = Array(topics.indices)
        names.withAll { name in
            order.sort { left, right in
                let (left, right) = (name(left), name(right))
                let common = min(left.count, right.count)
                guard common > 0, let first = left.baseAddress, let second = right.baseAddress else {
                    return left.count < right.count
                }
                let difference = memcmp(first, second, common)
                return difference != 0 ? difference < 0 : left.count < right.count
            }
        }
        let sorted = order.map { topics[$0] }
        return (sorted, TopicNames(sorted))
    }

    /// Calls `body` with what tells the bytes of the name at a place.
    func withAll<Result>(_ body: ((Int) -> UnsafeRawBufferPointer) -> Result) -> Result {
        bytes.withUnsafeBytes { bytes in
            ends.withUnsafeBufferPointer { ends in
                body { UnsafeRawBufferPointer(rebasing: bytes[($0 > 0 ? ends[$0 - 1] : 0)..<ends[$0]]) }
            }
        }
    }
}
