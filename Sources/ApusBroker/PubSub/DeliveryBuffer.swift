import DequeModule
import NIOConcurrencyHelpers
import NIOCore

/// What a subscription was given and has not taken: the place of a connection's socket.
///
/// Bounded in bytes: beyond ``limit`` its loop gives it no more, and what comes then waits in the topic's log.
final class DeliveryBuffer: Sendable {
    enum Item: Sendable {
        /// Frames of whole events.
        case frames(ByteBuffer)
        case notice(PubSub.Notice)
        /// Nothing follows.
        case end(BrokerError?)
    }

    fileprivate struct State {
        var items: Deque<Item> = []
        /// Of frames, those of ``current`` among them until all of these are taken.
        var bytes = 0
        var current = EventFrames()
        var end: BrokerError??
        /// Whether the loop was told that there is no room.
        var isFull = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let limit: Int
    private let onRoom = NIOLockedValueBox<(@Sendable () -> Void)?>(nil)
    private let state = NIOLockedValueBox(State())

    init(limit: Int) {
        self.limit = limit
    }

    /// Calls `body` whenever there is room again after there was none.
    func whenThereIsRoom(_ body: @escaping @Sendable () -> Void) {
        onRoom.withLockedValue { $0 = body }
    }

    // MARK: The loop's side

    func hasRoom() -> Bool {
        state.withLockedValue { state in
            state.isFull = state.bytes >= limit
            return !state.isFull
        }
    }

    func append(_ item: Item) {
        let waiter = state.withLockedValue { state in
            if case .frames(let bytes) = item { state.bytes += bytes.readableBytes }
            state.items.append(item)
            return state.waiter.take()
        }
        waiter?.resume()
    }

    // MARK: The reader's side

    /// The next delivery, once there is one; `nil` at the end, and for a task that is cancelled.
    func next() async throws(BrokerError) -> PubSub.Delivery? {
        while true {
            switch take() {
            case .delivery(let delivery): return delivery
            case .end(let error?): throw error
            case .end(nil): return nil
            case .empty: await waitForItem()
            }
            if Task.isCancelled { return nil }
        }
    }

    fileprivate enum Taken {
        case delivery(PubSub.Delivery)
        case end(BrokerError?)
        case empty
    }

    private func take() -> Taken {
        let (taken, hasRoom) = state.withLockedValue { state in
            let taken = state.take()
            let hasRoom = state.isFull && state.bytes < limit
            if hasRoom { state.isFull = false }
            return (taken, hasRoom)
        }
        if hasRoom { onRoom.withLockedValue { $0 }?() }
        return taken
    }

    private func waitForItem() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let old = state.withLockedValue { state -> CheckedContinuation<Void, Never>? in
                    guard state.items.isEmpty, !Task.isCancelled else { return continuation }
                    // Of two who wait one looks again, in vain.
                    let old = state.waiter
                    state.waiter = continuation
                    return old
                }
                old?.resume()
            }
        } onCancel: {
            state.withLockedValue { $0.waiter.take() }?.resume()
        }
    }
}

extension DeliveryBuffer.State {
    fileprivate mutating func take() -> DeliveryBuffer.Taken {
        while true {
            if let event = current.next() { return .delivery(.event(event)) }
            bytes -= current.size
            current = EventFrames()
            if let end { return .end(end) }
            switch items.popFirst() {
            case .frames(let frames): current = EventFrames(frames)
            case .notice(let notice): return .delivery(.notice(notice))
            case .end(let error): end = .some(error)
            case nil: return .empty
            }
        }
    }
}
