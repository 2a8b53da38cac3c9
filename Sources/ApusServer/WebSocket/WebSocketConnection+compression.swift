import ApusProtocol

// Messages that a client compressed (RFC 7692 section 7.2.2).

extension WebSocketConnection {
    /// Gives the session what a compressed message says, if that can be read and is no larger than a message may be.
    func inflate(_ compressed: UnsafeRawBufferPointer, isText: Bool) {
        do throws(Inflater.Fault) {
            try worker.inflater.withInflated(compressed, limit: assembler.maxMessage) { message in
                worker.counters.inflatedInput += UInt64(compressed.count)
                worker.counters.inflatedOutput += UInt64(message.count)
                var validator = UTF8Validator()
                guard !isText || validator.consume(message) && validator.isComplete else { return fail(.invalidUTF8) }
                deliver(message, isText: isText)
            }
        } catch {
            fail(error == .tooLarge ? .messageTooBig : .invalidCompression)
        }
    }
}
