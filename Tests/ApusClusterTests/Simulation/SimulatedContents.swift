import ApusCluster
import NIOCore

/// Messages that are numbers, with ids that are numbers.
struct SimulatedContents: PackContents, Equatable {
    struct Message: Hashable {
        let number: UInt64
        /// 0 if the publisher gave none that is looked at.
        let id: UInt64
    }

    var messages: [Message]
    var time: Int64

    var count: Int { messages.count }
    var bytes: Int { messages.count * 16 }

    var ids: [(index: Int, id: String)] {
        messages.enumerated().compactMap { $1.id == 0 ? nil : ($0, String($1.id)) }
    }

    var body: ByteBuffer {
        var body = ByteBuffer()
        for message in messages { body.writeMultipleIntegers(message.number, message.id) }
        return body
    }

    init(_ messages: [Message], time: Int64) { (self.messages, self.time) = (messages, time) }

    init?(body: ByteBuffer, count: Int, time: Int64) {
        var (body, messages) = (body, [Message]())
        guard body.readableBytes == count * 16 else { return nil }
        while let (number, id) = body.readMultipleIntegers(as: (UInt64, UInt64).self) {
            messages.append(Message(number: number, id: id))
        }
        self.init(messages, time: time)
    }

    mutating func append(_ other: Self) {
        messages += other.messages
        time = max(time, other.time)
    }

    mutating func remove(_ indices: [Int]) {
        for index in indices.reversed() { messages.remove(at: index) }
    }
}
