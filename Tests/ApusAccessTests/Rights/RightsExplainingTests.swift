import ApusAccess
import ApusProtocol
import Testing

/// Rights, told to people.
struct RightsExplainingTests {
    @Test func `Lines are the rules as they read for the subject, in their order`() throws {
        let lines = try rights(RightsTests.example, subject: "ann").lines
        #expect(lines.map(\.rule) == [1, 2, 3] && lines.map(\.isDeny) == [false, false, true])
        #expect(lines[0].topics == ["orders.>", "user.ann.>"])
        #expect(lines[1].actions == .publish)
        // Admin counts on > only.
        #expect(lines[2].actions == .onTopics)
    }

    @Test func `A rule whose topics differ in what it allows has a line for each`() throws {
        let text = #"[{"actions":["*"],"topics":["a.>",">"]},{"actions":["admin"],"topics":["b"]}]"#
        let lines = try rights(text).lines
        #expect(lines.map(\.rule) == [1, 1])
        #expect(lines.map(\.topics) == [["a.>"], [">"]])
        #expect(lines.map(\.actions) == [.onTopics, .all])
        #expect(Rights.none.lines.isEmpty)
        #expect(Rights.all.lines.map(\.actions.names) == [["*"]])
    }

    @Test(arguments: [
        ("publish", "orders.eu.a", "rule 2 allows publish on orders.eu.*"),
        ("subscribe", "user.ann.x", "rule 1 allows subscribe on user.ann.>"),
        ("subscribe", "orders.>", "rule 1 allows subscribe on orders.>, without what rule 3 denies"),
        ("subscribe", "orders.internal.a", "!rule 3 denies subscribe on orders.internal.>"),
        ("manage", "orders.eu", "!no rule allows manage on orders.eu"),
        ("subscribe", "*.eu", "!no single rule allows subscribe on all of *.eu"),
        ("admin", "orders.eu", "!admin is about the server, so it counts only on >"),
    ])
    func `An answer names the rule that decides`(name: String, topic: String, text: String) throws {
        let action = try #require(Actions(name: name))
        let pattern = try #require(TopicPattern(topic))
        let (isAllowed, because) = try rights(RightsTests.example, subject: "ann")
            .explain(action, called: name, on: pattern)
        #expect((isAllowed ? "" : "!") + because == text)
    }
}
