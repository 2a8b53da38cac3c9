import ApusProtocol
import Testing

@Suite struct JSONWriterTests {
    @Test func `members keep the order of the calls, and strings are escaped`() {
        let text = JSONWriter.object { writer in
            writer.member("b", "x\n\"")
            writer.member("a", 1)
            writer.member("c", true)
            writer.member("d", json: "[1.0]")
            writer.object("e") { _ in }
            writer.object("f") { $0.member("g", UInt64.max) }
            writer.member("missed", 42...57)
        }
        let start = #"{"b":"x\n\"","a":1,"c":true,"d":[1.0],"e":{},"f":{"g":18446744073709551615}"#
        #expect(text == start + #","missed":{"from":42,"to":57}}"#)
    }

    @Test func `elements of an array are separated, and an empty one is empty`() {
        #expect(JSONWriter.object { $0.array("a", of: [1, 2]) { $0.member("n", $1) } } == #"{"a":[{"n":1},{"n":2}]}"#)
        #expect(JSONWriter.object { $0.array("a", of: [Int]()) { $0.member("n", $1) } } == #"{"a":[]}"#)
    }

    @Test func `members that follow others begin with a comma`() {
        #expect(JSONWriter.moreMembers { $0.member("a", false) } == #","a":false"#)
        #expect(JSONWriter.moreMembers { _ in }.isEmpty)
    }
}

@Suite struct ClientCommandTests {
    @Test func `a subscribe has the fields that were asked for, and no others`() {
        var command = SubscribeCommand(topic: "a\"b", clientID: "c")
        #expect(command.text(requestID: nil) == #"{"type":"subscribe","topic":"a\"b","client_id":"c"}"#)
        command.since = .position(epoch: "e", offset: 4)
        command.overflow = .dropOldest
        command.waits = true
        let start = #"{"type":"subscribe","topic":"a\"b","client_id":"c","request_id":"s""#
        let end = #","since":{"epoch":"e","offset":4},"overflow":"drop-oldest","wait":true}"#
        #expect(command.text(requestID: "s") == start + end)
    }

    @Test func `a publish forwards its payloads as they are`() {
        let messages = [PublishCommand.Message(id: "i", payload: "[1.0]"), .init(id: "j", payload: "{ }")]
        var command = PublishCommand(topic: "t", content: .batch(messages))
        command.timeToLive = .microseconds(1_500)
        let batch = #"[{"id":"i","payload":[1.0]},{"id":"j","payload":{ }}]"#
        #expect(
            command.text(requestID: "7")
                == #"{"type":"publish","topic":"t","request_id":"7","messages":\#(batch),"ttl":"2ms","outcome":true}"#
        )
    }
}
