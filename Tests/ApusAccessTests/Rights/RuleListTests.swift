import ApusAccess
import ApusProtocol
import Testing

struct RuleListTests {
    @Test(arguments: [
        #"[{"actions":["publish"]}]"#,
        #"[{"topics":["a"]}]"#,
        #"[{"actions":[],"topics":["a"]}]"#,
        #"[{"actions":["publish"],"topics":[]}]"#,
        #"[{"actions":"publish","topics":["a"]}]"#,
        #"[{"actions":["publish"],"topics":"a"}]"#,
        #"[{"actions":["publish"],"topics":[1]}]"#,
        #"[{"actions":["publish","write"],"topics":["a"]}]"#,
        #"[{"actions":["publish"],"topics":["a","b*"]}]"#,
        #"[{"actions":["publish"],"topics":["a"],"denny":true}]"#,
        #"[{"actions":["publish"],"topics":["a"],"topics":["b"]}]"#,
        #"["publish"]"#,
        #"[null]"#,
    ])
    func `A malformed rule grants nothing, and a warning says so`(json: String) throws {
        let list = try rules(json)
        #expect(list.rules.isEmpty)
        #expect(list.warnings.count == 1)
        #expect(list.warnings.allSatisfy { $0.hasPrefix("rule 1 is malformed, so it grants nothing") })
    }

    @Test func `A malformed rule leaves the others as they are`() throws {
        let rights = try rights(#"[{"actions":["fly"],"topics":["a"]},{"actions":["publish"],"topics":["b"]}]"#)
        #expect(rights.verdict(on: .publish, of: try #require(TopicPattern("b"))) == .granted(by: 2))
        #expect(!rights.hasAnyRight(onTopic: "a"))
    }

    @Test(arguments: [
        #"{"deny":true,"actions":["fly"],"topics":["a"]}"#,
        #"{"deny":true,"actions":["publish"],"topics":["a*"]}"#,
        #"{"deny":"true","actions":["publish"],"topics":["a"]}"#,
        #"{"deny":null,"actions":["publish"],"topics":["a"]}"#,
        #"{"deny":true,"deny":false,"actions":["publish"],"topics":["a"]}"#,
        #"{"deny":true}"#,
    ])
    func `A malformed deny denies everything`(rule: String) throws {
        let list = try rules(#"[{"actions":["*"],"topics":[">"]},\#(rule)]"#)
        #expect(Rights(list, subject: nil).actions(onTopic: "b") == [])
        #expect(list.warnings.count == 1)
        #expect(list.warnings.allSatisfy { $0.hasPrefix("rule 2 is malformed, so everything is denied") })
    }

    @Test(arguments: ["{}", "null", "true", #""*""#, "1"])
    func `Rights that are no list grant nothing`(json: String) throws {
        let list = try rules(json)
        #expect(list.rules.isEmpty)
        #expect(list.warnings == ["the rights are not a list of rules, so they grant nothing"])
    }

    @Test func `A list with too many rules or topics grants nothing`() throws {
        let rule = #"{"actions":["*"],"topics":[">"]}"#
        func list(_ count: Int) -> String { "[" + Array(repeating: rule, count: count).joined(separator: ",") + "]" }
        #expect(try rules(list(RuleList.maximumRules)).rules.count == RuleList.maximumRules)
        #expect(try rules(list(RuleList.maximumRules + 1)).rules.isEmpty)
        let topics = Array(repeating: #"">""#, count: RuleList.maximumTopics).joined(separator: ",")
        #expect(try rules(#"[{"actions":["*"],"topics":[\#(topics)]}]"#).rules.count == 1)
        #expect(try rules(#"[\#(rule),{"actions":["*"],"topics":[\#(topics)]}]"#).rules.isEmpty)
    }

    @Test func `Warnings are bounded, and quote nothing of the rules`() throws {
        let list = try rules("[" + Array(repeating: #"{"s\u0007ecret":1}"#, count: 100).joined(separator: ",") + "]")
        #expect(list.warnings.count == RuleList.maximumWarnings)
        #expect(list.warnings.allSatisfy { !$0.contains("ecret") })
    }

    @Test func `What probably is a mistake is told`() throws {
        #expect(try rules(#"[{"actions":["publish"],"topics":["a.{tenant}"]}]"#).warnings.count == 1)
        #expect(
            try rules(#"[{"actions":["admin"],"topics":["a.>"]}]"#).warnings == [
                "rule 1 grants nothing: admin counts only on >"
            ]
        )
        #expect(try rules(RightsTests.example).warnings.isEmpty)
    }

    @Test func `Rules are written as they were read`() throws {
        let list = try rules(RightsTests.example)
        #expect(try rules(list.json) == list)
    }
}
