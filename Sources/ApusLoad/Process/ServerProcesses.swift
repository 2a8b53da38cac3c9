import ApusSockets
import Glibc

/// Finds the processes that listen at an address of this machine.
enum ServerProcesses {
    /// The processes that hold a listening socket there; empty when none are visible.
    ///
    /// They include children that inherited the socket.
    static func listening(at address: LoadAddress) -> [Int32] {
        guard address.isLocal else { return [] }
        let inodes =
            address.isUnix
            ? listeningInodes(path: address.host) : listeningInodes(port: address.port, host: address.hostBytes)
        guard !inodes.isEmpty else { return [] }
        let links = Set(inodes.map { "socket:[\($0)]" })
        let holders = processes().filter { pid in
            ProcFile.names(in: "/proc/\(pid)/fd").contains { descriptor in
                ProcFile.link("/proc/\(pid)/fd/\(descriptor)").map(links.contains) ?? false
            }
        }
        return holders
    }

    private static func processes() -> [Int32] {
        ProcFile.names(in: "/proc").compactMap { Int32($0) }
    }

    /// The inodes of Unix sockets that listen at a path.
    private static func listeningInodes(path: String) -> [String] {
        (ProcFile.text("/proc/net/unix") ?? "").split(separator: "\n").compactMap { line in
            // Num, RefCount, Protocol, Flags (00010000 listens), Type, St, Inode, Path.
            let fields = line.split(separator: " ", maxSplits: 7)
            return fields.count == 8 && fields[3] == "00010000" && fields[7] == path ? String(fields[6]) : nil
        }
    }

    /// The inodes of sockets that listen at a port, at this address or at all addresses (proc_net_tcp(5)).
    private static func listeningInodes(port: Int, host: [UInt8]) -> [String] {
        let text = ["/proc/net/tcp", "/proc/net/tcp6"].compactMap(ProcFile.text).joined()
        return text.split(separator: "\n").compactMap { line in
            let fields = line.split(separator: " ")
            // sl, local address, remote address, state (0A listens), …, the inode.
            guard fields.count > 9, fields[3] == "0A" else { return nil }
            let local = fields[1].split(separator: ":")
            guard local.count == 2, Int(local[1], radix: 16) == port, isSame(local[0], host) else { return nil }
            return String(fields[9])
        }
    }

    /// Whether a listener accepts connections to `host`. Its address is in hexadecimal words in host byte order.
    static func isSame(_ hex: Substring, _ host: [UInt8]) -> Bool {
        if hex.allSatisfy({ $0 == "0" }) { return true }
        var bytes: [UInt8] = []
        var rest = hex
        while rest.count >= 8 {
            guard let word = UInt32(rest.prefix(8), radix: 16) else { return false }
            withUnsafeBytes(of: word) { bytes += $0 }
            rest = rest.dropFirst(8)
        }
        // An IPv4 address in an IPv6 socket is ::ffff:a.b.c.d.
        return bytes == host || (bytes.count == 16 && host.count == 4 && Array(bytes[12...]) == host)
    }
}
