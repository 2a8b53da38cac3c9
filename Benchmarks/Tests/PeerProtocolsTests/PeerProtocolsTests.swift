import ApusLoad
import PeerProtocols
import Testing

/// A protocol's reading half with one connection.
private struct Conversation {
    var parser: any LoadParser
    var connection: LoadConnection
    var events = LoadEvents()
    var output: [UInt8] = []

    init(_ wire: any LoadProtocol, _ role: LoadConnection.Role) {
        parser = wire.makeParser()
        connection = LoadConnection(role: role, number: 7, topic: "t000003")
        parser.begin(&connection, output: &output)
    }

    /// What was said since the last time.
    mutating func takeOutput() -> String {
        defer { output = [] }
        return String(decoding: output, as: UTF8.self)
    }

    mutating func takeEvents() -> [LoadEvent] {
        defer { events.removeAll() }
        return events.all
    }

    /// Gives the parser bytes and what it left of them before, all at once; returns what it leaves.
    @discardableResult
    mutating func receive(_ bytes: [UInt8]) -> Int {
        let done = bytes.withUnsafeBytes {
            parser.parse($0, connection: &connection, events: &events, output: &output)
        }
        return bytes.count - done
    }

    @discardableResult
    mutating func receive(_ text: String) -> Int { receive(Array(text.utf8)) }

    /// Gives the parser one byte more each time, as a slow network would.
    mutating func receiveSlowly(_ bytes: [UInt8]) -> Int {
        var rest: [UInt8] = []
        for byte in bytes {
            rest.append(byte)
            let left = receive(rest)
            rest = Array(rest.suffix(left))
        }
        return rest.count
    }
}

private let mark = LoadMark(publisher: 5, sequence: 9, time: 1234)
private let delivery = LoadEvent(.delivery, mark.origin, mark.time)

/// A publish as the engine sends it: the template with a mark, and topic 3.
private func publish(_ wire: any LoadProtocol, payloadBytes: Int = 64) -> [UInt8] {
    let template = wire.publishTemplate(topic: "t000000", payloadBytes: payloadBytes)
    var bytes = template.bytes
    bytes.withUnsafeMutableBytes { bytes in
        guard let base = bytes.baseAddress else { return }
        mark.write(to: base + template.mark)
    }
    if let place = template.topicDigits {
        bytes.replaceSubrange(place..<(place + LoadTopics.digits), with: "000003".utf8)
    }
    if let place = template.identifier { bytes[place] = UInt8(ascii: "f") }
    return bytes
}

/// The message that all protocols carry.
private func message(payloadBytes: Int = 64) -> String {
    let text = String(decoding: publish(RedisProtocol(), payloadBytes: payloadBytes), as: UTF8.self)
    return String(text.split(separator: "\r\n")[6])
}

@Test func everyProtocolCarriesTheSameMessage() {
    let text = message()
    #expect(text.hasPrefix(#"{"id":"f0000000-0000-4000-8000-000000000000","payload":"ld-mark:0005000000000009"#))
    #expect(text.hasSuffix(#""}"#))
    #expect(text.utf8.count == 64 + 56)
    for wire in [NATSProtocol(), MQTTProtocol(), NchanProtocol(host: "h")] as [any LoadProtocol] {
        let whole = String(decoding: publish(wire), as: UTF8.self)
        #expect(whole.contains(text), "\(wire.name)")
    }
}

@Suite struct NATS {
    @Test func aSubscriberIntroducesItselfOnceAndIsReadyWithThePong() {
        var conversation = Conversation(NATSProtocol(), .subscriber)
        #expect(conversation.takeOutput() == "")
        conversation.receive("INFO {\"server_id\":\"x\"}\r\n")
        let said = conversation.takeOutput()
        #expect(said.hasPrefix("CONNECT {"))
        #expect(said.hasSuffix("}\r\nSUB t000003 1\r\nPING\r\n"))
        conversation.receive("INFO {}\r\nPING\r\nPONG\r\nPONG\r\n")
        #expect(conversation.takeOutput() == "PONG\r\n")
        #expect(conversation.takeEvents() == [LoadEvent(.ready)])
    }

