import ApusProtocol
import Foundation
import NIOCore
import Synchronization
import Testing

@testable import ApusClient
@testable import ApusServer
@testable import apus

@Suite("Lines of standard input")
struct LineReaderTests {
    private func lines(_ chunks: [String], limit: Int = 100) async throws -> [LineReader.Line] {
        let rest = Mutex(chunks[...])
        var reader = LineReader(limit: limit) { rest.withLock { $0.popFirst() }.map { ByteBuffer(string: $0) } }
        var lines: [LineReader.Line] = []
        while let line = try await reader.next() { lines.append(line) }
        return lines
    }

    @Test func `are numbered and free of their line ends however they are cut`() async throws {
        let expected = ["a", "", "bc", "d"].enumerated().map { LineReader.Line(number: $0 + 1, text: $1) }
        #expect(try await lines(["a\n\nb", "c\r", "\nd"]) == expected)
        #expect(try await lines(["a\n\nbc\nd\n"]) == expected)
        #expect(try await lines([]) == [])
    }

    @Test func `that are too long are an error that names them`() async throws {
        #expect(try await lines(["12345\r\n"], limit: 5).count == 1)
        await #expect(throws: LineReader.TooLong(number: 2)) { try await lines(["1\n123456\n"], limit: 5) }
        await #expect(throws: LineReader.TooLong(number: 1)) { try await lines(["123", "45678", "9"], limit: 5) }
    }
}

@Suite("The line editor")
struct LineEditorTests {
    private func submitted(_ keys: String) -> [String] {
        var editor = LineEditor()
        return keys.utf8.compactMap { byte in
            if case .submit(let line) = editor.feed(byte) { line } else { nil }
        }
    }

    @Test func `takes typing, backspace, and the keys that erase`() {
        #expect(submitted("helo\u{7F}lo\r") == ["hello"])
        #expect(submitted("é日\u{7F}\n") == ["é"])
        #expect(submitted("one two\u{17}three\u{15}four five \u{17}\n") == ["four "])
    }

    @Test func `brings earlier lines back and the new one after them`() {
        #expect(submitted("a\nb\n\u{1B}[A\u{1B}[A\n") == ["a", "b", "a"])
        #expect(submitted("a\nxy\u{1B}[A\u{1B}[B\n") == ["a", "xy"])
    }

    @Test func `ignores keys that it does not know`() {
        #expect(submitted("a\u{1B}[1;5Cb\u{1B}OPc\u{1}\n") == ["abc"])
    }

    @Test func `ends at Ctrl-D on an empty line only`() {
        var editor = LineEditor()
        #expect(editor.feed(0x04) == .endOfInput)
        _ = editor.feed(UInt8(ascii: "a"))
        #expect(editor.feed(0x04) == nil)
    }
}

@Suite("The command line")
struct CommandLineTests {
    @Test func `of the shell takes words, numbers and payloads with spaces`() {
        #expect(ShellInput("  ") == .empty)
        #expect(ShellInput("subscribe orders 5") == .verb(.subscribe, ["orders", "5"]))
        #expect(ShellInput(" publish orders {\"a\": 1}  ") == .verb(.publish, ["orders", "{\"a\": 1}"]))
        #expect(ShellInput("create my topic") == .verb(.create, ["my topic"]))
        #expect(ShellInput("3") == .verb(.publish, []))
        #expect(ShellInput("9") == .verb(.quit, []))
        #expect(ShellInput("PING now") == .verb(.ping, []))
        #expect(ShellInput("10") == .unknown("10"))
        #expect(ShellInput("fly") == .unknown("fly"))
    }

    @Test(arguments: [
        ("3s", TimeAmount.seconds(3)), ("500ms", .milliseconds(500)), ("2m", .minutes(2)), ("1h", .hours(1)),
        ("7", .seconds(7)), ("1.5s", .milliseconds(1500)), ("1.5h", .minutes(90)), ("3d", .hours(72)),
    ]
    )
    func `takes spans of time`(text: String, amount: TimeAmount) {
        #expect(DurationArgument(argument: text)?.amount == amount)
    }

    @Test(arguments: ["", "s", "0", "-1s", "1.5ms", "3w", "1000000000h", "9999999999999999999"])
    func `refuses what is no span of time`(text: String) {
        #expect(DurationArgument(argument: text) == nil)
    }

