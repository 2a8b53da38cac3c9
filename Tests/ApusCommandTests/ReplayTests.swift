import ApusClient
import Testing

@testable import apus

@Suite("Replaying")
struct ReplayTests {
    private func event(_ line: ReplayLines.Line) -> ReplayEvent? {
        if case .event(let event) = line { event } else { nil }
    }

    @Test func `takes the lines of sub in both dialects`() {
        var lines = ReplayLines(fallback: nil)
        let base = event(
            lines.read(
                #"{"type":"event","topic":"t","message":{"id":"i","payload":{"a": 1.0}},"key":"k","offset":7,"ts":"2026-01-01T00:00:01Z"}"#
            )
        )
        #expect(base?.topic == "t" && base?.id == "i" && base?.key == "k" && base?.offset == 7)
        #expect(base?.payload.text == #"{"a": 1.0}"#)
        #expect(base?.milliseconds == 1_767_225_601_000)
        let v1 = event(lines.read(#"{"topic":"t","message":{"payload":null},"timestamp":"2026-01-01T00:00:01Z"}"#))
        #expect(v1?.milliseconds == 1_767_225_601_000 && v1?.payload.text == "null" && v1?.id == "")
    }

    @Test func `takes the lines of an export, whose events have the topic before them`() {
        var lines = ReplayLines(fallback: "other")
        #expect(event(lines.read(#"{"message":{"payload":1}}"#))?.topic == "other")
        #expect(lines.read(#"{"topic":"a","epoch":"e","settings":{},"next":3}"#) == .other)
        #expect(event(lines.read(#"{"offset":1,"message":{"payload":1},"ts":"x"}"#))?.topic == "a")
        #expect(lines.read(#"{"expired":{"from":1,"to":2}}"#) == .other)
        #expect(lines.read(#"{"missed":{"from":1,"to":2}}"#) == .other)
        #expect(lines.read(#"{"topic":"b","epoch":"e"}"#) == .other)
        #expect(event(lines.read(#"{"offset":1,"message":{"payload":1}}"#))?.topic == "b")
    }

    @Test(arguments: [
        ("", "not a JSON object"), ("[]", "not a JSON object"), ("{\"a\":1}", "no \"message\""),
        ("{\"message\":{}}", "no \"payload\""), ("{\"message\":{\"payload\":1}}", "--to"),
        ("{\"message\":1}", "no \"payload\""),
    ])
    func `says what is wrong with a line`(line: String, reason: String) {
        var lines = ReplayLines(fallback: nil)
        guard case .bad(let found) = lines.read(line) else {
            Issue.record("it was taken")
            return
        }
        #expect(found.contains(reason))
    }

    @Test(arguments: [
        ("1x", ReplaySpeed.times(1)), ("10x", .times(10)), ("0.5x", .times(0.5)), ("2", .times(2)), ("max", .max),
    ])
    func `takes speeds`(text: String, speed: ReplaySpeed) {
        #expect(ReplaySpeed(argument: text) == speed)
    }

    @Test(arguments: ["", "x", "0x", "-1x", "fast", "1y", "nanx", "infx"])
    func `refuses what is no speed`(text: String) {
        #expect(ReplaySpeed(argument: text) == nil)
    }

    @Test func `keeps the distances of the events, divided by the speed`() {
        var pace = ReplayPace(speed: .times(2), rate: nil, longestGap: nil)
        // One without a time and one from the past follow at once; distances then count from the latter.
        let due = [1000, 3000, nil, 2000, 4000].map { pace.next($0) }
        #expect(due == [.zero, .seconds(1), .seconds(1), .seconds(1), .seconds(2)])
    }

    @Test func `waits no longer than the longest gap`() {
        var pace = ReplayPace(speed: .times(1), rate: nil, longestGap: .milliseconds(100))
        #expect([0, 3_600_000, 3_600_050].map { pace.next($0) } == [.zero, .milliseconds(100), .milliseconds(150)])
    }

    @Test func `at a rate or at full speed does not look at times`() {
        var rate = ReplayPace(speed: .times(1), rate: 4, longestGap: nil)
        #expect([0, 9_000, nil].map { rate.next($0) } == [.zero, .milliseconds(250), .milliseconds(500)])
        var max = ReplayPace(speed: .max, rate: nil, longestGap: nil)
        #expect([0, 9_000].map { max.next($0) } == [nil, nil])
    }

    @Test(arguments: [0, 0.001, 0.5, 0.999, 1])
    func `shows a bar that is narrower than the terminal`(fraction: Double) {
        for columns in 1...200 {
            let line = ProgressBar.line("replaying", fraction, "1 message", columns: columns)
            #expect(line.count < max(columns, 1) || columns == 1 && line.isEmpty)
        }
        let line = ProgressBar.line("replaying", fraction, "1 message", columns: 80)
        let cells = line.drop { $0 != "▕" }.dropFirst().prefix { $0 != "▏" || false }
        #expect(line.contains("\(Int(fraction * 100)) %") && cells.count <= 40)
    }
}
