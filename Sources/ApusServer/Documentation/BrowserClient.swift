/// The JavaScript client that the server provides.
enum BrowserClient {
    /// The line of the file that stands for the server's prefix.
    private static let placeholder = #"const BASE_PATH = "";"#

    /// The JavaScript module. Its `new Apus()` finds the server below `basePath`.
    static func text(basePath: String) -> String {
        let text = EmbeddedTexts.apus_js
        guard !basePath.isEmpty, let range = text.firstRange(of: placeholder) else { return text }
        return text.replacingCharacters(in: range, with: #"const BASE_PATH = "\#(basePath)";"#)
    }
}

extension String {
    fileprivate func replacingCharacters(in range: Range<Index>, with other: String) -> String {
        var text = self
        text.replaceSubrange(range, with: other)
        return text
    }
}
