/// Which containers are open, one bit each: set for an object, clear for an array.
struct JSONNesting: ~Copyable {
    /// The most levels that fit.
    static var capacity: Int { 1024 }

    private(set) var depth = 0
    /// The levels of the innermost started group of 64; level n of a group is bit n.
    private var group: UInt64 = 0
    /// The full groups outside of it.
    private var outer = SIMD16<UInt64>()

    @inline(__always)
    init() {}

    /// Whether the innermost container is an object; `false` when none is open.
    @inline(__always)
    var isObject: Bool { depth > 0 && group & bit(of: depth &- 1) != 0 }

    /// Opens a container; the caller has checked that `depth` is below the capacity.
    @inline(__always)
    mutating func push(isObject: Bool) {
        if depth & 63 == 0, depth > 0 { saveGroup() }
        let bit = bit(of: depth)
        group = isObject ? group | bit : group & ~bit
        depth &+= 1
    }

    /// Closes the innermost container.
    @inline(__always)
    mutating func pop() {
        depth &-= 1
        if depth & 63 == 0, depth > 0 { restoreGroup() }
    }

    @inline(__always)
    private func bit(of level: Int) -> UInt64 { 1 &<< UInt64(truncatingIfNeeded: level & 63) }

    @inline(never)
    private mutating func saveGroup() { outer[depth / 64 - 1] = group }

    @inline(never)
    private mutating func restoreGroup() { group = outer[depth / 64 - 1] }
}
