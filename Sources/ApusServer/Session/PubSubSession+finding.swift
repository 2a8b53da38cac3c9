import ApusBroker
import ApusProtocol

// Commands that name what this node may not know yet, because another one was told of it a moment ago.
//
//  command ──► miss ──► Finding: the command waits ──► the node has caught up ──► the command comes again

extension PubSubSession {
    /// What is being found out for the command that waits, or was for the one that has come again.
    struct Finding {
        var isRunning = true
        /// Whether the topic is created if it is missing.
        var isCreated: Bool
        /// Why nothing was found out.
        var failure: BrokerError?
    }

    /// Has a command wait until the node has caught up with the others.
    ///
    /// - Parameter isCreated: whether the topic is created if it is missing.
    /// - Returns: `false` if that was done for this command already.
    func mustFind(_ name: String, isCreated: Bool = false) -> Bool {
        if let finding, finding.isRunning || finding.isCreated || !isCreated { return finding.isRunning }
        finding = Finding(isCreated: isCreated)
        context.findOrCreate(name, isCreated: isCreated) { [weak self] failure in self?.found(failure) }
        return true
    }

    private func found(_ failure: BrokerError?) {
        guard !isEnded else { return }
        finding?.isRunning = false
        finding?.failure = failure
        connection.continueReading()
    }

    /// Refuses a command with what went wrong, or with why it is not known.
    ///
    /// - Returns: the code that the client is told.
    @discardableResult
    func refuse(_ error: BrokerError, requestID: UnsafeRawBufferPointer?) -> ErrorCode {
        let error = finding?.failure ?? error
        reply(error.wireCode, error.message, requestID: requestID)
        return error.wireCode
    }
}
