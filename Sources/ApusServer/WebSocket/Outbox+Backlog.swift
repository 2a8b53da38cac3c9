import DequeModule
import NIOCore

extension Outbox {
    enum Lane {
        /// The rest of a frame that the kernel has taken part of.
        case atWork
        case control
        case events
    }

    /// What waits behind the first write, or for the socket.
    final class Backlog {
        /// The rest of a frame that the kernel has taken part of.
        var current: ByteBuffer?
        var control = Deque<ByteBuffer>()
        var events = Deque<ByteBuffer>()
        private(set) var controlBytes = 0
        private(set) var eventBytes = 0
        /// How many bytes in the event lane are replies that were kept in order.
        var orderedBytes = 0
        /// Whether replies must stay behind the waiting events.
        var isOrdered = false

        var isEmpty: Bool { control.isEmpty && events.isEmpty }

        func append(_ bytes: ByteBuffer, isEvents: Bool) {
            if isEvents {
                eventBytes += bytes.readableBytes
                events.append(bytes)
            } else {
                controlBytes += bytes.readableBytes
                control.append(bytes)
            }
        }

        func prepend(_ bytes: ByteBuffer, isEvents: Bool) {
            if isEvents {
                eventBytes += bytes.readableBytes
                events.prepend(bytes)
            } else {
                controlBytes += bytes.readableBytes
                control.prepend(bytes)
            }
        }

        /// The next bytes to send: what is at work, then control, then events. Writes to one lane are joined up to
        /// `limit`.
        func takeNext(joining limit: Int) -> (bytes: ByteBuffer, lane: Lane)? {
            if let rest = current.take() { return (rest, .atWork) }
            if let bytes = Self.takeNext(from: &control, &controlBytes, limit) { return (bytes, .control) }
            return Self.takeNext(from: &events, &eventBytes, limit).map { ($0, .events) }
        }

        private static func takeNext(
            from lane: inout Deque<ByteBuffer>,
            _ count: inout Int,
            _ limit: Int
        ) -> ByteBuffer? {
            guard var bytes = lane.popFirst() else { return nil }
            while let next = lane.first, bytes.readableBytes + next.readableBytes <= limit {
                bytes.writeImmutableBuffer(next)
                lane.removeFirst()
            }
            count -= bytes.readableBytes
            return bytes
        }

        func endOrder() {
            isOrdered = false
            orderedBytes = 0
        }
    }
}
