import ApusAccess
import ApusBroker
import ApusProtocol
import Hummingbird
import Logging
import NIOCore

// Connections that an administrator closes.

extension Routes {
    /// Closes a WebSocket, an event stream or a waiting request by its number.
    func kickConnection(_ request: Request, _ context: ApusRequestContext) async throws -> Response {
        try refuseWhileDraining()
        try requireEverywhere(.admin, context)
        _ = try await collectAsSent(request, context, upTo: Self.maxBody)
        let id = context.match?.name.flatMap { UInt64($0) }
        let isKicked = await kick(id, by: context.access.principal?.id ?? context.inFlight.address)
        if !isKicked { throw Problem(.notFound, "There is no open connection with this number") }
        return Response(status: .noContent)
    }

    private func kick(_ id: UInt64?, by administrator: String) async -> Bool {
        guard let id else { return false }
        return await contexts.collect { $0.kick(id, by: administrator) }.contains(true)
    }

    func requireEverywhere(_ actions: Actions, _ context: ApusRequestContext) throws(Problem) {
        do throws(Forbidden) { try context.access.requireEverywhere(actions) } catch { throw error.problem }
    }
}

extension LoopContext {
    /// Closes the connection with that number.
    ///
    /// - Parameter administrator: who wants that, for the log.
    /// - Returns: whether it is one of this loop, and was open.
    func kick(_ id: UInt64, by administrator: String) -> Bool {
        beginBurst()
        if let connection = connections.first(where: { $0.id == id && $0.phase == .open }) {
            connection.disconnect(.kicked)
            flushReplies()
        } else if let stream = streams.first(where: { $0.peer.connection == id && !$0.isFinished }) {
            stream.end(.kicked)
        } else {
            return false
        }
        logger.info("connection kicked", metadata: ["connection.id": "\(id)", "by": "\(administrator)"])
        return true
    }
}
