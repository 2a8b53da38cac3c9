import ApusProtocol
import NIOCore

/// Joins fragments into messages (RFC 6455 section 5.4), and checks text for valid UTF-8 as early as possible. It does
/// not check the text of compressed messages.
///
/// Memory is bounded by `maxMessage` bytes over all fragments of a message. Compressed fragments count with their
/// compressed size.
struct MessageAssembler {
    let maxMessage: Int
    private var fragments: ByteBuffer?
    private var kind = Kind(isText: false)
    private var validator = UTF8Validator()

    init(maxMessage: Int) {
        self.maxMessage = maxMessage
    }

    /// The bytes of the fragments that have arrived.
    var bufferedBytes: Int { fragments?.readableBytes ?? 0 }

    /// What the first frame of a message says about it.
    struct Kind: Equatable {
        var isText: Bool
        var isCompressed = false
    }

    enum Outcome {
        /// A whole message that came in one frame. Its bytes are those passed in.
        case message(Kind)
        /// A whole message, joined from fragments.
        case assembled(ByteBuffer, Kind)
        /// More fragments must follow.
        case incomplete
        case failure(Disconnect)
    }

    /// Takes the payload of a data frame.
    mutating func consume(_ head: FrameHead, payload: UnsafeRawBufferPointer, isASCII: Bool) -> Outcome {
        switch (head.opcode, fragments) {
        case (.continuation, .some(var collected)):
            fragments = nil
            return add(payload, isFinal: head.isFinal, to: &collected)
        case (.continuation, .none), (_, .some):
            return .failure(.protocolError)
        case (let opcode, .none):
            kind = Kind(isText: opcode == .text, isCompressed: head.isCompressed)
            validator = UTF8Validator()
            guard head.isFinal else {
                var collected = ByteBuffer()
                return add(payload, isFinal: false, to: &collected)
            }
            if checksText, !isASCII, !validator.consume(payload) || !validator.isComplete {
                return .failure(.invalidUTF8)
            }
            return .message(kind)
        }
    }

    private var checksText: Bool { kind.isText && !kind.isCompressed }

    private mutating func add(
        _ payload: UnsafeRawBufferPointer,
        isFinal: Bool,
        to collected: inout ByteBuffer
    ) -> Outcome {
        guard collected.readableBytes + payload.count <= maxMessage else { return .failure(.messageTooBig) }
        if checksText, !validator.consume(payload) { return .failure(.invalidUTF8) }
        collected.writeBytes(payload)
        guard isFinal else {
            fragments = collected
            return .incomplete
        }
        return checksText && !validator.isComplete ? .failure(.invalidUTF8) : .assembled(collected, kind)
    }
}
