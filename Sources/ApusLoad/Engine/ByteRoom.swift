/// Memory that grows and is used again and again: without the checks and the copies that an array makes sure of.
final class ByteRoom {
    private(set) var base: UnsafeMutableRawPointer
    private(set) var capacity: Int
    /// How many bytes from the beginning are in use.
    var count = 0

    init(capacity: Int) {
        base = .allocate(byteCount: capacity, alignment: 64)
        self.capacity = capacity
    }

    deinit {
        base.deallocate()
    }

    /// What is in use.
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

    /// Makes room for so many bytes behind those in use.
    @inline(__always)
    func reserve(_ more: Int) {
        if count + more > capacity { grow(to: count + more) }
    }

    /// Takes so many bytes into use, and gives where they are.
    @inline(__always)
    func append(_ more: Int) -> UnsafeMutableRawPointer {
        reserve(more)
        defer { count += more }
        return base + count
    }

    @inline(never)
    private func grow(to needed: Int) {
        let larger = max(needed, capacity * 2)
        let moved = UnsafeMutableRawPointer.allocate(byteCount: larger, alignment: 64)
        moved.copyMemory(from: base, byteCount: count)
        base.deallocate()
        base = moved
        capacity = larger
    }
}
