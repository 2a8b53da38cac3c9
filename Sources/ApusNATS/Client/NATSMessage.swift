#if NATS
import CNATS
import Glibc
package import NIOCore

/// A header of a message. NATS counts the name's case.
package struct NATSHeader: Sendable, Equatable {
    package var name: String
    package var value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// A message that came, copied out of libnats' memory.
package struct NATSMessage: Sendable {
    package let subject: String
    package let reply: String?
    package let headers: [NATSHeader]
    package let body: ByteBuffer

    package subscript(header name: String) -> String? {
        headers.first { $0.name == name }?.value
    }
}

/// A message that libnats allocated. It is freed with its owner.
struct OwnedMessage: ~Copyable {
    let pointer: OpaquePointer

    init(_ pointer: OpaquePointer) {
        self.pointer = pointer
    }

    /// Makes one to send; `nil` if there is no memory, or the subject is empty.
    static func make(subject: String, reply: String?, headers: [NATSHeader], body: ByteBuffer) -> OwnedMessage? {
        var made: OpaquePointer?
        let status = body.withUnsafeReadableBytes { bytes in
            natsMsg_Create(&made, subject, reply, bytes.baseAddress, CInt(bytes.count))
        }
        guard status == NATS_OK, let made else { return nil }
        let message = OwnedMessage(made)
        for header in headers where natsMsgHeader_Set(made, header.name, header.value) != NATS_OK {
            return nil
        }
        return message
    }

    deinit {
        natsMsg_Destroy(pointer)
    }

    /// Nobody listens at the subject of the request that this answers.
    var saysNoResponders: Bool { natsMsg_IsNoResponders(pointer) }

    var reply: String? { natsMsg_GetReply(pointer).map { String(cString: $0) } }

    func header(_ name: String) -> String? {
        var value: UnsafePointer<CChar>?
        guard natsMsgHeader_Get(pointer, name, &value) == NATS_OK else { return nil }
        return value.map { String(cString: $0) }
    }

    var headers: [NATSHeader] {
        var names: UnsafeMutablePointer<UnsafePointer<CChar>?>?
        var count: CInt = 0
        guard natsMsgHeader_Keys(pointer, &names, &count) == NATS_OK, let names else { return [] }
        defer { free(names) }
        return (0..<Int(count)).compactMap { index in
            guard let name = names[index] else { return nil }
            var value: UnsafePointer<CChar>?
            guard natsMsgHeader_Get(pointer, name, &value) == NATS_OK, let value else { return nil }
            return NATSHeader(String(cString: name), String(cString: value))
        }
    }

    var body: ByteBuffer {
        let count = Int(natsMsg_GetDataLength(pointer))
        guard count > 0, let data = natsMsg_GetData(pointer) else { return ByteBuffer() }
        return ByteBuffer(bytes: UnsafeRawBufferPointer(start: data, count: count))
    }

    func copied() -> NATSMessage {
        NATSMessage(
            subject: natsMsg_GetSubject(pointer).map { String(cString: $0) } ?? "",
            reply: reply,
            headers: headers,
            body: body
        )
    }
}

extension NATSHeader {
    /// How many bytes the headers of a message take, which count as its payload: the protocol's first line, each
    /// header as `name: value`, and an empty line.
    static func size(of headers: [NATSHeader]) -> Int {
        guard !headers.isEmpty else { return 0 }
        let lines = headers.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count + 4 }
        return "NATS/1.0\r\n".utf8.count + lines + 2
    }
}
#endif
