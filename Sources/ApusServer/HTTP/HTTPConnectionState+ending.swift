import ApusProtocol
import NIOCore

// Deadlines, shutdown, and the end of the connection.

extension HTTPConnectionState {
    // MARK: Deadlines

    /// When to call ``timePassed(now:output:)`` next. It may be called earlier, or without need.
    var deadline: NIODeadline? {
        let first = [requestDeadline, idleDeadline, lingerDeadline]
        return first.reduce(sending.deadline) { earlier($0, $1) }
    }

    private func earlier(_ one: NIODeadline?, _ other: NIODeadline?) -> NIODeadline? {
        guard let one, let other else { return one ?? other }
        return min(one, other)
    }

    /// Without it, a client that sends very slowly could hold its connection forever.
    private var requestDeadline: NIODeadline? {
        guard let requestStart else { return nil }
        guard case .serving(let exchange) = phase else { return requestStart + timeouts.request }
        // A slow client is not a dead client.
        let allowance = TimeAmount.milliseconds(Int64(exchange.received) * 1000 / Int64(Self.bodyRate))
        return requestStart + timeouts.request + allowance
    }

    private var idleDeadline: NIODeadline? {
        guard let idle = timeouts.idle, let lastActive, mayBeIdle else { return nil }
        return lastActive + idle
    }

    /// Whether the client has to send something, and not the router.
    private var mayBeIdle: Bool {
        switch phase {
        case .idle, .upgrading: true
        // A client whose request broke off may be gone.
        case .serving(let exchange): exchange.answer == .ended || !exchange.isRead || exchange.isBroken
        case .upgraded, .streaming, .lingering: false
        }
    }

    /// A deadline may have passed. `output` is what has become of the responses.
    mutating func timePassed(now: NIODeadline, output: @autoclosure () -> Output) -> [Action] {
        // Each deadline passes once: a close may take a while.
        if let passed = lingerDeadline, now >= passed {
            lingerDeadline = nil
            return [.close]
        }
        if let passed = sending.deadline, now >= passed {
            guard sending.look(output(), now: now, patience: timeouts.close) else { return [.close] }
        }
        if let requestDeadline, now >= requestDeadline { return requestTimedOut() }
        if let idleDeadline, now >= idleDeadline {
            lastActive = nil
            return [.hangUp]
        }
        return []
    }

    private mutating func requestTimedOut() -> [Action] {
        requestStart = nil
        let timeout = Problem(.requestTimeout, "The request was not complete in time")
        switch phase {
        case .idle where headWatch.isBegun: return refuse(Refusal(problem: timeout))
        case .serving: return breakOff(timeout)
        case .idle, .upgrading: return [.close]
        case .upgraded, .streaming, .lingering: return []
        }
    }

    /// What has become of the responses, in bytes.
    struct Output: Equatable {
        /// How many wait for the socket.
        var unsent: Int
        /// How many the peer has acknowledged, as far as that is known.
        var arrived: Int
    }

    /// Watches a client that does not take its responses.
    struct SendingWatch: Equatable {
        /// When the client has to have taken more; `nil` while nothing waits for it.
        private(set) var deadline: NIODeadline?
        private var arrived = 0

        mutating func restart(_ output: Output, now: NIODeadline, patience: TimeAmount) {
            arrived = output.arrived
            deadline = output.unsent > 0 ? now + patience : nil
        }

        /// Returns whether the client has taken something since the last time.
        fileprivate mutating func look(_ output: Output, now: NIODeadline, patience: TimeAmount) -> Bool {
            guard output.arrived != arrived else {
                deadline = nil
                return false
            }
            restart(output, now: now, patience: patience)
            return true
        }
    }

    /// The socket's readiness has changed, or the end is near: from now on, the client has to take its responses.
    mutating func watchSending(_ output: Output, now: NIODeadline) {
        sending.restart(output, now: now, patience: timeouts.close)
    }

    // MARK: Shutdown

    /// The server is about to stop.
    mutating func quiesce() -> [Action] {
        switch phase {
        case .idle where !hasServed, .upgrading: return [.close]
        // Until the drain is over, this connection still tells load balancers that the server is not ready.
        case _ where staysForDrain: return [.waitForDrain]
        // No drain comes that would end what waits.
        case .serving: return [.endWork] + drained()
        case .idle, .upgraded, .streaming, .lingering: return drained()
        }
    }

    /// The drain is over, or there is none. The connection ends after its current response.
    mutating func drained() -> [Action] {
        if case .serving(let exchange) = phase, exchange.answer != .ended {
            isQuiescing = true
            return []
        }
        return hasServed ? [.hangUp] : []
    }

    // MARK: The end

    /// The directions of a connection.
    enum Side {
        case both
        case input
        case output
    }

    /// What becomes of the wish to close the connection.
    enum Closing: Equatable {
        /// The end is under way already.
        case ignore
        case act([Action])
        /// Nothing is in the way.
        case close
    }

    /// The router, or one of the rules above, wants to close.
    ///
    /// - Parameter hasUnsent: whether responses wait for the socket.
    mutating func closeAsked(_ side: Side, hasUnsent: Bool) -> Closing {
        switch phase {
        // The socket that leaves the channel must not be shut down.
        case .lingering, .upgraded, .streaming: .ignore
        case .serving(let exchange) where exchange.answer == .ended && side != .input: .act(linger())
        case .idle where side == .output || side == .both && hasUnsent: .act(linger())
        case .idle, .serving, .upgrading: .close
        }
    }

    /// Ends the connection after the last response.
    ///
    /// Closing a socket with unread bytes resets the connection, and then the client may never see the response. So
    /// only the server's direction is closed. Input is read and discarded until the client closes or the time for that
    /// is over.
    mutating func linger() -> [Action] {
        phase = .lingering
        waiting.removeAll()
        requestStart = nil
        return [.linger]
    }

    /// Everything is sent, or cannot be.
    mutating func sent(isSuccess: Bool, now: NIODeadline) -> [Action] {
        guard isSuccess, !clientHasEnded else { return [.close] }
        lingerDeadline = now + timeouts.linger
        return [.closeOutput]
    }
}
