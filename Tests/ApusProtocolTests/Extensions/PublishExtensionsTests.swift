import ApusProtocol
import Testing

private let id = "550e8400-e29b-41d4-a716-446655440000"
private let message = #"{"id":"\#(id)","payload":1}"#

@Suite struct PublishExtensionsTests {
    /// A `publish` with more members, each with a comma before it.
    private func scan(_ members: String, message: String? = message, dialect: Dialect = .base) -> Scanned {
        let messageMember = message.map { #","message":\#($0)"# } ?? ""
        return Scanned(
            #"{"type":"publish","topic":"t","request_id":"r"\#(messageMember)\#(members)}"#,
            dialect: dialect
        )
    }

    private func read(_ members: String, message: String? = message) throws -> PublishExtensions {
        try scan(members, message: message).publishExtensions().get()
    }

    private func expectRefusal(
        _ members: String,
        message: String? = message,
        dialect: Dialect = .base,
        _ text: String,
        at location: SourceLocation = #_sourceLocation
    ) {
        let scanned = scan(members, message: message, dialect: dialect)
        let result = scanned.publishExtensions(dialect: dialect)
        #expect(result.refusal == text, "\(members)", sourceLocation: location)
        guard case .failure(let error) = result else { return }
        #expect(scanned.raw(error.requestID) == "\"r\"", sourceLocation: location)
    }

    @Test func `a plain publish has none, and is not looked through`() throws {
        let scanned = scan(#","x":{"key":5},"keys":1,"TTL":2"#)
        #expect(scanned.command?.hasExtensions == false)
        #expect(try scanned.publishExtensions().get() == PublishExtensions())
    }

    @Test func `fields of subscribe are no concern of a publish`() throws {
        #expect(
            try read(#","queue":0,"positions":1,"since":[],"overflow":5,"echo":"x","presence":{}"#)
                == PublishExtensions()
        )
    }

    @Test func `members of the message are no extensions`() throws {
        let message = #"{"id":"\#(id)","payload":1,"ttl":"x","key":5,"outcome":0,"messages":1}"#
        let scanned = scan("", message: message)
        #expect(scanned.command?.hasExtensions == false)
        #expect(try scan(#","key":"k""#, message: message).publishExtensions().get().key == "k")
    }

    @Test func `each field is read`() throws {
        #expect(try read(#","outcome":true"#).outcome)
        #expect(try read(#","outcome":false"#).outcome == false)
        #expect(try read(#","key":"ORD-123""#).key == "ORD-123")
        #expect(try read(#","key":"\u0000\n\"é\ud83d\ude00""#).key == "\u{0}\n\"é😀")
        let all = try read(#","key":"k","ttl":1,"outcome":true"#)
        #expect(all.outcome && all.key == "k" && all.ttl == 1000 && all.messages == nil)
    }

    @Test func `whether any is used is known`() throws {
        for member in [#""outcome":false"#, #""key":"k""#, #""ttl":1"#] {
            #expect(try read("," + member).isUsed, "\(member)")
        }
        #expect(try read(#","messages":[\#(message)]"#, message: nil).isUsed)
        #expect(try read(#","queue":1,"key":null"#).isUsed == false)
    }

    @Test(arguments: JSONSample.except(.isTrue, .isFalse))
    func `an outcome is wanted or not`(value: JSONSample) {
        expectRefusal(#","outcome":\#(value.rawValue)"#, "'outcome' must be true or false")
    }

    // MARK: Lifetimes

    @Test(
        arguments: [
            (#""30s""#, 30_000), (#""500ms""#, 500), (#""2m""#, 120_000), (#""1h""#, 3_600_000), (#""1d""#, 86_400_000),
            (#""1.5s""#, 1500), ("30", 30_000), ("1", 1000), ("0.25", 250), ("0.001", 1), ("1.50", 1500),
            ("1e1", 10_000), ("0.0011", 2), ("1.0005", 1001), ("0.30000000000000004", 300), ("0.1", 100), ("1E-3", 1),
            (#""\u0033\u0030s""#, 30_000), ("3153600000", 3_153_600_000_000), (#""36500d""#, 3_153_600_000_000),
        ] as [(String, Int64)]
    )
    func `a lifetime is a duration or a number of seconds`(value: String, milliseconds: Int64) throws {
        #expect(try read(#","ttl":\#(value)"#).ttl == milliseconds)
    }

    @Test(
        arguments: [
            "0", "-1", "0.0", "-0", "0.0009", "0.0001", "9e-4", "1e-9", #""0.9ms""#, #""0s""#, #""-1s""#, #""30""#,
            #""""#, #""soon""#, #""30 s""#, "true",
            "[]", "{}", "[30]", "3153600001", "1e300", "-1e-9", #""36501d""#, "99999999999999999999", #""\ud800""#,
        ]
    )
    func `a lifetime that is none is refused`(value: String) {
        expectRefusal(
            #","ttl":\#(value)"#,
            #"'ttl' must be a duration such as "30s" or a number of seconds, at least 0.001"#
        )
    }

    // MARK: Keys

    @Test(arguments: JSONSample.except(.string, .escapedString, .emptyString))
    func `a key is a string`(value: JSONSample) {
        expectRefusal(#","key":\#(value.rawValue)"#, "'key' must be a string")
    }

    @Test func `a key has 1 to 256 bytes of UTF-8, however it is written`() throws {
        for character in ["k", "é", "€", "😀"] {
            let longest = String(repeating: character, count: 256 / character.utf8.count)
            #expect(try read(#","key":"\#(longest)""#).key == longest)
            expectRefusal(#","key":"\#(longest)\#(character)""#, "'key' must be 1 to 256 bytes")
        }
        let escaped = String(repeating: #"\u006b"#, count: 256)
        #expect(try read(#","key":"\#(escaped)""#).key == String(repeating: "k", count: 256))
        expectRefusal(#","key":"\#(escaped)\u006b""#, "'key' must be 1 to 256 bytes")
        expectRefusal(#","key":"""#, "'key' must be 1 to 256 bytes")
        expectRefusal(#","key":"\ud83d""#, "'key' must not hold a lone surrogate")
    }

    // MARK: Absent, twice, escaped

    @Test func `null is as good as absent`() throws {
        #expect(try read(#","outcome":null,"ttl":null,"key":null,"messages":null"#) == PublishExtensions())
        let batch = try read(#","messages":[\#(message)],"message":null"#, message: nil)
        #expect(batch.messages?.count == 1)
    }

    @Test func `of a name given twice the last value counts`() throws {
        #expect(try read(#","key":5,"key":"a","key":"b""#).key == "b")
        #expect(try read(#","ttl":"no","ttl":1"#).ttl == 1000)
        #expect(try read(#","outcome":true,"outcome":null"#).outcome == false)
        #expect(try read(#","messages":[],"messages":null"#) == PublishExtensions())
        expectRefusal(#","key":"a","key":5"#, "'key' must be a string")
    }

    @Test func `names may be written with escapes`() throws {
        #expect(try read(#","\u006bey":"a""#).key == "a")
        #expect(try read(#","\u0074\u0074\u006c":1"#).ttl == 1000)
        #expect(try read(#","outcom\u0065":true"#).outcome)
        #expect(try read(#","mess\u0061ges":[\#(message)]"#, message: nil).messages?.count == 1)
        #expect(scan(#","mess\u0061ge":\#(message)"#, message: nil).command?.message.isEmpty == false)
    }
}

@Suite struct PublishBatchTests {
    private func scan(_ messages: String, more: String = "", dialect: Dialect = .base) -> Scanned {
        Scanned(#"{"type":"publish","topic":"t","request_id":1,"messages":\#(messages)\#(more)}"#, dialect: dialect)
    }

    private func refusal(_ messages: String, more: String = "", dialect: Dialect = .base) -> String? {
        scan(messages, more: more, dialect: dialect).publishExtensions(dialect: dialect).refusal
    }

    @Test func `a batch gives each message as it was written, and its id`() throws {
        let other = #"{ "payload":[{"id":3}, "]}" ] ,"\u0069d":"550E8400e29b41d4a716446655440000", "x":{} }"#
        let scanned = scan(" [ \(message) ,\n\(other), \(message)]", more: #","key":"k","outcome":true,"ttl":"1s""#)
        let extensions = try scanned.publishExtensions().get()
        let messages = try #require(extensions.messages)
        #expect(messages.map { scanned.raw($0.range) } == [message, other, message])
        #expect(messages.map { scanned.decoded($0.id) } == [id, "550E8400e29b41d4a716446655440000", id])
        #expect(extensions.key == "k" && extensions.outcome && extensions.ttl == 1000)
    }

    @Test func `a batch has a message, and no more than are allowed`() throws {
        let ten = "[" + Array(repeating: message, count: 10).joined(separator: ",") + "]"
        #expect(try scan(ten).publishExtensions().get().messages?.count == 10)
        let eleven = "[" + Array(repeating: message, count: 11).joined(separator: ",") + "]"
        #expect(refusal(eleven) == "'messages' must be at most 10 messages")
        #expect(refusal("[]") == "'messages' must not be empty")
        #expect(refusal(" [ ] ") == "'messages' must not be empty")
        #expect(try scan("[\(message)]").publishExtensions(maxBatch: 1).get().messages?.count == 1)
    }

    @Test(arguments: JSONSample.except(.array, .emptyArray))
    func `a batch is an array`(value: JSONSample) {
        #expect(refusal(value.rawValue) == "'messages' must be an array of messages")
    }

    @Test(arguments: JSONSample.except(.object, .emptyObject))
    func `each of its messages is an object`(value: JSONSample) {
        #expect(refusal("[\(message),\(value.rawValue)]") == "'messages[1]' must be an object")
    }

    @Test(arguments: [
        ("null", "' is required"), ("{}", ".id' is required and must be a UUID"),
        (#"{"payload":1}"#, ".id' is required and must be a UUID"),
        (#"{"id":"m-1","payload":1}"#, ".id' must be a UUID"),
        (#"{"id":null,"payload":1}"#, ".id' is required and must be a UUID"),
        (#"{"id":"\#(id)"}"#, ".payload' is required"), (#"{"id":5,"payload":1}"#, ".id' must be a UUID"),
        (#"{"id":"\#(id)","id":1,"payload":1}"#, ".id' must be a UUID"),
        (#"{"x":{"id":"\#(id)","payload":1}}"#, ".id' is required and must be a UUID"),
    ])
    func `each is checked as a single one is, and named`(element: String, end: String) {
        for place in 0...2 {
            var elements = [message, message, message]
            elements[place] = element
            #expect(refusal("[\(elements.joined(separator: ","))]") == "'messages[\(place)]\(end)")
        }
    }

    @Test func `a payload may be null, and the last of two members counts`() throws {
        let elements = [
            #"{"id":"\#(id)","payload":null}"#, #"{"id":1,"payload":1,"id":"\#(id)","payload":false}"#,
        ]
        let scanned = scan("[\(elements.joined(separator: ","))]")
        #expect(try scanned.publishExtensions().get().messages?.map { scanned.raw($0.range) } == elements)
    }

    @Test func `the v1 dialect takes any id that is a non-empty string`() throws {
        let scanned = scan(#"[{"id":"m\u002d1","payload":1}]"#, dialect: .v1)
        let messages = try #require(try scanned.publishExtensions(dialect: .v1).get().messages)
        #expect(messages.map { scanned.decoded($0.id) } == ["m-1"])
        #expect(
            refusal(#"[{"id":"","payload":1}]"#, dialect: .v1) == "'messages[0].id' must be a non-empty string"
        )
        #expect(refusal(#"[{"payload":1}]"#, dialect: .v1) == "'messages[0].id' is required")
    }

    @Test func `message and messages exclude each other, and one must be there`() {
        let both = "'messages' and 'message' exclude each other"
        #expect(refusal("[\(message)]", more: #","message":\#(message)"#) == both)
        #expect(refusal("null", more: #","message":null"#) == "'message' is required")
        for member in [#""key":"k""#, #""outcome":true"#, #""ttl":1"#, #""queue":1"#, #""messages":null"#] {
            let scanned = Scanned(#"{"type":"publish","topic":"t","request_id":1,\#(member)}"#)
            #expect(scanned.publishExtensions().refusal == "'message' is required", "\(member)")
        }
        // The message itself is checked before its extensions are.
        #expect(refusal("[]", more: #","message":5"#) == "'message' must be an object")
    }
}
