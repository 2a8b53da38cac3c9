import NIOCore

/// The request that a connection serves: what its route may know of the connection, and ask of it.
struct InFlightRequest: Sendable {
    /// The connection's event loop.
    let eventLoop: any EventLoop
    /// Who is at the other end of the connection; of a request that the router has, the request's client.
    var caller: Caller
    /// Why the request must be refused; `nil` when it may be served.
    var refusal: Problem?
    /// The client's address as text.
    var address: String { "\(caller.address)" }
    private let connection: NIOLoopBound<any RequestConnection>

    /// Call this on the event loop.
    init(on connection: any RequestConnection, eventLoop: any EventLoop, caller: Caller) {
        self.eventLoop = eventLoop
        self.caller = caller
        self.connection = NIOLoopBound(connection, eventLoop: eventLoop)
    }

    /// Calls `end` when the client disconnects or closes its sending side before its response is complete. Calls it at
    /// once if the client has already done so. Call this on the event loop.
    func endWithClient(_ end: @escaping () -> Void) {
        connection.value.endWithClient(end)
    }

    /// Tells a client that holds its body back to send it.
    func askForBody() async throws {
        try await eventLoop.flatSubmit { [connection, eventLoop] in
            connection.value.askForBody() ?? eventLoop.makeSucceededVoidFuture()
        }.get()
    }

    /// Gives the connection's socket to the stream when the head of the response is about to be written.
    func answer(with stream: OpenStream) async throws {
        try await eventLoop.submit { [connection] in connection.value.answer(with: stream) }.get()
    }
}

/// A connection that serves requests one by one. Used only on its event loop.
protocol RequestConnection: AnyObject {
    /// Calls `end` when the client leaves, or at once if it has left: see ``InFlightRequest/endWithClient(_:)``.
    func endWithClient(_ end: @escaping () -> Void)

    /// Sends a `100 Continue` if the client waits for one; otherwise returns `nil`.
    func askForBody() -> EventLoopFuture<Void>?

    /// Gives the socket to the stream instead of the response that is written next. Cancels the stream if there is no
    /// socket any more.
    func answer(with stream: OpenStream)
}
