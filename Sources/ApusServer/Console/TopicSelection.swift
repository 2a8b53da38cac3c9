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
        directory.names.withAll { name in
            for (index, topic) in directory.topics.enumerated() {
                guard rights.isUnlimited || rights.allows(.stats, topic: topic.name) else { continue }
                total += 1
                if query.matches(name(index)) { matching.append(index) }
            }
            if query.isTree { group(behind: query.prefix.count, name) }
        }
    }

    private mutating func group(behind prefix: Int, _ name: (Int) -> UnsafeRawBufferPointer) {
        var open: (token: Slice<UnsafeRawBufferPointer>, start: Int)?
        func close(_ end: Int) -> Group? {
            open.map { Group(token: String(decoding: $0.token, as: UTF8.self), places: $0.start..<end) }
        }
        for (place, index) in matching.enumerated() {
            let rest = name(index).dropFirst(prefix)
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
    }
}
