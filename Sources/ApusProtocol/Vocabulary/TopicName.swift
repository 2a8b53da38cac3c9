/// The rules for topic names.
package enum TopicName {
    /// The longest name, in bytes of UTF-8.
    package static let maxSize = 255

    /// Whether a topic may have that name: 1–255 bytes of UTF-8 without control characters, `*` or `>`.
    package static func isAllowed(_ name: String) -> Bool {
        let size = name.utf8.count
        guard size > 0, size <= maxSize else { return false }
        return !TopicFilter.isPattern(name) && !hasControls(name)
    }

    /// Whether the text has control characters: U+0000 to U+001F and U+007F to U+009F.
    ///
    /// By its bytes: each subscription asks, and to look up what each character is took a quarter of a command's time.
    static func hasControls(_ text: String) -> Bool {
        text.utf8.withContiguousStorageIfAvailable(hasControls) ?? Array(text.utf8).withUnsafeBufferPointer(hasControls)
    }

    private static func hasControls(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        var last: UInt8 = 0
        for byte in bytes {
            // From U+0080 on, in two bytes.
            if byte < 0x20 || byte == 0x7F || last == 0xC2 && byte < 0xA0 { return true }
            last = byte
        }
        return false
    }
}
