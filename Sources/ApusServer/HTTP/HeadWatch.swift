import NIOCore

/// Watches a request head that is not complete yet.
struct HeadWatch: Equatable {
    private(set) var isBegun = false
    /// How many bytes of the request line have arrived.
    private(set) var line = 0
    private var hasLine = false

    mutating func add(_ bytes: ByteBufferView) {
        // Line ends before a request are ignored (RFC 9112 section 2.2).
        let text = isBegun ? bytes : bytes.drop { $0 == 0x0D || $0 == 0x0A }
        guard !text.isEmpty else { return }
        isBegun = true
        guard !hasLine else { return }
        let end = text.firstIndex(of: 0x0A)
        hasLine = end != nil
        line += (end ?? text.endIndex) - text.startIndex
    }
}
