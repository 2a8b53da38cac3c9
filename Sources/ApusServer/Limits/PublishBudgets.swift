import ApusAccess
import ApusProtocol
import ApusSockets
import NIOConcurrencyHelpers

/// The budgets of all clients that publish.
///
/// Shared by all loops, and used only where a limit on publishes is set. A WebSocket connection looks its budget up
/// once and keeps it; a request looks it up each time. ``forgetIdle(now:limit:)`` drops the budgets that are full and
/// that no connection holds: a new one would be the same.
///
/// Bounded: beyond ``limit``, all clients that come share one budget until others have been dropped. So the limits hold
/// whatever comes, and who was there before notices nothing.
final class PublishBudgets: Sendable {
    /// Whose budget it is.
    enum Owner: Hashable, Sendable {
        /// An API key of that id.
        case key(String)
        /// A token's `sub`.
        case subject(String)
        /// The address of a client with neither; `nil` if it has none.
        case address(IPAddress?)

        init(_ principal: Principal?, _ caller: Caller) {
            switch (principal?.source, principal?.id) {
            case (.key(let id)?, _): self = .key(id)
            case (.token?, let subject?): self = .subject(subject)
            case (.token?, nil), (nil, _): self = .address(caller.network)
            }
        }
    }

    /// The most budgets that are kept.
    static let limit = 100_000

    private struct State {
        var limits: RateLimits
        var budgets: [Owner: PublishBudget] = [:]
        /// The owners that are not yet looked at in this round.
        var unchecked: ArraySlice<Owner> = []
    }

    private let limit: Int
    private let state: NIOLockedValueBox<State>
    /// The budget of all clients beyond the limit.
    private let shared = PublishBudget()

    init(_ limits: RateLimits, limit: Int = PublishBudgets.limit) {
        self.limit = limit
        state = NIOLockedValueBox(State(limits: limits))
    }

    /// The number of budgets kept.
    var count: Int { state.withLockedValue { $0.budgets.count } }

    /// Changes what a full budget is.
    func change(to limits: RateLimits) {
        state.withLockedValue { $0.limits = limits }
    }

    func budget(of owner: Owner) -> PublishBudget {
        state.withLockedValue { state in
            if let known = state.budgets[owner] { return known }
            guard state.budgets.count < limit else { return shared }
            let new = PublishBudget()
            state.budgets[owner] = new
            return new
        }
    }

    /// Drops budgets that are full and that nobody holds. Call it regularly.
    ///
    /// - Parameters:
    ///   - now: in milliseconds on the steady clock.
    ///   - limit: how many budgets to look at. The next call continues after them.
    func forgetIdle(now: Int64, limit: Int) {
        state.withLockedValue { state in
            guard !state.budgets.isEmpty else { return }
            if state.unchecked.isEmpty { state.unchecked = Array(state.budgets.keys)[...] }
            for owner in state.unchecked.prefix(limit) {
                guard let index = state.budgets.index(forKey: owner),
                    isKnownUniquelyReferenced(&state.budgets.values[index]),
                    state.budgets.values[index].isFull(state.limits, now: now)
                else { continue }
                state.budgets.remove(at: index)
            }
            state.unchecked = state.unchecked.dropFirst(limit)
            // An empty slice would keep the whole array in memory.
            if state.unchecked.isEmpty { state.unchecked = [] }
        }
    }
}
