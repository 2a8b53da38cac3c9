#if NATS
import ApusProtocol
import Foundation
import NIOFoundationCompat

/// Questions that change nothing, for who wants to know whether a node could work here.
extension NATSConnection {
    /// How a stream of a node is; `nil` if it is not there.
    package func report(on plan: StreamPlan, timeout: Duration) async throws(JetStreamFailure) -> StreamReport? {
        do throws(JetStreamFailure) {
            let info = try await streamInfo(plan.name, timeout: timeout)
            let difference = plan.difference(from: info.config).map { setting, has, wants in
                "\(setting) is \(has), and \(wants) is needed"
            }
            return StreamReport(difference: difference, cluster: info.cluster)
        } catch .refused(let refusal) where refusal.reason == JetStreamRefusal.Reason.streamNotFound {
            return nil
        }
    }

    /// Who the connection is to its server, and what it may do; `nil` if the server does not say.
    package func user(timeout: Duration) async -> UserReport? {
        guard case .answered(let message) = await request("$SYS.REQ.USER.INFO", timeout: timeout) else { return nil }
        return try? JSONDecoder().decode(UserReport.self, from: Data(buffer: message.body))
    }

    /// How long the server takes for an answer; `nil` without one.
    package func roundTrip(timeout: Duration) async -> Duration? {
        let start = ContinuousClock.now
        // Where the question is not allowed there is no answer either.
        guard case .answered = await request("$SYS.REQ.USER.INFO", timeout: timeout) else { return nil }
        return ContinuousClock.now - start
    }
}

/// A stream that is there.
package struct StreamReport: Sendable {
    /// What is not as a node needs it.
    package let difference: String?
    package let cluster: StreamInfo.Cluster?
}

/// A user as its server knows it.
package struct UserReport: Sendable, Decodable {
    package struct Subjects: Sendable, Decodable {
        package let allow: [String]?
        package let deny: [String]?
    }

    package struct Permissions: Sendable, Decodable {
        package let publish: Subjects?
        package let subscribe: Subjects?
    }

    package struct User: Sendable, Decodable {
        package let user: String?
        package let account: String?
        package let permissions: Permissions?
    }

    package let data: User
}
#endif
