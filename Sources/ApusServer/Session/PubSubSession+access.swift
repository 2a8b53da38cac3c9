import ApusAccess
import ApusBroker
import ApusProtocol
import Logging
import NIOCore

// Who the client is, and what it may do.

extension PubSubSession {
    /// Whether credentials are being checked. Messages wait meanwhile.
    enum Verification {
        case none
        /// Keys are being fetched.
        case running
        /// The result for the `auth` command that waits.
        case done(AccessControl.Admission)
    }

    /// What a client may do that came with its credentials, or the deadline for one that did not.
    func start(_ identity: Handshake.Identity) {
        switch identity {
        case .known(let admission): admit(admission)
        case .unverified(let credentials):
            authDeadline = firstDeadline
            verify(credentials) { session, admission in
                session.verification = .none
                if case .refused = admission { return session.refuse(admission, requestID: nil) }
                session.admit(admission)
            }
        }
    }

    var firstDeadline: Int64 {
        context.monotonicNow() + max(context.settings.timeouts.auth.wholeMilliseconds, 1)
    }

    func admit(_ admission: AccessControl.Admission) {
        policyNumber = 0
        switch admission {
        case .open: (access, authDeadline) = (nil, nil)
        case .admitted(let client): (access, authDeadline) = (SessionAccess(client), nil)
        case .anonymous, .refused: (access, authDeadline) = (nil, firstDeadline)
        }
        ratesChanged()
    }

    // MARK: The command `auth`

    /// - Returns: `false` when the message has to wait until keys are fetched.
    func authenticate(
        _ command: Command,
        in message: UnsafeRawBufferPointer,
        requestID: UnsafeRawBufferPointer?
    ) -> Bool {
        guard let credentials = credentials(command, in: message) else {
            guard authDeadline == nil else {
                refuse(.anonymous, requestID: requestID)
                return true
            }
            reply(.badRequest, "'api_key' or 'token' is required: a non-empty string", requestID: requestID)
            return true
        }
        let admission: AccessControl.Admission
        switch verification {
        case .running: return false
        case .done(let result):
            verification = .none
            admission = result
        case .none:
            guard let result = context.access.admitAtOnce(credentials) else {
                verify(credentials) { session, admission in session.verification = .done(admission) }
                return false
            }
            admission = result
        }
        take(admission, requestID: requestID)
        return true
    }

    private func credentials(_ command: Command, in message: UnsafeRawBufferPointer) -> Credentials? {
        let key = command.apiKey.range.isEmpty ? nil : text(command.apiKey, in: message)
        let token = command.hasExtensions ? context.scanner.authToken(in: message) : nil
        guard key != nil || token != nil else { return nil }
        return Credentials(key: key, token: token)
    }

    private func take(_ admission: AccessControl.Admission, requestID: UnsafeRawBufferPointer?) {
        switch admission {
        case .open, .anonymous:
            reply(.badRequest, "This server asks for no credentials", requestID: requestID)
        case .refused:
            // A client that was admitted before stays as it is.
            guard authDeadline == nil else { return refuse(admission, requestID: requestID) }
            reply(.unauthorized, admission.refusal, requestID: requestID)
        case .admitted(let client):
            isExtended = isExtended || client.expires != nil
            let old = access?.client.rights
            admit(admission)
            if let old, old != client.rights { adaptSubscriptions() }
            acknowledge(nil, requestID: requestID)
        }
    }

    /// Checks credentials for which keys may have to be fetched.
    private func verify(
        _ credentials: Credentials,
        then finish: @escaping @Sendable (PubSubSession, AccessControl.Admission) -> Void
    ) {
        verification = .running
        let session = NIOLoopBound(self, eventLoop: context.eventLoop)
        let (control, loop) = (context.access, context.eventLoop)
        Task {
            let admission = await control.admit(credentials)
            loop.execute {
                guard !session.value.isEnded else { return }
                session.value.context.beginBurst()
                finish(session.value, admission)
                session.value.connection.continueReading()
            }
        }
    }

    /// Refuses a client that is not admitted, and ends the connection.
    func refuse(_ admission: AccessControl.Admission, requestID: UnsafeRawBufferPointer?) {
        reply(.unauthorized, admission.refusal, requestID: requestID)
        context.logger.info(
            "client refused",
            metadata: ["connection.id": "\(connection.id)", "reason": "\(admission.refusal)"]
        )
        disconnect(.unauthorized)
    }

    // MARK: Rights

    /// Whether the client may publish what the command says. Cheap if it did so before.
    @inline(__always)
    func mayPublish(_ command: Command, in message: UnsafeRawBufferPointer) -> Bool {
        guard command.topic.hasEscapes else {
            let name = UnsafeRawBufferPointer(rebasing: message[command.topic.range])
            return publishable.contains(name) || decideWhetherMayPublish(to: name)
        }
        return withName(command.topic, in: message) { publishable.contains($0) || decideWhetherMayPublish(to: $0) }
    }

    @inline(never)
    private func decideWhetherMayPublish(to name: UnsafeRawBufferPointer) -> Bool {
        guard let access else { return true }
        let isAllowed = access.client.rights.allows(.publish, topic: String(decoding: name, as: UTF8.self))
        if isAllowed { publishable.insert(name) }
        return isAllowed
    }

    /// Ends the subscriptions that the client's rights do not cover any more, and adapts the patterns.
    func adaptSubscriptions() {
        guard let client = access?.client else { return }
        connection.sendReplies()
        let ended = context.hub.adapt(self) { request in
            client.covers(request) ? .continues(client.permission(for: request.topic)) : .ends(.forbidden)
        }
        for topicJSON in ended { inform(.unsubscribed(topicJSON: topicJSON, reason: EndReason.forbidden.code)) }
        connection.keepRepliesInOrder()
    }

    // MARK: Over time

    /// Ends the connection if the client's credential has been revoked, or has expired and was not renewed. Before
    /// that, tells the client to renew it. Gives the client other rights if another policy is in force.
    ///
    /// Also called once a second: both may happen between the check of a credential and the start of the session.
    func checkAccess() {
        guard reconsider(), let access else { return }
        if case .ended(let reason) = context.access.standing(of: access.client) { return end(reason) }
        guard let remaining = context.access.remaining(access.client) else { return }
        if remaining <= 0 {
            reply(.unauthorized, "The credential has expired", requestID: nil)
            return disconnect(.tokenExpired)
        }
        guard !access.isWarned, let wait = context.access.untilWarning(access.client), wait <= 0 else { return }
        access.isWarned = true
        inform(.tokenExpiring(expiresIn: context.access.validity(access.client) ?? 0))
        connection.flush()
    }

    func end(_ reason: Disconnect) {
        context.logger.info(
            "client ended",
            metadata: ["connection.id": "\(connection.id)", "reason": "\(reason.reason)"]
        )
        disconnect(reason)
    }
}