    @Test func aPublisherSubscribesToNothing() {
        var conversation = Conversation(NATSProtocol(), .publisher)
        conversation.receive("INFO {}\r\n")
        #expect(!conversation.takeOutput().contains("SUB"))
    }

    @Test func aPublishNamesTopicAndSize() {
        let text = String(decoding: publish(NATSProtocol()), as: UTF8.self)
        #expect(text == "PUB t000003 120\r\n\(message())\r\n")
    }

    @Test func messagesAreReadHoweverTheyAreCut() {
        var conversation = Conversation(NATSProtocol(), .subscriber)
        let text = "MSG t000003 1 120\r\n\(message())\r\nMSG t000003 1 reply 2\r\nhi\r\n"
        #expect(conversation.receiveSlowly(Array(text.utf8)) == 0)
        #expect(conversation.takeEvents() == [delivery, LoadEvent(.other)])
    }

    @Test func anEndlessLineEndsTheConnection() {
        var conversation = Conversation(NATSProtocol(), .subscriber)
        #expect(conversation.receive([UInt8](repeating: 0x78, count: 60_000)) == 60_000)
        #expect(conversation.receive([UInt8](repeating: 0x78, count: 70_000)) == 0)
        #expect(conversation.takeEvents().map(\.kind) == [.closed])
    }

    @Test(arguments: ["MSG t\r\n", "MSG t 1 99999999999\r\n", "MSG t 1 -4\r\n"])
    func nonsenseEndsTheConnection(text: String) {
        var conversation = Conversation(NATSProtocol(), .subscriber)
        #expect(conversation.receive(text) == 0)
        #expect(conversation.takeEvents().map(\.kind) == [.closed])
    }

    @Test func errorsAreKept() {
        var conversation = Conversation(NATSProtocol(), .publisher)
        conversation.receive("-ERR 'Slow Consumer'\r\n+OK\r\n")
        #expect(conversation.events.texts == ["-ERR 'Slow Consumer'"])
        #expect(conversation.takeEvents() == [LoadEvent(.error), LoadEvent(.other)])
    }
}

@Suite struct Redis {
    @Test func bothRolesAreReadyWithTheirFirstAnswer() {
        var subscriber = Conversation(RedisProtocol(), .subscriber)
        #expect(subscriber.takeOutput() == "*2\r\n$9\r\nSUBSCRIBE\r\n$7\r\nt000003\r\n")
        subscriber.receive("*3\r\n$9\r\nsubscribe\r\n$7\r\nt000003\r\n:1\r\n")
        #expect(subscriber.takeEvents() == [LoadEvent(.ready)])
        var publisher = Conversation(RedisProtocol(), .publisher)
        #expect(publisher.takeOutput() == "*1\r\n$4\r\nPING\r\n")
        publisher.receive("+PONG\r\n")
        #expect(publisher.takeEvents() == [LoadEvent(.ready)])
    }

    @Test func aPublishIsAnArrayOfThree() {
        let text = String(decoding: publish(RedisProtocol()), as: UTF8.self)
        #expect(text == "*3\r\n$7\r\nPUBLISH\r\n$7\r\nt000003\r\n$120\r\n\(message())\r\n")
    }

    @Test func acksAndMessagesAreReadHoweverTheyAreCut() {
        var conversation = Conversation(RedisProtocol(), .subscriber)
        let push = "*3\r\n$7\r\nmessage\r\n$7\r\nt000003\r\n$120\r\n\(message())\r\n"
        #expect(conversation.receiveSlowly(Array((":1\r\n:0\r\n" + push + push).utf8)) == 0)
        #expect(conversation.takeEvents() == [LoadEvent(.ack, 2), delivery, delivery])
    }

    @Test(arguments: ["*9\r\n", "*\r\n", "*1\r\n$-1\r\n", "hello\r\n"])
    func nonsenseEndsTheConnection(text: String) {
        var conversation = Conversation(RedisProtocol(), .subscriber)
        #expect(conversation.receive(text) == 0)
        #expect(conversation.takeEvents().map(\.kind) == [.closed])
    }
}