    @Test func `of a health check finds the server that the environment configures`() throws {
        func address(_ environment: [String: String], url: String? = nil) throws -> String {
            try ServerAddress.ofThisMachine(url: url, variables: EnvironmentVariables(environment)).description
        }
        #expect(try address([:]) == "http://127.0.0.1:8080")
        #expect(try address(["APUS_HOST": "0.0.0.0", "APUS_PORT": "9000", "PORT": "1"]) == "http://127.0.0.1:9000")
        #expect(try address(["HOST": "::", "PORT": "81"]) == "http://[::1]:81")
        #expect(try address(["APUS_URL": "ws://a:1/v1", "APUS_PORT": "9000"]) == "http://a:1/v1")
        #expect(try address(["APUS_URL": "ws://a:1"], url: "http://b:2") == "http://b:2")
        #expect(try address(["APUS_HOST": "[::1]", "APUS_PORT": " 82\n"]) == "http://[::1]:82")
        #expect(try address(["APUS_BASE_PATH": "/apus/", "PORT": "83"]) == "http://127.0.0.1:83/apus")
        #expect(try address(["APUS_LISTEN": "127.0.0.1:0,[::]:84", "PORT": "1"]) == "http://[::1]:84")
        #expect(try address(["APUS_LISTEN": "unix:/run/s", "APUS_BASE_PATH": "/a"]) == "unix:/run/s:/a")
        #expect(try address(["APUS_URL": " unix:/run/s:/v1 "]) == "unix:/run/s:/v1")
        #expect(try address(["APUS_PORT": "tcp://10.0.0.1:1", "PORT": "85"]) == "http://127.0.0.1:85")
        #expect(try address(["APUS_TLS_CERTIFICATE": "a.pem", "PORT": "86"]) == "https://127.0.0.1:86")
        #expect(try address(["APUS_TLS_CERTIFICATE": "a.pem", "APUS_LISTEN": "unix:/run/s"]) == "unix:/run/s")
        #expect(throws: ConfigurationError.self) { try address(["APUS_PORT": "x"]) }
        #expect(throws: CommandFailure.self) { try address(["APUS_PORT": "0"]) }
    }

    @Test func `of sub prints an event on one line whatever white space its payload has`() throws {
        let message = "{\"id\":\"1\",\"payload\":[1,\r\n2]}"
        let text = #"{"type":"event","topic":"t","message":\#(message),"ts":"2025-08-25T10:00:00.123Z"}"#
        guard case .event(let sent) = try ServerMessage(text) else {
            Issue.record("not an event")
            return
        }
        var feed = Feed(filter: TopicSelection("t"), options: ApusClient.SubscribeOptions())
        _ = feed.acked(ServerMessage.Ack(requestID: nil, topic: "t", time: ""))
        let received = feed.received(sent)
        let event = try #require(received)
        let raw = EventPrinter(topics: ["t", "long"], isReadable: false).line(for: event)
        #expect(raw.filter(\.isNewline) == "\n")
        #expect(JSONText(parsing: raw)?.members?["topic"]?.stringValue == "t")
        let readable = EventPrinter(topics: ["t", "long"], isReadable: true).line(for: event)
        #expect(readable.filter(\.isNewline) == "\n")
        #expect(readable.contains("10:00:00.123") && readable.contains("[1,"))
    }

    @Test func `of sub prints key and offset only where they are asked for, under the dialect's name for the time`()
        throws
    {
        let event = ApusClient.Event(
            topic: "t",
            id: "1",
            payload: JSONText(unchecked: "2"),
            message: JSONText(unchecked: #"{"id":"1", "payload":2}"#),
            key: "k",
            position: ApusClient.Position(epoch: "e", offset: 42),
            time: "T"
        )
        let plain = EventPrinter(topics: [], isReadable: false).line(for: event)
        #expect(plain == #"{"type":"event","topic":"t","message":{"id":"1", "payload":2},"ts":"T"}"# + "\n")
        let form = EventPrinter.Form(timeKey: "timestamp", isExtended: true)
        let extended = EventPrinter(topics: [], isReadable: false, form: form).line(for: event)
        let members = #""message":{"id":"1", "payload":2},"key":"k","offset":42,"timestamp":"T""#
        #expect(extended == #"{"type":"event","topic":"t","# + members + "}\n")
    }

    @Test func `of sub takes positions, spans, times and all as the beginning`() {
        #expect(SinceArgument(argument: "all")?.start == .all)
        #expect(SinceArgument(argument: "10m")?.start == .age(.seconds(600)))
        #expect(SinceArgument(argument: "2d")?.start == .age(.seconds(172_800)))
        #expect(SinceArgument(argument: "1.5h")?.start == .age(.seconds(5_400)))
        #expect(SinceArgument(argument: "k3v9:41")?.start == .after(.init(epoch: "k3v9", offset: 41)))
        for time in ["2026-11-21T10:00:00Z", "2026-11-21T10:00:00+01:00"] {
            #expect(SinceArgument(argument: time)?.start == .time(time))
        }
        for text in ["", "10", "1.5", "m", "0s", "1000000000d", "-1s", "yesterday", "k3v9:", ":4"] {
            #expect(SinceArgument(argument: text) == nil)
        }
    }

    @Test func `of pub says what became of a message, to people and to programs`() {
        let ack = ServerMessage.Ack(
            requestID: "1",
            topic: "t",
            time: "T",
            epoch: "e",
            offset: 17,
            subscribers: 1,
            stored: "disk",
            isDuplicate: true
        )
        let outcome = ApusClient.Outcome(ack, id: "i", count: 1)
        #expect(
            OutcomeText.line(for: outcome, topic: "t", json: false)
                == "offset 17 of epoch e, 1 subscriber, disk, duplicate\n"
        )
        let ids = #"{"topic":"t","id":"i","epoch":"e","offset":17,"subscribers":1,"#
        #expect(
            OutcomeText.line(for: outcome, topic: "t", json: true)
                == ids + #""stored":"disk","duplicate":true,"ts":"T"}"# + "\n"
        )
        let plain = ApusClient.Outcome(.init(requestID: nil, topic: "t", time: "T"), id: "i", count: 1)
        #expect(OutcomeText.line(for: plain, topic: "t", json: false) == "published\n")
    }
}

