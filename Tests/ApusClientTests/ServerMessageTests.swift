import Testing

@testable import ApusClient

@Suite("A message of the server")
struct ServerMessageTests {
    @Test(arguments: ["ts", "timestamp"])
    func `says when it was sent in either dialect`(name: String) throws {
        let time = "2025-08-25T10:00:00.123Z"
        let message = try ServerMessage(
            #"{"type":"ack","request_id":"r1","topic":"orders","status":"ok","\#(name)":"\#(time)"}"#
        )
        #expect(message == .ack(.init(requestID: "r1", topic: "orders", time: time)))
    }

    @Test func `that is an event keeps the bytes of the message and of the payload`() throws {
        let message = #"{ "payload": {"n": 1.00, "big": 12345678901234567890123} ,"id":"a-1"}"#
        let decoded = try ServerMessage(#"{"type":"event","topic":"o\u0072ders","message":\#(message),"ts":"t"}"#)
        guard case .event(let event) = decoded else {
            Issue.record("not an event: \(decoded)")
            return
        }
        #expect(event.topic == "orders")
        #expect(event.message.text == message)
        #expect(event.payload.text == #"{"n": 1.00, "big": 12345678901234567890123}"#)
        #expect(event.id == "a-1")
        #expect(event.time == "t")
    }

    @Test func `that is an error has the code and the request it answers`() throws {
        let text = #"{"type":"error","request_id":7,"error":{"code":"TOPIC_NOT_FOUND","message":"no \"x\""},"ts":"t"}"#
        let message = try ServerMessage(text)
        #expect(message == .error(.init(requestID: "7", code: "TOPIC_NOT_FOUND", message: "no \"x\"", time: "t")))
        #expect(message.requestID == "7")
    }

    @Test func `that nobody asked for says what happened`() throws {
        let dropped = #"{"type":"info","topic":"orders","msg":"messages_dropped","dropped":37,"ts":"t"}"#
        #expect(
            try ServerMessage(dropped)
                == .info(.init(message: "messages_dropped", topic: "orders", dropped: 37, time: "t"))
        )
        #expect(
            try ServerMessage(#"{"type":"info","msg":"ping","ts":"t"}"#)
                == .info(.init(message: "ping", topic: nil, dropped: nil, time: "t"))
        )
        #expect(try ServerMessage(#"{"type":"pong","ts":"t"}"#) == .pong(requestID: nil, time: "t"))
    }

    @Test func `has what the extensions add`() throws {
        let subscribed = try ServerMessage(
            #"""
            {"type":"ack","request_id":"1","topic":"t","status":"ok","epoch":"e","offset":57,"recovered":false,
            "missed":{"from":42,"to":57},"ts":"T"}
            """#
        )
        var ack = ServerMessage.Ack(requestID: "1", topic: "t", time: "T", epoch: "e", offset: 57)
        ack.isRecovered = false
        ack.missed = 42...57
        #expect(subscribed == .ack(ack))

        let published = try ServerMessage(
            #"""
            {"type":"ack","topic":"t","status":"ok","count":3,"epoch":"e","offset":5,"subscribers":2,"stored":"memory",
            "duplicate":false,"duplicates":1,"ts":"T"}
            """#
        )
        var outcome = ServerMessage.Ack(requestID: nil, topic: "t", time: "T", epoch: "e", offset: 5)
        outcome.count = 3
        outcome.subscribers = 2
        outcome.stored = "memory"
        outcome.isDuplicate = false
        outcome.duplicates = 1
        #expect(published == .ack(outcome))

        guard
            case .event(let event) = try ServerMessage(
                #"{"type":"event","topic":"t","message":{"id":"i","payload":1},"key":"k","offset":42,"ts":"T"}"#
            )
        else {
            Issue.record("not an event")
            return
        }
        #expect(event.key == "k" && event.offset == 42)
    }

    @Test func `tells of drops, warnings, others and shutdowns with their numbers`() throws {
        func info(_ members: String) throws -> ServerMessage.Info? {
            guard case .info(let info) = try ServerMessage(#"{"type":"info",\#(members),"ts":"T"}"#) else { return nil }
            return info
        }
        let dropped = try info(#""topic":"t","msg":"messages_dropped","dropped":37,"from":42,"to":78"#)
        #expect(dropped?.dropped == 37 && dropped?.droppedOffsets == 42...78)
        let warning = try info(#""topic":"t","msg":"slow_consumer_warning","lag":812,"queue":1000"#)
        #expect(warning?.lag == 812 && warning?.queue == 1000)
        #expect(try info(#""topic":"t","msg":"joined","client_id":"x""#)?.clientID == "x")
        #expect(try info(#""msg":"shutdown","reconnect_after_ms":250"#)?.reconnectAfterMilliseconds == 250)
    }

    @Test func `of a newer server's type is unknown, not an error`() throws {
        #expect(try ServerMessage(#"{"type":"presence","x":1}"#) == .unknown(type: "presence"))
    }

    @Test(arguments: [
        "", "hello", "[]", "{}", #"{"type":1}"#, #"{"type":"event","topic":"a","ts":"t"}"#,
        #"{"type":"event","topic":"a","message":{"id":"1"}}"#, #"{"type":"error","error":{}}"#, #"{"type":"info"}"#,
    ]
    )
    func `that lacks a member is refused`(text: String) {
        let error = #expect(throws: ClientError.self) { try ServerMessage(text) }
        #expect(error?.code == .badMessage)
    }

    @Test func `may have members whose names and values are no Unicode, as the server forwards them`() throws {
        let message = #"{"id":"1","payload":{"\ud800":"\udc00"},"\udfff":2}"#
        let text = #"{"type":"event","topic":"a","message":\#(message),"ts":"t"}"#
        guard case .event(let event) = try ServerMessage(text) else {
            Issue.record("not an event")
            return
        }
        #expect(event.message.text == message)
        #expect(event.payload.text == #"{"\ud800":"\udc00"}"#)
        #expect(event.payload.members == [:])
    }

    @Test func `is answered to commands that are valid JSON with every field`() throws {
        let subscribe = ClientCommand.subscribe(topic: "a\"b", clientID: "c", lastN: 2).text(requestID: "r")
        #expect(
            JSONText(parsing: subscribe)?.members?.mapValues(\.text)
                == [
                    "type": #""subscribe""#, "topic": #""a\"b""#, "client_id": #""c""#, "last_n": "2",
                    "request_id": #""r""#,
                ]
        )
        let publish = ClientCommand.publish(topic: "t", id: "i", payload: JSONText(unchecked: "[1.0]")).text()
        #expect(publish == #"{"type":"publish","topic":"t","message":{"id":"i","payload":[1.0]}}"#)
        #expect(ClientCommand.ping.text() == #"{"type":"ping"}"#)
        #expect(JSONText(parsing: ClientCommand.auth(apiKey: "k").text())?.members?["api_key"]?.stringValue == "k")
        #expect(ClientCommand.token("t").text() == #"{"type":"auth","token":"t"}"#)
        #expect(JSONText(parsing: ClientCommand.unsubscribe(topic: "t", clientID: "c").text()) != nil)
    }
}
