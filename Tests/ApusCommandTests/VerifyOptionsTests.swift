import ApusVerify
import ArgumentParser
import Testing

@testable import apus

@Suite("The options of apus verify")
struct VerifyOptionsTests {
    @Test(arguments: [("0.2..2", 0.2...2), ("2..2", 2...2), ("200ms..1.5s", 0.2...1.5), ("1s..1d", 1...86_400)])
    func `take a range of durations in the grammar of all durations`(text: String, seconds: ClosedRange<Double>) {
        #expect(DurationRange(argument: text)?.seconds == seconds)
    }

    @Test(arguments: ["", "1", "..", "2..1", "0..1", "a..b", "1..1e9", "nan..1", "1s..2d", "1s...2s"])
    func `refuse what is no range`(text: String) {
        #expect(DurationRange(argument: text) == nil)
    }

    @Test func `take each transport once`() {
        #expect(TransportList(argument: "sse,ws,sse")?.transports == [.sse, .ws])
        for wrong in ["", "ws,", "tcp"] { #expect(TransportList(argument: wrong) == nil) }
    }

    @Test(arguments: [
        "--subscribers 0", "--rate 0", "--topics 9999", "--publishers 0", "a b", "--drop-every 1",
        "http://a --url http://b", "--url http://h --data d --restarts 1", "--restarts 1", "--data d",
        "--data d --restarts 0", "http://h --data d --restarts 1",
    ]
    )
    func `refuse numbers out of bounds`(line: String) {
        #expect(throws: (any Error).self) { try VerifyCommand.parse(line.split(separator: " ").map(String.init)) }
    }

    @Test func `take a server and how often its clients are cut off`() {
        #expect(throws: Never.self) { try VerifyCommand.parse(["http://h", "--drop-every", "0.1..0.5"]) }
        #expect(throws: Never.self) { try VerifyCommand.parse(["--data", "d", "--restarts", "3"]) }
        #expect(throws: Never.self) { try VerifyCommand.parse(["--url", "http://a,http://b", "--url", "http://c"]) }
    }
}
