// Wording that the programs of a client share.

extension String {
    /// The text without trailing white space.
    package var trimmedEnd: String {
        var text = self[...]
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
