import ApusAccess
import ApusBroker

/// Which rows of the table a console gets.
///
/// It holds for as long as the topics, the query and the rights are the same, so names are not looked at each second.
struct TopicSelection {
    /// The topics below one token, which are neighbours in the table.
    struct Group {
        let token: String
        /// Places in ``TopicSelection/matching``.
        let places: Range<Int>
    }

    let directory: TopicTable.Directory
    /// How many topics the client may see.
    private(set) var total = 0
    /// The rows that the query is about, in the order of names.
    private(set) var matching: [Int] = []
    /// In a tree: those of them whose names end with the token after the prefix.
    private(set) var leaves: [Int] = []
    private(set) var groups: [Group] = []

    init(_ directory: TopicTable.Directory, _ query: TopicQuery, _ rights: Rights) {
        self.directory = directory
        for (index, topic) in directory.topics.enumerated() {
            guard rights.isUnlimited || rights.allows(.stats, topic: topic.name) else { continue }
            total += 1
            if query.matches(topic.nameBytes) { matching.append(index) }
        }
        if query.isTree { group(behind: query.prefix.count) }
    }

    private mutating func group(behind prefix: Int) {
        var open: (token: ArraySlice<UInt8>, start: Int)?
        func close(_ end: Int) -> Group? {
            open.map { Group(token: String(decoding: $0.token, as: UTF8.self), places: $0.start..<end) }
        }
        var groups: [Group] = []
        for (place, index) in matching.enumerated() {
            let rest = directory.topics[index].nameBytes.dropFirst(prefix)
            guard let dot = rest.firstIndex(of: UInt8(ascii: ".")) else {
                leaves.append(index)
                if let group = close(place) { groups.append(group) }
                open = nil
                continue
            }
            let token = rest[..<dot]
            if let known = open, known.token.elementsEqual(token) { continue }
            if let group = close(place) { groups.append(group) }
            open = (token, place)
        }
        if let group = close(matching.count) { groups.append(group) }
        self.groups = groups
    }
}

/// The first of many by a number, without sorting the rest.
enum TopNumbers {
    /// The places of `range` in the order of the numbers, the largest first. Of equal numbers the first comes first.
    static func places(_ range: Range<Int>, of numbers: [Double]) -> [Int] {
        let range = range.clamped(to: 0..<numbers.count)
        guard !range.isEmpty else { return [] }
        guard range.upperBound * 8 < numbers.count else {
            let all = numbers.indices.sorted { numbers[$0] > numbers[$1] || numbers[$0] == numbers[$1] && $0 < $1 }
            return Array(all[range])
        }
        var best: [Int] = []
        best.reserveCapacity(range.upperBound + 1)
        for place in numbers.indices {
            let number = numbers[place]
            if best.count == range.upperBound, let last = best.last {
                guard number > numbers[last] else { continue }
                best.removeLast()
            }
            var (low, high) = (0, best.count)
            while low < high {
                let middle = (low + high) / 2
                if numbers[best[middle]] >= number { low = middle + 1 } else { high = middle }
            }
            best.insert(place, at: low)
        }
        return Array(best[range.clamped(to: 0..<best.count)])
    }
}
