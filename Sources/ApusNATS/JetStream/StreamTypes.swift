#if NATS
import Foundation
import NIOCore
import NIOFoundationCompat

/// What JetStream tells about a stream.
package struct StreamInfo: Sendable, Decodable {
    package struct State: Sendable, Decodable {
        package let messages: UInt64
        package let bytes: UInt64
        package let firstSequence: UInt64
        package let lastSequence: UInt64

        enum CodingKeys: String, CodingKey {
            case messages, bytes
            case firstSequence = "first_seq"
            case lastSequence = "last_seq"
        }
    }

    package struct Cluster: Sendable, Decodable {
        package struct Replica: Sendable, Decodable {
            package let name: String
            package let current: Bool
            package let offline: Bool?
            /// How many operations it is behind.
            package let lag: UInt64?
        }

        package let leader: String?
        package let replicas: [Replica]?
    }

    /// The settings by their names, as JetStream has them.
    let config: [String: Setting]
    package let state: State
    package let cluster: Cluster?
}

struct ConsumerInfo: Decodable {
    struct Delivered: Decodable {
        let consumerSequence: UInt64

        enum CodingKeys: String, CodingKey { case consumerSequence = "consumer_seq" }
    }

    let pending: UInt64
    let delivered: Delivered

    enum CodingKeys: String, CodingKey {
        case pending = "num_pending"
        case delivered
    }
}

/// What is asked for a reader.
struct ConsumerRequest: Encodable {
    let stream: String
    let config: [String: Setting]

    enum CodingKeys: String, CodingKey {
        case stream = "stream_name"
        case config
    }

    init(stream: String, name: String, deliverySubject: String, start: UInt64) {
        self.stream = stream
        config = [
            "name": .text(name),
            "deliver_subject": .text(deliverySubject),
            "deliver_policy": .text("by_start_sequence"),
            "opt_start_seq": .number(Int64(clamping: max(start, 1))),
            "ack_policy": .text("none"),
            "max_deliver": .number(1),
            "replay_policy": .text("instant"),
            "flow_control": .flag(true),
            "idle_heartbeat": .number(1_000_000_000),
            // How long the server keeps it when nobody listens any more.
            "inactive_threshold": .number(5_000_000_000),
            "num_replicas": .number(1),
            "mem_storage": .flag(true),
        ]
    }

    var json: ByteBuffer { ByteBuffer(encoding: self) }
}

/// A value in a configuration.
enum Setting: Sendable, Equatable, Codable, CustomStringConvertible {
    case flag(Bool)
    case number(Int64)
    case text(String)
    case texts([String])
    /// Something else, which is never asked for.
    case other

    init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if let flag = try? value.decode(Bool.self) {
            self = .flag(flag)
        } else if let number = try? value.decode(Int64.self) {
            self = .number(number)
        } else if let text = try? value.decode(String.self) {
            self = .text(text)
        } else if let texts = try? value.decode([String].self) {
            self = .texts(texts)
        } else {
            self = .other
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .flag(let flag): try container.encode(flag)
        case .number(let number): try container.encode(number)
        case .text(let text): try container.encode(text)
        case .texts(let texts): try container.encode(texts)
        case .other: try container.encodeNil()
        }
    }

    var description: String {
        switch self {
        case .flag(let flag): "\(flag)"
        case .number(let number): "\(number)"
        case .text(let text): text
        case .texts(let texts): texts.joined(separator: ", ")
        case .other: "something else"
        }
    }
}

extension ByteBuffer {
    /// JSON of what can always be encoded.
    init(encoding value: some Encodable) {
        guard let data = try? JSONEncoder().encode(value) else { preconditionFailure("not JSON: \(value)") }
        self.init(data: data)
    }
}
#endif
