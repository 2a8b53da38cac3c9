public import ApusBroker
public import ApusProtocol
import NIOConcurrencyHelpers

/// A clock that a test sets. Lifetimes, ages and windows of a ``PubSub`` that has it go by it.
///
/// ```swift
/// let clock = ManualClock()
/// let apus = PubSub(clock: clock)
/// try await apus.publish("orders", "1", ttl: .seconds(60))
/// clock.advance(by: .seconds(61))    // expired
/// ```
public final class ManualClock: Sendable {
    private let moment: NIOLockedValueBox<Moment>

    /// - Parameter milliseconds: since 1970.
    public init(milliseconds: Int64 = 1_750_000_000_000) {
        moment = NIOLockedValueBox(Moment(wall: milliseconds, steady: 0))
    }

    /// What both clocks say.
    public var now: Moment { moment.withLockedValue { $0 } }

    /// Lets time pass.
    public func advance(by duration: Duration) {
        let milliseconds = Int64(duration / .milliseconds(1))
        moment.withLockedValue { moment in
            moment.wall += milliseconds
            moment.steady += milliseconds
        }
    }

    /// Sets the wall clock, as an administrator may: no time passes.
    public func setWallClock(milliseconds: Int64) {
        moment.withLockedValue { $0.wall = milliseconds }
    }
}

extension PubSub {
    /// Topics of its own, for which time passes as `clock` says.
    public convenience init(_ options: Options = Options(), clock: ManualClock) {
        self.init(sharing: MemoryBroker(limits: options.limits), options) { clock.now }
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
