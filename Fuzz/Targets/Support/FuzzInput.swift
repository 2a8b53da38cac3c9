/// Takes an input apart.
struct FuzzInput {
    private(set) var rest: UnsafeRawBufferPointer

    init(_ bytes: UnsafeRawBufferPointer) {
        rest = bytes
    }

    /// The next byte; 0 at the end.
    mutating func byte() -> UInt8 {
        guard let first = rest.first else { return 0 }
        rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst())
        return first
    }

    /// What is left, up to a separator and behind it, as text. Bytes that are not UTF-8 are replaced.
    func texts(separatedBy separator: Unicode.Scalar) -> [String] {
        rest.split(separator: UInt8(ascii: separator), omittingEmptySubsequences: false).map {
            String(decoding: $0, as: UTF8.self)
        }
    }

    /// What is left, as text.
    var text: String { String(decoding: rest, as: UTF8.self) }
}

extension Array where Element == String {
    /// The text of a part that an input may not have.
    func part(_ index: Int) -> String { index < count ? self[index] : "" }
}
