import ApusCluster
import NIOConcurrencyHelpers
import Testing

@testable import ApusServer

/// What nodes ask each other for when somebody wants a list of subscribers.
@Suite struct ClusterListingsTests {
    /// Nodes that hear each other.
    private final class Net: Sendable {
        private let nodes = NIOLockedValueBox<[UInt64: ClusterListings]>([:])

        func node(_ id: UInt64, rows: [ListingPart.Row]?) -> ClusterListings {
            let node = ClusterListings(id: id) { [weak self] content in
                // As text, as on the way.
                guard let message = PeerMessage(PeerMessage(node: id, content).body) else { return }
                self?.deliver(message)
            }
            if let rows { node.answer(by: { _ in rows }) }
            nodes.withLockedValue { $0[id] = node }
            return node
        }

        private func deliver(_ message: PeerMessage) {
            for node in nodes.withLockedValue({ Array($0.values) }) {
                switch message.content {
                case .list(let request): node.answer(request, of: message.node)
                case .listed(let part): node.take(part, from: message.node)
                default: break
                }
            }
        }
    }

    private func rows(_ count: Int, size: Int = 10) -> [ListingPart.Row] {
        (0..<count).map { number in
            let text = String(repeating: "x", count: size)
            return ListingPart.Row(rank: Int64(number), isGone: false, json: #"{"topic":"t\#(number)","x":"\#(text)"}"#)
        }
    }

    @Test func `all nodes answer, also with more than fits into a message`() async {
        let net = Net()
        let one = net.node(1, rows: nil)
        let (some, many) = (rows(3), rows(100, size: 5000))
        let others = [net.node(2, rows: some), net.node(3, rows: many)]
        let answer = await one.ask([2, 3], topic: nil, order: "lag", limit: 100, search: nil)
        #expect(answer.isComplete && others.count == 2)
        #expect(answer.rows.filter { $0.node == 2 }.map(\.row) == some)
        #expect(answer.rows.filter { $0.node == 3 }.map(\.row) == many)
    }

    @Test func `who does not answer in time is left out, and the answer is known to lack something`() async {
        let net = Net()
        let (one, other) = (net.node(1, rows: nil), net.node(2, rows: rows(1)))
        let answer = await one.ask([2, 3], topic: nil, order: "lag", limit: 100, search: nil)
        #expect(!answer.isComplete && answer.rows.count == 1)
        other.answer(by: nil)
    }

    @Test func `a node that tells more than was asked for is cut off`() async {
        let net = Net()
        let (one, other) = (net.node(1, rows: nil), net.node(2, rows: rows(50)))
        let answer = await one.ask([2], topic: nil, order: "lag", limit: 3, search: nil)
        #expect(answer.rows.count == 6)
        other.answer(by: nil)
    }

    @Test func `a server without other nodes asks nobody`() async {
        let net = Net()
        let answer = await net.node(1, rows: nil).ask([], topic: nil, order: "lag", limit: 3, search: nil)
        #expect(answer.isComplete && answer.rows.isEmpty)
    }
}
