import Testing

@testable import ApusServer

/// When laggards go, and when new work is refused.
@Suite struct MemoryBudgetTests {
    private var budget = MemoryBudget(limit: 1000)

    @Test mutating func `below 90 % nothing happens`() {
        for used in [0, 500, 899] {
            #expect(budget.update(used: used) == 0)
            #expect(budget.level == .free)
        }
    }

    @Test mutating func `from 90 % on, laggards that come to what is above it must go`() {
        #expect(budget.update(used: 900) == 0)
        #expect(budget.level == .near)
        #expect(budget.update(used: 960) == 60)
        #expect(budget.level == .near)
        #expect(budget.update(used: 899) == 0)
        #expect(budget.level == .free)
    }

    @Test mutating func `at the limit work is refused until use is below 95 %`() {
        #expect(budget.update(used: 1000) == 100)
        #expect(budget.level == .full)
        #expect(budget.update(used: 950) == 50)
        #expect(budget.level == .full)
        #expect(budget.update(used: 949) == 49)
        #expect(budget.level == .near)
        #expect(budget.update(used: 951) == 51)
        #expect(budget.level == .near)
    }

    @Test mutating func `a sudden end of all use frees at once`() {
        _ = budget.update(used: 5000)
        #expect(budget.update(used: 10) == 0)
        #expect(budget.level == .free)
    }
}
