import ApusProtocol
import Logging
import NIOCore

// Receiving: from bytes to whole messages for the session.

extension WebSocketConnection {
    /// Copies input that cannot be processed yet.
    func keep(_ bytes: UnsafeMutableRawBufferPointer) {
        if partial != nil {
            partial?.writeBytes(bytes)
        } else {
            partial = ByteBuffer(bytes: bytes)
        }
    }

    /// Processes the kept input, and keeps what remains.
    func consumePartial() {
        guard var bytes = partial.take() else { return }
        let consumed = bytes.withUnsafeMutableReadableBytes { consume($0) }
        guard consumed < bytes.readableBytes, phase == .open || phase == .closing else { return }
        bytes.moveReaderIndex(forwardBy: consumed)
        // A new buffer, so that the processed bytes do not stay in memory.
        partial = consumed > 0 ? ByteBuffer(buffer: bytes) : bytes
    }

    /// Processes whole frames, and unmasks them in place.
    ///
    /// - Returns: how many bytes were processed.
    func consume(_ bytes: UnsafeMutableRawBufferPointer) -> Int {
        var start = 0
        while phase == .open || phase == .closing, postponed == nil {
            let rest = UnsafeMutableRawBufferPointer(rebasing: bytes[start...])
            let result = FrameHead.parse(
                UnsafeRawBufferPointer(rest),
                maxMessage: assembler.maxMessage,
                mayBeCompressed: window != nil
            )
            switch result {
            case .incomplete:
                return start
            case .failure(let disconnect):
                fail(disconnect)
            case .head(let head):
                let size = head.size + head.payload
                guard rest.count >= size else { return start }
                let payload = UnsafeMutableRawBufferPointer(rebasing: rest[head.size..<size])
                let isASCII = payload.baseAddress.map {
                    unmask(UnsafeRawBufferPointer(payload), mask: head.mask, to: $0)
                }
                handle(head, payload: UnsafeRawBufferPointer(payload), isASCII: isASCII ?? true)
                start += size
            }
        }
        return phase == .open || phase == .closing ? start : bytes.count
    }

    private func handle(_ head: FrameHead, payload: UnsafeRawBufferPointer, isASCII: Bool) {
        switch head.opcode {
        case .close:
            receivedClose(payload)
        case .ping where phase == .open:
            writeControlFrame(.pong, payload, to: &context.replies)
        case .continuation, .text, .binary:
            // Messages after our own close frame are ignored.
            guard phase == .open else { return }
            switch assembler.consume(head, payload: payload, isASCII: isASCII) {
            case .message(let kind):
                complete(payload, kind)
            case .assembled(let message, let kind):
                message.withUnsafeReadableBytes { complete($0, kind) }
            case .incomplete:
                break
            case .failure(let disconnect):
                fail(disconnect)
            }
        // A sign of life like any other input.
        case .pong, .ping:
            break
        }
    }

    private func complete(_ message: UnsafeRawBufferPointer, _ kind: MessageAssembler.Kind) {
        guard kind.isCompressed else { return handOver(message, isText: kind.isText) }
        inflate(message, isText: kind.isText)
    }

    func handOver(_ message: UnsafeRawBufferPointer, isText: Bool) {
        guard let session else { return }
        if !session.received(message, isText: isText), phase == .open {
            postponed = (ByteBuffer(bytes: message), isText)
        }
    }

    /// Gives the session its postponed message, and continues with the input after it.
    func continueReading() {
        guard let (message, isText) = postponed.take() else { return }
        context.beginBurst()
        let isTaken = message.withUnsafeReadableBytes { session?.received($0, isText: isText) ?? true }
        if !isTaken, phase == .open { postponed = (message, isText) }
        if postponed == nil { consumePartial() }
        sendReplies()
        flush()
        releaseRead()
    }

    private func receivedClose(_ body: UnsafeRawBufferPointer) {
        guard phase == .open else {
            // The peer answers our close frame. The closing handshake is complete, and the server closes the connection
            // (section 7.1.1).
            phase = .discarding
            hangUpAfterFlush(.both)
            return
        }
        switch CloseFrame.parse(body) {
        case .failure(let disconnect):
            fail(disconnect)
        case .code(let code):
            log("closed by the client", code: code)
            keepRepliesInOrder()
            CloseFrame.write(code: code, reason: "", to: &context.replies)
            sendReplies()
            phase = .discarding
            endSession()
            hangUpAfterFlush(.both)
        }
    }
}
