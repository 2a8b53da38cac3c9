import ApusProtocol
import Logging
import NIOCore

// Frames in: from bytes to whole messages for the session.

extension WebSocketConnection {
    /// Keeps what could not be worked off yet, in memory of its own: the channel uses its buffers again.
    func keep(_ bytes: inout ByteBuffer) {
        if partial != nil {
            partial?.writeBuffer(&bytes)
        } else {
            var own = bytes
            if own.readerIndex > 0 || own.storageCapacity > 2 * own.readableBytes {
                own = ByteBuffer(buffer: bytes)
            }
            partial = own
        }
    }

    func consume(_ bytes: inout ByteBuffer) {
        while phase == .open || phase == .closing, postponed == nil {
            let result = bytes.withUnsafeReadableBytes { FrameHead.parse($0, maxMessage: assembler.maxMessage) }
            switch result {
            case .incomplete:
                return
            case .failure(let disconnect):
                fail(disconnect)
            case .head(let head):
                let size = head.size + head.payload
                guard bytes.readableBytes >= size else { return }
                bytes.withUnsafeReadableBytes { readable in
                    let payload = UnsafeRawBufferPointer(rebasing: readable[head.size..<size])
                    worker.scratch.withBytes(head.payload) { scratch in
                        guard let target = scratch.baseAddress else { return }
                        let isASCII = unmask(payload, mask: head.mask, to: target)
                        let plain = UnsafeRawBufferPointer(start: target, count: head.payload)
                        handle(head, payload: plain, isASCII: isASCII)
                    }
                }
                bytes.moveReaderIndex(forwardBy: size)
            }
        }
        if phase != .open, phase != .closing { bytes.clear() }
    }

    private func handle(_ head: FrameHead, payload: UnsafeRawBufferPointer, isASCII: Bool) {
        switch head.opcode {
        case .close:
            receivedClose(payload)
        case .ping where phase == .open:
            writeControlFrame(.pong, payload, to: &worker.replies)
        case .pong:
            keepalive.receivedPong()
        case .continuation, .text, .binary:
            // After our own close frame no message counts any more.
            guard phase == .open else { return }
            switch assembler.consume(head, payload: payload, isASCII: isASCII) {
            case .message(let isText):
                deliver(payload, isText: isText)
            case .assembled(let message, let isText):
                message.withUnsafeReadableBytes { deliver($0, isText: isText) }
            case .incomplete:
                break
            case .failure(let disconnect):
                fail(disconnect)
            }
        case .ping:
            break
        }
    }

    private func deliver(_ message: UnsafeRawBufferPointer, isText: Bool) {
        guard let session else { return }
        if !session.received(message, isText: isText), phase == .open {
            postponed = (ByteBuffer(bytes: message), isText)
            keepalive.pause()
        }
    }

    /// Gives the session the message it put off, and goes on with what came behind it.
    func continueReading() {
        guard let (message, isText) = postponed.take() else { return }
        worker.beginBurst()
        let isTaken = message.withUnsafeReadableBytes { session?.received($0, isText: isText) ?? true }
        if !isTaken, phase == .open { postponed = (message, isText) }
        if postponed == nil, var bytes = partial.take() {
            consume(&bytes)
            if bytes.readableBytes > 0 { keep(&bytes) }
        }
        sendReplies()
        flush()
        if postponed == nil { keepalive.resume(now: worker.monotonicNow()) }
        releaseRead()
    }

    private func receivedClose(_ body: UnsafeRawBufferPointer) {
        guard phase == .open else {
            // The answer to our own: the handshake is complete and the server is the one to hang up (section 7.1.1).
            phase = .discarding
            hangUpAfterFlush(mode: .all)
            return
        }
        switch CloseFrame.parse(body) {
        case .failure(let disconnect):
            fail(disconnect)
        case .code(let code):
            log("closed by the client", code: code)
            keepRepliesInOrder()
            CloseFrame.write(code: code, reason: "", to: &worker.replies)
            sendReplies()
            phase = .discarding
            endSession()
            hangUpAfterFlush(mode: .all)
        }
    }
}
