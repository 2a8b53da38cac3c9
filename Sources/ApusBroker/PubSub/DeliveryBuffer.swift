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
        /// The bytes of buffered frames and notices.
        var bytes = 0
        /// How many events and notices were read.
        var taken: UInt64 = 0
        var current = EventFrames()
        var end: BrokerError??
        /// Whether the loop was told that there is no room.
        var isFull = false
        var waiters: [(id: UInt64, continuation: CheckedContinuation<Void, Never>)] = []
        var lastWaiter: UInt64 = 0
    }

    private let limit: Int
    private let onRoom = NIOLockedValueBox<(@Sendable () -> Void)?>(nil)
    private let state = NIOLockedValueBox(State())

    init(limit: Int) {
        self.limit = limit
    }

    /// Calls `body` when the buffer was full and is half empty again.
    func whenThereIsRoom(_ body: @escaping @Sendable () -> Void) {
        onRoom.withLockedValue { $0 = body }
    }

    // MARK: The loop's side

    func hasRoom() -> Bool {
        state.withLockedValue { state in
            let hasRoom = state.bytes < limit
            // Only the reader takes this back: whoever was told that there is no room hears when there is.
            if !hasRoom { state.isFull = true }
            return hasRoom
        }
    }

    /// How many events and notices were read. Rises only.
    var taken: UInt64 { state.withLockedValue { $0.taken } }

    func append(_ item: Item) {
        let woken = state.withLockedValue { state in
            state.bytes += item.size
            state.items.append(item)
            if case .end = item { return state.takeWaiters(state.waiters.count) }
            return state.takeWaiters(1)
        }
        for waiter in woken { waiter.resume() }
    }

    // MARK: The reader's side

    /// The next delivery, once there is one; `nil` at the end, and for a task that is cancelled.
    ///
    /// - Throws: the ``BrokerError`` that ended the subscription.
    func next() async throws(BrokerError) -> PubSub.Delivery? {
        while !Task.isCancelled {
            switch take() {
            case .delivery(let delivery): return delivery
            case .end(let error?): throw error
            case .end(nil): return nil
            case .empty: await waitForItem()
            }
        }
        return nil
    }

    fileprivate enum Taken {
        case delivery(PubSub.Delivery)
        case end(BrokerError?)
        case empty
    }

    private func take() -> Taken {
        let (taken, hasRoom, woken) = state.withLockedValue { state in
            let taken = state.take()
            let hasRoom = state.isFull && state.bytes <= limit / 2
            if hasRoom { state.isFull = false }
            // One item may hold events for other readers, too.
            let rest = state.items.isEmpty && state.current.isAtEnd ? 0 : 1
            return (taken, hasRoom, state.takeWaiters(rest))
        }
        for waiter in woken { waiter.resume() }
        if hasRoom { onRoom.withLockedValue { $0 }?() }
        return taken
    }

    private func waitForItem() async {
        let id = state.withLockedValue { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let mustLook = state.withLockedValue { state in
                    guard state.items.isEmpty, state.end == nil, !Task.isCancelled else { return true }
                    state.waiters.append((id, continuation))
                    return false
                }
                if mustLook { continuation.resume() }
            }
        } onCancel: {
            let waiter = state.withLockedValue { state in
                state.waiters.firstIndex { $0.id == id }.map { state.waiters.remove(at: $0).continuation }
            }
            waiter?.resume()
        }
    }
}

extension DeliveryBuffer.State {
    fileprivate mutating func take() -> DeliveryBuffer.Taken {
        while true {
            let before = current.bytes
            if let event = current.next() {
                bytes -= before - current.bytes
                taken &+= 1
                return .delivery(.event(event))
            }
            bytes -= before
            current = EventFrames()
            if let end { return .end(end) }
            guard let item = items.popFirst() else { return .empty }
            switch item {
            case .frames(let frames): current = EventFrames(frames)
            case .notice(let notice):
                bytes -= item.size
                taken &+= 1
                return .delivery(.notice(notice))
            case .end(let error): end = .some(error)
            }
        }
    }

    fileprivate mutating func takeWaiters(_ count: Int) -> [CheckedContinuation<Void, Never>] {
        guard count > 0, !waiters.isEmpty else { return [] }
        defer { waiters.removeFirst(min(count, waiters.count)) }
        return waiters.prefix(count).map(\.continuation)
    }
}

extension DeliveryBuffer.Item {
    /// What it counts for, in bytes.
    fileprivate var size: Int {
        switch self {
        case .frames(let frames): frames.readableBytes
        case .notice(let notice): notice.size
        case .end: 0
        }
    }
}

extension PubSub.Notice {
    /// More or less, in bytes.
    fileprivate var size: Int {
        switch kind {
        case .joined(let clientID), .left(let clientID): 128 + topic.utf8.count + clientID.utf8.count
        default: 128 + topic.utf8.count
        }
    }
}
