/// The topics a hub published to lately, found by the bytes of their names without a lock or a string.
///
/// Direct-mapped with ``size`` places: a name whose place is taken by another one is looked up in the broker. A topic that
/// was deleted is found out when it is published to, and forgotten.
struct TopicCache {
    private static let size = 2048
    private var places: [Topic?]

    init() {
        places = Array(repeating: nil, count: Self.size)
    }

    func find(_ name: UnsafeRawBufferPointer) -> Topic? {
        guard let topic = places[Self.place(name)], topic.nameBytes.count == name.count else { return nil }
        let isSame = topic.nameBytes.withUnsafeBytes { known in
            for index in 0..<name.count where known[index] != name[index] { return false }
            return true
        }
        return isSame ? topic : nil
    }

    mutating func remember(_ topic: Topic) {
        let place = topic.nameBytes.withUnsafeBytes(Self.place)
        places[place] = topic
    }

    mutating func forget(_ topic: Topic) {
        let place = topic.nameBytes.withUnsafeBytes(Self.place)
        if places[place] === topic { places[place] = nil }
    }

    /// A word at a time, multiplied and folded: it only has to spread honest names. A collision costs a slower look-up.
    private static func place(_ name: UnsafeRawBufferPointer) -> Int {
        var hash: UInt64 = 0x9E37_79B9_7F4A_7C15 ^ UInt64(name.count)
        var index = 0
        while index + 8 <= name.count {
            hash = (hash ^ name.loadUnaligned(fromByteOffset: index, as: UInt64.self)) &* 0xD6E8_FEB8_6659_FD93
            hash ^= hash >> 32
            index += 8
        }
        while index < name.count {
            hash = (hash ^ UInt64(name[index])) &* 0x0000_0100_0000_01B3
            index += 1
        }
        hash &*= 0xD6E8_FEB8_6659_FD93
        return Int(truncatingIfNeeded: hash >> 40) & (size - 1)
    }
}
