import ApusClient
import Testing

@testable import ApusVerify

@Suite("A verdict")
struct VerdictTests {
    private func verdict(
        delivered: Int,
        of expected: Int,
        books: ServerBooks.Outcome = .inconclusive("none"),
        change: (inout VerifyControl.Sums) -> Void = { _ in }
    ) -> Verdict {
        var sums = VerifyControl.Sums()
        sums.published = 10
        sums.expected = expected
        sums.counts.delivered = delivered
        change(&sums)
        return Verdict(
            settings: .forTests(port: 1),
            sums: sums,
            failure: nil,
            isInterrupted: false,
            books: books,
            seconds: 30
        )
    }

    @Test(arguments: [(10, 10, "100"), (999_999, 1_000_000, "99.999"), (7, 8, "87.500")]
    )
    func `never rounds up to all`(delivered: Int, expected: Int, percent: String) {
        #expect(verdict(delivered: delivered, of: expected).percent == percent)
    }

    @Test func `is a violation for every kind of one`() {
        #expect(verdict(delivered: 5, of: 5).isProven)
        #expect(!verdict(delivered: 4, of: 5).isProven)
        #expect(!verdict(delivered: 5, of: 5, books: .violated("x")).isProven)
        #expect(!verdict(delivered: 5, of: 5) { $0.published = 0 }.isProven)
        let kinds: [WritableKeyPath<VerifyCounts, Int>] = [
            \.lost, \.doubled, \.reordered, \.misplaced, \.damaged, \.vanished, \.faults, \.announced,
        ]
        for kind in kinds {
            #expect(!verdict(delivered: 5, of: 5) { $0.counts[keyPath: kind] = 1 }.isProven)
        }
    }

    @Test func `says first what is wrong`() {
        let verdict = verdict(delivered: 4, of: 5, books: .violated("x")) { sums in
            sums.counts.lost = 1
            sums.counts.reordered = 2
        }
        let end = "VIOLATED: 1 lost, 2 reordered, the server's books are wrong; 80.000 % delivered (seed 1)\n"
        #expect(verdict.text.hasSuffix("verdict     " + end), "\(verdict.text)")
        #expect(self.verdict(delivered: 5, of: 5).text.contains("nothing lost, nothing doubled, nothing reordered"))
    }

    @Test func `is one JSON object for programs`() throws {
        let text = verdict(delivered: 5, of: 5) { sums in
            sums.notes = ["a \"note\""]
            sums.byTransport[.sse] = .init(subscribers: 1, delivered: 5, reconnects: 2)
            sums.recovery.record(microseconds: 1_500)
            sums.ended = ["SHUTDOWN": 1]
        }.json
        #expect(JSONText(parsing: String(text.dropLast())) != nil, "\(text)")
        #expect(text.contains("\"percent\":100"))
    }
}
