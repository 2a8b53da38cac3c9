import ApusBroker
import ApusProtocol
import ApusSockets
import HTTPTypes
import NIOConcurrencyHelpers

/// Counts the connections of each address.
///
/// An address is known only while it has connections, so there are never more entries than open connections and
/// requests in flight.
final class AddressBudget: Sendable {
    /// One connection of an address. It counts until nothing holds it any more, so a connection that changes hands,
    /// from HTTP to a WebSocket, counts once, and every end gives it back.
    final class Place: Sendable, Equatable {
        private let budget: AddressBudget
        private let network: IPAddress

        fileprivate init(in budget: AddressBudget, for network: IPAddress) {
            self.budget = budget
            self.network = network
        }

        deinit {
            budget.release(network)
        }

        static func == (one: Place, other: Place) -> Bool { one === other }
    }

    /// An address has as many connections as it may have.
    struct Exceeded: Error, Equatable {
        let limit: Int

        var problem: Problem {
            Problem(
                .overloaded,
                "This address has \(limit) connections and requests, which is the limit",
                headers: [(.retryAfter, "1")]
            )
        }
    }

    private let counts = NIOLockedValueBox<[IPAddress: Int]>([:])

    /// Counts another connection of an address.
    ///
    /// - Throws: ``Exceeded`` if that would be more than `limit`.
    func take(for network: IPAddress, limit: Int) throws(Exceeded) -> Place {
        let isTaken = counts.withLockedValue { counts in
            let count = counts[network, default: 0]
            guard count < limit else { return false }
            counts[network] = count + 1
            return true
        }
        guard isTaken else { throw Exceeded(limit: limit) }
        return Place(in: self, for: network)
    }

    private func release(_ network: IPAddress) {
        counts.withLockedValue { counts in
            let count = counts[network, default: 0]
            counts[network] = count > 1 ? count - 1 : nil
        }
    }

    /// How many connections an address has.
    func count(of network: IPAddress) -> Int {
        counts.withLockedValue { $0[network] ?? 0 }
    }

    /// How many addresses have connections.
    var addressCount: Int { counts.withLockedValue(\.count) }

    /// Frees memory that was reserved for more addresses than there are now.
    func releaseMemory() {
        counts.withLockedValue { $0.releaseRoom() }
    }
}
