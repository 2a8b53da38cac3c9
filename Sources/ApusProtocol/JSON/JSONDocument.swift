/// Whether a whole text is JSON, by the same strict pass that commands go through (RFC 8259).
public enum JSONDocument {
    /// How deep a document may nest for ``isValid(_:)``.
    public static let maxDepth = JSONNesting.capacity

    /// Checks grammar and UTF-8. Costs no memory, whatever the text.
    public static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
        isValid(bytes, maxDepth: maxDepth)
    }

    /// Checks that it nests no deeper than that, too.
    public static func isValid(_ bytes: UnsafeRawBufferPointer, maxDepth: Int) -> Bool {
        var validator = UTF8Validator()
        guard let base = bytes.baseAddress, validator.consume(bytes), validator.isComplete else { return false }
        var fields = CommandFields()
        let reader = CommandReader(base: base, count: bytes.count, maxDepth: min(maxDepth, Self.maxDepth))
        do {
            _ = try reader.read(into: &fields)
            return true
        } catch {
            return false
        }
    }
}
