import Testing

@testable import ApusProtocol

@Suite struct TopicNameTests {
    @Test func `a name has no control characters and no wildcards, wherever they are`() {
        for scalar in (0...0x2FFF).compactMap(Unicode.Scalar.init) {
            let isWildcard = scalar == "*" || scalar == ">"
            let isControl = scalar.properties.generalCategory == .control
            for (before, after) in [("", ""), ("a", ""), ("", "b"), ("\u{C2}é", "\u{80F}ü")] {
                let name = before + String(Character(scalar)) + after
                #expect(TopicName.isAllowed(name) == (!isWildcard && !isControl), "\(scalar.value)")
                #expect(TopicFilter.isPattern(name) == isWildcard, "\(scalar.value)")
            }
        }
    }

    @Test func `a name has 1 to 255 bytes`() {
        #expect(!TopicName.isAllowed("") && TopicName.isAllowed("t"))
        #expect(TopicName.isAllowed(String(repeating: "é", count: 127)))
        #expect(!TopicName.isAllowed(String(repeating: "é", count: 128)))
    }
}
