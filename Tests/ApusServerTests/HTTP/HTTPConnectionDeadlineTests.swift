import ApusProtocol
import NIOCore
import NIOHTTP1
import Testing

@testable import ApusServer

/// When a connection's state wants to be asked again, and what it says then.
@Suite struct HTTPConnectionDeadlineTests {
    typealias Action = HTTPConnectionState.Action
    typealias Place = HTTPPlace

    private static let timeout = Problem(.requestTimeout, "The request was not complete in time")

    private func pass(
        _ seconds: Int64,
        _ state: inout HTTPConnectionState,
        _ output: HTTPConnectionState.Output = .init(unsent: 0, arrived: 0)
    ) -> [Action] {
        state.timePassed(now: Place.time(seconds), output: output)
    }

    @Test func `where a request is due its time is, and otherwise that of an idle client`() {
        for (place, seconds) in [
            (.fresh, 10), (.reading, 10), (.discarding, 10), (.upgrading, 10), (.idle, 75), (.broken, 75),
            (.serving, nil), (.upgraded, nil), (.streaming, nil), (.lingering, nil),
        ] as [(Place, Int64?)] {
            let state = place.state()
            #expect(state.deadline == seconds.map(Place.time), "at \(place)")
        }
    }

    @Test func `a request that is not complete in time is refused, broken off, or ends with its connection`() {
        for (place, actions) in [
            (.fresh, [.close]), (.reading, [.passFault(Self.timeout), .endWork]), (.discarding, [.linger]),
            (.upgrading, [.close]), (.idle, []), (.serving, []), (.streaming, []), (.lingering, []),
        ] as [(Place, [Action])] {
            var state = place.state()
            #expect(pass(9, &state) == [], "at \(place)")
            #expect(pass(10, &state) == actions, "at \(place)")
            // A deadline passes once.
            #expect(pass(11, &state) == [], "at \(place)")
        }
    }

    @Test func `a head that has begun is answered, and only its first byte starts its time`() {
        var state = Place.idle.state()
        state.received(ByteBuffer(string: "\r\n\r\n").readableBytesView, now: Place.time(5))
        #expect(state.deadline == Place.time(75))
        state.received(ByteBuffer(string: "\r\nGET /").readableBytesView, now: Place.time(6))
        state.received(ByteBuffer(string: "topics").readableBytesView, now: Place.time(15))
        #expect(state.deadline == Place.time(16))
        #expect(pass(16, &state) == [.refuse(.init(problem: Self.timeout)), .linger])
    }

    @Test func `a body gets another second for each 8 KiB that came`() {
        var state = Place.fresh.state()
        let head = Place.head(.POST, "/topics", ["Content-Length": "1000000"])
        _ = state.arrived(.part(.head(head)), now: Place.time(2))
        #expect(state.deadline == Place.time(12))
        _ = state.arrived(.part(.body(ByteBuffer(repeating: 0, count: 3 * 8 * 1024))), now: Place.time(3))
        #expect(state.deadline == Place.time(15))
        #expect(pass(14, &state) == [])
        #expect(pass(15, &state) == [.passFault(Self.timeout), .endWork])
    }

    @Test func `an idle client is hung up on, counted from its last part or answer`() {
        var state = Place.fresh.state()
        _ = state.arrived(.part(.head(Place.get)), now: Place.time(1))
        _ = state.arrived(.part(.end(nil)), now: Place.time(2))
        // The router may take as long as it needs.
        #expect(state.deadline == nil)
        #expect(pass(1000, &state) == [])
        _ = state.answered(.head(Place.ok), now: Place.time(1000))
        _ = state.answered(.end(nil), now: Place.time(1001))
        #expect(state.deadline == Place.time(1076))
        #expect(pass(1075, &state) == [])
        #expect(pass(1076, &state) == [.hangUp])
        #expect(pass(1077, &state) == [])
    }

    @Test func `without an idle timeout a connection stays`() {
        var state = HTTPConnectionState(
            timeouts: .init(request: .seconds(10), close: .seconds(30)),
            staysForDrain: true,
            gate: ScriptedGate()
        )
        state.opened(now: Place.time(0))
        for part in [.head(Place.get), .end(nil)] as [HTTPServerRequestPart] {
            _ = state.arrived(.part(part), now: Place.time(0))
        }
        _ = state.answered(.end(nil), now: Place.time(0))
        #expect(state.deadline == nil)
    }

    @Test func `a client that does not hang up is cut`() {
        var state = Place.lingering.state()
        _ = state.sent(isSuccess: true, now: Place.time(1))
        #expect(state.deadline == Place.time(3))
        #expect(pass(2, &state) == [])
        #expect(pass(3, &state) == [.close])
        #expect(state.deadline == nil)
    }

    @Test func `a client that takes nothing of its responses is cut, and a slow one is not`() {
        var state = Place.serving.state()
        state.watchSending(.init(unsent: 100, arrived: 5), now: Place.time(0))
        #expect(state.deadline == Place.time(30))
        #expect(pass(30, &state, .init(unsent: 90, arrived: 15)) == [])
        #expect(state.deadline == Place.time(60))
        #expect(pass(60, &state, .init(unsent: 90, arrived: 15)) == [.close])
        #expect(state.deadline == nil)

        state.watchSending(.init(unsent: 100, arrived: 5), now: Place.time(100))
        state.watchSending(.init(unsent: 0, arrived: 105), now: Place.time(101))
        #expect(state.deadline == nil)
    }
}
