/// A setting's value on its way to people or to a file.
package enum DisplayValue: Sendable, Equatable {
    case number(Int)
    /// In bytes.
    case size(Int)
    /// A word that YAML takes for a string, as it is.
    case word(String)
    case text(String)
    case texts([String])
    /// A list, as JSON.
    case json(String)
    /// Something that must not be shown.
    case secret

    /// What stands for a secret. Nobody can have it for a key.
    static let mask = "***"

    /// One line of YAML.
    var yaml: String {
        switch self {
        case .word(let word): word
        default: json
        }
    }

    var json: String {
        switch self {
        case .number(let number), .size(let number): "\(number)"
        case .word(let text), .text(let text): PlainText.quoted(text)
        case .texts(let texts): "[" + texts.map(PlainText.quoted).joined(separator: ", ") + "]"
        case .json(let json): json
        case .secret: PlainText.quoted(Self.mask)
        }
    }

    /// For a help text.
    var plain: String {
        switch self {
        case .number(let number): "\(number)"
        case .size(let bytes): ByteSize.text(bytes)
        case .word(let text), .text(let text): text
        case .texts(let texts): texts.isEmpty ? "none" : texts.joined(separator: ",")
        case .json(let json): json == "[]" ? "none" : json
        case .secret: Self.mask
        }
    }
}
