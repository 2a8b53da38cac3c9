package import ApusProtocol
import BitCollections
package import NIOCore

/// A batch as a journal keeps it.
///
/// ```
/// marks     for each frame but the last: its end, 4 bytes
/// details   empty, or for each publication:  flags · key · expiry · id · trace
///           key, id and trace: size, 4 bytes, and the bytes    expiry: milliseconds since 1970, 8 bytes
/// frames    as they are in memory, in the base encoding
/// ```
/// Numbers are little-endian.
package struct BatchRecord: Sendable {
    package let first: Offset
    package let count: Int
    /// The newest stamp in the batch, in milliseconds since 1970.
    package let newestTime: Int64
    package let details: ByteBuffer
    package let marks: ByteBuffer
    package let frames: ByteBuffer

    package init(
        first: Offset,
        count: Int,
        newestTime: Int64,
        details: ByteBuffer,
        marks: ByteBuffer,
        frames: ByteBuffer
    ) {
        self.first = first
        self.count = count
        self.newestTime = newestTime
        self.details = details
        self.marks = marks
        self.frames = frames
    }

    /// What a publication may have, as bits of its flags.
    private enum Flag {
        static let (key, expiry, id, trace): (UInt8, UInt8, UInt8, UInt8) = (1, 2, 4, 8)
    }

    /// - Parameter ids: the message ids that the topic has to recognize; those of other batches are passed over.
    package init(_ batch: Batch, ids: [(offset: Offset, id: String)]) {
        var marks = ByteBuffer()
        for mark in batch.base.marks { marks.writeInteger(mark.end, endianness: .little) }
        var details = ByteBuffer()
        let own = Dictionary(
            ids.filter { $0.offset >= batch.first && $0.offset < batch.end }.map {
                (Int($0.offset - batch.first), $0.id)
            }
        ) { $1 }
        if batch.details != nil || !own.isEmpty {
            for index in 0..<batch.count {
                Self.write(batch.details?.all[index] ?? .none, id: own[index], lead: batch.lead, to: &details)
            }
        }
        self.init(
            first: batch.first,
            count: batch.count,
            newestTime: batch.newestTime,
            details: details,
            marks: marks,
            frames: batch.base.bytes
        )
    }

    private static func write(_ detail: PublicationDetail, id: String?, lead: Int64, to bytes: inout ByteBuffer) {
        let expires = detail.expires != .max
        var flags: UInt8 = detail.key == nil ? 0 : Flag.key
        if expires { flags |= Flag.expiry }
        if id != nil { flags |= Flag.id }
        if detail.trace != nil { flags |= Flag.trace }
        bytes.writeInteger(flags)
        if let key = detail.key {
            bytes.writeInteger(UInt32(key.count), endianness: .little)
            bytes.writeBytes(key)
        }
        if expires { bytes.writeInteger(detail.expires &+ lead, endianness: .little) }
        if let id {
            bytes.writeInteger(UInt32(id.utf8.count), endianness: .little)
            bytes.writeString(id)
        }
        if let trace = detail.trace {
            bytes.writeInteger(UInt32(trace.count), endianness: .little)
            bytes.writeBytes(trace)
        }
    }

    // MARK: Reading

    /// The batch again.
    ///
    /// - Parameter lead: how far the wall clock is ahead of the steady clock now, in milliseconds.
    /// - Returns: `nil` if these bytes cannot be a batch of the topic.
    package func batch(template: EventTemplate, lead: Int64) -> (batch: Batch, ids: [(offset: Offset, id: String)])? {
        guard let marks = readMarks(), let (details, ids) = readDetails(lead: lead) else { return nil }
        let batch = Batch(
            first: first,
            frames: Batch.Frames(bytes: frames, marks: marks),
            newestTime: newestTime,
            lead: lead,
            details: details,
            template: template
        )
        return (batch, ids)
    }

    /// The message ids, in the order of their offsets; `nil` if these bytes cannot be a batch.
    package var ids: [(offset: Offset, id: String)]? {
        guard readMarks() != nil else { return nil }
        return readDetails(lead: 0)?.ids
    }

    /// The same messages at other offsets.
    package func moved(to first: Offset) -> BatchRecord {
        BatchRecord(
            first: first,
            count: count,
            newestTime: newestTime,
            details: details,
            marks: marks,
            frames: frames
        )
    }

    /// The same without some messages, counted from 0; `nil` if none is left, or these bytes cannot be a batch.
    package func without(_ gone: Set<Int>) -> BatchRecord? {
        guard !gone.isEmpty else { return self }
        let template = EventTemplate(topic: "", epoch: "")
        guard let (batch, ids) = batch(template: template, lead: 0),
            let rest = batch.moved(to: first, without: Set(gone.map { first + UInt64($0) }))
        else { return nil }
        let left = ids.filter { !gone.contains(Int($0.offset - first)) }.map { id in
            (offset: id.offset - UInt64(gone.count { $0 < Int(id.offset - first) }), id: id.id)
        }
        return BatchRecord(rest, ids: left)
    }

    private func readMarks() -> [Batch.Mark]? {
        var bytes = marks
        guard count > 0, bytes.readableBytes == (count - 1) * 4 else { return nil }
        var marks: [Batch.Mark] = []
        marks.reserveCapacity(count - 1)
        var end: UInt32 = 0
        while let next = bytes.readInteger(endianness: .little, as: UInt32.self) {
            guard next > end else { return nil }
            end = next
            marks.append(Batch.Mark(end: next, origin: 0))
        }
        return Int(end) < frames.readableBytes ? marks : nil
    }

    private func readDetails(lead: Int64) -> (details: BatchDetails?, ids: [(offset: Offset, id: String)])? {
        var bytes = details
        guard bytes.readableBytes > 0 else { return (details: nil, ids: []) }
        var all: [PublicationDetail] = []
        var ids: [(offset: Offset, id: String)] = []
        for index in 0..<count {
            guard let flags = bytes.readInteger(as: UInt8.self) else { return nil }
            var detail = PublicationDetail.none
            if flags & Flag.key != 0 {
                guard let key = bytes.readLengthPrefixedSlice() else { return nil }
                detail.key = Array(buffer: key)
            }
            if flags & Flag.expiry != 0 {
                guard let expires = bytes.readInteger(endianness: .little, as: Int64.self) else { return nil }
                detail.expires = expires &- lead
            }
            if flags & Flag.id != 0 {
                guard let id = bytes.readLengthPrefixedSlice() else { return nil }
                ids.append((first + UInt64(index), String(buffer: id)))
            }
            if flags & Flag.trace != 0 {
                guard let trace = bytes.readLengthPrefixedSlice() else { return nil }
                detail.trace = Array(buffer: trace)
            }
            all.append(detail)
        }
        guard bytes.readableBytes == 0 else { return nil }
        return (all.allSatisfy(\.isNone) ? nil : BatchDetails(all, superseded: BitSet()), ids)
    }
}

extension ByteBuffer {
    fileprivate mutating func readLengthPrefixedSlice() -> ByteBuffer? {
        guard let size = readInteger(endianness: .little, as: UInt32.self) else { return nil }
        return readSlice(length: Int(size))
    }
}