@Suite struct MQTT {
    @Test func aSubscriberConnectsAndSubscribes() {
        var conversation = Conversation(MQTTProtocol(), .subscriber)
        #expect(conversation.output == [0x10, 14, 0, 4] + Array("MQTT".utf8) + [4, 2, 0, 0, 0, 2] + Array("s7".utf8))
        conversation.output = []
        conversation.receive([0x20, 2, 0, 0])
        #expect(conversation.output == [0x82, 12, 0, 1, 0, 7] + Array("t000003".utf8) + [0])
        #expect(conversation.takeEvents() == [])
        conversation.receive([0x90, 3, 0, 1, 0])
        #expect(conversation.takeEvents() == [LoadEvent(.ready)])
    }

    @Test func aPublisherIsReadyWhenItIsConnected() {
        var conversation = Conversation(MQTTProtocol(), .publisher)
        conversation.receive([0x20, 2, 0, 0])
        #expect(conversation.takeEvents() == [LoadEvent(.ready)])
    }

    @Test(arguments: [64, 400, 20_000])
    func aPublishIsReadAsItIsWrittenHoweverItIsCut(size: Int) {
        var conversation = Conversation(MQTTProtocol(), .subscriber)
        let packet = publish(MQTTProtocol(), payloadBytes: size)
        #expect(conversation.receiveSlowly(packet + packet + [0xD0, 0]) == 0)
        #expect(conversation.takeEvents() == [delivery, delivery, LoadEvent(.other)])
    }

    @Test(arguments: [
        [0x20, 2, 0, 5], [0x90, 3, 0, 1, 0x80], [0x30, 1, 0], [0x30, 2, 0, 9], [0x30, 255, 255, 255, 255],
    ])
    func refusalsAndNonsenseEndTheConnection(bytes: [UInt8]) {
        var conversation = Conversation(MQTTProtocol(), .subscriber)
        #expect(conversation.receive(bytes) == 0)
        #expect(conversation.takeEvents().map(\.kind) == [.closed])
    }
}

@Suite struct Nchan {
    private let accepted = """
        HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n
        """

    @Test func theRoleAndTheTopicAreInThePath() {
        var subscriber = Conversation(NchanProtocol(host: "h:1"), .subscriber)
        #expect(subscriber.takeOutput().hasPrefix("GET /sub/t000003 HTTP/1.1\r\nHost: h:1\r\n"))
        var publisher = Conversation(NchanProtocol(host: "h:1"), .publisher)
        #expect(publisher.takeOutput().hasPrefix("GET /pub/t000003 HTTP/1.1\r\n"))
        publisher.receive(accepted)
        #expect(publisher.takeEvents() == [LoadEvent(.ready)])
    }

    @Test func framesAreDeliveriesToSubscribersAndAcksToPublishers() {
        let text = Array(message().utf8)
        let frame = [0x81, UInt8(text.count)] + text
        var subscriber = Conversation(NchanProtocol(host: "h"), .subscriber)
        #expect(subscriber.receiveSlowly(Array(accepted.utf8) + frame + frame) == 0)
        #expect(subscriber.takeEvents() == [LoadEvent(.ready), delivery, delivery])
        var publisher = Conversation(NchanProtocol(host: "h"), .publisher)
        publisher.receive(Array(accepted.utf8) + [0x81, 2, 0x68, 0x69, 0x81, 0])
        #expect(publisher.takeEvents() == [LoadEvent(.ready), LoadEvent(.ack, 2)])
    }

    @Test func aRefusalEndsTheConnection() {
        var conversation = Conversation(NchanProtocol(host: "h"), .subscriber)
        #expect(conversation.receive("HTTP/1.1 403 Forbidden\r\n\r\n") == 0)
        #expect(conversation.events.texts == ["the handshake was answered with HTTP/1.1 403 Forbidden"])
    }

    @Test func pingsAreAnswered() {
        var conversation = Conversation(NchanProtocol(host: "h"), .subscriber)
        conversation.receive(accepted)
        conversation.output = []
        conversation.receive([0x89, 1, 0x61])
        #expect(conversation.output.first == 0x8A)
        #expect(conversation.output.count == 7)
    }
}
