import Glibc

/// The names that a client may publish to, as far as that was decided already: a check of a name costs a comparison.
///
/// A bounded cache without reference counts, since every publish looks here: 1 KiB once a name is remembered, and the
/// names. Names of one byte are decided each time.
struct AllowedTopics: ~Copyable {
    /// How many names are remembered. Another name takes the place of one of them.
    private static let places = 64

    /// Whether every name is allowed.
    private let allowsAll: Bool
    /// The bytes of each name, at a place that depends on them; `nil` until the first is remembered.
    private var names: UnsafeMutablePointer<UnsafeMutableRawBufferPointer>?

    init(all: Bool) {
        allowsAll = all
    }

    deinit {
        guard let names else { return }
        for place in 0..<Self.places { names[place].deallocate() }
        names.deallocate()
    }

    /// Whether publishing to the topic of that name is known to be allowed.
    @inline(__always)
    func contains(_ name: UnsafeRawBufferPointer) -> Bool {
        if allowsAll { return true }
        guard let names, let bytes = name.baseAddress, name.count > 1 else { return false }
        let place = names[Self.place(of: bytes, name.count)]
        guard place.count == name.count, let known = place.baseAddress else { return false }
        return Self.isSame(UnsafeRawPointer(known), bytes, name.count)
    }

    /// Compares two names of the same length, the last 8 bytes first: names of one kind differ there.
    @inline(__always)
    private static func isSame(_ known: UnsafeRawPointer, _ name: UnsafeRawPointer, _ count: Int) -> Bool {
        guard count >= 8 else { return memcmp(known, name, count) == 0 }
        var offset = count &- 8
        while true {
            let part = name.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            guard part == known.loadUnaligned(fromByteOffset: offset, as: UInt64.self) else { return false }
            if offset == 0 { return true }
            offset = max(offset &- 8, 0)
        }
    }

    mutating func insert(_ name: UnsafeRawBufferPointer) {
        let names =
            names
            ?? {
                let places = UnsafeMutablePointer<UnsafeMutableRawBufferPointer>.allocate(capacity: Self.places)
                places.initialize(repeating: UnsafeMutableRawBufferPointer(start: nil, count: 0), count: Self.places)
                return places
            }()
        self.names = names
        guard let bytes = name.baseAddress, name.count > 1 else { return }
        let place = Self.place(of: bytes, name.count)
        names[place].deallocate()
        names[place] = .allocate(byteCount: name.count, alignment: 1)
        names[place].copyMemory(from: name)
    }

    @inline(__always)
    private static func place(of name: UnsafeRawPointer, _ count: Int) -> Int {
        let end = Int(name.loadUnaligned(fromByteOffset: count &- 2, as: UInt16.self))
        return (end ^ end >> 6) & (places - 1)
    }
}
