import COpenSSL

/// Room for sealed bytes. It grows when a handshake's messages need that.
public struct SealedOutput: ~Copyable {
    /// The most that is collected before it must be sent: a handshake's messages, with a long chain of certificates.
    static let maxSize = 512 * 1024

    private var space: UnsafeMutableRawBufferPointer
    public private(set) var count = 0

    /// - Parameter capacity: in bytes.
    public init(capacity: Int) {
        space = .allocate(byteCount: capacity, alignment: 16)
    }

    deinit {
        space.deallocate()
    }

    public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: space[..<count]) }

    public mutating func clear() { count = 0 }

    var room: Int { space.count - count }

    /// Makes room for so many more bytes.
    mutating func reserve(_ more: Int) {
        if room < more { resize(count + more) }
    }

    /// Makes room because there was too little. Beyond ``maxSize`` there is no more, and the handshake cannot go on.
    mutating func grow() -> Bool {
        guard space.count < Self.maxSize else { return false }
        resize(space.count * 2)
        return true
    }

    private mutating func resize(_ capacity: Int) {
        let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 16)
        larger.copyMemory(from: bytes)
        space.deallocate()
        space = larger
    }

    /// Has `body` write to a connection's wire, and takes what it has written.
    mutating func collect(_ wire: UnsafeMutablePointer<copenssl_wire>, _ body: () -> CInt) -> CInt {
        wire.pointee.output = space.assumingMemoryBound(to: UInt8.self).baseAddress.map { $0 + count }
        wire.pointee.output_room = room
        wire.pointee.output_size = 0
        let result = body()
        count += wire.pointee.output_size
        wire.pointee.output = nil
        wire.pointee.output_room = 0
        return result
    }
}
