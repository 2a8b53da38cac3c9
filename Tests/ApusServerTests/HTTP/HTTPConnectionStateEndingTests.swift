import ApusProtocol
import NIOCore
import NIOHTTP1
import Testing

@testable import ApusServer

/// How a connection ends, from every place.
@Suite struct HTTPConnectionStateEndingTests {
    typealias Action = HTTPConnectionState.Action
    typealias Place = HTTPPlace

    private let now = Place.time(1)

    // MARK: Clients that leave

    @Test func `a request may wait only while its client listens`() {
        Place.expect([.serving: true, .reading: true, .discarding: true], otherwise: false) { $0.mayWait }
        Place.expect([:], otherwise: false) { state in
            #expect(state.inputEnded() == [.endWork])
            return state.mayWait
        }
        Place.expect([:], otherwise: false) { state in
            #expect(state.closed() == [.endWork])
            return state.mayWait
        }
    }

    // MARK: Shutdown

    @Test func `a server that drains first keeps its connections, but for those without a request`() {
        Place.expect([.fresh: [.close], .upgrading: [.close]], otherwise: [.waitForDrain]) { $0.quiesce() }
    }

    @Test func `after the drain a connection ends with its answer, or at once`() {
        let hangUp = [Action.hangUp]
        Place.expect(
            [.idle: hangUp, .discarding: hangUp, .streaming: hangUp],
            otherwise: []
        ) { $0.drained() }
    }

    @Test func `where there is no drain, what waits ends at once`() {
        let hangUp = [Action.hangUp]
        Place.expect(
            [
                .fresh: [.close], .upgrading: [.close], .idle: hangUp, .serving: [.endWork], .reading: [.endWork],
                .broken: [.endWork], .discarding: [.endWork] + hangUp, .streaming: hangUp,
            ],
            otherwise: [],
            staysForDrain: false
        ) { $0.quiesce() }
        var state = Place.serving.state(staysForDrain: false)
        _ = state.quiesce()
        #expect(state.answered(.head(Place.ok), now: now) == .write(.head(Place.ok)))
        #expect(state.answered(.end(nil), now: now) == .write(.end(nil), then: [.takeNext, .hangUp]))
    }

    // MARK: The end

    @Test func `a close waits for the last answer, and is ignored where the end is under way`() {
        let linger = HTTPConnectionState.Closing.act([.linger])
        let over: [Place: HTTPConnectionState.Closing] = [.upgraded: .ignore, .streaming: .ignore, .lingering: .ignore]
        func table(_ changes: [Place: HTTPConnectionState.Closing]) -> [Place: HTTPConnectionState.Closing] {
            over.merging(changes) { $1 }
        }
        Place.expect(table([.discarding: linger]), otherwise: .close) { $0.closeAsked(.both, hasUnsent: false) }
        Place.expect(table([.discarding: linger, .fresh: linger, .idle: linger]), otherwise: .close) {
            $0.closeAsked(.both, hasUnsent: true)
        }
        for hasUnsent in [true, false] {
            Place.expect(table([.discarding: linger, .fresh: linger, .idle: linger]), otherwise: .close) {
                $0.closeAsked(.output, hasUnsent: hasUnsent)
            }
            Place.expect(over, otherwise: .close) { $0.closeAsked(.input, hasUnsent: hasUnsent) }
        }
    }

    @Test func `the last answer is followed by the end of the server's side, unless the client is gone`() {
        for (isSuccess, hasEnded, actions) in [
            (true, false, [.closeOutput]), (true, true, [.close]), (false, false, [.close]),
        ] as [(Bool, Bool, [Action])] {
            var state = Place.lingering.state()
            if hasEnded { _ = state.inputEnded() }
            #expect(state.sent(isSuccess: isSuccess, now: now) == actions)
        }
    }
}
