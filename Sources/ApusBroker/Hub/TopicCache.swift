/// The topics that a hub recently published to, found by the bytes of their names without a lock or a string.
///
/// Each name has ``ways`` adjacent places. When other topics occupy all of them, the cache grows, up to ``maxPlaces``.
/// Beyond that, a new topic takes the first place, and the displaced topic is looked up in the broker again. The last
/// topic found is checked first, because a busy publisher tends to publish to one topic. The hub notices a deleted
/// topic when it publishes to it, and forgets it. Deleted topics that nobody publishes to any more give way to others
/// before the cache grows.
struct TopicCache {
    private static let ways = 4
    private static let minPlaces = 256
    private static let maxPlaces = 128 * 1024
    private var places: [Topic?]
    private var last: Topic?

    init() {
        places = Array(repeating: nil, count: Self.minPlaces)
    }

    mutating func find(_ name: UnsafeRawBufferPointer) -> Topic? {
        if let last, Self.has(last, name) { return last }
        let first = place(name)
        for way in 0..<Self.ways {
            guard let topic = places[(first &+ way) & (places.count &- 1)], Self.has(topic, name) else { continue }
            last = topic
            return topic
        }
        return nil
    }

    @inline(__always)
    private static func has(_ topic: Topic, _ name: UnsafeRawBufferPointer) -> Bool {
        guard topic.nameBytes.count == name.count else { return false }
        return topic.nameBytes.withUnsafeBytes { known in
            var index = 0
            guard name.count >= 8 else {
                while index < name.count, known[index] == name[index] { index += 1 }
                return index == name.count
            }
            // Compares a word at a time. The last word may overlap the one before it.
            while index + 8 < name.count {
                guard word(of: known, at: index) == word(of: name, at: index) else { return false }
                index += 8
            }
            return word(of: known, at: name.count - 8) == word(of: name, at: name.count - 8)
        }
    }

    @inline(__always)
    private static func word(of bytes: UnsafeRawBufferPointer, at index: Int) -> UInt64 {
        bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
    }

    mutating func remember(_ topic: Topic) {
        last = topic
        insert(topic)
    }

    private mutating func insert(_ topic: Topic) {
        while true {
            let first = topic.nameBytes.withUnsafeBytes(place)
            for way in 0..<Self.ways {
                let index = (first + way) & (places.count - 1)
                if places[index] == nil || places[index] === topic {
                    places[index] = topic
                    return
                }
            }
            let deleted = (0..<Self.ways).first { places[(first + $0) & (places.count - 1)]?.isDeleted == true }
            if let deleted {
                places[(first + deleted) & (places.count - 1)] = topic
                return
            }
            guard places.count < Self.maxPlaces else {
                places[first] = topic
                return
            }
            grow()
        }
    }

    private mutating func grow() {
        let known = places
        places = Array(repeating: nil, count: known.count * 2)
        for case let topic? in known where !topic.isDeleted { insert(topic) }
    }

    mutating func forget(_ topic: Topic) {
        if last === topic { last = nil }
        let first = topic.nameBytes.withUnsafeBytes(place)
        for way in 0..<Self.ways {
            let index = (first + way) & (places.count - 1)
            if places[index] === topic { places[index] = nil }
        }
    }

    /// Forgets deleted topics, and releases the places that the others do not need.
    mutating func releaseMemory() {
        guard places.count > Self.minPlaces || last != nil else { return }
        let living = places.compactMap { $0 }.filter { !$0.isDeleted }
        self = TopicCache()
        for topic in living { insert(topic) }
    }

    /// Hashes a word at a time by multiplying and folding.
    ///
    /// It only has to spread well-meant names. A collision costs a slower look-up.
    private func place(_ name: UnsafeRawBufferPointer) -> Int {
        var hash: UInt64 = 0x9E37_79B9_7F4A_7C15 ^ UInt64(name.count)
        var index = 0
        while index + 8 <= name.count {
            hash = (hash ^ Self.word(of: name, at: index)) &* 0xD6E8_FEB8_6659_FD93
            hash ^= hash >> 32
            index += 8
        }
        while index < name.count {
            hash = (hash ^ UInt64(name[index])) &* 0x0000_0100_0000_01B3
            index += 1
        }
        hash &*= 0xD6E8_FEB8_6659_FD93
        return Int(truncatingIfNeeded: hash >> 40) & (places.count - 1)
    }
}
