import Glibc

/// A failed system call on a socket.
package struct SocketError: Error, CustomStringConvertible {
    package let call: String
    /// The `errno`.
    package let code: CInt

    package init(_ call: String, code: CInt) {
        self.call = call
        self.code = code
    }

    /// The error of the call that has just failed.
    init(_ call: String) {
        self.init(call, code: errno)
    }

    package var description: String {
        "\(call): \(String(cString: strerror(code)))"
    }
}
