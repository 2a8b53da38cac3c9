public import ApusBroker
package import ApusProtocol
import NIOConcurrencyHelpers

/// Two clocks that move only when a test moves them. The lifetimes, ages and windows of a ``PubSub`` follow the steady
/// one.
///
/// ```swift
/// let clock = ManualClock()
/// let apus = PubSub(clock: clock)
/// try await apus.publish("orders", "1", ttl: .seconds(60))
/// clock.advance(by: .seconds(61))    // expired
/// ```
public final class ManualClock: Sendable {
    private struct State {
        var now: Int64 = 1_756_116_000_123
        var lead: Int64 = 0
    }

    private let state = NIOLockedValueBox(State())

    public init() {}

    /// The steady clock, in milliseconds.
    package var now: Int64 {
        get { state.withLockedValue { $0.now } }
        set { state.withLockedValue { $0.now = newValue } }
    }

    /// How far the wall clock is ahead of the steady clock, in milliseconds.
    package var lead: Int64 { state.withLockedValue { $0.lead } }

    /// The wall clock, in milliseconds since 1970.
    package var wall: Int64 { moment.wall }

    package var moment: Moment {
        state.withLockedValue { Moment(wall: $0.now + $0.lead, steady: $0.now) }
    }

    /// Lets time pass on both clocks.
    package func advance(by milliseconds: Int64) {
        state.withLockedValue { $0.now += milliseconds }
    }

    /// Lets time pass on both clocks.
    public func advance(by duration: Duration) {
        advance(by: duration.wholeMilliseconds)
    }

    /// Moves the wall clock forward or back. No time passes.
    package func setWall(by milliseconds: Int64) {
        state.withLockedValue { $0.lead += milliseconds }
    }

    /// Moves the wall clock forward or back. No time passes.
    public func setWall(by duration: Duration) {
        let (seconds, attoseconds) = duration.components
        setWall(by: seconds * 1000 + attoseconds / 1_000_000_000_000_000)
    }
}

extension PubSub {
    /// Topics of its own, for which time passes as `clock` says.
    public convenience init(_ options: Options = Options(), clock: ManualClock) {
        self.init(sharing: MemoryBroker(limits: options.limits), options) { clock.moment }
    }
}

extension PubSub.Subscription {
    /// The next events and notices, so many of them; fewer when the subscription ends.
    public func next(_ count: Int) async throws(BrokerError) -> [PubSub.Delivery] {
        var deliveries: [PubSub.Delivery] = []
        while deliveries.count < count, let delivery = try await next() { deliveries.append(delivery) }
        return deliveries
    }

    /// The payloads of the next events, so many of them; notices between them are passed over.
    public func payloads(_ count: Int) async throws(BrokerError) -> [String] {
        var payloads: [String] = []
        while payloads.count < count, let delivery = try await next() {
            if let event = delivery.event { payloads.append(event.payload) }
        }
        return payloads
    }
}
