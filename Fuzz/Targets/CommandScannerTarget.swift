@testable import ApusProtocol

extension FuzzTarget {
    /// Any bytes as one client message.
    static let commandScanner = FuzzTarget(name: "CommandScanner") { CommandScannerCheck.check }
}

private enum CommandScannerCheck {
    static func check(_ bytes: UnsafeRawBufferPointer) throws {
        let isValid = isValidUTF8(bytes, splitAt: 0)
        try require(isValid == isValidUTF8(bytes, splitAt: bytes.count / 2), "a cut does not matter to the validator")
        for dialect in Dialect.allCases {
            let result = scan(bytes, dialect, trusted: false)
            let trusted = scan(bytes, dialect, trusted: true)
            try require(result == scan(bytes, dialect, trusted: false), "a scan has one result")
            try require(!isValid || result == trusted, "checking valid UTF-8 changes nothing")
            switch result {
            case .success(let command):
                try require(isValid, "a command is valid UTF-8")
                try check(command, of: bytes, dialect)
            case .failure(let error):
                try require(!error.message.isEmpty, "an error says something")
                try require((error.requestID?.upperBound ?? 0) <= bytes.count, "a request_id is inside of the text")
            }
        }
    }

    private static func scan(
        _ bytes: UnsafeRawBufferPointer,
        _ dialect: Dialect,
        trusted: Bool
    ) -> Result<Command, CommandError> {
        Result { () throws(CommandError) in
            try CommandScanner().scan(bytes, dialect: dialect, knownValidUTF8: trusted)
        }
    }

    private static func isValidUTF8(_ bytes: UnsafeRawBufferPointer, splitAt split: Int) -> Bool {
        var validator = UTF8Validator()
        return validator.consume(UnsafeRawBufferPointer(rebasing: bytes[..<split]))
            && validator.consume(UnsafeRawBufferPointer(rebasing: bytes[split...]))
            && validator.isComplete
    }

    private static func check(_ command: Command, of bytes: UnsafeRawBufferPointer, _ dialect: Dialect) throws {
        for range in [command.message, command.topic.range, command.clientID.range, command.apiKey.range] {
            try require(range.upperBound <= bytes.count, "a range is inside of the text")
        }
        if let id = command.requestID {
            try require(!id.isEmpty && id.upperBound <= bytes.count, "a request_id is inside of the text")
        }
        try require(command.lastN >= 0, "last_n is not negative")
        switch command.kind {
        case .publish:
            try require(bytes[command.message.lowerBound] == UInt8(ascii: "{"), "a message starts as an object")
            try require(bytes[command.message.upperBound - 1] == UInt8(ascii: "}"), "a message ends as an object")
            try require(command.topic.string(in: bytes)?.isEmpty == false, "a topic is not empty")
            let message = UnsafeRawBufferPointer(rebasing: bytes[command.message])
            if case .failure(let error) = scan(message, dialect, trusted: true) {
                try require(!error.message.hasPrefix("not valid JSON"), "a message is JSON by itself")
            }
        case .subscribe, .unsubscribe:
            try require(command.topic.string(in: bytes)?.isEmpty == false, "a topic is not empty")
            let clientID = command.clientID.string(in: bytes)?.utf8.count ?? 0
            try require(1...1024 ~= clientID, "a client_id keeps its limit")
        case .auth:
            try require(command.apiKey.string(in: bytes)?.isEmpty == false, "an api_key is not empty")
        case .ping:
            try require(command.topic.range.isEmpty && command.message.isEmpty, "a ping has no fields")
        }
    }
}
