/// A setting's value, formatted for people or for a file.
package enum DisplayValue: Sendable, Equatable {
    case number(Int)
    /// A size in bytes.
    case size(Int)
    /// A word that needs no quotes in YAML.
    case word(String)
    case text(String)
    case texts([String])
    /// A list as JSON.
    case json(String)
    /// A value that must not be shown.
    case secret

    /// The text shown instead of a secret. It is not allowed as a key.
    static let mask = "***"

    /// The value as one line of YAML.
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

    /// The value for a help text.
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
