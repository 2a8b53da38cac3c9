import ApusBroker
import Testing

@Suite struct SwapRemovalTests {
    @Test func `the last element takes the place of the one that is removed`() {
        var letters = ["a", "b", "c", "d"]
        #expect(letters.swapRemove(at: 1) == "d")
        #expect(letters == ["a", "d", "c"])
        #expect(letters.swapRemove(at: 0) == "c")
        #expect(letters == ["c", "d"])
    }

    @Test func `nothing moves when the last element is removed`() {
        var letters: ContiguousArray = ["a", "b"]
        #expect(letters.swapRemove(at: 1) == nil)
        #expect(letters == ["a"])
        #expect(letters.swapRemove(at: 0) == nil)
        #expect(letters.isEmpty)
    }
}
