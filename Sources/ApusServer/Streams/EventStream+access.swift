import ApusBroker
import ApusProtocol

// The end of the client's credential.

extension EventStream {
    func end(_ reason: Disconnect) {
        guard !isFinished else { return }
        context.beginBurst()
        write(#"{"type":"error","error":{"code":"UNAUTHORIZED","message":"\#(reason.reason)"}"#)
        finish(EndReason(reason.reason))
    }

    func tellExpiring() {
        guard !isWarned, !isFinished, isWritable else { return }
        isWarned = true
        context.beginBurst()
        inform(.tokenExpiring(expiresIn: context.access.validity(access) ?? 0))
    }
}
