import ApusAccess
import ApusTesting
import Testing

struct KeyFormTests {
    @Test func `A key that was made is read again, with its id`() throws {
        var random = SeededGenerator(seed: 5)
        for id in ["a", "orders-service", "0", String(repeating: "x", count: 40)] {
            let key = KeyForm.make(id: id, using: &random)
            #expect(KeyForm.read(key) == .key(id: id))
            #expect(key.utf8.count == 5 + id.utf8.count + 1 + 30)
            let expression = try Regex(KeyForm.expression)
            #expect(try expression.wholeMatch(in: key) != nil)
        }
    }

    @Test func `Two keys of the same id differ`() {
        var system = SystemRandomNumberGenerator()
        let keys = (0..<100).map { _ in KeyForm.make(id: "a", using: &system) }
        #expect(Set(keys).count == 100)
    }

    @Test func `The form is this, for ever`() {
        var random = SeededGenerator(seed: 1)
        // A change of alphabet, size or checksum would make all keys that are out there mistyped.
        #expect(KeyForm.make(id: "orders", using: &random) == "apus_orders_ZkyRRlsWHnPbSWRAeogs45U72HmPq6")
    }

    @Test func `Every changed, missing or swapped character is noticed`() {
        var random = SeededGenerator(seed: 6)
        let key = Array(KeyForm.make(id: "orders", using: &random))
        for index in key.indices {
            var typo = key
            typo[index] = key[index] == "x" ? "y" : "x"
            if case .key = KeyForm.read(String(typo)) { Issue.record("the typo at \(index) goes unnoticed") }
            var cut = key
            cut.remove(at: index)
            if case .key = KeyForm.read(String(cut)) { Issue.record("the cut at \(index) goes unnoticed") }
            guard index > 0, key[index] != key[index - 1] else { continue }
            var swapped = key
            swapped.swapAt(index, index - 1)
            if case .key = KeyForm.read(String(swapped)) { Issue.record("the swap at \(index) goes unnoticed") }
        }
    }

    @Test(arguments: [
        "", "apus_", "apus__", "secret", "apus_A_0000000000000000000000000000000", "apus_a_000", "apus_a_b_c",
    ])
    func `Any other text is somebody else's key`(text: String) {
        #expect(KeyForm.read(text) == .foreign)
    }

    @Test(arguments: ["", "-a", "A", "a.b", "a_b", "ü", String(repeating: "x", count: 41)])
    func `This is no id`(id: String) {
        #expect(!KeyForm.isID(id))
    }
}
