import ApusAccess
import Foundation

/// What the client of a WebSocket may do, with the decisions about publishing that were made already.
///
/// Used only on the connection's loop.
final class SessionAccess {
    /// How many names are remembered as allowed. Another name takes the place of one of them.
    private static let places = 64

    let client: ClientAccess
    /// Whether the client was told that its credential ends soon.
    var isWarned = false
    /// Names that the client may publish to, each at a place that depends on its bytes.
    private var publishable: ContiguousArray<[UInt8]> = []

    init(_ client: ClientAccess) {
        self.client = client
    }

    /// Whether the client may publish to a topic.
    ///
    /// - Parameter name: the bytes of its name.
    func mayPublish(to name: UnsafeRawBufferPointer) -> Bool {
        if client.rights.isUnlimited { return true }
        let place = Self.place(of: name)
        if !publishable.isEmpty, Self.isSame(publishable[place], name) { return true }
        guard client.rights.allows(.publish, topic: String(decoding: name, as: UTF8.self)) else { return false }
        if publishable.isEmpty { publishable = ContiguousArray(repeating: [], count: Self.places) }
        publishable[place] = Array(name)
        return true
    }

    @inline(__always)
    private static func place(of name: UnsafeRawBufferPointer) -> Int {
        guard name.count >= 8 else { return name.reduce(name.count) { $0 &* 31 &+ Int($1) } & (places - 1) }
        let end = name.loadUnaligned(fromByteOffset: name.count - 8, as: UInt64.self)
        return Int(truncatingIfNeeded: (end &* 0x9E37_79B9_7F4A_7C15) >> 58)
    }

    @inline(__always)
    private static func isSame(_ known: [UInt8], _ name: UnsafeRawBufferPointer) -> Bool {
        guard known.count == name.count, let bytes = name.baseAddress else { return false }
        return memcmp(known, bytes, name.count) == 0
    }
}
