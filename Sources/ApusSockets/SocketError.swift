import Glibc

/// A failed system call on a socket.
public struct SocketError: Error, CustomStringConvertible {
    public let call: String
    /// The `errno`.
    public let code: CInt

    public init(_ call: String, code: CInt) {
        self.call = call
        self.code = code
    }

    /// The error of the call that has just failed.
    init(_ call: String) {
        self.init(call, code: errno)
    }

    public var description: String {
        "\(call): \(String(cString: strerror(code)))"
    }
}
