import ApusAccess
import ApusProtocol
import ApusSockets
import Testing

@testable import ApusServer

@Suite struct PublishBudgetTests {
    private func limits(_ change: (inout ServerConfiguration.Rates) -> Void) -> RateLimits {
        var rates = ServerConfiguration.Rates()
        change(&rates)
        return RateLimits(rates)
    }

    private var hourly: RateLimits {
        limits { ($0.publish, $0.publishBurst) = (Rate(1, per: .hour), 2) }
    }

    @Test func `messages and bytes are taken together or not at all`() {
        let limits = limits {
            ($0.publish, $0.publishBurst) = (Rate(1, per: .hour), 3)
            ($0.publishBytes, $0.publishBytesBurst) = (Rate(1, per: .minute), 100)
        }
        let budget = PublishBudget()
        #expect(budget.take(messages: 1, bytes: 90, limits, now: 0) == nil)
        let tooMany = budget.take(messages: 1, bytes: 11, limits, now: 0)
        #expect(tooMany == RateLimits.Refusal(limit: .publishBytes, wait: 60_000))
        #expect(budget.take(messages: 2, bytes: 10, limits, now: 0) == nil)
        let empty = budget.take(messages: 1, bytes: 1, limits, now: 0)
        #expect(empty == RateLimits.Refusal(limit: .publish, wait: 3_600_000))
        budget.giveBack(messages: 1, bytes: 5)
        #expect(budget.take(messages: 1, bytes: 5, limits, now: 0) == nil)
    }

    private func owner(_ address: String, port: UInt16 = 1) throws -> PublishBudgets.Owner {
        PublishBudgets.Owner(nil, Caller(address: PeerAddress(try #require(IPAddress(address)), port: port)))
    }

    @Test func `one owner has one budget, whatever the port`() throws {
        let budgets = PublishBudgets(hourly)
        let owners = [try owner("127.0.0.1"), try owner("127.0.0.1", port: 2)]
        #expect(Set(owners).count == 1)
        #expect(try owner("127.0.0.2") != owners[0])
        #expect(try owner("2001:db8::1") == owner("2001:db8::2:0:0:1"))
        #expect(try owner("2001:db8::1") != owner("2001:db8:0:1::1"))
        #expect(PublishBudgets.Owner(nil, .unknown) == .address(nil))
        #expect(budgets.budget(of: owners[0]) === budgets.budget(of: owners[1]))
        #expect(budgets.budget(of: .key("a")) !== budgets.budget(of: .subject("a")))
        #expect(budgets.count == 3)
    }

    @Test func `a key is its id, a token its subject, and without one the address counts`() throws {
        let key = APIKey(id: "k", digest: KeyDigest(of: "k"), rules: RuleList(.array([])), expires: nil)
        #expect(PublishBudgets.Owner(Principal(key), .unknown) == .key("k"))
    }

    @Test func `full budgets that nobody holds go, a few at a time`() {
        let budgets = PublishBudgets(hourly)
        let held = budgets.budget(of: .key("held"))
        for number in 1...9 { _ = budgets.budget(of: .key("\(number)")) }
        _ = budgets.budget(of: .key("used")).take(messages: 1, bytes: 0, hourly, now: 0)
        for _ in 1...4 { budgets.forgetIdle(now: 0, limit: 3) }
        #expect(budgets.count == 2)
        budgets.forgetIdle(now: 3_600_000, limit: 3)
        #expect(budgets.count == 1)
        #expect(budgets.budget(of: .key("held")) === held)
        budgets.change(to: limits { _ in })
        budgets.forgetIdle(now: 0, limit: 3)
        #expect(budgets.count == 1)
    }

    @Test func `beyond the bound newcomers share a budget, and who was there before keeps its own`() {
        let budgets = PublishBudgets(hourly, limit: 2)
        let known = [budgets.budget(of: .key("a")), budgets.budget(of: .key("b"))]
        let shared = budgets.budget(of: .key("c"))
        #expect(budgets.budget(of: .key("d")) === shared && budgets.count == 2)
        for _ in 1...2 { #expect(shared.take(messages: 1, bytes: 0, hourly, now: 0) == nil) }
        #expect(budgets.budget(of: .key("e")).take(messages: 1, bytes: 0, hourly, now: 0) != nil)
        for budget in known { #expect(budget.take(messages: 2, bytes: 0, hourly, now: 0) == nil) }
        #expect(budgets.budget(of: .key("a")) === known[0])
    }
}
