#if NATS
import CNATS
package import NIOCore
import Synchronization

// Subscriptions to subjects outside of JetStream. They are made again on each connection; what comes meanwhile is lost.

extension NATSConnection {
    /// Gets the messages of a subject.
    typealias Listener = @Sendable (ByteBuffer) -> Void

    /// Listens to a subject until the connection is closed. Once for each subject.
    ///
    /// - Parameter receive: called on a thread of libnats, which keeps 65,536 messages for it and drops more.
    package func listen(to subject: String, _ receive: @escaping @Sendable (ByteBuffer) -> Void) {
        let isFirst = state.withLock { $0.listeners.updateValue(receive, forKey: subject) == nil }
        if isFirst { add(.listen(subject)) }
    }

    /// The subjects that somebody listens to.
    var listenedTo: [String] { state.withLock { Array($0.listeners.keys) } }

    /// Sends a message for which there is no answer; without a connection it is gone.
    package func send(_ body: ByteBuffer, to subject: String) {
        let isSent = state.withLock { state in
            guard let server = state.server, body.readableBytes <= server.maxPayload else { return false }
            let message = OutgoingMessage(subject: subject, headers: [], body: body, number: nil)
            state.work.append(.send(message, generation: server.generation))
            return true
        }
        if isSent { wakeSender() }
    }

    /// A message of a subject that is listened to has come.
    func heard(_ message: borrowing OwnedMessage, on subject: String) {
        let body = message.body
        state.withLock { $0.listeners[subject] }?(body)
    }
}
#endif
