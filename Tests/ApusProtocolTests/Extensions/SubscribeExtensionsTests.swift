import ApusProtocol
import Testing

@Suite struct SubscribeExtensionsTests {
    /// A `subscribe` with more members, each with a comma before it.
    private func scan(_ members: String) -> Scanned {
        Scanned(#"{"type":"subscribe","topic":"t","client_id":"c","request_id":7\#(members)}"#)
    }

    private func read(_ members: String) throws -> SubscribeExtensions {
        try scan(members).subscribeExtensions().get()
    }

    /// That the field is refused with this text, and the request echoed.
    private func expectRefusal(_ members: String, _ message: String, at location: SourceLocation = #_sourceLocation) {
        let scanned = scan(members)
        #expect(scanned.command?.hasExtensions == true, sourceLocation: location)
        let result = scanned.subscribeExtensions()
        #expect(result.refusal == message, "\(members)", sourceLocation: location)
        guard case .failure(let error) = result else { return }
        #expect(scanned.raw(error.requestID) == "7", sourceLocation: location)
    }

    @Test func `a plain subscribe has none, and is not looked through`() throws {
        let scanned = scan(#","last_n":5,"x":{"since":"all"},"ttls":1,"Since":1,"posítions":2,"echo ":3"#)
        #expect(scanned.command?.hasExtensions == false)
        #expect(try scanned.subscribeExtensions().get() == SubscribeExtensions())
    }

    @Test func `fields of publish do not make a subscribe an extended one`() throws {
        let scanned = scan(#","key":5,"ttl":[],"outcome":"x","messages":{}"#)
        #expect(try scanned.subscribeExtensions().get() == SubscribeExtensions())
    }

    @Test func `each field is read`() throws {
        var expected = SubscribeExtensions()
        expected.isUsed = true
        expected.positions = true
        #expect(try read(#","positions":true"#) == expected)
        expected.positions = false
        #expect(try read(#","positions":false"#) == expected)
        expected.queue = 100
        #expect(try read(#","queue":100"#) == expected)
        expected.queue = nil
        expected.presence = true
        #expect(try read(#","presence":true"#) == expected)
        expected.presence = false
        expected.echo = false
        #expect(try read(#","echo":false"#) == expected)
        expected.echo = true
        #expect(try read(#","echo":true"#) == expected)
        for policy in OverflowPolicy.allCases {
            expected.overflow = policy
            #expect(try read(#","overflow":"\#(policy.rawValue)""#) == expected)
        }
    }

    @Test func `all fields go together`() throws {
        let extensions = try read(
            #","positions":false,"since":"all","overflow":"latest","queue":1,"echo":false,"presence":true"#
        )
        var expected = SubscribeExtensions()
        expected.positions = true
        expected.since = .all
        expected.overflow = .latest
        expected.queue = 1
        expected.echo = false
        expected.presence = true
        expected.isUsed = true
        #expect(extensions == expected)
        let scanned = scan(#","positions":true,"queue":5,"last_n":9"#)
        #expect(scanned.command?.lastN == 9)
        #expect(try scanned.subscribeExtensions().get().queue == 5)
    }

    @Test(arguments: ["positions", "echo", "presence", "wait"], JSONSample.except(.isTrue, .isFalse))
    func `a flag is true or false and nothing else`(field: String, value: JSONSample) {
        expectRefusal(#","\#(field)":\#(value.rawValue)"#, "'\(field)' must be true or false")
    }

    @Test(arguments: JSONSample.except(.integer))
    func `a queue is an integer and nothing else`(value: JSONSample) {
        expectRefusal(#","queue":\#(value.rawValue)"#, "'queue' must be an integer from 1 to 100")
    }

    @Test(arguments: [
        "0", "-0", "101", "9223372036854775807", "9223372036854775808", "-9223372036854775809", #""5""#, "5.0", "5e0",
    ])
    func `a queue is within its limits`(value: String) {
        expectRefusal(#","queue":\#(value)"#, "'queue' must be an integer from 1 to 100")
    }

    @Test func `a server that allows no queue at all still allows one`() throws {
        #expect(try scan(#","queue":1"#).subscribeExtensions(maxQueue: 0).get().queue == 1)
        #expect(scan(#","queue":2"#).subscribeExtensions(maxQueue: 1).refusal != nil)
    }

    @Test(arguments: JSONSample.except(.string, .emptyString, .escapedString))
    func `an overflow policy is a string`(value: JSONSample) {
        expectRefusal(#","overflow":\#(value.rawValue)"#, "'overflow' must be a string")
    }

    @Test(arguments: ["", "drop_oldest", "Latest", "latest ", "none", "drop-oldest\\u0000"])
    func `an unknown overflow policy is answered with all there are`(value: String) {
        expectRefusal(
            #","overflow":"\#(value)""#,
            "'overflow' must be one of drop-oldest, drop-newest, latest, disconnect, throttle"
        )
    }

    @Test func `a lone surrogate is no policy`() {
        expectRefusal(#","overflow":"\ud800""#, "'overflow' must not hold a lone surrogate")
        expectRefusal(#","since":"\udc00""#, "'since' must not hold a lone surrogate")
    }

    private static let sinceText =
        #"'since' must be a position such as {"epoch":"k3v9","offset":42}, a duration such as "10m", an RFC 3339 time or "all""#

    @Test(arguments: JSONSample.except(.object, .emptyObject))
    func `since is a text that means something, or a position`(value: JSONSample) {
        expectRefusal(#","since":\#(value.rawValue)"#, Self.sinceText)
    }

    @Test(arguments: ["10", "-5m", "10M", "All", " all", "2025-08-25", "2025-02-29T00:00:00Z", "0.1ms", "m", "1e1s"])
    func `since is refused when it says nothing`(text: String) {
        expectRefusal(#","since":"\#(text)""#, Self.sinceText)
    }

    @Test func `since is a duration, a time, or all there is`() throws {
        #expect(try read(#","since":"10m""#).since == .age(600_000))
        #expect(try read(#","since":"0s""#).since == .age(0))
        #expect(try read(#","since":"\u0031\u0030m""#).since == .age(600_000))
        #expect(try read(#","since":"1970-01-01T00:00:01.5Z""#).since == .time(1500))
        #expect(try read(#","since":"all""#).since == .all)
        #expect(try read(#","since":"all""#).positions)
    }

    @Test(
        arguments: [
            (#"{"epoch":"k3","offset":41}"#, "k3", 41), (#"{"offset":0,"epoch":"e","more":[{}]}"#, "e", 0),
            (#" { "epoch" : "\u006b3" , "offset" : 18446744073709551615 } "#, "k3", .max),
            (#"{"epoch":1,"offset":"x","offset":3,"epoch":"é"}"#, "é", 3),
            (#"{"\u0065poch":"e","offse\u0074":2}"#, "e", 2),
        ] as [(String, String, UInt64)]
    )
    func `a position is an epoch and an offset`(value: String, epoch: String, offset: UInt64) throws {
        let extensions = try read(#","since":\#(value)"#)
        #expect(extensions.since == .position(epoch: epoch, offset: offset))
        #expect(extensions.positions && extensions.isUsed)
    }

    @Test(arguments: JSONSample.except(.string, .escapedString) + [nil])
    func `an epoch is a string that is not empty`(value: JSONSample?) {
        let member = value.map { #""epoch":\#($0.rawValue),"# } ?? ""
        expectRefusal(#","since":{\#(member)"offset":1}"#, "'since.epoch' must be a non-empty string")
    }

    @Test(
        arguments: [nil, "null"] + JSONSample.except(.zero, .integer).map(\.rawValue) + [
            "18446744073709551616", "\"1\"",
        ]
    )
    func `an offset is an integer that is not negative`(value: String?) {
        let member = value.map { #","offset":\#($0)"# } ?? ""
        expectRefusal(#","since":{"epoch":"e"\#(member)}"#, "'since.offset' must be an integer that is not negative")
    }

    @Test func `an epoch of half a character is none`() {
        expectRefusal(#","since":{"epoch":"\ud800","offset":1}"#, "'since.epoch' must be a non-empty string")
        expectRefusal(#","since":{"epoch":null,"offset":1}"#, "'since.epoch' must be a non-empty string")
    }

    @Test(arguments: ["0", "5", "\"5\"", "null"])
    func `since and last_n exclude each other, unless one of them is null`(lastN: String) throws {
        for since in [#""all""#, #""10m""#, #"{"epoch":"e","offset":1}"#] {
            for members in [#","since":\#(since),"last_n":\#(lastN)"#, #","last_n":\#(lastN),"since":\#(since)"#] {
                if lastN == "null" {
                    #expect(try read(members).since != nil)
                } else {
                    expectRefusal(members, "'since' and 'last_n' exclude each other")
                }
            }
        }
        #expect(try read(#","since":null,"last_n":\#(lastN)"#) == SubscribeExtensions())
    }

    @Test func `null is as good as absent`() throws {
        for field in ["positions", "since", "overflow", "queue", "echo", "presence", "wait"] {
            #expect(try read(#","\#(field)":null"#) == SubscribeExtensions(), "\(field)")
        }
        let extensions = try read(#","echo":null,"positions":null,"queue":null,"presence":true"#)
        #expect(extensions.echo && extensions.presence && extensions.isUsed && extensions.queue == nil)
    }

    @Test func `of a name given twice the last value counts`() throws {
        #expect(try read(#","queue":"x","queue":5"#).queue == 5)
        #expect(try read(#","positions":true,"positions":false"#).positions == false)
        #expect(try read(#","positions":1,"positions":null"#) == SubscribeExtensions())
        #expect(
            try read(#","since":"nonsense","since":"all","since":{"epoch":"e","offset":2}"#).since
                == .position(epoch: "e", offset: 2)
        )
        expectRefusal(#","queue":5,"queue":"5""#, "'queue' must be an integer from 1 to 100")
    }

    @Test func `names may be written with escapes`() throws {
        #expect(try read(#","\u0073ince":"all""#).since == .all)
        #expect(try read(#","posi\u0074ions":true"#).positions)
        #expect(try read(#","\u0065\u0063\u0068\u006f":false"#).echo == false)
        #expect(try read(#","\u0071ueue":3,"queue":4"#).queue == 4)
        #expect(try read(#","queue":3,"\u0071ueue":4"#).queue == 4)
        #expect(try read(#","\u006fverflow":"\u006catest""#).overflow == .latest)
        expectRefusal(#","\u0070resence":0"#, "'presence' must be true or false")
    }

    @Test func `only members of the command itself count`() throws {
        let extensions = try read(#","x":{"queue":0,"since":5},"y":[{"echo":1}],"queue":2,"z":"\"since\":\"no\"""#)
        #expect(extensions.queue == 2 && extensions.since == nil && extensions.echo)
    }

    @Test func `of several mistakes the first in the order of the contract is named`() {
        expectRefusal(
            #","presence":1,"echo":1,"queue":0,"overflow":1,"since":1,"positions":1"#,
            "'positions' must be true or false"
        )
        expectRefusal(#","presence":1,"echo":1,"queue":0"#, "'queue' must be an integer from 1 to 100")
    }

    @Test func `a command that is wrong without its extensions is refused as such`() {
        let scanned = Scanned(#"{"type":"subscribe","client_id":"c","queue":0}"#)
        #expect(scanned.subscribeExtensions().refusal == "'topic' is required")
    }
}
