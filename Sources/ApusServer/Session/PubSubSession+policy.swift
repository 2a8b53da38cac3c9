import ApusAccess
import ApusProtocol

// The client when another policy comes into force.

extension PubSubSession {
    /// Compares the client with the policy in force, if that is not the one that it was compared with last.
    ///
    /// - Returns: `false` if the connection ends.
    func reconsider() -> Bool {
        let number = context.access.policyNumber
        // A credential that is being checked is compared as soon as it is admitted.
        guard number != policyNumber, case .none = verification else { return true }
        switch context.access.reconsider(access?.client.principal) {
        case .open:
            // A client without a credential. It may do everything, as one that comes now.
            authDeadline = nil
            if access != nil { take(.unlimited) }
        case .admitted(let client):
            if client != access?.client { take(client) }
        case .anonymous:
            if authDeadline == nil { askForCredential() }
        case .refused:
            end(.revoked)
            return false
        }
        policyNumber = number
        return true
    }

    private func take(_ client: ClientAccess) {
        isExtended = isExtended || client.expires != nil
        let old = access?.client.rights
        admit(.admitted(client))
        if old != client.rights { adaptSubscriptions() }
    }

    /// Without a credential, the client may do nothing any more. It has as long as a new one to show its credential.
    private func askForCredential() {
        take(ClientAccess(rights: .none, principal: nil))
        admit(.anonymous)
    }
}
