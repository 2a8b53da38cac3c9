import ApusAccess
import ApusProtocol
import Testing

/// The rules in a JSON text.
func rules(_ json: String) throws -> RuleList {
    RuleList(try #require(JSONValue(json)))
}

/// The rights in a JSON text.
func rights(_ json: String, subject: String? = nil) throws -> Rights {
    Rights(try rules(json), subject: subject)
}

struct RightsTests {
    static let example = """
        [{"actions":["subscribe","history"],"topics":["orders.>","user.{sub}.>"]},
         {"actions":["publish"],"topics":["orders.eu.*"]},
         {"deny":true,"actions":["*"],"topics":["orders.internal.>"]}]
        """

    @Test(
        arguments: [
            ("orders.eu", [.subscribe, .history]),
            ("orders.eu.paid", [.subscribe, .history, .publish]),
            ("orders.eu.paid.late", [.subscribe, .history]),
            ("orders.internal.audit", []),
            ("orders.internal", [.subscribe, .history]),
            ("orders", []),
            ("user.ann.inbox", [.subscribe, .history]),
            ("user.bob.inbox", []),
            // A filter is no name, although its tokens look like those of one.
            ("orders.eu.*", []),
            ("orders.>", []),
            ("orders.eu\n", []),
        ] as [(String, Actions)]
    )
    func `The rules of the specification's example mean this`(topic: String, actions: Actions) throws {
        #expect(try rights(Self.example, subject: "ann").actions(onTopic: topic) == actions)
    }

    @Test(arguments: [
        ("orders.*", Actions.subscribe, Rights.Verdict.granted(by: 1)),
        ("orders.>", .subscribe, .granted(by: 1)),
        ("orders.internal.*", .subscribe, .denied(by: 3)),
        ("orders.eu.*", .publish, .granted(by: 2)),
        ("orders.eu.>", .publish, .notGranted),
        ("user.ann.*", .history, .granted(by: 1)),
        ("user.*.inbox", .history, .notGranted),
        ("*", .subscribe, .notGranted),
        (">", .subscribe, .notGranted),
        ("orders.eu.paid", .publish, .granted(by: 2)),
    ])
    func `A verdict names its rule`(pattern: String, action: Actions, verdict: Rights.Verdict) throws {
        let pattern = try #require(TopicPattern(pattern))
        #expect(try rights(Self.example, subject: "ann").verdict(on: action, of: pattern) == verdict)
    }

    @Test func `Two grants that cover a pattern only together do not allow it`() throws {
        let rights = try rights(
            #"[{"actions":["subscribe"],"topics":["a"]},{"actions":["subscribe"],"topics":["a.>"]}]"#
        )
        #expect(rights.allows(.subscribe, topic: "a"))
        #expect(rights.allows(.subscribe, topic: "a.b"))
        #expect(try !rights.allows(.subscribe, pattern: #require(TopicPattern(">"))))
    }

    @Test func `Each action of a pattern may have a grant of its own`() throws {
        let rights = try rights(
            #"[{"actions":["subscribe"],"topics":["a.>"]},{"actions":["history"],"topics":["a.*"]}]"#
        )
        #expect(try rights.allows([.subscribe, .history], pattern: #require(TopicPattern("a.*"))))
        #expect(try !rights.allows([.subscribe, .history], pattern: #require(TopicPattern("a.>"))))
    }

    @Test func `Exclusions say for each action what is left out of a pattern`() throws {
        let rights = try rights(
            """
            [{"actions":["*"],"topics":["a.>"]},{"deny":true,"actions":["history"],"topics":["a.x"]},
             {"deny":true,"actions":["subscribe"],"topics":["*.y"]},{"deny":true,"actions":["*"],"topics":["b.>"]}]
            """
        )
        let exclusions = rights.exclusions(within: try #require(TopicPattern("a.*")))
        #expect(exclusions.actions(deniedOn: "a.x") == .history)
        #expect(exclusions.actions(deniedOn: "a.y") == .subscribe)
        #expect(exclusions.actions(deniedOn: "a.z") == [])
        #expect(exclusions.rules(for: .subscribe) == [3])
        #expect(rights.exclusions(within: try #require(TopicPattern("a.b.*"))).isEmpty)
    }

    @Test(arguments: ["", "a.b", "*", ">", "a>", ".", "a\u{7}b"])
    func `A subject that would change what a topic is about makes it match nothing`(subject: String) throws {
        let rights = try rights(#"[{"actions":["*"],"topics":["user.{sub}.>","user.{client_id}"]}]"#, subject: subject)
        for name in ["user.\(subject)", "user.\(subject).x", "user.a.b", "user.a", "user..x", "user"] {
            #expect(!rights.hasAnyRight(onTopic: name), "\(name)")
        }
        #expect(try !rights.allows(.subscribe, pattern: #require(TopicPattern("user.*.>"))))
    }

    @Test func `Without a subject the topics that name it match nothing`() throws {
        let rights = try rights(#"[{"actions":["publish"],"topics":["user.{sub}","news"]}]"#)
        #expect(rights.allows(.publish, topic: "news"))
        #expect(!rights.hasAnyRight(onTopic: "user.{sub}"))
    }

    @Test func `The subject may be a part of a token`() throws {
        let rights = try rights(#"[{"actions":["publish"],"topics":["user-{client_id}.out"]}]"#, subject: "ann")
        #expect(rights.allows(.publish, topic: "user-ann.out"))
    }

    @Test func `A subject with a placeholder in it is taken as it is`() throws {
        let rights = try rights(#"[{"actions":["publish"],"topics":["user.{sub}"]}]"#, subject: "a{client_id}b")
        #expect(rights.allows(.publish, topic: "user.a{client_id}b"))
        #expect(!rights.hasAnyRight(onTopic: "user.aa{client_id}bb"))
    }

    @Test func `A placeholder with an accent behind it is one`() throws {
        let rights = try rights("[{\"actions\":[\"publish\"],\"topics\":[\"user.{sub}\u{301}\"]}]", subject: "ann")
        #expect(rights.allows(.publish, topic: "user.ann\u{301}"))
    }

    @Test func `The whole server needs a grant on every topic`() throws {
        let some = try rights(#"[{"actions":["stats","admin"],"topics":["orders.>","*"]}]"#)
        #expect(!some.allowsEverywhere(.stats))
        #expect(!some.allowsEverywhere(.admin))
        #expect(some.actions(onTopic: "orders.eu") == .stats)
        let all = try rights(
            #"[{"actions":["stats","admin"],"topics":[">"]},{"deny":true,"actions":["*"],"topics":["secret.>"]}]"#
        )
        #expect(all.allowsEverywhere([.stats, .admin]))
        #expect(!all.hasAnyRight(onTopic: "secret.x"))
        let denied = try rights(#"[{"actions":["*"],"topics":[">"]},{"deny":true,"actions":["admin"],"topics":[">"]}]"#)
        #expect(!denied.allowsEverywhere(.admin))
        #expect(denied.allowsEverywhere(.stats))
    }

    @Test func `All rights allow everything, and none allow nothing`() throws {
        #expect(Rights.all.isUnlimited)
        #expect(Rights.all.allowsEverywhere(.all))
        #expect(Rights.all.actions(onTopic: "orders") == .onTopics)
        #expect(!Rights.all.allows(.admin, topic: "orders"))
        #expect(try !Rights.all.allows(.admin, pattern: #require(TopicPattern("orders"))))
        #expect(Rights.none.actions(onTopic: "orders") == [])
        #expect(!Rights.none.allowsEverywhere(.admin))
    }
}
