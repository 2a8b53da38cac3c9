import ApusBroker
import ApusProtocol
import NIOCore

/// The ack of one publish.
struct PublishAck {
    let encoder: MessageEncoder
    let topicJSON: [UInt8]
    /// Of a batch.
    let count: Int?
    /// The topic's, if the client asked where the messages were stored.
    let epoch: String?
    let time: Timestamp

    /// - Parameter requestID: as JSON.
    func write(_ receipt: PublishReceipt, _ requestID: UnsafeRawBufferPointer?, to replies: inout ByteBuffer) {
        var members = count.map { #","count":\#($0)"# } ?? ""
        if let epoch { members += Self.members(of: receipt, epoch: epoch) }
        encoder.ack(requestID: requestID, topicJSON: topicJSON, members: members, time: time, to: &replies)
    }

    /// Writes it again with offsets that have moved; `nil` if it has none that may.
    func rewrite(_ receipt: PublishReceipt, _ requestID: UnsafeRawBufferPointer?) -> HeldReplies.Rewrite? {
        guard epoch != nil, receipt.mayMove else { return nil }
        let id = requestID.map { Array($0) }
        return { relocation, replies in
            let settled = relocation.settled(receipt)
            guard let id else { return write(settled, nil, to: &replies) }
            id.withUnsafeBytes { write(settled, $0, to: &replies) }
        }
    }

    /// The fields of an ack that say where the messages were stored.
    static func members(of receipt: PublishReceipt, epoch: String) -> String {
        var members = #","epoch":"\#(epoch)","offset":\#(receipt.offset),"subscribers":\#(receipt.subscribers)"#
        members += #","stored":"\#(receipt.stored.rawValue)","duplicate":\#(receipt.isDuplicate)"#
        if receipt.count > 0, receipt.duplicates > 0 { members += #","duplicates":\#(receipt.duplicates)"# }
        return members
    }
}
