// What must hold for any bytes that a client sends. The sources under test are compiled into the same module.

/// Stops the process, which libFuzzer takes as a finding and keeps the input of.
private func require(_ condition: Bool, _ invariant: StaticString) {
    guard condition else { fatalError("broken: \(invariant)") }
}

private func scan(_ bytes: UnsafeRawBufferPointer, _ dialect: Dialect, trusted: Bool) -> Result<Command, CommandError> {
    Result { () throws(CommandError) in
        try CommandScanner().scan(bytes, dialect: dialect, knownValidUTF8: trusted)
    }
}

private func isValidUTF8(_ bytes: UnsafeRawBufferPointer, splitAt split: Int) -> Bool {
    var validator = UTF8Validator()
    return validator.consume(UnsafeRawBufferPointer(rebasing: bytes[..<split]))
        && validator.consume(UnsafeRawBufferPointer(rebasing: bytes[split...]))
        && validator.isComplete
}

private func check(_ command: Command, of bytes: UnsafeRawBufferPointer, _ dialect: Dialect) {
    for range in [command.message, command.topic.range, command.clientID.range, command.apiKey.range] {
        require(range.upperBound <= bytes.count, "a range is inside of the text")
    }
    if let id = command.requestID {
        require(!id.isEmpty && id.upperBound <= bytes.count, "a request_id is inside of the text")
    }
    require(command.lastN >= 0, "last_n is not negative")
    switch command.kind {
    case .publish:
        require(bytes[command.message.lowerBound] == UInt8(ascii: "{"), "a message starts as an object")
        require(bytes[command.message.upperBound - 1] == UInt8(ascii: "}"), "a message ends as an object")
        require(command.topic.string(in: bytes)?.isEmpty == false, "a topic is not empty")
        let message = UnsafeRawBufferPointer(rebasing: bytes[command.message])
        if case .failure(let error) = scan(message, dialect, trusted: true) {
            require(!error.message.hasPrefix("not valid JSON"), "a message is JSON by itself")
        }
    case .subscribe, .unsubscribe:
        require(command.topic.string(in: bytes)?.isEmpty == false, "a topic is not empty")
        let clientID = command.clientID.string(in: bytes)?.utf8.count ?? 0
        require(1...1024 ~= clientID, "a client_id keeps its limit")
    case .auth:
        require(command.apiKey.string(in: bytes)?.isEmpty == false, "an api_key is not empty")
    case .ping:
        require(command.topic.range.isEmpty && command.message.isEmpty, "a ping has no fields")
    }
}

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOne(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let bytes = UnsafeRawBufferPointer(start: start, count: count)
    let isValid = isValidUTF8(bytes, splitAt: 0)
    require(isValid == isValidUTF8(bytes, splitAt: count / 2), "a cut does not matter to the validator")
    for dialect in Dialect.allCases {
        let result = scan(bytes, dialect, trusted: false)
        let trusted = scan(bytes, dialect, trusted: true)
        require(result == scan(bytes, dialect, trusted: false), "a scan has one result")
        require(!isValid || result == trusted, "checking valid UTF-8 changes nothing")
        switch result {
        case .success(let command):
            require(isValid, "a command is valid UTF-8")
            check(command, of: bytes, dialect)
        case .failure(let error):
            require(!error.message.isEmpty, "an error says something")
            require((error.requestID?.upperBound ?? 0) <= count, "a request_id is inside of the text")
        }
    }
    return 0
}
