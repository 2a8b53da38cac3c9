/// The open containers, one bit each: set for an object, clear for an array.
///
/// `SIMD16` serves as an array of fixed size.
struct JSONNesting {
    /// The maximum number of levels.
    static var capacity: Int { 1024 }

    private(set) var depth = 0
    /// The levels of the innermost group of up to 64, the innermost in the lowest bit.
    private var group: UInt64 = 0
    /// The full groups outside of it.
    private var outer = SIMD16<UInt64>()

    @inline(__always)
    init() {}

    /// Whether the innermost container is an object; `false` when none is open.
    @inline(__always)
    var isObject: Bool { group & 1 != 0 }

    /// The byte that closes the innermost container.
    @inline(__always)
    var closing: UInt8 { isObject ? 0x7D : 0x5D }

    /// Opens a container. The caller must have checked that `depth` is below the capacity.
    @inline(__always)
    mutating func push(isObject: Bool) {
        if depth & 63 == 0, depth > 0 { outer[depth / 64 - 1] = group }
        group = group &<< 1 | (isObject ? 1 : 0)
        depth &+= 1
    }

    /// Closes the innermost container. One must be open.
    @inline(__always)
    mutating func pop() {
        depth &-= 1
        group = depth & 63 == 0 && depth > 0 ? outer[depth / 64 - 1] : group &>> 1
    }
}
