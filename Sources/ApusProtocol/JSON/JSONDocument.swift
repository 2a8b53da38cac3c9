/// Checks whether a whole text is JSON (RFC 8259), by the same strict pass that reads commands.
public enum JSONDocument {
    /// The deepest nesting that ``isValid(_:)`` accepts.
    public static let maxDepth = JSONNesting.capacity

    /// Checks grammar and UTF-8. Allocates no memory, whatever the text.
    public static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
        isValid(bytes, maxDepth: maxDepth)
    }

    /// Also checks that the text nests at most `maxDepth` levels deep.
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
