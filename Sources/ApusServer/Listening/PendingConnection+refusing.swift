import ApusProtocol
import ApusSockets
import ApusTLS
import NIOCore

// Connections that are refused for where they come from, whatever they would ask for.

extension PendingConnection {
    /// How long a refused client has to send something, and then to take the answer, in milliseconds.
    private static let refusalTime: Int64 = 2000
    /// How many refused clients a loop waits for. Further ones are answered and closed at once, so that a client that
    /// goes on connecting takes no sockets from others.
    static let maxRefused = 64

    /// Counts the connection, now that its client's address is known, or refuses it.
    func admit() {
        do throws(AddressBudget.Exceeded) {
            try gate.addresses.admitConnection(of: &caller)
        } catch {
            refuse(.connectionsPerAddress, error.problem)
        }
    }

    /// Refuses a proxy without a valid header.
    func refuse(_ reason: ConnectionRefusals.Reason) {
        let text = "Connections of trusted_proxies must begin with a PROXY protocol header, as proxy_protocol is on"
        refuse(reason, Problem(.badRequest, text))
    }

    func refuse(_ reason: ConnectionRefusals.Reason, _ problem: Problem) {
        gate.addresses.refusals.note(reason, status: problem.code.status, address: "\(caller.address)")
        phase = .refused(problem)
        guard context.refusedCount < Self.maxRefused else {
            // Where TLS has not begun, the client would not understand the answer.
            if !expectsTLS {
                _ = socket.receive(into: context.input)
                send(problem)
            }
            return close()
        }
        context.refusedCount += 1
        isRefused = true
        deadline = context.monotonicNow() + Self.refusalTime
    }

    func answer(_ problem: Problem, _ events: PollEvents) {
        switch receive(into: context.input) {
        case .bytes(0), .failed: return close()
        case .wouldBlock: return events.isDisjoint(with: .broken) ? () : close()
        case .bytes: break
        }
        send(problem)
        transport.finishSending()
        // Closing now would reset the connection if more of the request comes, and discard the answer.
        phase = .ending
        deadline = context.monotonicNow() + Self.refusalTime
        // Input that has arrived already would not be reported again.
        if let registration { poller.change(registration, of: socket, to: Self.interest) }
    }

    func send(_ problem: Problem) {
        // A new socket takes this few bytes at once, and nothing depends on it.
        _ = problem.lastAnswer.withUnsafeReadableBytes { transport.send($0) }
    }

    func discardInput(_ events: PollEvents) {
        switch receive(into: context.input) {
        case .bytes(1...): break
        case .wouldBlock where events.isDisjoint(with: .broken): break
        case .bytes, .wouldBlock, .failed: close()
        }
    }
}