@Suite("The resume file")
struct ResumeFileTests {
    private func withFile(_ body: (String) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try body(folder.appendingPathComponent("positions").path)
        // Nothing is left lying about beside it.
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).count <= 1)
    }

    @Test func `has no positions at first, then those that were saved, of other topics too`() throws {
        try withFile { path in
            var file = try ResumeFile(path: path)
            #expect(file.positions.isEmpty)
            try file.save(["a/b": .init(epoch: "e", offset: 1), "b": .init(epoch: "e", offset: 2)])
            try file.save(["b": .init(epoch: "f", offset: 0)])
            let again = try ResumeFile(path: path)
            #expect(again.positions == ["a/b": .init(epoch: "e", offset: 1), "b": .init(epoch: "f", offset: 0)])
            let text = try String(contentsOfFile: path, encoding: .utf8)
            #expect(text == #"{"a/b":{"epoch":"e","offset":1},"b":{"epoch":"f","offset":0}}"#)
        }
    }

    @Test func `that is something else, or cannot be written, is a failure that names it`() throws {
        try withFile { path in
            try Data("hello".utf8).write(to: URL(fileURLWithPath: path))
            let error = #expect(throws: CommandFailure.self) { try ResumeFile(path: path) }
            #expect(error?.message.contains(path) == true)
            var nowhere = try ResumeFile(path: path + ".d/y")
            let other = #expect(throws: CommandFailure.self) { try nowhere.save(["a": .init(epoch: "e", offset: 1)]) }
            #expect(other?.message.contains(path + ".d/y") == true)
        }
    }
}

@Suite("A mistyped command")
struct SuggestionTests {
    private static let lines: [([String], String?)] = [
        (["servee"], "serve"), (["tial", "orders"], "tail"), (["data", "chekc", "/tmp"], "data check"),
        (["topics", "lst"], "topics list"), (["frobnicate"], nil), (["--url", "servee"], nil), (["tail", "tial"], nil),
        ([], nil), (["serve", "--prt"], nil), (["conformance", "clint"], "conformance client"),
        (["conformance", "server:1"], nil),
    ]

    @Test(arguments: lines)
    func `has the one next to it, if there is one near`(words: [String], meant: String?) {
        #expect(Suggestion.command(for: words) == meant)
    }

    @Test func `is as far away as there are letters to change`() {
        for (left, right, distance) in [
            ("", "", 0), ("a", "", 1), ("tial", "tail", 1), ("abc", "cab", 2), ("x", "y", 1),
        ] {
            #expect(Suggestion.distance(left, right) == distance)
        }
    }

    @Test func `is named behind the first line`() {
        #expect(Suggestion.added("tail", to: "Error: no\nUsage: x") == "Error: no. Did you mean 'tail'?\nUsage: x")
    }
}

@Suite("Counts")
struct CountTests {
    @Test func `have a plural, apart from one`() {
        #expect(counted(0, "topic") == "0 topics" && counted(1, "topic") == "1 topic")
        #expect(counted(UInt64(2), "topic") == "2 topics" && counted(1000, "byte", written: "1,000") == "1,000 bytes")
    }
}
