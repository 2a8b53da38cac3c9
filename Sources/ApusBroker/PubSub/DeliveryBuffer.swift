import DequeModule
import NIOConcurrencyHelpers
import NIOCore

/// Buffers what a subscription was given and has not read, like a connection's socket.
///
/// Bounded in bytes: beyond ``limit`` the loop delivers no more. Later messages wait in the topic's log.
final class DeliveryBuffer: Sendable {
    enum Item: Sendable {
        /// Frames of whole events.
        case frames(ByteBuffer)
        case notice(PubSub.Notice)
        /// The end: no item follows.
        case end(BrokerError?)
    }

    fileprivate struct State {
        var items: Deque<Item> = []
        /// The bytes of buffered frames. The frames of ``current`` count until all of them have been read.
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

    /// Calls `body` whenever the buffer has room again after it was full.
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

    /// Waits for the next delivery. Returns `nil` at the end, and when the task is cancelled.
    ///
    /// - Throws: the ``BrokerError`` that ended the subscription.
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
                    // If two tasks wait, the earlier one wakes and finds nothing.
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
