import ApusBroker
import ApusProtocol

// The end of the client's credential, or of its connection by an administrator.

extension EventStream {
    func end(_ reason: Disconnect) {
        guard !isFinished else { return }
        context.beginBurst()
        let code = reason == .kicked ? ErrorCode.kicked : .unauthorized
        write(#"{"type":"error","error":{"code":"\#(code.rawValue)","message":"\#(reason.reason)"}"#)
        finish(EndReason(reason.reason))
    }

    func covers(_ request: SubscribeRequest) -> Bool { access.covers(request) }

    func lost(_ topics: [[UInt8]]) {
        guard !isFinished else { return }
        context.beginBurst()
        for topicJSON in topics { inform(.unsubscribed(topicJSON: topicJSON, reason: EndReason.forbidden.code)) }
        if subscriptions.isEmpty { finish(.forbidden) }
    }

    func tellExpiring() {
        guard !isWarned, !isFinished, isWritable else { return }
        isWarned = true
        context.beginBurst()
        inform(.tokenExpiring(expiresIn: context.access.validity(access) ?? 0))
    }
}
