import ApusProtocol
import NIOCore

/// Puts fragments together (RFC 6455 section 5.4) and checks that text is UTF-8, as early as it can be known: of a
/// compressed message that is not here.
///
/// Bounded by `maxMessage` bytes over all fragments of a message, compressed ones as they came.
struct MessageAssembler {
    let maxMessage: Int
    private var fragments: ByteBuffer?
    private var kind = Kind(isText: false)
    private var validator = UTF8Validator()

    init(maxMessage: Int) {
        self.maxMessage = maxMessage
    }

    /// What the first frame of a message says of it.
    struct Kind: Equatable {
        var isText: Bool
        var isCompressed = false
    }

    enum Outcome {
        /// A whole message, in the bytes given when it came in one frame.
        case message(Kind)
        /// A whole message, put together.
        case assembled(ByteBuffer, Kind)
        /// More fragments have to come.
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
