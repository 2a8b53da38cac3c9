import ApusProtocol

// Messages that a client has compressed (RFC 7692 section 7.2.2).

extension WebSocketConnection {
    /// Decompresses a message for the session. Fails the connection if the message is invalid or too large.
    func inflate(_ compressed: UnsafeRawBufferPointer, isText: Bool) {
        var size = assembler.maxMessage
        // What is too large has taken its time, too.
        defer { context.roundBudget.spend(size) }
        do throws(Inflater.Fault) {
            try context.inflater.withInflated(compressed, limit: assembler.maxMessage) { message in
                size = message.count
                context.counters.inflatedInput += UInt64(compressed.count)
                context.counters.inflatedOutput += UInt64(message.count)
                var validator = UTF8Validator()
                guard !isText || validator.consume(message) && validator.isComplete else { return fail(.invalidUTF8) }
                handOver(message, isText: isText)
            }
        } catch {
            fail(error == .tooLarge ? .messageTooBig : .invalidCompression)
        }
    }
}
