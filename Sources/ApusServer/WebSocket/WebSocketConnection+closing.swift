import ApusProtocol
import Logging
import NIOCore

// The ways to end a connection (RFC 6455 section 7).

extension WebSocketConnection {
    /// Ends the connection with a closing handshake: our close frame, the peer's close frame, then the end of the
    /// socket.
    func disconnect(_ reason: Disconnect) {
        guard phase == .open else { return }
        log("disconnecting", code: reason.code, reason: reason.reason)
        session?.willDisconnect(reason)
        writeClose(reason)
        phase = .closing
        endSession()
        flush()
    }

    /// Fails the connection (RFC 6455 section 7.1.7): sends a close frame, then ignores everything the peer sends.
    func fail(_ reason: Disconnect) {
        guard phase == .open else { return end() }
        log("client broke the protocol", code: reason.code, reason: reason.reason)
        session?.willDisconnect(reason)
        writeClose(reason)
        phase = .discarding
        endSession()
        // Close only our direction: closing a socket with unread bytes would make the kernel discard our close frame.
        hangUpAfterFlush(.sending)
    }

    func writeClose(_ reason: Disconnect) {
        context.counters.closed[reason.reason, default: 0] += 1
        held = nil
        // Everything written before goes out before the close frame, including events.
        keepRepliesInOrder()
        CloseFrame.write(code: reason.code, reason: reason.reason, to: &context.replies)
        sendReplies()
        startClosing()
    }

    /// Starts the time limit of the closing handshake. It counts from the first reason to close.
    private func startClosing() {
        let now = context.monotonicNow()
        let timeout = context.settings.timeouts.close.wholeMilliseconds
        closeDeadline = min(closeDeadline, now + timeout)
        closeLimit = min(closeLimit, now + timeout * LoopContext.closeExtensions)
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
        (held, pauses) = (nil, [])
        // Further input is discarded, but it must be read to see the peer's close frame.
        releaseRead()
    }

    /// At shutdown: closes the connection once everything is delivered.
    func closeIfDrained() {
        // What waits for the next round is answered first.
        guard !pauses.contains(.untilRound) else { return }
        // A postponed publish is now refused like any other command.
        continueReading()
        if session?.isDrained ?? true { disconnect(.shutdown) }
    }

    func log(_ message: Logger.Message, code: UInt16?, reason: String = "") {
        context.logger.debug(
            message,
            metadata: [
                "connection.id": "\(id)", "close.code": "\(code.map(String.init) ?? "none")", "reason": "\(reason)",
            ]
        )
    }
}

// MARK: Time

extension WebSocketConnection {
    /// Extends the deadline of a pong by time in which the loop was held up.
    func excuse(_ missed: Int64) {
        keepalive.excuse(missed)
    }

    /// Called about once a second. Sends pings, and checks the deadlines of pongs and closes.
    func tick(now: Int64) {
        if closeDeadline != .max, outbox.isBlocked { putOffClose(now: now) }
        if now >= closeDeadline { return giveUp() }
        guard phase == .open else { return }
        session?.tick(now: now)
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

    /// Extends the close deadline while the peer still accepts data that was sent before the close frame.
    private func putOffClose(now: Int64) {
        let deadline = lastTaken(now: now) + context.settings.timeouts.close.wholeMilliseconds
        closeDeadline = max(closeDeadline, min(deadline, closeLimit))
    }

    /// When the peer last accepted data, on the loop's clock. Call this repeatedly while the answer matters, because
    /// it compares the kernel's answers.
    func lastTaken(now: Int64) -> Int64 {
        keepalive.look(now: now, progress)
        return keepalive.lastTaken
    }
}
