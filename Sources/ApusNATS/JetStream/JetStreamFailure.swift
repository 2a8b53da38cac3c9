#if NATS
import Foundation
import NIOCore
import NIOFoundationCompat

/// Why JetStream did not do what it was asked.
package enum JetStreamFailure: Error, Sendable, Equatable {
    case refused(JetStreamRefusal)
    case noResponders
    case timedOut
    case disconnected
    case tooLarge(limit: Int)
    case tooMany
    /// The answer was not understood.
    case unreadable(String)
}

/// What JetStream says when it refuses.
package struct JetStreamRefusal: Error, Sendable, Equatable, Codable {
    /// Like a status of HTTP.
    package let code: Int
    /// JetStream's own number of the reason.
    package let reason: Int
    package let text: String

    enum CodingKeys: String, CodingKey {
        case code
        case reason = "err_code"
        case text = "description"
    }

    package init(code: Int, reason: Int, text: String) {
        self.code = code
        self.reason = reason
        self.text = text
    }

    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        code = try values.decodeIfPresent(Int.self, forKey: .code) ?? 0
        reason = try values.decodeIfPresent(Int.self, forKey: .reason) ?? 0
        text = try values.decodeIfPresent(String.self, forKey: .text) ?? ""
    }

    /// The reasons that mean something here.
    package enum Reason {
        package static let notAvailable = 10_008
        package static let notEnabledForAccount = 10_039
        package static let streamNotFound = 10_059
        package static let streamNameInUse = 10_058
        package static let subjectsOverlap = 10_065
        package static let wrongLastSequence = 10_071
        package static let replicasInOneServer = 10_074
        package static let notEnabled = 10_076
        package static let sequenceNotMatching = 10_164
        package static let noPeers = 10_005
    }
}

/// What all answers of JetStream have in common.
enum JetStreamAnswer {
    private struct Envelope: Decodable {
        let error: JetStreamRefusal?
    }

    static func decode<Value: Decodable>(
        _ type: Value.Type,
        _ answer: NATSAnswer
    ) throws(JetStreamFailure) -> Value {
        let message = try message(of: answer)
        let data = Data(buffer: message.body)
        if let refusal = try? JSONDecoder().decode(Envelope.self, from: data).error { throw .refused(refusal) }
        do {
            return try JSONDecoder().decode(type, from: data)
        } catch {
            throw .unreadable("\(error)")
        }
    }

    static func message(of answer: NATSAnswer) throws(JetStreamFailure) -> NATSMessage {
        switch answer {
        case .answered(let message): return message
        case .gathered: throw .unreadable("several answers to a question for one")
        case .noResponders: throw .noResponders
        case .timedOut: throw .timedOut
        case .disconnected: throw .disconnected
        case .tooLarge(let limit): throw .tooLarge(limit: limit)
        case .tooMany: throw .tooMany
        }
    }
}
#endif
