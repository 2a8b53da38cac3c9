/// Looks for a text in others, whatever the case of ASCII letters.
///
/// Takes time in proportion to what is looked at, whatever the texts (Knuth, Morris, Pratt): strangers choose both.
package struct TextSearch: Hashable, Sendable {
    private let wanted: [UInt8]
    /// For each length of what was found of `wanted`: the longest shorter beginning of it with which that ends.
    private let fallbacks: [Int]

    package init(_ text: some Sequence<UInt8>) {
        wanted = text.map(Self.folded)
        var (fallbacks, length) = ([0], 0)
        for byte in wanted.dropFirst() {
            while length > 0, wanted[length] != byte { length = fallbacks[length - 1] }
            if wanted[length] == byte { length += 1 }
            fallbacks.append(length)
        }
        self.fallbacks = fallbacks
    }

    package init(_ text: String) { self.init(text.utf8) }

    /// A text that finds the same.
    package var text: String { String(decoding: wanted, as: UTF8.self) }

    /// Whether the text is in these bytes; the empty text is in all.
    package func isFound(in bytes: some Sequence<UInt8>) -> Bool {
        bytes.withContiguousStorageIfAvailable { isFound(in: UnsafeRawBufferPointer($0)) }
            ?? Array(bytes).withUnsafeBytes { isFound(in: $0) }
    }

    /// The same for bytes in one piece. Not generic: other modules have no version of the above for their types, and a
    /// hundred thousand names are looked at for each letter that somebody writes.
    package func isFound(in bytes: UnsafeRawBufferPointer) -> Bool {
        guard !wanted.isEmpty else { return true }
        return wanted.withUnsafeBufferPointer { wanted in
            fallbacks.withUnsafeBufferPointer { fallbacks in
                var length = 0
                for byte in bytes {
                    let folded = Self.folded(byte)
                    while length > 0, wanted[length] != folded { length = fallbacks[length - 1] }
                    if wanted[length] == folded { length += 1 }
                    if length == wanted.count { return true }
                }
                return false
            }
        }
    }

    private static func folded(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte | 0x20 : byte }
}
