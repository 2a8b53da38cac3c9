import ApusProtocol

extension Scanned {
    /// The extension fields of a `subscribe`; the command's own error when it is none.
    func subscribeExtensions(maxQueue: Int = 100) -> Result<SubscribeExtensions, CommandError> {
        result.flatMap { command in
            bytes.withUnsafeBytes {
                CommandScanner().subscribeExtensions(of: command, in: $0, maxQueue: maxQueue)
            }
        }
    }

    /// The extension fields of a `publish`; the command's own error when it is none.
    func publishExtensions(
        dialect: Dialect = .base,
        maxBatch: Int = 10
    ) -> Result<PublishExtensions, CommandError> {
        result.flatMap { command in
            bytes.withUnsafeBytes {
                CommandScanner().publishExtensions(of: command, in: $0, dialect: dialect, maxBatch: maxBatch)
            }
        }
    }
}

extension Result where Failure == CommandError {
    /// What the client is told; `nil` when all is well.
    var refusal: String? {
        if case .failure(let error) = self { error.message } else { nil }
    }
}

/// Every kind of JSON value once, for fields of which only some are right.
enum JSONSample: String, CaseIterable {
    case string = #""text""#
    case emptyString = #""""#
    case escapedString = #""\u0061""#
    case zero = "0"
    case integer = "3"
    case negative = "-1"
    case fraction = "1.5"
    case exponent = "1e2"
    case isTrue = "true"
    case isFalse = "false"
    case array = #"["all"]"#
    case emptyArray = "[]"
    case object = #"{"a":1}"#
    case emptyObject = "{}"

    /// All but these.
    static func except(_ right: JSONSample...) -> [JSONSample] {
        allCases.filter { !right.contains($0) }
    }
}
