/// The rules for topic names.
package enum TopicName {
    /// The longest name, in bytes of UTF-8.
    package static let maxSize = 255

    /// Whether a topic may have that name: 1–255 bytes of UTF-8 without control characters, `*` or `>`.
    package static func isAllowed(_ name: String) -> Bool {
        let size = name.utf8.count
        guard size > 0, size <= maxSize else { return false }
        return name.unicodeScalars.allSatisfy { scalar in
            scalar.properties.generalCategory != .control && scalar != "*" && scalar != ">"
        }
    }
}
