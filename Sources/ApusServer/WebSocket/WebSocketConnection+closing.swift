import ApusProtocol
import Logging
import NIOCore

// The ways in which a connection ends (RFC 6455 section 7).

extension WebSocketConnection {
    /// Ends the connection in good order: close frame, the peer's close frame, end of the socket.
    func disconnect(_ reason: Disconnect) {
        guard phase == .open else { return }
        log("disconnecting", code: reason.code, reason: reason.reason)
        session?.willDisconnect(reason)
        writeClose(reason)
        phase = .closing
        endSession()
        flush()
    }

    /// Fails the connection (RFC 6455 section 7.1.7): close frame, then nothing of what the peer sends counts.
    func fail(_ reason: Disconnect) {
        guard phase == .open else {
            context?.close(promise: nil)
            return
        }
        log("client broke the protocol", code: reason.code, reason: reason.reason)
        session?.willDisconnect(reason)
        writeClose(reason)
        phase = .discarding
        endSession()
        // Only our direction is closed: hanging up on unread bytes would have the kernel take our close frame back.
        hangUpAfterFlush(mode: .output)
    }

    func writeClose(_ reason: Disconnect) {
        worker.counters.closed[reason.reason, default: 0] += 1
        // What was written before it goes before it, events too.
        keepRepliesInOrder()
        CloseFrame.write(code: reason.code, reason: reason.reason, to: &worker.replies)
        sendReplies()
        closeDeadline = worker.monotonicNow() + worker.settings.closeTimeout
    }

    func hangUpAfterFlush(mode: CloseMode) {
        guard let context else { return }
        closeDeadline = min(closeDeadline, worker.monotonicNow() + worker.settings.closeTimeout)
        closeWhenDrained = mode
        flush()
        if outbox.isDrained { context.channel.close(mode: mode, promise: nil) }
    }

    func endSession() {
        session.take()?.ended()
        postponed = nil
        partial = nil
        // What still comes is thrown away, but it has to be read for the close frame to be seen.
        releaseRead()
    }

    func end() {
        guard phase != .closed else { return }
        phase = .closed
        context = nil
        endSession()
        worker.remove(self)
    }

    /// At shutdown: closes the connection once everything has been delivered.
    func closeIfDrained() {
        // A publish that was put off is refused like any other command now.
        continueReading()
        if session?.isDrained ?? true { disconnect(.shutdown) }
    }

    /// Cuts the connection without ado, at the end of a drain.
    func abort() {
        context?.close(promise: nil)
    }

    func log(_ message: Logger.Message, code: UInt16?, reason: String = "") {
        worker.logger.debug(
            message,
            metadata: [
                "connection.id": "\(id)", "close.code": "\(code.map(String.init) ?? "none")", "reason": "\(reason)",
            ]
        )
    }
}

// MARK: Time

extension WebSocketConnection {
    /// Called about once a second: pings, and the deadlines of pongs and closes.
    func tick(now: Int64) {
        if now >= closeDeadline { return abort() }
        guard phase == .open else { return }
        session?.tick(now: now)
        switch keepalive.tick(now: now) {
        case .nothing:
            break
        case .ping:
            var frame = ByteBuffer()
            writeControlFrame(.ping, [], to: &frame)
            writeControl(frame)
            flush()
        case .noPong:
            disconnect(.noPong)
        }
    }
}
