package import ApusProtocol
import BitCollections
import NIOCore

/// A message as a journal has kept it, for tools: what a server sends to subscribers is made from whole batches.
package struct KeptMessage: Sendable, Equatable {
    package var offset: Offset
    /// The published object, byte for byte.
    package var message: [UInt8]
    /// As a quoted JSON string.
    package var key: [UInt8]?
    /// When it was published, in milliseconds since 1970.
    package var time: Int64
    /// When it is no longer delivered, in milliseconds since 1970.
    package var expires: Int64?
    /// The trace context, as ``TraceContext/json``.
    package var trace: [UInt8]?

    package init(
        offset: Offset,
        message: [UInt8],
        key: [UInt8]? = nil,
        time: Int64,
        expires: Int64? = nil,
        trace: [UInt8]? = nil
    ) {
        self.offset = offset
        self.message = message
        self.key = key
        self.time = time
        self.expires = expires
        self.trace = trace
    }
}

extension BatchRecord {
    /// The messages; `nil` if these bytes are no batch of the topic, down to each frame.
    package func messages(of template: EventTemplate) -> [KeptMessage]? {
        guard let (batch, _) = batch(template: template, lead: 0) else { return nil }
        let empty = template.frameSize(message: 0)
        let leastPayload = empty - FrameHeader.size(ofFrame: empty)
        var messages: [KeptMessage] = []
        messages.reserveCapacity(count)
        var again = ByteBuffer()
        for index in 0..<count {
            let (start, end) = (batch.base.start(of: index), batch.base.end(of: index))
            guard end - start - FrameHeader.size(ofFrame: end - start) >= leastPayload else { return nil }
            let offset = first + UInt64(index)
            let message: KeptMessage? = batch.withParts(at: offset) { parts in
                guard let time = Timestamp.milliseconds(rfc3339: parts.time) else { return nil }
                again.clear()
                template.append(parts.message, time: Timestamp(milliseconds: time), to: &again)
                return KeptMessage(offset: offset, message: Array(parts.message), time: time)
            }
            guard var message, frames.getSlice(at: frames.readerIndex + start, length: end - start) == again else {
                return nil
            }
            let detail = batch.details?.all[index] ?? .none
            message.key = detail.key
            message.expires = detail.expires == .max ? nil : detail.expires
            message.trace = detail.trace
            messages.append(message)
        }
        return messages
    }

    /// Makes the record of messages whose offsets follow each other.
    ///
    /// - Parameters:
    ///   - messages: at least one.
    ///   - ids: the message ids that the topic has to recognize.
    package init(_ messages: [KeptMessage], ids: [(offset: Offset, id: String)], template: EventTemplate) {
        var open = TopicLog.OpenBatch()
        var details: [PublicationDetail] = []
        for message in messages {
            if open.bytes.readableBytes > 0 {
                open.marks.append(Batch.Mark(end: UInt32(open.bytes.readableBytes), origin: 0))
            }
            message.message.withUnsafeBytes {
                template.append($0, time: Timestamp(milliseconds: message.time), to: &open.bytes)
            }
            open.newestTime = max(open.newestTime, message.time)
            details.append(
                PublicationDetail(key: message.key, expires: message.expires ?? .max, trace: message.trace)
            )
        }
        let batch = Batch(
            first: messages.first?.offset ?? 0,
            open: open,
            details: details.allSatisfy(\.isNone) ? nil : BatchDetails(details, superseded: BitSet()),
            template: template
        )
        self.init(batch, ids: ids)
    }

    /// About how many bytes of frames a record should have.
    package static var frameBytes: Int { TopicLog.batchBytes }
}
