import ApusBroker
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
        defer { precondition(context.staged.isEmpty, "what is staged lies in these bytes, and is committed with them") }
        var start = 0
        while phase == .open || phase == .closing, postponed == nil, pauses.isEmpty {
            let rest = UnsafeMutableRawBufferPointer(rebasing: bytes[start...])
            let result = parseHead(UnsafeRawBufferPointer(rest))
            // Whatever is no text of a single frame, the end of the input too, comes after what is staged.
            if !context.staged.isEmpty, !result.isWholeText(in: rest.count), let first = session?.commit() {
                return postpone(first, isText: true, in: bytes, before: start)
            }
            switch result {
            case .incomplete:
                return start
            case .failure(let disconnect):
                fail(disconnect)
            case .head(let head):
                let size = head.size + head.payload
                guard rest.count >= size else { return start }
                if head.opcode == .close, held != nil, phase == .open {
                    // The replies before it are owed to the client.
                    pauses.insert(.untilKept)
                    return start
                }
                if window != nil, context.roundBudget.isSpent, context.staged.isEmpty {
                    waitForRound()
                    return start
                }
                let payload = UnsafeRawBufferPointer(rebasing: rest[head.size..<size])
                let isASCII = rest.baseAddress.map { unmask(payload, mask: head.mask, to: $0 + head.size) }
                start += size
                // The last message of a read has nothing to wait for.
                let mayStage = start < bytes.count || !context.staged.isEmpty
                if let first = handle(head, payload: payload, isASCII: isASCII ?? true, mayStage: mayStage) {
                    return postpone(first, isText: head.opcode == .text, in: bytes, before: start)
                }
            }
        }
        return phase == .open || phase == .closing ? start : bytes.count
    }

    private func parseHead(_ bytes: UnsafeRawBufferPointer) -> FrameHead.ParseResult {
        FrameHead.parse(bytes, maxMessage: assembler.maxMessage, mayBeCompressed: window != nil)
    }

    /// Postpones a message, and masks the frames between it and `end` again: they are read after it.
    ///
    /// - Returns: where these frames begin in `bytes`.
    private func postpone(
        _ message: UnsafeRawBufferPointer,
        isText: Bool,
        in bytes: UnsafeMutableRawBufferPointer,
        before end: Int
    ) -> Int {
        postponed = (ByteBuffer(bytes: message), isText)
        guard let first = bytes.baseAddress, let found = message.baseAddress else { return end }
        let next = found + message.count - UnsafeRawPointer(first)
        var start = next
        while start < end {
            let rest = UnsafeMutableRawBufferPointer(rebasing: bytes[start..<end])
            guard case .head(let head) = parseHead(UnsafeRawBufferPointer(rest)) else {
                preconditionFailure("frames that were read before are whole")
            }
            let size = head.size + head.payload
            let payload = UnsafeRawBufferPointer(rebasing: rest[head.size..<size])
            if let address = rest.baseAddress { _ = unmask(payload, mask: head.mask, to: address + head.size) }
            start += size
        }
        return next
    }

    /// - Returns: the message of this input that the session postpones, if any.
    private func handle(
        _ head: FrameHead,
        payload: UnsafeRawBufferPointer,
        isASCII: Bool,
        mayStage: Bool
    ) -> UnsafeRawBufferPointer? {
        switch head.opcode {
        case .close:
            receivedClose(payload)
        case .ping where phase == .open:
            writeControlFrame(.pong, payload, to: &context.replies)
        case .continuation, .text, .binary:
            // Messages after our own close frame are ignored.
            guard phase == .open else { return nil }
            switch assembler.consume(head, payload: payload, isASCII: isASCII) {
            case .message(let kind) where !kind.isCompressed:
                let mayStage = mayStage && kind.isText
                let first = session?.received(payload, isText: kind.isText, mayStage: mayStage)
                return phase == .open ? first : nil
            case .message(let kind):
                inflate(payload, isText: kind.isText)
            case .assembled(let message, let kind):
                message.withUnsafeReadableBytes { complete($0, kind) }
            case .incomplete:
                break
            case .failure(let disconnect):
                if let first = session?.commit() { return first }
                fail(disconnect)
            }
        // A sign of life like any other input.
        case .pong, .ping:
            break
        }
        return nil
    }

    private func complete(_ message: UnsafeRawBufferPointer, _ kind: MessageAssembler.Kind) {
        guard kind.isCompressed else { return handOver(message, isText: kind.isText) }
        inflate(message, isText: kind.isText)
    }

    /// Gives the session a message that is not in the input as it is.
    func handOver(_ message: UnsafeRawBufferPointer, isText: Bool) {
        if session?.received(message, isText: isText, mayStage: false) != nil, phase == .open {
            postponed = (ByteBuffer(bytes: message), isText)
        }
    }

    /// Gives the session its postponed message, and continues with the input after it.
    func continueReading() {
        guard let (message, isText) = postponed.take() else { return }
        context.beginBurst()
        let isTaken = message.withUnsafeReadableBytes {
            session?.received($0, isText: isText, mayStage: false) == nil
        }
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
