/// Which containers are open, one bit each: set for an object, clear for an array.
///
/// `SIMD16` is an array of fixed size here.
struct JSONNesting {
    /// The most levels that fit.
    static var capacity: Int { 1024 }

    private(set) var depth = 0
    /// The levels of the innermost started group of 64; level n is bit n % 64.
    private var group: UInt64 = 0
    /// The full groups outside of it.
    private var outer = SIMD16<UInt64>()

    @inline(__always)
    init() {}

    /// Whether the innermost container is an object; `false` when none is open.
    @inline(__always)
    var isObject: Bool { depth > 0 && group & bit(of: depth &- 1) != 0 }

    /// The byte that closes the innermost container.
    @inline(__always)
    var closing: UInt8 { isObject ? 0x7D : 0x5D }

    /// Opens a container; the caller has checked that `depth` is below the capacity.
    @inline(__always)
    mutating func push(isObject: Bool) {
        if depth & 63 == 0, depth > 0 { outer[depth / 64 - 1] = group }
        let bit = bit(of: depth)
        group = isObject ? group | bit : group & ~bit
        depth &+= 1
    }

    /// Closes the innermost container, of which there must be one, and says what it was.
    @inline(__always)
    mutating func pop() -> JSONToken.Kind {
        let kind = isObject ? JSONToken.Kind.object : .array
        depth &-= 1
        if depth & 63 == 0, depth > 0 { group = outer[depth / 64 - 1] }
        return kind
    }

    @inline(__always)
    private func bit(of level: Int) -> UInt64 { 1 &<< UInt64(truncatingIfNeeded: level & 63) }
}
