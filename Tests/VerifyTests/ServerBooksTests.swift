import Testing

@testable import ApusVerify

@Suite("The server's books")
struct ServerBooksTests {
    private func books(matched: Int, delivered: Int, published: Int = 0, others: String = "") -> ServerBooks {
        ServerBooks(
            text: """
                # HELP apus_messages_matched_total Matches.
                apus_messages_matched_total \(matched)
                apus_messages_delivered_total \(delivered)
                apus_messages_published_total \(published)
                \(others)
                """
        )
    }

    @Test func `sum the series of a name, whatever their labels hold`() {
        let books = books(
            matched: 20,
            delivered: 10,
            others: """
                apus_messages_replayed_total 3
                apus_messages_dropped_total{reason="drop-oldest"} 4
                apus_messages_dropped_total{reason="a } b",x="1 2"} 5 1700000000000
                apus_messages_pending 2
                apus_messages_own_total 1e0
                apus_messages_conflated_total nonsense
                apus_messages_expired_total 1
                """
        )
        #expect(books.isBalanced)
        #expect(books.equation.hasPrefix("matched 20 + replayed 3 = delivered 10 + dropped 9 + expired 1"))
        #expect(!self.books(matched: 2, delivered: 1).isBalanced)
    }

    @Test func `are compared with what the run knows`() {
        let before = books(matched: 100, delivered: 100, published: 10)
        func outcome(delivered: Int, published: Int) -> ServerBooks.Outcome {
            let now = books(matched: 100 + delivered, delivered: 100 + delivered, published: 10 + published)
            return ServerBooks.judge(now, since: before, share: .init(published: 5, unanswered: 1, delivered: 20))
        }
        func isBalanced(_ outcome: ServerBooks.Outcome) -> Bool {
            if case .balanced = outcome { true } else { false }
        }
        func isViolated(_ outcome: ServerBooks.Outcome) -> Bool {
            if case .violated = outcome { true } else { false }
        }
        #expect(isBalanced(outcome(delivered: 20, published: 5)))
        #expect(isBalanced(outcome(delivered: 25, published: 6)))
        #expect(isViolated(outcome(delivered: 19, published: 5)))
        #expect(isViolated(outcome(delivered: 20, published: 4)))
        // Somebody else publishes.
        let shared = outcome(delivered: 20, published: 7)
        #expect(!isViolated(shared) && !isBalanced(shared))
    }
}
