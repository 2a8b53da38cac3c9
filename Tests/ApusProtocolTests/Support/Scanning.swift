import ApusProtocol

/// One scan, with what it was of.
struct Scanned {
    let bytes: [UInt8]
    let result: Result<Command, CommandError>

    init(
        _ bytes: [UInt8],
        dialect: Dialect = .base,
        knownValidUTF8: Bool = false,
        scanner: CommandScanner = CommandScanner()
    ) {
        self.bytes = bytes
        self.result = bytes.withUnsafeBytes { bytes in
            Result { () throws(CommandError) in
                try scanner.scan(bytes, dialect: dialect, knownValidUTF8: knownValidUTF8)
            }
        }
    }

    init(_ text: String, dialect: Dialect = .base, scanner: CommandScanner = CommandScanner()) {
        self.init(Array(text.utf8), dialect: dialect, scanner: scanner)
    }

    var command: Command? { try? result.get() }

    var error: CommandError? {
        if case .failure(let error) = result { error } else { nil }
    }

    /// Whether the bytes were taken as JSON, whatever they say.
    var isJSON: Bool {
        guard let error else { return true }
        return !["not valid JSON", "not valid UTF-8", "nested too deep"].contains { error.message.hasPrefix($0) }
    }

    func raw(_ range: Range<Int>?) -> String? {
        range.map { String(decoding: bytes[$0], as: UTF8.self) }
    }

    func decoded(_ text: JSONStringSpan?) -> String? {
        bytes.withUnsafeBytes { bytes in text.flatMap { $0.string(in: bytes) } }
    }
}
