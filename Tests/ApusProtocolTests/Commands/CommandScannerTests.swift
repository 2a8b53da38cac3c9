import ApusProtocol
import Testing

private let id = "550e8400-e29b-41d4-a716-446655440000"

@Suite struct CommandScannerTests {
    @Test func `a subscribe gives its topic, client and history`() throws {
        let scanned = Scanned(#"{"type":"subscribe","topic":"orders","client_id":"s1","last_n":5,"request_id":"r1"}"#)
        let command = try #require(scanned.command)
        #expect(command.kind == .subscribe)
        #expect(scanned.decoded(command.topic) == "orders")
        #expect(scanned.decoded(command.clientID) == "s1")
        #expect(command.lastN == 5)
        #expect(scanned.raw(command.requestID) == "\"r1\"")
        #expect(command.message.isEmpty && command.apiKey.range.isEmpty)
    }

    @Test func `an unsubscribe gives its topic and client`() throws {
        let scanned = Scanned(#"{ "client_id" : "s\n1", "topic" : "ordérs", "type" : "unsubscribe", "last_n":"no" }"#)
        let command = try #require(scanned.command)
        #expect(command.kind == .unsubscribe)
        #expect(scanned.decoded(command.topic) == "ordérs")
        #expect(scanned.decoded(command.clientID) == "s\n1")
        #expect(command.requestID == nil && command.lastN == 0)
    }

    @Test func `a publish gives its topic and its message as written`() throws {
        let message = #"{ "payload":{"a":[1, 2.50 ]} ,"id":"\#(id)","more":1e999 }"#
        let scanned = Scanned(#"{"message":\#(message),"type":"publish","topic":"a/b","client_id":7}"#)
        let command = try #require(scanned.command)
        #expect(command.kind == .publish)
        #expect(scanned.decoded(command.topic) == "a/b")
        #expect(scanned.raw(command.message) == message)
        #expect(command.clientID.range.isEmpty)
    }

    @Test func `a ping and an auth need nothing else`() throws {
        #expect(Scanned(#"{"type":"ping","topic":5,"message":"x","last_n":[]}"#).command?.kind == .ping)
        let scanned = Scanned(#"{"type":"auth","api_key":"s3cret","topic":{},"message":{"id":1}}"#)
        let command = try #require(scanned.command)
        #expect(command.kind == .auth)
        #expect(scanned.decoded(command.apiKey) == "s3cret")
        #expect(command.topic.range.isEmpty)
    }

    @Test(arguments: [
        #"{"type":"publish","topic":"t","last_n":-1,"client_id":"","api_key":1,"message":"#,
        #"{"api_key":[],"type":"publish","client_id":{"id":1,"payload":2},"topic":"t","message":"#,
    ])
    func `fields of other commands may be anything`(start: String) {
        #expect(Scanned(start + #"{"id":"\#(id)","payload":null}}"#).command?.kind == .publish)
    }

    @Test func `keys and values written with escapes are the same`() throws {
        let text =
            #"{"\u0074ype":"p\u0075blish","t\u006Fpic":"t","\u006D\u0065\u0073\u0073\u0061\u0067\u0065":"#
            + #"{"\u0069d":"\u0035\u0035\#(id.dropFirst(2))","pay\u006coad":1},"request\u005fid":2}"#
        let scanned = Scanned(text)
        let command = try #require(scanned.command)
        #expect(command.kind == .publish)
        #expect(scanned.raw(command.requestID) == "2")
        #expect(Scanned(#"{"type":"ping","request_id\u0000":[],"\ud800":1,"requestXid":[]}"#).command?.requestID == nil)
        let long = String(repeating: #"\u0074"#, count: 40)
        #expect(Scanned(#"{"type":"ping","\#(long)":[]}"#).command?.kind == .ping)
    }

    @Test func `the last of two values counts`() throws {
        let twice = Scanned(
            #"{"type":5,"topic":null,"type":"publish","topic":"a","topic":"b","#
                + #""message":{"id":"\#(id)","payload":1},"message":{"id":1,"id":"\#(id)","payload":2}}"#
        )
        let command = try #require(twice.command)
        #expect(twice.decoded(command.topic) == "b")
        #expect(twice.raw(command.message) == #"{"id":1,"id":"\#(id)","payload":2}"#)

        let start = #"{"type":"publish","topic":"a","message":{"id":"\#(id)","payload":1},"#
        #expect(Scanned(start + #""message":{}}"#).error?.message.contains("UUID") == true)
        #expect(Scanned(start + #""message":{"id":"\#(id)"}}"#).error?.message == "'message.payload' is required")
        #expect(Scanned(start + #""message":null}"#).error?.message == "'message' is required")
        #expect(
            Scanned(start + #""message":[{"id":"\#(id)","payload":1}]}"#).error?.message
                == "'message' must be an object"
        )
        #expect(Scanned(start + #""topic":null}"#).error?.message == "'topic' is required")
        #expect(Scanned(start + #""request_id":"a","request_id":null}"#).command?.requestID == nil)
    }

    @Test func `only members of the message itself are its id and payload`() {
        let text =
            #"{"type":"publish","topic":"t","id":"\#(id)","payload":1,"message":{"x":{"id":"\#(id)","payload":1}}}"#
        #expect(Scanned(text).error?.message.contains("'message.id'") == true)
        #expect(Scanned(#"{"x":{"type":"ping"}}"#).error?.message == "'type' is required")
        let members = #"{"type":"publish","topic":"t","message":{"id":"\#(id)","payload":{"type":"ping","topic":0}}}"#
        #expect(Scanned(members).command?.kind == .publish)
    }

    @Test(arguments: [
        ("0", 0), ("-0", 0), ("7", 7), ("null", 0), ("\"2\"", 2), ("\"007\"", 7), ("\"-0\"", 0), (#""\u0032""#, 2),
        ("9223372036854775807", Int.max), ("9223372036854775808", Int.max), ("\"99999999999999999999999\"", Int.max),
    ])
    func `last_n is an integer or a string that holds one`(token: String, value: Int) {
        let scanned = Scanned(#"{"type":"subscribe","topic":"t","client_id":"c","last_n":\#(token)}"#)
        #expect(scanned.command?.lastN == value)
    }

    @Test(arguments: [
        "-1", "1.0", "1e2", "0.0", "-99999999999999999999", "true", "[]", "{}", "\"\"", "\"-\"", "\"-1\"", "\"1.0\"",
        "\" 1\"", "\"1 \"", "\"+1\"", "\"x\"", "\"0x1\"", #""\ud800""#, "\"１\"",
    ])
    func `any other last_n is refused`(token: String) {
        let scanned = Scanned(#"{"type":"subscribe","topic":"t","client_id":"c","last_n":\#(token),"request_id":1}"#)
        #expect(scanned.error?.message == "'last_n' must be an integer that is not negative")
        #expect(scanned.raw(scanned.error?.requestID) == "1")
    }

    @Test(arguments: [
        id, id.uppercased(), "550e8400e29b41d4a716446655440000", "ABCDEFabcdef01234567890123456789",
        "00000000-0000-0000-0000-000000000000", #"\u0035\u0035"# + id.dropFirst(2),
    ])
    func `a UUID is taken dashed or bare, in any case`(text: String) {
        for dialect in Dialect.allCases {
            let scanned = Scanned(
                #"{"type":"publish","topic":"t","message":{"id":"\#(text)","payload":1}}"#,
                dialect: dialect
            )
            #expect(scanned.command?.kind == .publish)
        }
    }

    @Test func `every place of a UUID is checked`() {
        for form in [id, id.replacing("-", with: "")] {
            for index in form.indices {
                for wrong in ["g", "G", "-", "0", "/", ":", "@", "`", " ", "\u{10}é"] {
                    var text = form
                    text.replaceSubrange(index...index, with: wrong)
                    let isFine = wrong == "0" && form[index] != "-" || wrong == String(form[index])
                    let escaped = text.replacing("\u{10}", with: "\\u0010")
                    let scanned = Scanned(#"{"type":"publish","topic":"t","message":{"id":"\#(escaped)","payload":1}}"#)
                    #expect((scanned.command != nil) == isFine, "\(text)")
                }
            }
        }
    }

    @Test(arguments: [
        "\"m-1\"", "\"\"", "1", "{}", "\"{550e8400-e29b-41d4-a716-446655440000}\"",
        "\"550e8400-e29b-41d4-a716-44665544000\"",
        "\"550e8400e29b-41d4-a716-446655440000\"", "\"é50e8400e29b41d4a716446655440000\"",
        #""\ud80050e8400e29b41d4a7164466554""#,
    ])
    func `what is no UUID is refused by that word on the base dialect`(token: String) {
        let scanned = Scanned(#"{"type":"publish","topic":"t","message":{"id":\#(token),"payload":1}}"#)
        #expect(scanned.error?.message == "'message.id' must be a UUID")
    }

    @Test(arguments: [("\"m-1\"", true), ("\"é\"", true), ("\"\"", false), ("1", false), ("null", false)])
    func `the v1 dialect takes any string that is not empty`(token: String, isTaken: Bool) {
        let scanned = Scanned(
            #"{"type":"publish","topic":"t","message":{"id":\#(token),"payload":1}}"#,
            dialect: .v1
        )
        #expect((scanned.command != nil) == isTaken)
        #expect(isTaken || scanned.error?.message.contains("'message.id'") == true)
    }

    @Test(arguments: ["null", "0", "\"\"", "[]", "{}", "false"])
    func `a payload may be anything, even null`(payload: String) {
        let text = #"{"type":"publish","topic":"t","message":{"payload":\#(payload),"id":"\#(id)"}}"#
        #expect(Scanned(text).command?.kind == .publish)
    }
}
