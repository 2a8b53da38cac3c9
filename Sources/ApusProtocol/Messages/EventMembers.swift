/// The members of an event beyond those of the plain contract.
struct EventMembers {
    private static let (keyName, offsetName, traceName) = (
        #","key":"# as StaticString, #","offset":"# as StaticString, #","trace":"# as StaticString
    )

    /// As a quoted JSON string.
    let key: [UInt8]?
    let offset: DecimalText?
    /// As ``TraceContext/json``.
    let trace: [UInt8]?

    var size: Int {
        (key.map { Self.keyName.size + $0.count } ?? 0) + (offset.map { Self.offsetName.size + $0.count } ?? 0)
            + (trace.map { Self.traceName.size + $0.count } ?? 0)
    }

    /// Calls `put` with each piece of their text, which has ``size`` bytes in all.
    @inline(__always)
    func write(_ put: (UnsafeRawBufferPointer) -> Void) {
        if let key {
            put(Self.bytes(of: Self.keyName))
            key.withUnsafeBytes(put)
        }
        if let offset {
            put(Self.bytes(of: Self.offsetName))
            offset.withBytes(put)
        }
        if let trace {
            put(Self.bytes(of: Self.traceName))
            trace.withUnsafeBytes(put)
        }
    }

    private static func bytes(of text: StaticString) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    }
}
