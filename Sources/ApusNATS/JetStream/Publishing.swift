#if NATS
import ApusProtocol
package import NIOCore

/// A message for a stream, with what has to be true for it to be kept.
package struct StreamPublish: Sendable {
    package enum Expectation: Sendable, Equatable {
        case none
        /// The stream has nothing of the subject.
        case noMessage
        /// The subject's newest message has this sequence.
        case last(UInt64)
    }

    package var subject: String
    package var headers: [NATSHeader]
    package var body: ByteBuffer
    /// The same message again is kept once, within the stream's window.
    package var id: String?
    /// The stream that has to have the subject.
    package var stream: String?
    package var expectation: Expectation

    package init(
        subject: String,
        headers: [NATSHeader] = [],
        body: ByteBuffer,
        id: String? = nil,
        stream: String? = nil,
        expectation: Expectation = .none
    ) {
        self.subject = subject
        self.headers = headers
        self.body = body
        self.id = id
        self.stream = stream
        self.expectation = expectation
    }

    var allHeaders: [NATSHeader] {
        var all = headers
        if let id { all.append(NATSHeader("Nats-Msg-Id", id)) }
        if let stream { all.append(NATSHeader("Nats-Expected-Stream", stream)) }
        switch expectation {
        case .none: break
        case .noMessage: all.append(NATSHeader("Nats-Expected-Last-Subject-Sequence", "0"))
        case .last(let sequence): all.append(NATSHeader("Nats-Expected-Last-Subject-Sequence", "\(sequence)"))
        }
        return all
    }

    /// The payload that it is to a server.
    package var size: Int { NATSHeader.size(of: allHeaders) + body.readableBytes }
}

/// What became of a message for a stream.
package enum PublishResult: Sendable, Equatable {
    /// The stream has it. `isDuplicate` says that it was there before.
    case acked(stream: String, sequence: UInt64, isDuplicate: Bool)
    /// The stream does not take it.
    ///
    /// - Parameter last: the sequence that the subject's newest message has, where the refusal tells.
    case refused(JetStreamRefusal, last: UInt64?)
    case noResponders
    case timedOut
    case disconnected
    case tooLarge(limit: Int)
    case tooMany
}

extension NATSConnection {
    /// Gives a message to a stream, and `completion` the result, exactly once, on any thread.
    package func publish(
        _ message: StreamPublish,
        timeout: Duration,
        completion: @escaping @Sendable (PublishResult) -> Void
    ) {
        request(message.subject, headers: message.allHeaders, body: message.body, timeout: timeout) { answer in
            completion(PublishResult(answer))
        }
    }

    package func publish(_ message: StreamPublish, timeout: Duration) async -> PublishResult {
        await withCheckedContinuation { continuation in
            publish(message, timeout: timeout) { continuation.resume(returning: $0) }
        }
    }
}

extension PublishResult {
    init(_ answer: NATSAnswer) {
        switch answer {
        case .answered(let message): self = message.body.withUnsafeReadableBytes { Self(acknowledgement: $0) }
        case .gathered, .timedOut: self = .timedOut
        case .noResponders: self = .noResponders
        case .disconnected: self = .disconnected
        case .tooLarge(let limit): self = .tooLarge(limit: limit)
        case .tooMany: self = .tooMany
        }
    }

    /// Reads an answer: `{"stream":"apus-3","seq":17}`, or `{"error":{"code":400,"err_code":10071,…},…}`.
    ///
    /// What is neither counts as no answer: whether the stream has the message is unknown.
    init(acknowledgement bytes: UnsafeRawBufferPointer) {
        var stream: String?
        var sequence: UInt64?
        var isDuplicate = false
        for (name, range) in JSONDocument.members(of: bytes) ?? [] {
            let value = UnsafeRawBufferPointer(rebasing: bytes[range])
            switch name {
            case "error":
                let refusal = JetStreamRefusal(value)
                self = .refused(refusal, last: refusal.lastSequence)
                return
            case "stream": stream = JSONDocument.string(of: value)
            case "seq": sequence = Self.number(value)
            case "duplicate": isDuplicate = value.elementsEqual("true".utf8)
            default: break
            }
        }
        guard let stream, let sequence, sequence > 0 else {
            self = .timedOut
            return
        }
        self = .acked(stream: stream, sequence: sequence, isDuplicate: isDuplicate)
    }

    fileprivate static func number(_ bytes: UnsafeRawBufferPointer) -> UInt64? {
        UInt64(String(decoding: bytes, as: UTF8.self))
    }
}

extension JetStreamRefusal {
    fileprivate init(_ bytes: UnsafeRawBufferPointer) {
        var code = 0
        var reason = 0
        var text = ""
        for (name, range) in JSONDocument.members(of: bytes) ?? [] {
            let value = UnsafeRawBufferPointer(rebasing: bytes[range])
            switch name {
            case "code": code = PublishResult.number(value).map { Int(clamping: $0) } ?? 0
            case "err_code": reason = PublishResult.number(value).map { Int(clamping: $0) } ?? 0
            case "description": text = JSONDocument.string(of: value) ?? ""
            default: break
            }
        }
        self.init(code: code, reason: reason, text: text)
    }

    /// The sequence in "wrong last sequence: 17".
    var lastSequence: UInt64? {
        guard reason == Reason.wrongLastSequence, let colon = text.lastIndex(of: ":") else { return nil }
        return UInt64(text[text.index(after: colon)...].drop { $0 == " " })
    }
}
#endif
