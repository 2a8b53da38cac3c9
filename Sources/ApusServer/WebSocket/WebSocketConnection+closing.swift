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
        guard phase == .open else { return end() }
        log("client broke the protocol", code: reason.code, reason: reason.reason)
        session?.willDisconnect(reason)
        writeClose(reason)
        phase = .discarding
        endSession()
        // Only our direction is closed: hanging up on unread bytes would have the kernel take our close frame back.
        hangUpAfterFlush(.sending)
    }

    func writeClose(_ reason: Disconnect) {
        worker.counters.closed[reason.reason, default: 0] += 1
        // What was written before it goes before it, events too.
        keepRepliesInOrder()
        CloseFrame.write(code: reason.code, reason: reason.reason, to: &worker.replies)
        sendReplies()
        startClosing()
    }

    /// Gives the closing handshake its time, from the first reason to close on.
    private func startClosing() {
        let now = worker.monotonicNow()
        closeDeadline = min(closeDeadline, now + worker.settings.closeTimeout)
        closeLimit = min(closeLimit, now + worker.settings.closeTimeout * Worker.closeExtensions)
    }

    func hangUpAfterFlush(_ hangUp: HangUp) {
        startClosing()
        hangUpWhenDrained = hangUp
        flush()
        if phase != .closed, outbox.isDrained { close(hangUp) }
    }

    func endSession() {
        session.take()?.ended()
        postponed = nil
        partial = nil
        // What still comes is thrown away, but it has to be read for the close frame to be seen.
        releaseRead()
    }

    /// At shutdown: closes the connection once everything has been delivered.
    func closeIfDrained() {
        // A publish that was put off is refused like any other command now.
        continueReading()
        if session?.isDrained ?? true { disconnect(.shutdown) }
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
    ///
    /// - Parameter missed: for how long it should have been called and was not, because the loop was held up.
    func tick(now: Int64, missed: Int64 = 0) {
        if closeDeadline != .max, outbox.isBlocked { putOffClose(now: now) }
        if now >= closeDeadline { return end() }
        guard phase == .open else { return }
        session?.tick(now: now)
        keepalive.excuse(missed)
        let action = keepalive.tick(now: now, isReading: isReading, isBlocked: isBlocked) { progress }
        switch action {
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

    /// Who still takes what was sent before the close frame has not failed to answer it yet.
    private func putOffClose(now: Int64) {
        let deadline = lastTaken(now: now) + worker.settings.closeTimeout
        closeDeadline = max(closeDeadline, min(deadline, closeLimit))
    }

    /// When the peer was last seen to take something, on the worker's clock. To be asked again and again while that
    /// matters: it is seen in the difference.
    func lastTaken(now: Int64) -> Int64 {
        keepalive.look(now: now, progress)
        return keepalive.lastTaken
    }
}
